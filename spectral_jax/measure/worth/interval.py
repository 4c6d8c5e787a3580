"""Means over draws and training seeds with their 95 % interval, and what an interval shows.

Every seed is scored on the same draws, so values are a table of seeds and draws, both of which are samples: its variance is
parted into that of seeds, of draws and what is left (a crossed design of two random factors), and the degrees of freedom of the
sum are Satterthwaite's (1946).
"""

import math
from typing import NamedTuple

import numpy as np
from scipy import stats

LEVEL = 0.95
AHEAD, NOT_SHOWN, BEHIND = "ahead", "not shown", "behind"


class Interval(NamedTuple):
    """A mean and its 95 % interval; NaN limits where one value alone is known."""

    mean: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """What it shows of a difference: "ahead" or "behind" where 0 lies outside, else "not shown"."""
        return AHEAD if self.low > 0 else BEHIND if self.high < 0 else NOT_SHOWN

    def text(self) -> str:
        """Such as "+0.031 (+0.012 to +0.050)"."""
        limits = f" ({self.low:+.3f} to {self.high:+.3f})" if math.isfinite(self.low) else " (no interval)"
        return f"{self.mean:+.3f}{limits}"


def over(values: np.ndarray) -> Interval:
    """Mean of a table [S R] of S seeds and R draws, and its interval."""
    seeds, draws = values.shape
    mean = float(values.mean())
    squares = _mean_squares(values)
    if not squares:
        return Interval(mean, math.nan, math.nan)
    if len(squares) == 1:  # one seed, or one draw
        variance, freedom = squares[0]
    else:
        (by_seed, free_s), (by_draw, free_r), (rest, free_e) = squares
        variance = by_seed + by_draw - rest
        terms = by_seed**2 / free_s + by_draw**2 / free_r + rest**2 / free_e
        freedom = variance**2 / terms if terms > 0 else free_e
        # What is left may exceed one of the two by chance, whose own variance is then taken for none.
        if variance < max(by_seed, by_draw):
            variance, freedom = (by_seed, free_s) if by_seed > by_draw else (by_draw, free_r)
    half = float(stats.t.ppf((1.0 + LEVEL) / 2.0, freedom)) * math.sqrt(variance / (seeds * draws))
    return Interval(mean, mean - half, mean + half)


def _mean_squares(values: np.ndarray) -> list[tuple[float, float]]:
    """Mean squares with their degrees of freedom: of seeds, draws and the rest, or the only one there is."""
    seeds, draws = values.shape
    if seeds == 1 or draws == 1:
        return [(float(values.var(ddof=1)), values.size - 1)] if values.size > 1 else []
    a, b = values.mean(axis=1), values.mean(axis=0)
    rest = values - a[:, None] - b[None] + values.mean()
    free = (seeds - 1) * (draws - 1)
    return [
        (float(draws * a.var(ddof=1)), seeds - 1),
        (float(seeds * b.var(ddof=1)), draws - 1),
        (float((rest**2).sum() / free), free),
    ]
