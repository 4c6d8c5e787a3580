"""Several comparisons in one table: a column a task, and the average rank by which PANGAEA (arXiv 2412.04204) sums up."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

# What tasks are ranked by, higher is better: the first that a task has.
METRICS = ("iou_macro", "map", "accuracy_overall", "r2_mean")
Name = tuple[str, str, str]


class Ranks(NamedTuple):
    """Lines that every task has, the best average rank first, and those that some task lacks.

    Attributes:
      tasks: columns.
      metric: of each task.
      lines: (encoder, adaptation, protocol) of each row.
      mean: over seeds [rows tasks].
      rank: 1 is the best of a task, equal means share theirs [rows tasks].
      left_out: lines that are not ranked.
    """

    tasks: tuple[str, ...]
    metric: tuple[str, ...]
    lines: tuple[Name, ...]
    mean: np.ndarray
    rank: np.ndarray
    left_out: tuple[Name, ...]

    def text(self) -> str:
        """The table of the terminal."""
        head = ["encoder", "adaptation", "protocol", *(f"{t} ({m})" for t, m in zip(self.tasks, self.metric, strict=True))]
        rows = [[*head, "average rank"]]
        for line, mean, rank in zip(self.lines, self.mean, self.rank, strict=True):
            cells = [f"{m:.3f} (rank {r:g})" for m, r in zip(mean, rank, strict=True)]
            rows.append([*line, *cells, f"{rank.mean():.2f}"])
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        out = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        out += [f"Not ranked, for a task lacks it: {'/'.join(line)}" for line in self.left_out]
        return "\n".join(out)


def rank(results: Sequence[Mapping]) -> Ranks:
    """Ranks the lines of several tasks.

    Args:
      results: rows of the results.json of every run, one after the other.

    Raises:
      ValueError: a task was run twice for one line and seed, a task has none of `METRICS`, or no line is in all tasks.
    """
    values: dict[tuple, float] = {}
    for row in results:
        key = (row["task"], row["metric"], (row["encoder"], row["adaptation"], row["protocol"]), row["seed"])
        if key in values:
            raise ValueError(
                f"task {row['task']}: {'/'.join(key[2])} has two values for seed {row['seed']}; give one run of each task."
            )
        values[key] = np.nan if row["value"] is None else row["value"]
    tasks = tuple(dict.fromkeys(key[0] for key in values))
    metric = tuple(_metric(task, {key[1] for key in values if key[0] == task}) for task in tasks)
    of_task = [_means(values, task, name) for task, name in zip(tasks, metric, strict=True)]
    every = dict.fromkeys(line for means in of_task for line in means)
    lines = [line for line in every if all(line in means for means in of_task)]
    if not lines:
        raise ValueError(
            f"expected encoder, adaptation and protocol that {', '.join(tasks)} have in common, and there is none; run the "
            "same rows on each task."
        )
    mean = np.array([[means[line] for means in of_task] for line in lines])
    ranks = np.stack([stats.rankdata(-column) for column in mean.T], axis=1)
    order = np.argsort(ranks.mean(axis=1), kind="stable")
    left = tuple(line for line in every if line not in lines)
    return Ranks(tasks, metric, tuple(lines[i] for i in order), mean[order], ranks[order], left)


def _metric(task: str, have: set[str]) -> str:
    found = [name for name in METRICS if name in have]
    if not found:
        raise ValueError(f"task {task}: expected one of the metrics {', '.join(METRICS)}, got {', '.join(sorted(have))}.")
    return found[0]


def _means(values: Mapping[tuple, float], task: str, metric: str) -> dict[Name, float]:
    """Mean over the seeds where the metric is defined, of each line that has one."""
    found: dict[Name, list[float]] = {}
    for (of_task, of_metric, line, _), value in values.items():
        if (of_task, of_metric) == (task, metric) and np.isfinite(value):
            found.setdefault(line, []).append(value)
    return {line: float(np.mean(one)) for line, one in found.items()}
