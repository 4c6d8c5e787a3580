"""What several seeds say: mean, spread and interval of one adaptation, and two adaptations compared on the same seeds."""

import dataclasses
import warnings
from collections.abc import Mapping

import numpy as np
from scipy import stats

CONFIDENCE = 0.95


@dataclasses.dataclass(frozen=True)
class SeedSummary:
    """One adaptation over its seeds.

    Attributes:
      mean: of the scores.
      standard_deviation: with N - 1; NaN for one seed.
      low: lower end of the 95 % t-interval of the mean; NaN for one seed.
      high: its upper end.
      seeds: which, ascending.
    """

    mean: float
    standard_deviation: float
    low: float
    high: float
    seeds: tuple[int, ...]

    def text(self) -> str:
        """`0.774 +- 0.003 (95 % 0.772 to 0.776, 10 seeds)`."""
        if len(self.seeds) == 1:
            return f"{self.mean:.3f} (one seed, no spread)"
        interval = f"95 % {self.low:.3f} to {self.high:.3f}, {len(self.seeds)} seeds"
        return f"{self.mean:.3f} +- {self.standard_deviation:.3f} ({interval})"


@dataclasses.dataclass(frozen=True)
class PairedComparison:
    """Two adaptations on the same seeds, so that what a seed does to both cancels.

    Attributes:
      difference: mean of first less second.
      low: lower end of the 95 % t-interval of the difference.
      high: its upper end.
      p: of the two-sided paired t-test; where all differences are equal, 0 if they are not 0 and 1 if they are.
      seeds: which, ascending.
    """

    difference: float
    low: float
    high: float
    p: float
    seeds: tuple[int, ...]


def over_seeds(scores: Mapping[int, float]) -> SeedSummary:
    """Summary of seed -> score.

    Raises:
      ValueError: no seed, or a score that is not finite.
    """
    seeds, values = _finite(scores, "scores")
    return SeedSummary(*_interval(values), seeds)


def paired(
    first: Mapping[int, float], second: Mapping[int, float], names: tuple[str, str] = ("first", "second")
) -> PairedComparison:
    """Compares two adaptations, seed by seed.

    Args:
      first: seed -> score.
      second: seed -> score, on the same seeds.
      names: for the sentences.

    Raises:
      ValueError: different seeds, fewer than two, or a score that is not finite.
    """
    if set(first) != set(second):
        only = [sorted(set(a) - set(b)) for a, b in ((first, second), (second, first))]
        listed = " and ".join(f"{name} alone has {', '.join(map(str, o))}" for name, o in zip(names, only, strict=True) if o)
        raise ValueError(f"expected {names[0]} and {names[1]} on the same seeds, and {listed}; run the missing seeds.")
    seeds, ours = _finite(first, names[0])
    theirs = _finite(second, names[1])[1]
    if len(seeds) < 2:
        raise ValueError(f"expected at least two seeds to compare {names[0]} and {names[1]}, got {len(seeds)}; run more.")
    mean, _, low, high = _interval(ours - theirs)
    p = float(mean == 0) if np.ptp(ours - theirs) == 0 else float(_t_test(ours - theirs).pvalue)
    return PairedComparison(mean, low, high, p, seeds)


def _interval(values: np.ndarray) -> tuple[float, float, float, float]:
    """Mean, standard deviation, and the ends of the interval of the mean."""
    mean = float(values.mean())
    if len(values) == 1:
        return mean, float("nan"), float("nan"), float("nan")
    if np.ptp(values) == 0:
        return mean, 0.0, mean, mean
    interval = _t_test(values).confidence_interval(CONFIDENCE)
    return mean, float(values.std(ddof=1)), float(interval.low), float(interval.high)


def _t_test(values: np.ndarray):
    """SciPy's two-sided t-test of the mean against 0."""
    with warnings.catch_warnings():
        # Values that differ in the last digits only are a result here, not an accident.
        warnings.filterwarnings("ignore", "Precision loss", RuntimeWarning)
        return stats.ttest_1samp(values, 0.0)


def _finite(scores: Mapping[int, float], name: str) -> tuple[tuple[int, ...], np.ndarray]:
    if not scores:
        raise ValueError(f"expected the {name} of at least one seed, got none.")
    seeds = tuple(sorted(scores))
    values = np.array([scores[seed] for seed in seeds], np.float64)
    if not np.isfinite(values).all():
        wrong = seeds[int(np.flatnonzero(~np.isfinite(values))[0])]
        raise ValueError(f"{name}: the score of seed {wrong} is {scores[wrong]}; expected a number, run that seed again.")
    return seeds, values
