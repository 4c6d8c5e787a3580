"""A verdict as tables: plain for a terminal, Markdown for a page, and numbers for JSON."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

from spectral_jax.measure.worth import interval
from spectral_jax.measure.worth.judge import Judged
from spectral_jax.measure.worth.question import MOST_NUMBERS, Question
from spectral_jax.measure.worth.unseen import NAMES, PLACE


class Table(NamedTuple):
    """A title, a head, and rows of as many cells."""

    title: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]

    def plain(self) -> str:
        """Columns in line."""
        widths = [max(len(row[i]) for row in [self.head, *self.rows]) for i in range(len(self.head))]
        lines = [
            "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in [self.head, *self.rows]
        ]
        return "\n".join([self.title, *(f"  {line}" for line in lines)])

    def markdown(self) -> str:
        """A title and a table."""
        rows = [self.head, ("---",) * len(self.head), *self.rows]
        return "\n".join([self.title, "", *(f"| {' | '.join(row)} |" for row in rows)])


def tables(judged: Judged, question: Question) -> list[Table]:
    """Of each probe: R2 of rivals and levels, and each level's lead over the best rival."""
    out = []
    head = tuple("all labels" if n == question.labelled else f"{n} labels" for n in question.labels)
    seeds = f"training seed{'s' if len(judged.seeds) > 1 else ''} {', '.join(map(str, judged.seeds))}"
    for probe, names in NAMES.items():
        rows = [
            (name, *(f"{found[probe][n].mean():.3f}" for n in question.labels))
            for name, found in [*judged.rivals.items(), *((_named(judged, level), x) for level, x in judged.levels.items())]
        ]
        what = f"{len(names)} {'ground parameters of the place' if probe == PLACE else 'changes of the day'}"
        where = f"{question.unseen} unseen SIMULATED places, {question.sensor} alone"
        where = where if probe == PLACE else f"those with two dates of {where}"  # of the labelled ones too
        out.append(Table(f"{judged.name}, {seeds}: mean R2 over {what}, {where}", ("features", *head), rows))
        leads = [
            (level, *(f"{x.text()} {x.verdict}" for x in (judged.lead(level, probe, n) for n in question.labels)))
            for level in judged.levels
        ]
        best = ("best rival", *(judged.best_rival(probe, n) for n in question.labels))
        out.append(Table(f"Lead over the best rival, {probe}, 95 % interval", ("level", *head), [best, *leads]))
    return out


def closing(judged: Judged) -> str:
    """What it comes to, in a sentence or two."""
    wide = [f"{level} ({width})" for level, width in judged.widths.items() if level not in judged.levels]
    said = [f"Over the limit of {MOST_NUMBERS} numbers and not judged: {', '.join(wide)}."] if wide else []
    if len(judged.seeds) == 1:
        said.append("One training seed: the intervals are over draws alone.")
    ahead = judged.ahead_everywhere()
    if ahead:
        said.append(f"{judged.name} is ahead of the best rival with every number of labels by {', '.join(ahead)}.")
    else:
        said.append(f"{judged.name} is not shown to be ahead of the best rival with every number of labels by any level.")
    return " ".join(said)


def numbers(judged: Judged, question: Question) -> dict:
    """JSON-ready: means with intervals, leads and verdicts."""
    probes = {}
    for probe in NAMES:
        probes[probe] = {
            str(n): {
                "best_rival": judged.best_rival(probe, n),
                "rivals": {name: _numbers(interval.over(found[probe][n])) for name, found in judged.rivals.items()},
                "levels": {
                    level: _numbers(interval.over(found[probe][n]))
                    | {"by_seed": found[probe][n].mean(axis=1).tolist(), "lead": _numbers(judged.lead(level, probe, n))}
                    | {"verdict": judged.lead(level, probe, n).verdict}
                    for level, found in judged.levels.items()
                },
            }
            for n in question.labels
        }
    about = {"name": judged.name, "seeds": judged.seeds, "widths": judged.widths, "ahead_everywhere": judged.ahead_everywhere()}
    return about | {"probes": probes}


def about(question: Question) -> dict:
    """The question and what its numbers are, JSON-ready."""
    return dataclasses.asdict(question) | {"data": "simulated, no observations", "parameters": NAMES}


def markdown(judged: Sequence[Judged], question: Question) -> str:
    """All candidates as a block of Markdown."""
    parts = [[*(table.markdown() for table in tables(each, question)), closing(each)] for each in judged]
    return "\n\n".join(text for part in parts for text in part) + "\n"


def plain(judged: Judged, question: Question) -> str:
    """One candidate for a terminal."""
    return "\n\n".join([*(table.plain() for table in tables(judged, question)), closing(judged)])


def _named(judged: Judged, level: str) -> str:
    return f"{level}, {judged.widths[level]} numbers"


def _numbers(found: interval.Interval) -> dict:
    return {name: None if value != value else value for name, value in found._asdict().items()}
