import json
from pathlib import Path

import pytest
from absl.testing import flagsaver

from spectral_jax.measure.pod import child
from spectral_jax.measure.pod.program import Compiled

ROOT = Path(__file__).resolve().parents[2]
B = str(ROOT / "experiments" / "configs" / "spectralearth_fm_b.py")


@pytest.fixture(scope="module")
def tool(load_command):
    return load_command(ROOT / "tools" / "compile_pod.py")


@pytest.fixture
def run(tool, monkeypatch):
    """Runs the command with a compiler that answers at once: 3 GiB a sample."""

    def compile_step(cfg, group, slices):
        total = round(3 * 2**30 * cfg.data.batch_size / slices.chips)
        return Compiled(total <= slices.chip.hbm_usable_bytes, total, moved_bytes=10**10)

    monkeypatch.setattr(child, "compile_step", compile_step)

    def call(*overrides, **flags):
        with flagsaver.flagsaver(**{"config": B} | flags):
            return tool["main"](["compile_pod", *overrides])

    return call


def test_a_run_is_reported_as_text_and_as_json(run, tmp_path, capsys):
    out = str(tmp_path / "out")
    assert run(topology="v5e:4x4", group=["pair_emit_enmap", "triplet"], batch_per_chip=2, price=1.5, out=out) == 0
    said = capsys.readouterr().out
    text = (tmp_path / "out" / "report.txt").read_text()
    assert said.endswith(text)
    assert "compiling triplet for 1 x v5e:4x4, 2 samples a chip ..." in said
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["samples"] == 240 * 50 * 8590
    assert [one["group"] for one in report["groups"]] == ["pair_emit_enmap", "triplet"]
    assert report["groups"][0]["sensors"] == ["ENMAP", "EMIT", "S2", "LO", "LT", "S1"]
    assert report["dollars"] == pytest.approx(1.5 * report["chip_hours"])


def test_what_does_not_fit_ends_with_1(run, capsys):
    assert run("--config.data.batch_size=96", topology="v5e:4x4", group=["triplet"]) == 1
    assert "data.batch_size=48 (3 a chip): fits" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (
            {"topology": "v5e16"},
            "compile_pod: --topology: no slice of TPUs is called 'v5e16'; the names are, closest first: v5e:8x16, v5e:16x16",
        ),
        ({"group": ["pair"]}, "compile_pod: --group: no group is called 'pair'; the names are, closest first: "),
        ({"price": float("nan")}, "compile_pod: --price: expected dollars for an hour of one chip, 0 or more, got nan."),
        ({"slices": 0}, "compile_pod: --slices: expected how many slices v5e:16x16 work together, 1 or more, got 0."),
    ],
)
def test_bad_input_is_a_sentence(run, capsys, flags, sentence):
    assert run(**flags) == 1
    assert capsys.readouterr().err.startswith(sentence)
