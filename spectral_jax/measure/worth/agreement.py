"""Whitening, and linear directions that agree between two dates of a place: what is learned in closed form without labels."""

from typing import NamedTuple

import numpy as np

FLOOR = 2e-3  # added to the variance of a component of standardised features: faint ones are noise


class Linear(NamedTuple):
    """x to (x - centre) @ matrix."""

    centre: np.ndarray  # [D]
    matrix: np.ndarray  # [D K]

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Features [... D] to [... K]."""
        return (x - self.centre) @ self.matrix


def whitening(x: np.ndarray, components: int, floor: float = FLOOR) -> Linear:
    """Standardised, rotated to the largest principal components, each divided by sqrt(its variance + floor).

    Args:
      x: features [N D].
      components: K, at most D are kept.
      floor: see above.
    """
    centre, spread = x.mean(axis=0), x.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    standard = (x - centre) / spread
    variance, directions = np.linalg.eigh(standard.T @ standard / len(x))
    largest = np.argsort(variance)[::-1][:components]
    matrix = directions[:, largest] / np.sqrt(np.maximum(variance[largest], 0.0) + floor)
    return Linear(centre, matrix / spread[:, None])


def agreeing(first: np.ndarray, second: np.ndarray, count: int, components: int, floor: float = FLOOR) -> Linear:
    """The directions whose values at two dates of a place agree most: canonical correlation of two like views.

    Both dates are whitened together, and the directions are the eigenvectors of the largest eigenvalues of the symmetric part
    of their cross-covariance (Hotelling 1936, with one matrix for both views, as neither date is the first).

    Args:
      first: features of N places at a date [N D].
      second: of the same places at another date.
      count: K, how many directions.
      components: kept in whitening.
      floor: of the whitening.
    """
    white = whitening(np.concatenate([first, second]), components, floor)
    a, b = white(first), white(second)
    across = a.T @ b / len(a)
    agreement, directions = np.linalg.eigh((across + across.T) / 2.0)
    best = np.argsort(agreement)[::-1][:count]
    return Linear(white.centre, white.matrix @ directions[:, best])
