"""The table of the survey as a block of a Markdown page, between two marks; what is around it stays."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

from spectral_jax.adapt.survey.sums import DRAWS

BEGIN, END = "<!-- encoders: written by tools/encoder_table.py -->", "<!-- encoders: end -->"
NOTHING, WIDTH = "-", 128


def written(record: dict) -> str:
    """Heading lines, the table and its notes.

    Args:
      record: of `take.take`.
    """
    headings = [task["heading"] for task in record["tasks"]]
    lines = [
        f"| frozen, linear model | {' | '.join(headings)} |",
        "|---" * (len(headings) + 1) + "|",
        *(f"| {row['name']} | {' | '.join(map(_cell, row['scores']))} |" for row in record["rows"]),
        "",
        *_notes(record),
    ]
    return "\n".join(lines)


def put(page: Path, text: str) -> None:
    """Replaces what stands between the marks of a page.

    Raises:
      FileNotFoundError, ValueError: as of `check`.
    """
    whole = check(page)
    before, after = whole.split(BEGIN)[0], whole.split(END)[1]
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def check(page: Path) -> str:
    """The text of a page that has the marks.

    Raises:
      FileNotFoundError: there is no such page.
      ValueError: the page has not both marks, once each and in order.
    """
    whole = page.read_text(encoding="utf-8")
    if whole.count(BEGIN) != 1 or whole.count(END) != 1 or whole.index(END) < whole.index(BEGIN):
        raise ValueError(
            f"{page}: expected the lines {BEGIN!r} and, after it, {END!r}, once each; add them where the table goes."
        )
    return whole


def _notes(record: dict) -> list[str]:
    """What the table is of, in lines that a page holds."""
    size, weights = record["size"], sorted(record["weights"])
    released = f"Weights of a folder: {', '.join(weights)}." if weights else "No folder of weights was named."
    sentences = (
        "Few labels; all labels.",
        f"In brackets 95 % of {DRAWS} draws of test places (tiles, quadrants, sites, points, simulated scenes) and of the",
        f"{size['seeds']} seeds, which draw the few labels and the random weights.",
        released,
        "All others are random weights, small ones 96 wide and 4 deep;",
        "nothing here says how they would do with published ones.",
        "Logistic regression with C = 1, or ridge regression with leave-one-out, on standardised features.",
        "Potsdam: seven folds of two tiles; TerraMesh: cells of 40 m, four folds of a quadrant of every site;",
        "both are close in space.",
        "Bands of cells and of scenes are mean and deviation; of points all that is known of them.",
        "An encoder that does not take a task's bands has a dash.",
        f"{record['seconds'] / 60:.0f} minutes.",
    )
    return textwrap.wrap(" ".join(sentences), WIDTH)


def _cell(scores: Sequence[dict] | None) -> str:
    """Few labels and all: `0.41 (0.38 to 0.45); 0.58 (0.55 to 0.60)`."""
    return NOTHING if scores is None else "; ".join(map(_spelled, scores))


def _spelled(score: dict) -> str:
    form = ".1f" if score["value"] >= 10 else ".2f"
    return f"{score['value']:{form}} ({score['low']:{form}} to {score['high']:{form}})"
