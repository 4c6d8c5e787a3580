"""Which water sample is the label of an image: of now, and of the days ahead."""

import dataclasses

import numpy as np

from spectral_jax.ingest.matchups.glerl import WaterSamples
from spectral_jax.matchups import AHEAD_DAYS

NOW_DAYS = 2
# SpecTM forecasts eight days ahead (arXiv 2603.22097); the samples are weekly, so the nearest of a window is taken.
AHEAD_TARGET_DAYS = 8
REPLICATE = "samples: in the mean of the same station and date"


def nearest(dates: np.ndarray, day: np.datetime64, window: tuple[float, float], target: float) -> int | None:
    """The sample whose days after the image lie in a window and nearest to a target.

    Days are whole: both are dates, for a third of the samples have no time, and PACE crosses at noon, when the date in UTC is
    the date of the place. Of two equally near the earlier one is taken.

    Args:
      dates: datetime64[D] [N].
      day: of the image.
      window: first and last day that do.
      target: days.

    Returns:
      The position in `dates`, or None.
    """
    after = (dates - day).astype("timedelta64[D]").astype(int)
    fitting = np.flatnonzero((after >= window[0]) & (after <= window[1]))
    if not fitting.size:
        return None
    return int(min(fitting, key=lambda i: (abs(after[i] - target), after[i])))


def now(dates: np.ndarray, day: np.datetime64, days: int = NOW_DAYS) -> int | None:
    """The sample nearest to the image, at most `days` before or after it."""
    return nearest(dates, day, (-days, days), 0)


def ahead(dates: np.ndarray, day: np.datetime64, window: tuple[float, float] = AHEAD_DAYS) -> int | None:
    """The sample nearest to eight days after the image, among those 6 to 10 days after it.

    Raises:
      ValueError: the window reaches back to the image or before it; such a label would be no forecast.
    """
    if window[0] <= 0:
        raise ValueError(
            f"ahead: expected a window after the image, got {window[0]:g} to {window[1]:g} days; a label from before the image "
            "is no forecast."
        )
    return nearest(dates, day, window, AHEAD_TARGET_DAYS)


def merged(samples: WaterSamples, keep: np.ndarray) -> tuple[WaterSamples, np.ndarray, dict[str, int]]:
    """Samples of one station and date as one, none taken by its order: their mean stands in the first, the others are not kept.

    A limit stands for what is below it, so where only some are below it the mean is at most the limit too high; the mean is
    censored where all of them are. Chlorophyll-a and phycocyanin are means of those that have them.

    Args:
      samples: N of them.
      keep: which can be labels, bool [N].

    Returns:
      The samples, which of them can be labels, and how many are in the mean of another.
    """
    keep, columns = keep.copy(), {name: getattr(samples, name).copy() for name in ("mc", "mc_censored", "chla", "pc")}
    groups: dict[tuple, list[int]] = {}
    for i in np.flatnonzero(keep):
        groups.setdefault((samples.station[i], samples.date[i]), []).append(int(i))
    several = [rows for rows in groups.values() if len(rows) > 1]
    for rows in several:
        for name in ("mc", "chla", "pc"):
            numbers = getattr(samples, name)[rows]
            columns[name][rows[0]] = numbers[~np.isnan(numbers)].mean() if (~np.isnan(numbers)).any() else np.nan
        columns["mc_censored"][rows[0]] = samples.mc_censored[rows].all()
        keep[rows[1:]] = False
    count = sum(len(rows) - 1 for rows in several)
    return dataclasses.replace(samples, **columns), keep, {REPLICATE: count} if count else {}


def usable(samples: WaterSamples) -> tuple[np.ndarray, dict[str, int]]:
    """Which samples can be labels, bool [N], and how many cannot for which reason (the first that holds)."""
    reasons = {f"samples: depth {depth}": samples.depth == depth for depth in ("bottom", "scum", "mid", "unknown")}
    reasons["samples: no particulate microcystin"] = np.isnan(samples.mc)
    reasons["samples: no position"] = np.isnan(samples.lat) | np.isnan(samples.lon)
    keep, counts = np.ones(len(samples), bool), {}
    for reason, rows in reasons.items():
        counts[reason] = int((keep & rows).sum())
        keep &= ~rows
    return keep, {reason: n for reason, n in counts.items() if n}
