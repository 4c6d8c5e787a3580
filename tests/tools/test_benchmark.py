import json
import sys
from pathlib import Path

import pytest
from absl.testing import flagsaver

from spectral_jax import launch
from spectral_jax.measure.peer import compare

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
    assert "expected one of compare, loader, memory, realism, scene, step, got compere." in capsys.readouterr().out


@pytest.mark.usefixtures("programs_stay")
def test_what_a_user_can_mend_is_a_sentence(benchmark, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert benchmark["main"](["benchmark", "compare"]) == 1
    assert "benchmark: the comparison of training steps needs PyTorch" in capsys.readouterr().err


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
