"""What a comparison says on the terminal, and the verdicts that its page begins with."""

from collections.abc import Sequence
from pathlib import Path

from spectral_jax.adapt import bands, protocols
from spectral_jax.adapt.fit.prepared import RANDOM
from spectral_jax.adapt.lines import Line
from spectral_jax.adapt.parts.source import Source
from spectral_jax.adapt.score import tables, versions
from spectral_jax.tasks.samples import TaskData

# Metrics of the table, so that it fits a terminal and a page; results.json has all.
MOST_COLUMNS = 3


def how(line: Line) -> str:
    """A sentence about how a line is fitted."""
    if line.probe:
        return f"{line.probe}: nothing is trained, a model of scikit-learn is fitted to the embeddings of the training part."
    changed = protocols.changes(line.protocol)
    return f"Protocol {line.how}" + (f": {'; '.join(changed)}." if changed else ", as published.")


def card(data: TaskData, source: Source, report: dict) -> str:
    """What is compared, before anything is fitted: task, bands, leakage of the first split, protocols, random starts."""
    origin = "SIMULATED data, no observation" if data.simulated else data.task.title
    fresh = sorted(name for name, weights in report["weights"].items() if weights == RANDOM)
    dates = f" on {source.dates} dates" if source.dates > 1 else ""
    text = [
        f"{data.task.name}: {origin}; {len(data)} samples, {len(source.sensor.used)} bands of {source.sensor.name}{dates}.",
        report["leakage"][0]["text"],
        *report["protocols"],
    ]
    if fresh:
        text.append(f"{RANDOM.capitalize()}, no published weights: {', '.join(fresh)}.")
    return "\n".join(text) + "\n"


def scored(results: Sequence[dict], row: str, headline: str, seconds: float) -> str:
    """A line's ranking metric for each seed, and the seconds since the start."""
    mine = [r["value"] for r in results if (r["row"], r["metric"]) == (row, headline)]
    values = ", ".join("-" if value is None else f"{value:.3f}" for value in mine)
    return f"  {row:<32s} {headline} {values}  ({seconds:.0f} s)"


def verdicts(lines: Sequence[Line], report: dict) -> list[str]:
    """Full spectrum against projections, over all encoders and within each; the baseline, where there is one, against encoders.

    Args:
      lines: of the comparison.
      report: with `columns` (the first is compared), `results`, `statistics`, and `baseline`, the baseline's row or an empty
        string.
    """
    names = [line.name for line in lines]
    whole = [line.name for line in lines if line.adaptation == bands.NONE]
    groups: list[tuple] = [(whole, [n for n in names if n not in whole])] if whole else []
    for line in lines:
        # Where one encoder is trained alike in both groups, nothing but the bands differs.
        same = [o.name for o in lines if (o.encoder, o.how) == (line.encoder, line.how) and o.adaptation != bands.NONE]
        groups += [([line.name], same)] if line.name in whole and same else []
    if report["baseline"]:
        groups.append(([report["baseline"]], names, ("baseline without an encoder", "best encoder")))
    said = [tables.verdict(report["statistics"], report["columns"][0], *group) for group in groups]
    return said + versions.sentences(lines, report["results"], report["columns"][0])


def summary(report: dict, page: Path) -> str:
    """The table of the test part, the verdicts, and where the page is."""
    weights = {row["row"]: row["weights"] for row in report["results"]}
    return "\n".join(
        [
            f"\n{'SIMULATED data. ' if report['simulated'] else ''}Test part, mean +- standard deviation over "
            f"{report['seeds']} seeds:\n",
            tables.text(report["statistics"], report["columns"][:MOST_COLUMNS], weights),
            "",
            *report["verdict"],
            f"Look at {page} ({report['seconds']:.0f} s).",
        ]
    )
