"""Rows of a comparison of adaptations to statistics over seeds, paired comparisons, and the table of the terminal."""

import dataclasses
import math
from collections.abc import Sequence

from spectral_jax.adapt.score import seeds

# What names one line of the table, `row` as it stands in the config; `metric`, `seed` and `value` complete results.json.
LINE = ("row", "encoder", "adaptation", "task", "protocol")


def rows(line: dict[str, str], seed: int, metrics: dict[str, float], weights: str) -> list[dict]:
    """Rows of results.json of one fit; a metric that is not defined on this test part has the value None."""
    return [
        {**line, "metric": name, "seed": seed, "value": value if math.isfinite(value) else None, "weights": weights}
        for name, value in metrics.items()
    ]


def statistics(results: Sequence[dict], compared: Sequence[str]) -> dict:
    """What results.json says over seeds.

    Args:
      results: of `rows`.
      compared: metrics on which every two lines are compared, seed by seed.

    Returns:
      `rows`: mean, standard deviation and 95 % interval of each line and metric, over the seeds where it is defined (`seeds`);
      `comparisons`: of each two lines the paired difference, its interval and p, on the seeds that both have. P values are not
      corrected for how many comparisons there are (`comparisons_made`).
    """
    scores: dict[tuple, dict[int, float]] = {}
    for row in results:
        found = scores.setdefault((*(row[k] for k in LINE), row["metric"]), {})
        if row["value"] is not None:
            found[row["seed"]] = row["value"]
    summaries = [
        {**dict(zip((*LINE, "metric"), name, strict=True)), **_finite(dataclasses.asdict(seeds.over_seeds(found)))}
        for name, found in scores.items()
        if found
    ]
    lines = list(dict.fromkeys(name[:-1] for name in scores))
    comparisons = []
    for metric in compared:
        for i, first in enumerate(lines):
            for second in lines[i + 1 :]:
                pair = [scores.get((*line, metric), {}) for line in (first, second)]
                both = set(pair[0]) & set(pair[1])
                if len(both) < 2:
                    continue
                names = first[0], second[0]
                ours, theirs = ({s: p[s] for s in both} for p in pair)
                comparison = dataclasses.asdict(seeds.paired(ours, theirs, names))
                comparisons.append({"metric": metric, "first": names[0], "second": names[1], **comparison})
    return {"rows": summaries, "comparisons": comparisons, "comparisons_made": len(comparisons)}


def of(summary: dict, metric: str) -> list[dict]:
    """The lines of one metric, the best first."""
    return sorted((row for row in summary["rows"] if row["metric"] == metric), key=lambda row: -row["mean"])


def text(summary: dict, metrics: Sequence[str], weights: dict[str, str]) -> str:
    """The table of the terminal: a line an adaptation, best first by the first metric, mean and standard deviation.

    Args:
      summary: of `statistics`.
      metrics: columns.
      weights: row -> where its weights are from.
    """
    by_name = {(r["row"], r["metric"]): r for r in summary["rows"]}
    lines = [("encoder", "adaptation", *metrics, "seeds", "protocol", "weights")]
    for row in of(summary, metrics[0]):
        cells = [spell(by_name.get((row["row"], metric))) for metric in metrics]
        names = (row["encoder"], row["adaptation"])
        lines.append((*names, *cells, str(len(row["seeds"])), row["protocol"], weights[row["row"]]))
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def spell(row: dict | None) -> str:
    """`0.774 +- 0.003`; a dash where there is no number."""
    if row is None:
        return "-"
    spread = row["standard_deviation"]
    return f"{row['mean']:.3f}" + ("" if spread is None else f" +- {spread:.3f}")


ALL_BANDS, PROJECTED = "best on all bands", "best on projected bands"


def verdict(
    summary: dict, metric: str, first: Sequence[str], second: Sequence[str], words: tuple[str, str] = (ALL_BANDS, PROJECTED)
) -> str:
    """Whether one group of lines beats another, in a sentence: the best of each, compared seed by seed.

    Args:
      summary: of `statistics`.
      metric: by which the best are taken.
      first: the rows of the first group.
      second: the rows of the second.
      words: what the best of each group is called.
    """
    order = [row["row"] for row in of(summary, metric)]
    best = [next((name for name in order if name in group), None) for group in (first, second)]
    if None in best:
        return f"The {words[0]} and the {words[1]} are not compared: the run has only one of the two."
    pair = next((c for c in summary["comparisons"] if c["metric"] == metric and {c["first"], c["second"]} == set(best)), None)
    if pair is None:
        return f"The {words[0]} is {best[0]}, the {words[1]} {best[1]}; one seed is too few to compare them."
    sign = 1 if pair["first"] == best[0] else -1
    low, high = sorted((sign * pair["low"], sign * pair["high"]))
    fact = "beats" if low > 0 else "is beaten by" if high < 0 else "cannot be told from"
    return (
        f"The {words[0]}, {best[0]}, {fact} the {words[1]}, {best[1]}: {metric} differs by "
        f"{sign * pair['difference']:+.3f} (95 % {low:+.3f} to {high:+.3f}, {len(pair['seeds'])} seeds, paired)."
    )


def _finite(row: dict) -> dict:
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
