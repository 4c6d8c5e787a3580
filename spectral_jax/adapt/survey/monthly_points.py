"""Points with monthly series on their published splits: fuel moisture and algal blooms; ridge regression on frozen features."""

from pathlib import Path

import numpy as np

from spectral_jax.adapt.monthly.comparison import ENCODERS, MonthlyComparison, MonthlyWeights, Row
from spectral_jax.adapt.monthly.points import Points
from spectral_jax.adapt.survey import readout, sums
from spectral_jax.adapt.survey.contestants import Contestant
from spectral_jax.adapt.survey.sums import Scored
from spectral_jax.tasks.read import read as read_task


def points_of(task: str, root: Path, weights: MonthlyWeights) -> Points:
    """The points of a task of `data_specs/tasks`."""
    return Points(read_task(task, root), MonthlyComparison("survey", rows=("raw/ridge",), weights=weights))


def features(points: Points, contestant: Contestant, seeds: range) -> list[np.ndarray]:
    """Features [N D] of an encoder: one for all seeds, or one a seed of random weights.

    Raises:
      ValueError: the encoder takes no monthly series.
    """
    if contestant.encoder not in ENCODERS:
        raise ValueError(f"{contestant.encoder} takes no monthly series.")
    row = Row(contestant.name, contestant.encoder, contestant.random, "ridge")
    return [points.embeddings(row, seed) for seed in (seeds if contestant.random else seeds[:1])]


def scored(points: Points, found: list[np.ndarray], seeds: range, labels: int) -> Scored:
    """RMSE on the published test part, from so many labels; 0: all of them."""
    truth, place = points.values[points.test], np.array(points.data.block)[points.test]
    predicted = []
    for at, seed in enumerate(seeds if labels or len(found) > 1 else seeds[:1]):
        rows = found[at if len(found) > 1 else 0]
        train = readout.few(points.train, labels, seed) if labels else points.train
        predicted.append(readout.numbers(rows[train], points.values[train], rows[points.test]))
    return sums.rmse(truth, np.stack(predicted), place)
