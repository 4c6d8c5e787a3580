"""What the bands say of every place of a store at a date: mean and deviation, of values and of their logarithms, and pixels."""

import dataclasses
from typing import NamedTuple

import jax
import numpy as np

from spectral_jax.batch import decode
from spectral_jax.config import Config
from spectral_jax.data.loader import Loader
from spectral_jax.data.store import open_store

LEAST = 1e-3  # of a normalised value under the logarithm: about the noise of dark pixels
MOST_PIXELS = 64  # kept of an image, evenly picked: all of 240 m at 30 m
MOST_PLACES = 4096  # kept of a training store, evenly picked


class Images(NamedTuple):
    """One image of each of N places; invalid pixels count nowhere, and a place without valid ones holds 0."""

    mean: np.ndarray  # of the C bands over the pixels [N C]
    deviation: np.ndarray  # [N C]
    log_mean: np.ndarray  # of the logarithms of bands [N C]
    log_deviation: np.ndarray  # [N C]
    pixels: np.ndarray  # float32 [N P C]
    valid: np.ndarray  # bool [N P]

    def chosen(self, rows) -> "Images":
        """Some of the places."""
        return Images(*(array[rows] for array in self))


def of_places(loader: Loader, key: str, date: int = 0) -> Images:
    """Reads one sensor of every place of a loader once, at its valid date number `date`, in the order of the survey.

    Values are those a model sees without standardisation: 0 to 1 between the spec's `low` and `high`.
    """
    plain = dataclasses.replace(loader.cfg.sensor(key).spec, mean=(), std=())
    read = jax.jit(decode, static_argnames="spec")
    parts = []
    for _, _, batch in loader.each_location(date):
        values, valid = (np.asarray(x) for x in read(batch.sensors[key], spec=plain))
        parts.append(of_pixels(values.reshape(len(values), -1, values.shape[-1]), valid.reshape(len(valid), -1)))
    return Images(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def of_pixels(values: np.ndarray, valid: np.ndarray) -> Images:
    """The same of values [N P C] and their validity [N P]."""
    logs = np.log(np.maximum(values, LEAST))
    kept = np.unique(np.linspace(0, values.shape[1] - 1, min(MOST_PIXELS, values.shape[1])).round().astype(int))
    return Images(
        *moments(values, valid),
        *moments(logs, valid),
        values[:, kept].astype(np.float32),
        np.ascontiguousarray(valid[:, kept]),
    )


def of_training(cfg: Config, path, key: str) -> tuple[Images, Images]:
    """Two dates of places of a training store: the first two valid ones of those that have two.

    Args:
      cfg: the run; `data.groups` says which groups it draws from.
      path: its store.
      key: of the sensor.

    Returns:
      The first and the second date of the same places.

    Raises:
      ValueError: no group of the run has the sensor, or too few places have two dates of it.
    """
    groups = open_store(path).groups
    chosen = [name for name in (cfg.data.groups or groups) if key in groups[name].sensors]
    if not chosen:
        raise ValueError(f"store {path}: no group that the run {cfg.name!r} uses has {key}; rivals cannot be fitted to it.")
    data = dataclasses.replace(cfg.data, groups=tuple(chosen))
    loader = Loader(dataclasses.replace(cfg, sensors=(cfg.sensor(key),), data=data), path)
    twice = np.concatenate([groups[name].valid(key)[rows].sum(axis=1) > 1 for name, rows in loader.usable.items()])
    if twice.sum() < 16:
        raise ValueError(
            f"store {path}: {twice.sum()} places have two valid dates of {key}, and rivals that know two dates need 16 or more."
        )
    rows = np.flatnonzero(twice)
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, min(MOST_PLACES, len(rows))).round().astype(int))]
    first, second = (of_places(loader, key, date).chosen(rows) for date in (0, 1))
    return first, second


def moments(values: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation over the valid of P pixels, values [N P C], each float64 [N C]; 0 where none is valid."""
    weight = valid[..., None].astype(np.float64)
    count = np.maximum(weight.sum(axis=1), 1.0)
    mean = (values * weight).sum(axis=1) / count
    variance = ((values - mean[:, None]) ** 2 * weight).sum(axis=1) / count
    return mean, np.sqrt(variance)
