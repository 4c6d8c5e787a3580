"""The command `worth`: what its flags may be."""

from pathlib import Path

import pytest
from absl.testing import flagsaver

from spectral_jax import launch

TOOL = Path(__file__).resolve().parents[2] / "tools" / "worth.py"


@pytest.fixture(scope="module")
def worth(load_command):
    return load_command(TOOL)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (dict(labels=["20", "many"]), "worth: --labels: expected whole numbers, got 20,many."),
        (dict(labels=["20", "481"]), "worth: --labels: expected numbers from 2 to 480"),
        (dict(runs=["no_such_run"]), "no_such_run holds no finished checkpoint"),
    ],
)
def test_what_cannot_be_asked_is_a_sentence(worth, monkeypatch, capsys, tmp_path, given, sentence):
    monkeypatch.setattr(launch, "keep", lambda: None)
    with flagsaver.flagsaver(**(dict(runs=["none"], workdir=str(tmp_path / "out")) | given)):
        assert worth["main"](["worth"]) == 1
    assert sentence in capsys.readouterr().err


def test_an_override_is_refused(worth, monkeypatch, capsys):
    monkeypatch.setattr(launch, "keep", lambda: None)
    assert worth["main"](["worth", "--config.optim.lr=1"]) == 1
    assert "the configs are those of the runs; this command takes no overrides." in capsys.readouterr().err
