"""The predictor of microcystin: linear experts and a prior of the season, mixed by how well each predicts left-out weeks.

Everything is fitted on the rows it is given: feature statistics, strengths, mixing weights, spread and conformal factor.
What is fitted is a few plain arrays, so it is saved without code.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

from spectral_jax.microcystin import metrics
from spectral_jax.microcystin.predictor import calibration, censored_ridge
from spectral_jax.microcystin.predictor.calibration import Spread
from spectral_jax.microcystin.predictor.censored_ridge import Ridge

LIMIT = float(metrics.log10_label(np.zeros(1))[0])
# Pull of the mixing weights toward equal ones, in units of squared error (log10 ug/L)^2. Few weeks decide otherwise.
TOWARD_EQUAL = 0.05
# No prediction exceeds twice the highest sample that was ever fitted: a linear expert means nothing beyond.
BEYOND_HIGHEST = float(np.log10(2.0))
# Images of one station this many days apart show one bloom; a prediction is averaged with those of the days before.
CONTEXT_DAYS = 3.2
SEASON = "season"


class ExpertInputs(NamedTuple):
    """What is known of N rows without any label.

    Attributes:
      features: expert -> [N F].
      censored: expert -> whether non-detects are censored when it is fitted.
      season: [N] mean of earlier years, log10, or None.
      station: [N] and `time` [N], for the context.
    """

    features: dict[str, np.ndarray]
    censored: dict[str, bool]
    season: np.ndarray | None
    station: np.ndarray
    time: np.ndarray

    def take(self, rows: np.ndarray) -> "ExpertInputs":
        """Some rows."""
        season = None if self.season is None else self.season[rows]
        return self._replace(
            features={k: v[rows] for k, v in self.features.items()},
            season=season,
            station=self.station[rows],
            time=self.time[rows],
        )


class Ensemble(NamedTuple):
    """What `fit` leaves.

    Attributes:
      experts: name -> linear expert.
      weights: [E] of the experts, the last that of the season where there is one.
      spread: about the mixture.
      highest: log10 of the highest prediction that is given.
      context_days: see `CONTEXT_DAYS`.
    """

    experts: dict[str, Ridge]
    weights: np.ndarray
    spread: Spread
    highest: float
    context_days: float


class Interval(NamedTuple):
    """What is predicted of N rows, log10 ug/L.

    Attributes:
      low: [N] lower end of the 90 % interval.
      middle: [N] the prediction.
      high: [N] upper end.
      exceedance: threshold, ug/L -> probability [N] of exceeding it.
    """

    low: np.ndarray
    middle: np.ndarray
    high: np.ndarray
    exceedance: dict[float, np.ndarray]


def fit(
    inputs: ExpertInputs, y: np.ndarray, below: np.ndarray, groups: np.ndarray, context_days: float = CONTEXT_DAYS
) -> Ensemble:
    """Fits experts, mixes them, and calibrates.

    Args:
      inputs: N rows.
      y: [N] log10 ug/L, the limit for non-detects.
      below: [N] True for non-detects.
      groups: [N] ISO weeks; inner choices leave one out at a time.
      context_days: 0 predicts every image by itself.
    """
    experts, columns = _experts(inputs, y, below, groups)
    weights = _mix(columns, y)
    mixed = columns @ weights
    # In the inner loop a row's context is its own week: the other weeks' predictions are of another fit.
    keys = np.array([f"{s} {g}" for s, g in zip(inputs.station, groups, strict=True)])
    left_out = _context(mixed, keys, inputs.time, context_days)
    return Ensemble(experts, weights, calibration.fit(left_out, y, below, LIMIT), y.max() + BEYOND_HIGHEST, context_days)


def left_out_error(inputs: ExpertInputs, y: np.ndarray, below: np.ndarray, groups: np.ndarray) -> float:
    """Mean squared error of the mixture on left-out groups of the rows it is given; arguments as in `fit`."""
    _, columns = _experts(inputs, y, below, groups)
    return float(np.mean((columns @ _mix(columns, y) - y) ** 2))


def predict(fitted: Ensemble, inputs: ExpertInputs) -> Interval:
    """Predicts rows; NaN where a row has no valid spectrum. A row's context are the rows of `inputs` at its station."""
    columns = [
        np.minimum(censored_ridge.predict(expert, inputs.features[name], LIMIT), fitted.highest)
        for name, expert in fitted.experts.items()
    ]
    if inputs.season is not None:
        columns.append(np.maximum(inputs.season, LIMIT))
    mixed = np.stack(columns, axis=1) @ fitted.weights
    return of_log10(fitted.spread, _context(mixed, inputs.station, inputs.time, fitted.context_days))


def of_log10(spread: Spread, log10: np.ndarray) -> Interval:
    """Interval and probabilities about predictions [N]."""
    low, high = calibration.interval(spread, log10, LIMIT)
    exceedance = {t: calibration.exceedance(spread, log10, np.log10(t), LIMIT) for t in metrics.THRESHOLDS_UG_L}
    return Interval(low, log10, high, exceedance)


def _experts(inputs: ExpertInputs, y, below, groups) -> tuple[dict[str, Ridge], np.ndarray]:
    """Fitted experts, and left-out predictions [N E] of them and of the season."""
    experts, columns = {}, []
    for name, values in inputs.features.items():
        censored = below if inputs.censored[name] else None
        experts[name], left_out = censored_ridge.fit(values, y, groups, below=censored, limit=LIMIT)
        columns.append(left_out)
    if inputs.season is not None:
        columns.append(np.maximum(inputs.season, LIMIT))
    return experts, np.stack(columns, axis=1)


def _mix(columns: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Weights [E] >= 0 that sum to 1 and bring `columns` [N E] nearest to `y`."""
    count = columns.shape[1]

    def weights(free):
        grown = np.exp(free - free.max())
        return grown / grown.sum()

    def cost(free):
        w = weights(free)
        return np.mean((columns @ w - y) ** 2) + TOWARD_EQUAL * np.sum((w - 1 / count) ** 2)

    return weights(minimize(cost, np.zeros(count)).x)


def _context(log10: np.ndarray, keys: np.ndarray, time: np.ndarray, days: float) -> np.ndarray:
    """Mean [N] of the predictions of the same key from up to `days` before, each itself included.

    Of one scene all granules count.
    """
    at = time.astype("datetime64[s]").astype(float) / 86400.0
    out = log10.copy()
    for i in np.flatnonzero(np.isfinite(log10)):
        # Two granules of one scene differ by seconds at most; neither is earlier.
        near = (keys == keys[i]) & (at - at[i] <= 0.02) & (at[i] - at <= days) & np.isfinite(log10)
        out[i] = log10[near].mean()
    return out
