"""Sections of the report that are mostly tables: the data card, results, paired comparisons, attempts, and how to reproduce."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from spectral_jax.microcystin.metrics import THRESHOLDS_UG_L
from spectral_jax.microcystin.report import figures, words
from spectral_jax.microcystin.report.predictions import Book
from spectral_jax.pages import html
from spectral_jax.pages.html import Best, Words, number, percent

# Samples at or above a threshold that ROC, reliability and its columns need; fewer say nothing. A choice.
FEWEST_POSITIVES = 5
KINDS = {"ours": "ours", "part": "part of ours", "ablation": "ablation", "baseline": "baseline"}


class Column(NamedTuple):
    """A metric's column: key, heading, how a number is written, and what is best: the key of a sort, None for no best."""

    key: str
    name: str
    write: Callable[[float], str]
    rank: Callable[[float], float] | None


COLUMNS = (
    Column("r2_log10", "R² (log10)", number, lambda v: -v),
    Column("rmse_log10", "RMSE (log10)", number, lambda v: v),
    Column("mdsa_percent", "MdSA, %", lambda v: number(v, 0), lambda v: v),
    Column("sspb_percent", "SSPB, %", lambda v: number(v, 0, True), abs),
    Column("auc_1_6", "AUC 1.6", number, lambda v: -v),
    Column("ap_1_6", "AP 1.6", number, lambda v: -v),
    Column("coverage_90", "held by 90 % interval, %", lambda v: number(100 * v, 1), lambda v: abs(v - 0.9)),
    Column("coverage_90_detected", "… detected, %", lambda v: number(100 * v, 1), lambda v: abs(v - 0.9)),
    Column("width_90_log10", "interval width (log10)", lambda v: number(v, 2), None),
)
# In a second table, so that the first fits a page.
MORE_COLUMNS = (
    Column("mae_log10", "MAE (log10)", number, lambda v: v),
    Column("spearman", "Spearman", lambda v: number(v, 2), lambda v: -v),
    Column("r2_ug_l", "R² (µg/L)", lambda v: number(v, 2), lambda v: -v),
    Column("rmse_ug_l", "RMSE, µg/L", lambda v: number(v, 2), lambda v: v),
    Column("mae_ug_l", "MAE, µg/L", lambda v: number(v, 2), lambda v: v),
    Column("auc_8", "AUC 8", number, lambda v: -v),
    Column("ap_8", "AP 8", number, lambda v: -v),
    Column("coverage_90_non_detected", "non-detects held, %", lambda v: number(100 * v, 1), None),
)
LEGEND = (
    "Sorted by R² in log10; bold is the best of its column. MdSA: median symmetric accuracy. SSPB: symmetric signed "
    "percentage bias, + means predicted too high. AUC and AP 1.6 (8): area under the ROC curve, and average precision, for 1.6 "
    "(8) µg/L or more. Best coverage is the nearest to 90 %; width has no best, because a narrow interval is worth something "
    "only where it holds its 90 %. Columns for 8 µg/L are left out where fewer than 5 samples reach it. ± is the standard "
    "deviation over seeds; models without it have no randomness."
)


def data_card(report: dict, book: Book) -> str:
    """What the data are: rows, time, place, what was left out, non-detects, and how many samples lie above the thresholds."""
    data = report.get("data")
    if not data:
        return html.absent("Left out: report.json says nothing about the data.")
    kind = "SIMULATED, no observations" if report.get("simulated") else "observed"
    rows = [("kind", Words(kind)), ("source", Words(data.get("source") or "not named"))]
    if data.get("first") and data.get("last"):
        rows.append(("images from, to", Words(f"{data['first']} to {data['last']}")))
    rows += [(name, Words(data[key])) for key, name in _COUNTS.items() if data.get(key) is not None]
    for target, count in (data.get("rows") or {}).items():
        below = (data.get("non_detects") or {}).get(target)
        share = f", of them {below} non-detects ({percent(below / count)})" if below is not None and count else ""
        rows.append((f"samples {words.target_name(target)}", Words(f"{count}{share}")))
    for target in words.targets(report):
        samples = next((p for (t, *_), p in book.items() if t == target), None)
        if samples is not None:
            above = ", ".join(f"{(samples.observed >= t).sum()} at {t:g} µg/L or more" for t in THRESHOLDS_UG_L)
            spread = f"median {np.median(samples.observed):.2g}, highest {samples.observed.max():.3g} µg/L; {above}"
            rows.append((f"observed {words.target_name(target)}", Words(spread)))
    left_out = data.get("left_out") or {}
    listed = "; ".join(f"{count} {reason}" for reason, count in left_out.items())
    rows.append(("rows left out", Words(listed or "none")))
    return html.table(("", ""), rows) + html.note(
        "A non-detect is a sample below the detection limit of 0.1 µg/L. It counts as 0.1 µg/L in every number here, in the "
        "sample and in the prediction."
    )


_COUNTS = {"weeks": "ISO weeks", "stations": "stations", "scenes": "satellite scenes"}


def results(report: dict, book: Book) -> str:
    """A table a target and a split."""
    parts = []
    for target in words.targets(report):
        parts.append(html.heading(f"Results, {words.TARGETS_LONG.get(target, target)}"))
        for split in words.splits(report, target):
            parts.append(_results_table(report, book, target, split, COLUMNS))
            more = _results_table(report, book, target, split, MORE_COLUMNS)
            parts.append(html.details("More metrics", more))
            if split == "random":
                parts.append(html.note(words.WHY_OPTIMISTIC))
    return "".join([*parts, html.note(LEGEND)]) if parts else html.absent("Left out: report.json holds no results.")


def _results_table(report: dict, book: Book, target: str, split: str, wanted: tuple[Column, ...]) -> str:
    rows = words.results(report, target, split)
    columns = [c for c in wanted if any(row.get(c.key) is not None for row in rows) and not _too_few(c.key, book, target)]
    best = {c.key: min(c.rank(row[c.key]) for row in rows if row.get(c.key) is not None) for c in columns if c.rank}
    cells = []
    for row in rows:
        kind = row.get("kind") or ""
        line: list[str] = [Words(row["model"]), Words(KINDS.get(kind, kind))]
        for column in columns:
            value, sd = row.get(column.key), row.get(column.key + "_sd")
            text = html.NOTHING if value is None else column.write(value)
            if value is not None and sd and (row.get("seeds") or 1) > 1:
                text += f" ± {column.write(sd).lstrip('+')}"
            won = column.rank and value is not None and column.rank(value) == best[column.key]
            line.append(Best(text) if won else text)
        cells.append(line)
    n = next((row["n"] for row in rows if row.get("n") is not None), None)
    seeds = max((row.get("seeds") or 1 for row in rows), default=1)
    caption = f"{words.split_name(split)}; {n} samples, {seeds} seed{'s' * (seeds != 1)}"
    return html.table(("model", "kind", *(c.name for c in columns)), cells, caption, lambda line: line[1] == "ours")


def _too_few(key: str, book: Book, target: str) -> bool:
    """Whether a metric of exceeding 8 ug/L stands on too few samples to be shown."""
    samples = next((p for (t, *_), p in book.items() if t == target), None)
    return key.endswith("_8") and samples is not None and (samples.observed >= 8.0).sum() < FEWEST_POSITIVES


def comparisons(report: dict, book: Book) -> str:
    """Differences of our model to every other, on the same samples, with intervals: a figure, and the tables."""
    rows = words.rows_of(report, "comparisons", "target", "split", "baseline", "delta_r2_log10", "low", "high")
    if not rows:
        return html.absent("Left out: report.json holds no paired comparisons.")
    drawn, tables, more = [], [], []
    for target in dict.fromkeys(row["target"] for row in rows):
        name = words.target_name(target)
        for split in dict.fromkeys(row["split"] for row in rows if row["target"] == target):
            mine = [row for row in rows if (row["target"], row["split"]) == (target, split)]
            table = compared(mine, f"{name}; {words.split_name(split)}")
            if split == "week":
                tables.append(table)
                drawn.append(
                    html.figure(
                        lambda mine=mine, name=name: figures.differences(
                            mine, f"our model minus …, {name}", simulated=bool(report.get("simulated"))
                        ),
                        f"difference in R2 between our model and each other model, {name}",
                        "Right of 0 our model is better. Grey: the interval includes 0, and the two cannot be told apart. A "
                        "triangle at the edge: the interval goes on.",
                    )
                )
            else:
                more.append(table)
    said = html.paragraph(
        "Each row compares two models on the same samples. The interval comes from drawing whole ISO weeks again with "
        "replacement. p-values are not corrected for how many comparisons there are: among twenty, one below 0.05 is no news."
    )
    return said + html.grid(drawn) + "".join(tables) + (html.details("The other splits", *more) if more else "")


def compared(rows: list[dict], caption: str) -> str:
    """A table of paired differences."""
    cells = [
        (
            Words(f"{row.get('model') or 'ours'} minus {row['baseline']}"), number(row["delta_r2_log10"], 3, True),
            f"{number(row['low'], 3, True)} to {number(row['high'], 3, True)}", _p_value(row.get("p_value")),
            Words(words.verdict(row)), f"{row.get('n') or html.NOTHING}", f"{row.get('weeks') or html.NOTHING}",
        )
        for row in rows
    ]  # fmt: skip
    return html.table(("", "difference in R²", "95 % interval", "p", "the first is", "samples", "weeks"), cells, caption)


def _p_value(value: float | None) -> str:
    return "< 0.001" if value is not None and value < 0.001 else number(value)


def attempts(report: dict, book: Book) -> str:
    """What was tried on the way, with its number, so that the choice among attempts is seen."""
    rows = words.rows_of(report, "attempts", "what")
    if not rows:
        return html.absent("Left out: report.json lists no attempts.")
    cells = [
        (
            Words(row["what"]), Words(words.target_name(row.get("target"))),
            number(row.get("r2_log10")), Words(row.get("note") or ""),
        )
        for row in rows
    ]  # fmt: skip
    said = "Everything that was tried is listed, because the best of many attempts looks better than it is."
    return html.paragraph(said) + html.table(("what", "target", "R² (log10)", "note"), cells)


def reproduce(report: dict, book: Book) -> str:
    """Commands, software versions, machine and time."""
    command = report.get("command")
    lines = command if isinstance(command, list) else [command] if command else []
    parts = [html.code("\n".join(map(str, lines)))] if lines else [html.absent("report.json does not name the commands.")]
    rows = [(name, Words(version)) for name, version in (report.get("versions") or {}).items()]
    if report.get("machine"):
        rows.append(("machine", Words(report["machine"])))
    if report.get("seconds") is not None:
        seconds = report["seconds"]
        rows.append(("time taken", Words(f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min")))
    parts.append(html.table(("", ""), rows) if rows else html.absent("report.json names no versions and no machine."))
    return "".join(parts)
