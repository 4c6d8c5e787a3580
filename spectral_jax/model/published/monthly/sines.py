"""Fixed tables of steps, months and places in sines and cosines, as Galileo and Presto have them; none trains.

Computed in float64 and rounded once; the published tables are computed in float32 and differ in the sixth digit.
"""

import functools

import numpy as np

# Longest wavelength over the shortest: of Galileo's steps and places, and of Presto's steps.
BASE, PRESTO_BASE = 10000.0, 1000.0
MONTHS = 12


def slow(width: int, places: np.ndarray) -> np.ndarray:
    """Galileo's [sin(t f), cos(t f)] with f_k = 10000^(-k / (2 D)), k = 0 .. D/2 - 1: [N] to [N D] float32.

    The exponent is k / (2 D) in the published code, where the original transformer has 2 k / D: frequencies end at 0.1.
    """
    angle = np.outer(places, BASE ** (-np.arange(width // 2) / (2 * width)))
    return np.concatenate([np.sin(angle), np.cos(angle)], axis=1).astype(np.float32)


@functools.lru_cache(maxsize=8)
def galileo_steps(steps: int, width: int) -> np.ndarray:
    """Galileo's table of steps [T D]."""
    return slow(width, np.arange(steps))


@functools.lru_cache(maxsize=64)
def galileo_places(rows: int, columns: int, width: int, scale: float) -> np.ndarray:
    """Where a patch is in the image [h w D]: the column in the first half, the row in the second.

    `scale` is the side of a patch in units of 10 m, so that one place is one distance at every pixel size and patch.
    """
    down, across = (slow(width // 2, np.arange(n) * scale) for n in (rows, columns))
    row = np.broadcast_to(down[:, None], (rows, columns, width // 2))
    return np.concatenate([np.broadcast_to(across[None], row.shape), row], axis=2)


@functools.lru_cache(maxsize=8)
def presto_steps(steps: int, width: int) -> np.ndarray:
    """Presto's table of steps [T D]: entry j is the sine (j even) or cosine (j odd) of t / 1000^(2 floor(j / 2) / D)."""
    entry = np.arange(width)
    angle = np.outer(np.arange(steps), PRESTO_BASE ** (-2.0 * (entry // 2) / width))
    return np.where(entry[None] % 2, np.cos(angle), np.sin(angle)).astype(np.float32)


@functools.lru_cache(maxsize=8)
def months(width: int) -> np.ndarray:
    """The table of months [12 D], January first: half of the width the sine of the month's angle, half the cosine."""
    angle = 2 * np.pi * np.arange(MONTHS) / MONTHS
    return np.repeat(np.stack([np.sin(angle), np.cos(angle)], axis=1), width // 2, axis=1).astype(np.float32)
