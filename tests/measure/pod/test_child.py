import dataclasses
import subprocess
import sys

import pytest
from made import tiny_run

from spectral_jax.config import Data
from spectral_jax.measure.pod import child, chips
from spectral_jax.measure.pod.collectives import Collective
from spectral_jax.measure.pod.program import Compiled

V5E = chips.slices("v5e:2x2")


def test_without_libtpu_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "libtpu", None)
    sentence = (
        "compiling for TPUs without one needs libtpu, and it is not installed; install the extra pod: "
        r"pip install 'spectral-jax\[pod\]'."
    )
    with pytest.raises(ImportError, match=sentence):
        child.compile_step(tiny_run.config(), "all", V5E)


def test_what_is_measured_survives_the_way_between_the_processes():
    found = Compiled(True, 5, collectives=(Collective("all-reduce", "f32", 8, 4, in_loop=True),), compile_cpu_s=1.5)
    assert child.from_dict(dataclasses.asdict(found)) == found


@pytest.mark.parametrize(
    ("code", "error", "sentence"),
    [
        (
            -9,
            OSError,
            "compiling group all for v5e:2x2: the compiler was killed, most likely for want of memory on this machine",
        ),
        (
            1,
            RuntimeError,
            "compiling group all for v5e:2x2: the compiler failed .exit code 1.. The end of what it said:\nno rule",
        ),
    ],
)
def test_a_process_that_fails_is_told_in_a_sentence(monkeypatch, code, error, sentence):
    monkeypatch.setitem(sys.modules, "libtpu", sys)
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, code, "", "no rule\n"))
    with pytest.raises(error, match=sentence):
        child.compile_step(tiny_run.config(), "all", V5E)


@pytest.mark.slow
def test_what_a_user_can_mend_comes_back_as_its_sentence():
    pytest.importorskip("libtpu")
    cfg = tiny_run.config(data=Data(store="none", batch_size=6))
    with pytest.raises(ValueError, match="data.batch_size: the mesh of 4 devices .data 4, fsdp 1. does not divide 6"):
        child.compile_step(cfg, "all", V5E)


@pytest.mark.slow
def test_the_step_of_a_tiny_run_is_compiled_for_tpus():
    pytest.importorskip("libtpu")
    found = child.compile_step(tiny_run.lean(data=Data(store="none", batch_size=4)), "all", V5E)
    assert found.fits
    assert 0 < found.program_bytes < found.hbm_bytes < V5E.chip.hbm_usable_bytes
    assert 2**28 < found.host_bytes < 2**35
    added = sum(one.step_bytes for one in found.collectives if one.kind == "all-reduce")
    assert found.gradient_bytes <= added < 2 * found.gradient_bytes
