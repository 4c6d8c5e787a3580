"""From a prediction to an interval and a probability: a spread that depends on the level, and a conformal factor.

Both are fitted on left-out predictions of the training rows. The factor is split-conformal (Lei et al. 2018) on normalised
errors, so the 90 % intervals hold about 90 % of new weeks' samples if new weeks are like those known.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_ndtr, ndtr

LEVEL = 0.9


class Spread(NamedTuple):
    """Deviation exp(offset + slope * (p - limit)) of log10 MC about a prediction p, and the conformal `factor`."""

    offset: float
    slope: float
    factor: float


def fit(predicted: np.ndarray, y: np.ndarray, below: np.ndarray, limit: float = -1.0) -> Spread:
    """Fits the spread by maximum likelihood with censoring, then the factor.

    Args:
      predicted: [N] left-out predictions, log10 ug/L, not below the limit.
      y: [N] labels, the limit for non-detects.
      below: [N] True for non-detects.
      limit: log10 of the detection limit.
    """
    above = predicted - limit

    def cost(free):
        sigma = _deviation(free, above)
        error = (y - predicted) / sigma
        likelihood = np.where(below, log_ndtr((limit - predicted) / sigma), -0.5 * error**2 - np.log(sigma))
        # A weak prior: 0.4 decades, the same at every level; without it few samples leave the slope open.
        return -likelihood.sum() + 0.5 * ((free[0] - np.log(0.4)) ** 2 + free[1] ** 2) * 4.0

    free = minimize(cost, np.array([np.log(0.4), 0.0]), method="Nelder-Mead").x
    sigma = _deviation(free, above)
    # A non-detect is held by an interval that reaches down to the limit.
    score = np.where(below, np.maximum(above, 0.0), np.abs(y - predicted)) / sigma
    rank = min(int(np.ceil((len(y) + 1) * LEVEL)), len(y))
    return Spread(float(free[0]), float(free[1]), float(np.sort(score)[rank - 1]))


def deviation(spread: Spread, predicted: np.ndarray, limit: float = -1.0) -> np.ndarray:
    """[N] deviation of log10 MC."""
    return _deviation(spread, predicted - limit)


def interval(spread: Spread, predicted: np.ndarray, limit: float = -1.0) -> tuple[np.ndarray, np.ndarray]:
    """Ends [N] of the 90 % interval about predictions [N], log10.

    The lower may lie below the limit; the upper does not, as no sample is reported below it.
    """
    half = spread.factor * deviation(spread, predicted, limit)
    return predicted - half, np.maximum(predicted + half, limit)


def exceedance(spread: Spread, predicted: np.ndarray, threshold_log10: float, limit: float = -1.0) -> np.ndarray:
    """Probability [N] that log10 MC lies above a threshold, of a normal about the prediction."""
    return ndtr((predicted - threshold_log10) / deviation(spread, predicted, limit))


def _deviation(free, above):
    return np.exp(np.clip(free[0] + free[1] * above, np.log(0.05), np.log(2.0)))
