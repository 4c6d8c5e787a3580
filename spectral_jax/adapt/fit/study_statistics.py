"""What the code of the TerraMind study normalises bands by, and how far that is from what an encoder sees.

Source: github.com/leonardijulia/TM_HSI_finetuning at ca37f28. Band selection reads pixels by positions that count from 1, and
statistics by the same positions counted from 0: those of the next band. Grouping by spectral response has the deviation
sqrt(sum of w^2 sigma^2), that of independent bands; neighbouring bands go together, so that what the encoder sees spreads more
than 1.
"""

import numpy as np

from spectral_jax.adapt.parts.part import Part
from spectral_jax.spectral.project import Projection


def as_published(matrix: np.ndarray, adaptation: str, train: Part) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation [K] by which the study's code normalises projected bands.

    Args:
      matrix: [K C] of the adaptation.
      adaptation: "nearest" or "srf".
      train: training part, of whose valid pixels the statistics of bands are.
    """
    mean, covariance = moments(train)
    matrix = np.asarray(matrix, np.float64)
    deviation = np.sqrt(np.diag(covariance))
    if adaptation == "nearest":
        # The last band has no next one, and keeps its own.
        following = np.minimum(matrix.argmax(axis=1) + 1, matrix.shape[1] - 1)
        return mean[following], _above_zero(deviation[following])
    return matrix @ mean, _above_zero(np.sqrt(matrix**2 @ deviation**2))


def spread(matrix: np.ndarray, adaptation: str, train: Part) -> np.ndarray:
    """Deviation [K] of what the encoder sees in the training part under `as_published`; 1 is standardised."""
    _, covariance = moments(train)
    matrix = np.asarray(matrix, np.float64)
    measured = np.sqrt(np.einsum("kc,cd,kd->k", matrix, covariance, matrix))
    return measured / as_published(matrix, adaptation, train)[1]


def told(row: str, start: Projection, train: Part) -> str:
    """A sentence about what the encoder of a row sees under `as_published`."""
    found = spread(start.matrix, start.method, train)
    least, most = int(found.argmin()), int(found.argmax())
    return (
        f"{row}: by the statistics of the study's code, bands that the encoder sees have a deviation of {found[least]:.2f} "
        f"({start.kept[least]}) to {found[most]:.2f} ({start.kept[most]}) in the training part of the first seed, where 1 is "
        "standardised."
    )


def moments(train: Part) -> tuple[np.ndarray, np.ndarray]:
    """Mean [C] and covariance [C C] of the valid spectra of all dates, in float64."""
    spectra = [image[valid] for image, valid, _ in map(train.sample, range(len(train)))]
    together = np.concatenate(spectra).astype(np.float64)
    mean = together.mean(axis=0)
    away = together - mean
    return mean, away.T @ away / len(together)


def _above_zero(deviation: np.ndarray) -> np.ndarray:
    return np.where(deviation > 1e-6, deviation, 1.0)
