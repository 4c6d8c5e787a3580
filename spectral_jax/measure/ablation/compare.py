"""Rows of an ablation beside each other: means over seeds with their intervals, and paired differences to the first row."""

import dataclasses
from collections.abc import Sequence

from spectral_jax.measure.ablation.training import Trained
from spectral_jax.measure.worth import interval
from spectral_jax.measure.worth.judge import Judged
from spectral_jax.measure.worth.question import Question
from spectral_jax.measure.worth.unseen import NAMES, PLACE
from spectral_jax.measure.worth.words import Table


@dataclasses.dataclass(frozen=True)
class Row:
    """A row with what it cost and how it was judged."""

    name: str
    trained: Sequence[Trained]  # one a seed
    judged: Judged

    @property
    def cpu_s(self) -> float:
        """Mean CPU seconds of training."""
        return sum(one.cpu_s for one in self.trained) / len(self.trained)


def tables(rows: Sequence[Row], question: Question) -> list[Table]:
    """What the rows cost; then of each probe the scores of every level, and the differences to the first row."""
    out = [costs(rows)]
    head = ("row", "level", *("all labels" if n == question.labelled else f"{n} labels" for n in question.labels))
    for probe, names in NAMES.items():
        best = rows[0].judged
        lines = [("best rival", "-", *(_best(best, probe, n) for n in question.labels))]
        differences = []
        for row in rows:
            for level, found in row.judged.levels.items():
                lines.append((row.name, level, *(_spell(interval.over(found[probe][n])) for n in question.labels)))
                if row is not rows[0] and level in rows[0].judged.levels:
                    leads = (difference(row, rows[0], level, probe, n) for n in question.labels)
                    differences.append((row.name, level, *(f"{x.text()} {x.verdict}" for x in leads)))
        whose = "" if probe == PLACE else "those with two dates of "
        what = (
            f"mean R2 over {len(names)} parameters, {whose}{question.unseen} unseen SIMULATED places, {question.sensor} alone"
        )
        out.append(Table(f"{probe}: {what}, mean (95 % interval over draws and seeds)", head, lines))
        if differences:
            out.append(Table(f"{probe}: difference to {rows[0].name!r}, paired by draw and seed", head, differences))
    return out


def costs(rows: Sequence[Row]) -> Table:
    """Steps and CPU seconds of every row."""
    lines = []
    for row in rows:
        each = [one.cpu_s for one in row.trained]
        seeds = ", ".join(map(str, row.judged.seeds))
        lines.append((row.name, seeds, str(row.trained[0].steps), f"{row.cpu_s:.1f}", f"{min(each):.1f} to {max(each):.1f}"))
    return Table("What training took; compiling is not counted", ("row", "seeds", "steps", "CPU s, mean", "range"), lines)


def difference(row: Row, first: Row, level: str, probe: str, labels: int) -> interval.Interval:
    """Of a level to the same one of the first row, paired by draw and seed."""
    return interval.over(row.judged.levels[level][probe][labels] - first.judged.levels[level][probe][labels])


def numbers(rows: Sequence[Row], question: Question) -> list[dict]:
    """JSON-ready: cost, scores by seed, intervals, differences to the first row, and leads over the best rival."""
    out = []
    for row in rows:
        scores: dict = {}
        for level, found in row.judged.levels.items():
            for probe in NAMES:
                for n in question.labels:
                    value = {
                        "score": interval.over(found[probe][n])._asdict(),
                        "by_seed": found[probe][n].mean(axis=1).tolist(),
                    }
                    value["lead_over_best_rival"] = row.judged.lead(level, probe, n)._asdict()
                    if level in rows[0].judged.levels and row is not rows[0]:
                        value["to_first_row"] = difference(row, rows[0], level, probe, n)._asdict()
                    scores.setdefault(level, {}).setdefault(probe, {})[str(n)] = value
        cost = {"steps": row.trained[0].steps, "cpu_s": [one.cpu_s for one in row.trained]}
        out.append({"name": row.name, "seeds": row.judged.seeds, **cost, "widths": row.judged.widths, "scores": scores})
    return out


def _best(judged: Judged, probe: str, labels: int) -> str:
    name = judged.best_rival(probe, labels)
    return f"{judged.rivals[name][probe][labels].mean():.3f} {name}"


def _spell(found: interval.Interval) -> str:
    return f"{found.mean:.3f} ({found.low:.3f} to {found.high:.3f})"
