"""The same patches are asked of zarr-python and the DataLoader, and unequal readers are not timed."""

import importlib.util

import numpy as np
import pytest
from made.tiny_store import build, config

from spectral_jax.measure.peer import loaders


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("loaders") / "s"
    build(folder, {"g": 8}, keys={"g": ("HY", "MS")}, valid_share=1.0, dates=2)
    return config(("HY", "MS")), str(folder)


def test_without_pytorch_the_extra_is_named(made, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"PyTorch and zarr.*compare"):
        loaders.compare(*made)


def test_the_sum_of_what_is_read_is_compared_before_anything_is_told(made, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    asked = []

    def theirs(job):
        asked.append(job)
        return {"seconds": 1.0, "sum": -1}

    monkeypatch.setattr(loaders, "_theirs", theirs)
    with pytest.raises(ValueError, match=r"the loaders read different pixels: their sum is \d+ and -1"):
        loaders.compare(*made, batches=3, repeats=1)
    assert [len(batch) for batch in asked[0]["batches"]] == [4, 4, 4]
    name, row, date, bands = asked[0]["batches"][0][0]["MS"]
    assert (name, bands) == ("g/MS", made[0].sensors[1].spec.used_index)
    assert row in range(8)
    assert date in (0, 1)


@pytest.mark.slow
def test_both_read_the_same_pixels(made):
    pytest.importorskip("torch")
    pytest.importorskip("zarr")
    found = loaders.compare(*made, batches=3, repeats=2)
    assert len(found["ours"]) == len(found["0 workers"]) == len(found["ratios"]) == 2
    np.testing.assert_allclose(found["ratio"], np.median(found["ratios"]))
    assert found["faster"] in found
