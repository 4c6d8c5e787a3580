"""The command of the one table of encoders: what it refuses before anything runs, and what it writes."""

import json
from pathlib import Path

import pytest
from absl.testing import flagsaver

import spectral_jax
from spectral_jax import launch
from spectral_jax.adapt.survey import block, take

TOOL = Path(__file__).resolve().parents[2] / "tools" / "encoder_table.py"


@pytest.fixture(scope="module")
def tool(load_command):
    return load_command(TOOL)


@pytest.fixture
def programs_stay(monkeypatch):
    """Without the command's own folder of compiled programs: that of the tests is used."""
    monkeypatch.setattr(launch, "keep", lambda: None)


@pytest.mark.usefixtures("programs_stay")
@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (dict(weights=["galileu:x"]), "no encoder is called 'galileu'; the names are, closest first: galileo"),
        (dict(weights=["ours:spectral-mini"]), "no encoder is called 'ours'; the names are, closest first: ours_pixels"),
        (dict(weights=["ours_pixels:spectral-min"]), "'spectral-min' is neither a folder here nor a model of the package"),
        (dict(weights=["presto:nowhere"]), "nowhere"),
        (dict(weights=["galileo"]), "--weights: expected ENCODER:FOLDER, such as galileo:/tmp/galileo, got 'galileo'"),
        (dict(tasks=["potsdam"]), "--data=DIR is needed: the folder of the tasks' folders"),
        (dict(tasks=["simulated"], out="page.md"), "page.md: expected the lines"),
    ],
)
def test_what_a_user_can_mend_is_a_sentence(tool, capsys, monkeypatch, tmp_path, flags, sentence):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "page.md").write_text("no marks")
    with flagsaver.flagsaver(**flags):
        assert tool["main"](["encoder_table"]) == 1
    assert sentence in capsys.readouterr().err


@pytest.mark.usefixtures("programs_stay")
def test_the_table_goes_between_the_marks_and_every_score_into_the_record(tool, monkeypatch, tmp_path):
    made = {
        "tasks": [{"heading": "one"}], "rows": [{"name": "bands, all", "scores": [None]}], "weights": {}, "left_out": [],
        "size": {"seeds": 2}, "seconds": 60.0,
    }  # fmt: skip
    asked, loaded = [], []
    monkeypatch.setattr(spectral_jax, "load", loaded.append)
    monkeypatch.setattr(take, "take", lambda *given: asked.append(given[:3]) or given[4](made) or made)
    page, record = tmp_path / "page.md", tmp_path / "record.json"
    page.write_text(f"# Page\n{block.BEGIN}\n{block.END}\n")
    flags = dict(
        tasks=["potsdam", "simulated"], data="data", seeds=2, out=str(page), record=str(record), weights=["ours_finest:run"]
    )
    with flagsaver.flagsaver(**flags):
        assert tool["main"](["encoder_table"]) == 0
    folders, weights, size = asked[0]
    assert folders == {"potsdam": "data/enmap_potsdam", "simulated": "data"}
    assert (weights.ours_finest, size.seeds, size.train) == ("run", 2, 480)
    assert loaded == ["run"]  # so that a run that is not there is told before anything is measured
    assert "| bands, all | - |" in page.read_text()
    assert json.loads(record.read_text()) == made
