"""Candidates against rivals, from run folders to a verdict for every level, probe and number of labels."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from spectral_jax.config import Config
from spectral_jax.data.store import open_store
from spectral_jax.measure.worth import candidates, images, interval, rivals, scores, unseen
from spectral_jax.measure.worth.candidates import Candidate, Run
from spectral_jax.measure.worth.interval import Interval
from spectral_jax.measure.worth.question import MOST_NUMBERS, Question

Scores = dict[str, dict[int, np.ndarray]]  # probe -> number of labels -> [R], or of S seeds [S R]


@dataclasses.dataclass(frozen=True)
class Judged:
    """What is known of a candidate.

    Attributes:
      name: of the candidate.
      seeds: S training seeds.
      widths: numbers of each level, in the readout's order.
      levels: level -> scores [S R]; levels of more than `MOST_NUMBERS` numbers are left out.
      rivals: rival, the untrained twin's levels among them -> scores [S R].
    """

    name: str
    seeds: tuple[int, ...]
    widths: dict[str, int]
    levels: dict[str, Scores]
    rivals: dict[str, Scores]

    def best_rival(self, probe: str, labels: int) -> str:
        """The rival of the highest mean."""
        return max(self.rivals, key=lambda name: self.rivals[name][probe][labels].mean())

    def lead(self, level: str, probe: str, labels: int) -> Interval:
        """A level's difference to the best rival, paired by draw and seed."""
        best = self.rivals[self.best_rival(probe, labels)]
        return interval.over(self.levels[level][probe][labels] - best[probe][labels])

    def ahead_everywhere(self, probe: str = unseen.PLACE) -> list[str]:
        """Levels that are ahead of the best rival with every number of labels."""
        return [
            level
            for level, found in self.levels.items()
            if all(self.lead(level, probe, n).verdict == interval.AHEAD for n in found[probe])
        ]


class Judge:
    """Judges candidates by one question; what they share is computed once.

    Attributes:
      question: what is asked.
    """

    def __init__(self, question: Question, workdir: Path, say: Callable[[str], None] = print):
        self.question = question
        self._workdir, self._say = workdir, say
        self._rivals: dict[str, dict[str, Scores]] = {}
        self._images: dict[Path, tuple[images.Images, images.Images]] = {}

    def judge(self, candidate: Candidate) -> Judged:
        """Scores every level of every run of a candidate, and all rivals.

        Raises:
          ValueError: a run has not the sensor of the question, or has seen its places.
          CheckpointError, FileNotFoundError: of `candidates`.
        """
        key, widths = self.question.sensor, {}
        own: list[dict[str, Scores]] = []
        against: list[dict[str, Scores]] = []
        for run in candidate.runs:
            self._say(f"Judging {candidate.name}, training seed {run.cfg.train.seed}.")
            places = self._places(run)
            found, fresh = (
                [of(run, places, key, date) for date in (0, 1)] for of in (candidates.trained, candidates.untrained)
            )
            widths = {level: x.shape[1] for level, x in found[0].items()}
            fits = [level for level, width in widths.items() if width <= MOST_NUMBERS]
            own.append({level: self._score(found[0][level], found[1][level], places) for level in fits})
            twin = {f"untrained {level}": self._score(fresh[0][level], fresh[1][level], places) for level in fits}
            against.append(self._of_store(run, places) | twin)
        return Judged(candidate.name, candidate.seeds, widths, _stacked(own), _stacked(against))

    def rivals(self, run: Run) -> dict[str, Scores]:
        """Scores [R] of the rivals that need no encoder, fitted to the store of a run."""
        return self._of_store(run, self._places(run))

    def _places(self, run: Run) -> unseen.Places:
        found = unseen.places(self.question, run.cfg, self._workdir, self._say)
        unseen.check_unseen(self.question, open_store(run.store))
        return found

    def _of_store(self, run: Run, places: unseen.Places) -> dict[str, Scores]:
        key = self.question.sensor
        same = f"{_content(run.cfg, run.store, key)} {places.path}"
        if same not in self._rivals:
            if places.path not in self._images:
                loader = places.loader(_alone(run.cfg, key))
                self._images[places.path] = images.of_places(loader, key, 0), images.of_places(loader, key, 1)
            seen, later = self._images[places.path]
            first, second = images.of_training(run.cfg, run.store, key)
            self._say(f"Fitting rivals to two dates of {len(first.mean)} places of {run.store}.")
            made = rivals.fitted(first, second)
            self._rivals[same] = {name: self._score(of(seen), of(later), places) for name, of in made.items()}
        return self._rivals[same]

    def _score(self, first: np.ndarray, second: np.ndarray, places: unseen.Places) -> Scores:
        """Of features at the first date for the place, and of their change to the second for the day."""
        asked, out = {unseen.PLACE: first, unseen.DAY: first - second}, {}
        for probe, x in asked.items():
            draws = scores.draw(self.question, places.usable[probe])
            out[probe] = scores.score(x, places.truth[probe], draws, self.question.labels)
        return out


def _alone(cfg: Config, key: str) -> Config:
    return dataclasses.replace(cfg, sensors=(cfg.sensor(key),))


def _content(cfg: Config, store: Path, key: str) -> str:
    """What rivals depend on: a store that a config simulates is the same in every run folder."""
    if cfg.data.store != "synthetic":
        return f"{store.resolve()} {cfg.data.groups} {cfg.model.footprint_m}"
    return f"{cfg.data.synthetic} {cfg.data.groups} {cfg.model.footprint_m} {[s.key for s in cfg.sensors]}"


def _stacked(runs: list[dict[str, Scores]]) -> dict[str, Scores]:
    """One table of scores a seed to tables [S R]."""
    first = runs[0]
    return {
        name: {probe: {n: np.stack([run[name][probe][n] for run in runs]) for n in by_n} for probe, by_n in first[name].items()}
        for name in first
    }
