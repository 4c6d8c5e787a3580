import os

import numpy as np
import pytest

from spectral_jax.measure import machine


def test_the_last_cores_that_the_process_may_use_are_taken(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5, 1, 3})
    assert machine.cores(2) == [3, 5]


def test_more_cores_than_there_are_are_told(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    with pytest.raises(ValueError, match=r"--threads: expected 1 to 2, the cores that this process may use, got 3\."):
        machine.cores(3)


def test_a_peak_that_is_reset_is_that_of_what_came_after():
    large = np.ones(2**26)  # 512 MiB
    before = machine.memory()["peak_mib"]
    del large
    if not machine.reset_peak():
        pytest.skip("the kernel does not let a process reset its peak")
    assert machine.memory()["peak_mib"] < before - 400


def test_a_peak_that_cannot_be_reset_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "_CLEAR", tmp_path / "no" / "clear_refs")
    assert machine.reset_peak() is False


def test_the_machine_is_described_with_versions():
    found = machine.described(("numpy", "no-such-package"))
    assert found["numpy"] == np.__version__
    assert found["no-such-package"] == "not installed"
    assert set(found) == {"processor", "python", "numpy", "no-such-package", "commit"}
