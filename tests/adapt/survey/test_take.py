"""The survey of all encoders: what stands in a row, what cannot be, and that what is done is kept."""

import numpy as np
import pytest

from spectral_jax.adapt.settings import WeightFolders
from spectral_jax.adapt.survey import take
from spectral_jax.adapt.survey.sums import Scored
from spectral_jax.adapt.survey.take import Size, Task

FOLDERS = WeightFolders(presto="somewhere")


def made(heading):
    """A task whose features are one number that the score repeats, and that SpecTf cannot take."""

    def features(contestant):
        if contestant.encoder == "spectf":
            raise ValueError("spectf: expected bands with wavelengths.")
        return [np.full(3, 0.5)] * (2 if contestant.random else 1)

    def scored(found, few):
        return Scored(float(found[0][0]) - 0.1 * few, 0.0, 1.0, (len(found),))

    return Task(heading, lambda: {"bands, all": np.ones(3)}, features, scored)


def measured(said, heading):
    """How many cells of a task were measured, by the lines that were said."""
    return sum(line.startswith(f"{heading} ") and "left out" not in line for line in said)


@pytest.fixture
def record(monkeypatch):
    monkeypatch.setattr(take, "_tasks", lambda *_: iter([made("first"), made("second")]))
    kept, said = [], []
    size = Size(seeds=2, encoders=("presto", "spectf"))
    found = take.take({}, FOLDERS, size, said.append, lambda one: kept.append([row["scores"] for row in one["rows"]]))
    # After each score, so that a command which is ended loses none.
    assert [sum(cell is not None for row in rows for cell in row) for rows in kept] == [1, 2, 3, 4, 5, 6]
    assert [line.partition("left out: ")[2] for line in said if "left out" in line] == [
        "spectf: expected bands with wavelengths."
    ] * 2
    assert len(said) == 2 * 3 + 2
    return found


def test_a_row_has_few_labels_and_all_of_every_task(record):
    rows = {row["name"]: row["scores"] for row in record["rows"]}
    assert list(rows) == ["bands, all", "presto", "presto, random weights"]
    few, every = rows["presto"][1]
    assert (few["value"], every["value"]) == (0.4, 0.5)
    assert rows["presto, random weights"][0][0]["seeds"] == (2,)
    assert record["weights"] == {"presto": "somewhere"}
    assert [task["heading"] for task in record["tasks"]] == ["first", "second"]


def test_a_cell_that_cannot_be_says_why(record):
    assert {(cell["task"], cell["row"]) for cell in record["left_out"]} == {
        ("first", "spectf, small, random weights"),
        ("second", "spectf, small, random weights"),
    }
    assert record["left_out"][0]["why"] == "spectf: expected bands with wavelengths."


def test_what_was_measured_with_the_same_weights_is_not_measured_again(record, monkeypatch):
    monkeypatch.setattr(take, "_tasks", lambda *_: iter([made("first"), made("third")]))
    said = []
    size = Size(seeds=2, encoders=("presto", "spectf"))
    again = take.take({}, FOLDERS, size, said.append, before=record | {"seconds": 5000.0})
    assert 5000.0 < again["seconds"] < 5060.0
    assert measured(said, "first") == 0
    assert measured(said, "third") == 3
    before = {row["name"]: row["scores"][0] for row in record["rows"]}
    assert {row["name"]: row["scores"][0] for row in again["rows"]} == before
    other = []
    take.take({}, WeightFolders(presto="elsewhere"), size, other.append, before=record)
    assert measured(other, "first") == 2  # presto's two lines; the bands are as they were
    more = []
    take.take({}, FOLDERS, size._replace(seeds=3), more.append, before=record)
    assert measured(more, "first") == 3


@pytest.mark.parametrize("name", ["ours_finest", "ours_pixels"])
def test_our_encoder_stands_beside_the_bands_too(name, monkeypatch):
    widths = []
    scored = lambda found, few: widths.append(found[0].shape) or Scored(0.0, 0.0, 1.0, (1,))  # noqa: E731
    monkeypatch.setattr(take, "_tasks", lambda *_: iter([made("first")._replace(scored=scored)]))
    found = take.take({}, WeightFolders(**{name: "somewhere"}), Size(seeds=1, encoders=(name,)), lambda _: None)
    names = ["bands, all", name, f"{name}, beside the bands", f"{name}, random weights"]
    assert [row["name"] for row in found["rows"]] == names
    assert widths[::2] == [(3,), (3,), (6,), (3,)]


def test_a_task_or_an_encoder_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="no task of the table is called 'postdam'.*closest first: potsdam"):
        take.take({"postdam": "x"}, FOLDERS, Size())
    with pytest.raises(ValueError, match="no encoder of the table is called 'galileu'.*closest first: galileo"):
        take.take({}, FOLDERS, Size(encoders=("galileu",)))
