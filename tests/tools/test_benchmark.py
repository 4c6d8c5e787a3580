import json
import sys
from pathlib import Path

import pytest
from absl.testing import flagsaver

from spectral_jax import launch
from spectral_jax.measure.peer import compare
from spectral_jax.measure.reading import startup, steps

TOOL = Path(__file__).resolve().parents[2] / "tools" / "benchmark.py"


@pytest.fixture(scope="module")
def benchmark(load_command):
    return load_command(TOOL)


@pytest.fixture
def programs_stay(monkeypatch):
    """Without the command's own folder of compiled programs: that of the tests is used."""
    monkeypatch.setattr(launch, "keep", lambda: None)
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "")
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "")


def test_an_unknown_measure_is_told_with_those_there_are(benchmark, capsys):
    assert benchmark["main"](["benchmark", "compere"]) == 1
    known = "archive, build, compare, loader, maps, memory, realism, scene, step"
    assert f"expected one of {known}, got compere." in capsys.readouterr().out


@pytest.mark.usefixtures("programs_stay")
def test_what_a_user_can_mend_is_a_sentence(benchmark, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert benchmark["main"](["benchmark", "compare"]) == 1
    assert "benchmark: the comparison of training steps needs PyTorch" in capsys.readouterr().err
    with flagsaver.flagsaver(torch=True):
        assert benchmark["main"](["benchmark", "maps"]) == 1
    assert (
        "benchmark: maps --torch needs PyTorch, and it is not installed; install the extra compare" in capsys.readouterr().err
    )


@pytest.mark.usefixtures("programs_stay")
def test_a_comparison_is_printed_and_written_size_by_size(benchmark, capsys, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(compare.machine, "described", lambda _: {"torch": "2"})
    monkeypatch.setattr(compare, "compare", lambda *a: asked.append(a[:4]) or {"size": a[0]})
    monkeypatch.setattr("spectral_jax.measure.peer.figures.text", lambda result: f"table of {result['size']}")
    with flagsaver.flagsaver(sizes=["tiny", "small"], repeats=2, out=str(tmp_path / "out")):
        assert benchmark["main"](["benchmark", "compare"]) == 0
    assert asked == [("tiny", 2, 1, False), ("small", 2, 1, False)]
    assert "table of tiny\ntable of small" in capsys.readouterr().out
    written = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert written == {"machine": {"torch": "2"}, "sizes": {"tiny": {"size": "tiny"}, "small": {"size": "small"}}}


def test_a_latency_puts_the_store_behind_a_server_and_asks_whether_steps_are_fed(benchmark, capsys, monkeypatch):
    asked = []
    monkeypatch.setattr(steps, "feed", lambda cfg, *given: asked.append((cfg.data.batch_size, *given)) or {"requests": 10.5})
    with flagsaver.flagsaver(store="s.zarr", latency_ms=20.0, batches=7, step_s=0.25):
        assert benchmark["main"](["benchmark", "loader", "--config.data.batch_size=32"]) == 0
    assert asked == [(32, "s.zarr", 7, 0.25, 20.0, 200.0)]
    assert "requests: 10.5" in capsys.readouterr().out


def test_the_archive_is_measured_for_one_process_of_many(benchmark, capsys, monkeypatch):
    monkeypatch.setattr(startup, "measure", lambda cfg, *given: {"asked": given})
    with flagsaver.flagsaver(store="s.zarr", process=3, processes=64):
        assert benchmark["main"](["benchmark", "archive"]) == 0
    assert "asked: ('s.zarr', 3, 64)" in capsys.readouterr().out
