"""The table as a block of a page: what it says, and that the rest of the page stays."""

import pytest

from spectral_jax.adapt.survey import block


def score(value, low, high):
    return {"value": value, "low": low, "high": high, "seeds": (value,)}


RECORD = {
    "tasks": [{"heading": "Potsdam: macro F1"}, {"heading": "fuel moisture: RMSE"}],
    "rows": [
        {"name": "bands, all", "scores": [[score(0.5, 0.4, 0.6), score(0.625, 0.55, 0.7)], [score(28.06, 27.0, 29.0)] * 2]},
        {"name": "spectf", "scores": [[score(0.25, 0.2, 0.3)] * 2, None]},
    ],
    "weights": {"spectf": "anywhere"},
    "size": {"seeds": 3},
    "seconds": 600.0,
}


def test_a_cell_has_few_labels_and_all_with_their_intervals():
    lines = block.written(RECORD).splitlines()
    assert lines[:2] == ["| frozen, linear model | Potsdam: macro F1 | fuel moisture: RMSE |", "|---|---|---|"]
    assert lines[2] == ("| bands, all | 0.50 (0.40 to 0.60); 0.62 (0.55 to 0.70) | 28.1 (27.0 to 29.0); 28.1 (27.0 to 29.0) |")
    assert lines[3].endswith("| - |")
    note = " ".join(lines[4:])
    assert "of the 3 seeds" in note
    assert "Weights of a folder: spectf. All others are random weights" in note
    assert note.endswith("10 minutes.")
    assert max(map(len, lines[4:])) <= 128


def test_only_what_is_between_the_marks_is_replaced(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{block.BEGIN}\nold\n{block.END}\nafter\n")
    block.put(page, "new")
    assert page.read_text() == f"before\n{block.BEGIN}\nnew\n{block.END}\nafter\n"


@pytest.mark.parametrize("text", ["nothing", f"{block.END}\n{block.BEGIN}", f"{block.BEGIN}\n{block.BEGIN}\n{block.END}"])
def test_a_page_without_its_marks_is_refused(tmp_path, text):
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(ValueError, match=r"page\.md: expected the lines '<!-- encoders: written by"):
        block.put(page, "new")
    assert page.read_text() == text
