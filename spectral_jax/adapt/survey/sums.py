"""Scores of a test part and their intervals over places and draws: whatever is scored is a sum over places."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from spectral_jax.adapt.score.metrics import Confusion, RegressionSums, regression_metrics, segmentation_metrics

# Times that places are drawn anew.
DRAWS = 400
CONFIDENCE = 0.95


class Scored(NamedTuple):
    """A score, the ends of its 95 % interval, and its value for each seed."""

    value: float
    low: float
    high: float
    seeds: tuple[float, ...]


def macro_f1(truth: np.ndarray, predicted: np.ndarray, place: np.ndarray, classes: int) -> Scored:
    """Mean F1 over classes.

    Args:
      truth: class of each sample [N].
      predicted: the same of each seed [S N].
      place: what is drawn together [N], such as the number of a tile.
      classes: K.
    """
    names, index = np.unique(place, return_inverse=True)
    sums = np.zeros((len(predicted), len(names), classes, classes), np.int64)
    for seed, row in enumerate(predicted):
        np.add.at(sums[seed], (index, truth, row), 1)
    return over_places(sums, lambda counts: float(segmentation_metrics(Confusion(counts))["f1_macro"]))


def rmse(truth: np.ndarray, predicted: np.ndarray, place: np.ndarray) -> Scored:
    """Root mean squared error; arguments as of `macro_f1`, numbers [N] and [S N]."""
    names, index = np.unique(place, return_inverse=True)
    sums = np.zeros((len(predicted), len(names), 2))
    for seed, row in enumerate(predicted):
        np.add.at(sums[seed], index, np.stack([np.ones(len(truth)), (row - truth) ** 2], axis=1))
    return over_places(sums, lambda total: float(np.sqrt(total[1] / total[0])))


def mean_r2(truth: np.ndarray, predicted: np.ndarray, place: np.ndarray) -> Scored:
    """Coefficient of determination, mean over quantities; [N K] and [S N K]."""
    names, index = np.unique(place, return_inverse=True)
    count = truth.shape[1]
    sums = np.zeros((len(predicted), len(names), 4, count))
    for seed, row in enumerate(predicted):
        parts = np.stack([np.ones_like(truth), truth, truth**2, (row - truth) ** 2], axis=1)
        np.add.at(sums[seed], index, parts)
    return over_places(sums, _r2)


def over_places(sums: np.ndarray, score: Callable[[np.ndarray], float]) -> Scored:
    """A score of sums [S P ...] over seeds and places, the mean over seeds; its interval by drawing places and a seed anew."""
    each = [score(one.sum(axis=0)) for one in sums]
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(DRAWS):
        weights = np.bincount(rng.integers(0, sums.shape[1], sums.shape[1]), minlength=sums.shape[1])
        drawn.append(score(np.tensordot(weights, sums[rng.integers(len(sums))], axes=1)))
    rest = 50 * (1 - CONFIDENCE)
    low, high = np.nanpercentile(drawn, (rest, 100 - rest))
    return Scored(float(np.mean(each)), float(low), float(high), tuple(each))


def _r2(total: np.ndarray) -> float:
    count, first, second, error = total
    spread = second - first**2 / count
    unknown = np.full_like(error, np.nan)
    return float(regression_metrics(RegressionSums(count, first / count, spread, error, unknown))["r2_mean"])
