"""The command `ablate`: which rows and seeds are taken, and at which budget."""

from pathlib import Path

import pytest
from absl.testing import flagsaver

from spectral_jax import launch
from spectral_jax.measure.ablation import run

ROOT = Path(__file__).resolve().parents[2]
FILE = str(ROOT / "experiments" / "ablations" / "quickstart.py")


@pytest.fixture(scope="module")
def ablate(load_command):
    return load_command(ROOT / "tools" / "ablate.py")


@pytest.fixture
def asked(monkeypatch):
    """What the command hands on; nothing is trained."""
    monkeypatch.setattr(launch, "keep", lambda: None)
    found = []
    monkeypatch.setattr(run, "ablate", lambda *arguments: found.append(arguments))
    return found


def test_rows_seeds_and_budget_are_those_of_the_flags(ablate, asked, tmp_path):
    given = dict(ablation=FILE, workdir=str(tmp_path), only=["linear tokens"], seeds=["3", "4"], budget="7.5")
    with flagsaver.flagsaver(**given):
        assert ablate["main"](["ablate"]) == 0
    ((ablation, workdir, seeds, question),) = asked
    assert list(ablation.rows) == ["quickstart", "linear tokens"]
    assert ablation.budget == 7.5
    assert (workdir, seeds, question.unseen) == (tmp_path, [3, 4], 3000)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (dict(seeds=["a"]), "ablate: --seeds: expected whole numbers, got a."),
        (dict(only=["linear"]), "ablate: --only: no row is called 'linear'"),
        (dict(budget="soon"), "ablate: budget: expected CPU seconds above 0, or 'steps', got 'soon'."),
    ],
)
def test_what_cannot_be_done_is_a_sentence(ablate, asked, capsys, tmp_path, given, sentence):
    with flagsaver.flagsaver(**(dict(ablation=FILE, workdir=str(tmp_path)) | given)):
        assert ablate["main"](["ablate"]) == 1
    assert capsys.readouterr().err.startswith(sentence)
    assert not asked
