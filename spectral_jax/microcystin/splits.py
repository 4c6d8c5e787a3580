"""Splits of match-ups whose two sides share no scene and no water sample.

`week` leaves one ISO week out, the default; `station` leaves one station out, in thirds of its scenes; `random` cuts rows into
five parts and is optimistic: neighbours of a test row, a day or a bay away, stand in training. On 130 match-ups of Lake Erie
with a sample 8 days ahead, ridge reaches R2 0.43 in the random split and -0.14 by week.
"""

from typing import NamedTuple

import numpy as np

from spectral_jax.matchups import Matchups
from spectral_jax.sentences import unknown

SPLITS = ("week", "station", "random")
OPTIMISTIC = ("random",)
RANDOM_PARTS = 5
STATION_PARTS = 3


class Fold(NamedTuple):
    """Rows of one fold: test rows, and the training rows that share no scene and no sample with them."""

    name: str
    train: np.ndarray
    test: np.ndarray


def folds(data: Matchups, target: str, split: str, seed: int = 0) -> list[Fold]:
    """All folds of a split over the rows that have a label; every such row is tested once.

    Args:
      data: the match-ups.
      target: `now` or `ahead`.
      split: of `SPLITS`.
      seed: of the random split.

    Raises:
      ValueError: an unknown split, or fewer than two parts to leave out.
    """
    rows = labelled(data, target)
    if split == "week":
        part = data.iso_week
    elif split == "station":
        part = np.array([f"{s} part {k}" for s, k in zip(data.station, _station_parts(data), strict=True)])
    elif split == "random":
        part = _random_parts(data, rows, seed)
    else:
        raise unknown("split", "split of match-ups", split, SPLITS)
    names = np.unique(part[rows])
    if len(names) < 2:
        raise ValueError(
            f"split {split!r} of {data.source}: target {target!r} has {len(rows)} labelled rows in {len(names)} part(s); at "
            "least two are needed, one to leave out."
        )
    out = []
    for name in names:
        test = rows[part[rows] == name]
        train = rows[part[rows] != name]
        if split == "station":
            train = train[(data.station[train] != data.station[test[0]]) & ~np.isin(data.time[train], data.time[test])]
        out.append(Fold(str(name), without_shared_samples(data, target, train, test), test))
    return [fold for fold in out if len(fold.train)]


def labelled(data: Matchups, target: str) -> np.ndarray:
    """Rows with a label of `target` and at least one valid pixel."""
    return np.flatnonzero(np.isfinite(data.label(target)[0]) & np.isfinite(data.rrs).any(axis=(1, 2, 3)))


def sample_of(data: Matchups, target: str) -> np.ndarray:
    """[N] name of the water sample behind each label, its station and day; rows of different images can share one."""
    days = np.round(np.nan_to_num(getattr(data, f"mc_{target}_dt_days"))).astype("timedelta64[D]")
    return np.array([f"{s} {d}" for s, d in zip(data.station, data.time.astype("datetime64[D]") + days, strict=True)])


def without_shared_samples(data: Matchups, target: str, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """The training rows that share neither scene nor water sample with a test row.

    A sample on a Monday can label Sunday's and Tuesday's image, which lie in two ISO weeks.
    """
    sample = sample_of(data, target)
    scene = np.array([f"{s} {t}" for s, t in zip(data.station, data.time, strict=True)])
    return train[~np.isin(sample[train], sample[test]) & ~np.isin(scene[train], scene[test])]


def _station_parts(data: Matchups) -> np.ndarray:
    """[N] the third, in time, of its station's scenes that a row belongs to."""
    part = np.zeros(len(data), int)
    for station in np.unique(data.station):
        mine = np.flatnonzero(data.station == station)
        times, rank = np.unique(data.time[mine], return_inverse=True)
        part[mine] = rank * STATION_PARTS // len(times)
    return part


def _random_parts(data: Matchups, rows: np.ndarray, seed: int) -> np.ndarray:
    """[N] random part; a scene's near-real-time and final granule at one station stay together."""
    scene = np.array([f"{s} {t}" for s, t in zip(data.station, data.time, strict=True)])
    names = np.unique(scene[rows])
    order = np.random.default_rng(seed).permutation(len(names)) % RANDOM_PARTS
    part = np.full(len(data), -1)
    part[rows] = order[np.searchsorted(names, scene[rows])]
    return np.array([f"part {p}" for p in part])
