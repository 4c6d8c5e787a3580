"""report.json and out_of_fold.csv of a microcystin run -> report.html, one file that opens without a network."""

import json
import math
from pathlib import Path

from spectral_jax.microcystin.report import drawings, predictions, tables, words
from spectral_jax.pages import html

NUMBERS, PAGE = "report.json", "report.html"
# In the order of reading. Each takes the report and the predictions, and says so where it has nothing to show.
SECTIONS = {
    "The data": tables.data_card,
    "Results": tables.results,
    "Paired comparisons": tables.comparisons,
    "Predicted against observed": drawings.against_observed,
    "Time series by station": drawings.over_time,
    "Warnings: ROC and reliability": drawings.warnings,
    "Label efficiency": drawings.efficiency,
    "Targeted against random masking": drawings.masking,
    "Reconstruction of masked regions": drawings.reconstruction,
    "Which wavelengths drive the prediction": drawings.wavelengths,
    "Attempts": tables.attempts,
    "How to reproduce": tables.reproduce,
}


def write(workdir: Path) -> Path:
    """Writes report.html from report.json and, where it is there, out_of_fold.csv.

    The page is a function of the two files. Without matplotlib a sentence stands in for each figure.

    Args:
      workdir: folder of a finished run.

    Returns:
      The path of the page.

    Raises:
      FileNotFoundError: there is no report.json.
      ValueError: one of the files is damaged; the sentence names it.
    """
    workdir = Path(workdir)
    report = read(workdir / NUMBERS)
    book = predictions.read(workdir / predictions.FILE)
    page = html.page(
        str(report.get("title") or "Microcystin"),
        _banner(report),
        "".join(html.paragraph(text) for text in words.headline(report)),
        {name: section(report, book) for name, section in SECTIONS.items()},
    )
    out = workdir / PAGE
    out.write_text(page, encoding="utf-8")
    return out


def read(path: Path) -> dict:
    """Reads report.json; NaN and infinite numbers become None.

    Raises:
      FileNotFoundError: there is none.
      ValueError: it is no JSON object.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; give the work folder of a finished run of finetune_microcystin.py.")
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"{path} is no whole JSON file ({error}); it may be cut off. Run finetune_microcystin.py again."
        ) from error
    if not isinstance(report, dict):
        raise ValueError(f"{path}: expected a JSON object with results, got a {type(report).__name__}.")
    return _finite(report)


def _finite(value):
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _banner(report: dict) -> str:
    if not report.get("simulated"):
        return ""
    return '<div class="banner">SIMULATED DATA<small>No number on this page says anything about real water.</small></div>'
