"""Scenes in memory and encoders that are plain NumPy, for the tests of `spectral_jax.maps`."""

from pathlib import Path

import numpy as np

from spectral_jax.maps.embedder import Embedder
from spectral_jax.maps.observed import Observed
from spectral_jax.sensors import Band, SensorSpec

SPEC = SensorSpec(
    "tiny", "optical", "surface reflectance", "1", 10.0, "float32",
    tuple(Band(f"{i}", 500.0 + 100.0 * i, 20.0) for i in range(3)),
)  # fmt: skip


def observed(pixels: np.ndarray, name: str = "scene.tif") -> Observed:
    """Pixels [H W 3] as a scene without a file."""
    return Observed(Path(name), SPEC, pixels.shape[:2], None, None, lambda rows, columns: pixels[rows, columns].copy(), "made")


def cell_means(cell_px: int):
    """A model that gives each cell the mean of its valid pixels [B S S C] -> [B S/k S/k C], NaN where it has none."""

    def function(pixels: np.ndarray) -> np.ndarray:
        count, height, width, bands = pixels.shape
        cells = pixels.reshape(count, height // cell_px, cell_px, width // cell_px, cell_px, bands).astype(np.float64)
        good = np.isfinite(cells)
        total, seen = np.where(good, cells, 0.0).sum(axis=(2, 4)), good.sum(axis=(2, 4))
        return np.where(seen > 0, total / np.maximum(seen, 1), np.nan).astype(np.float32)

    return function


def embedder(cell_px: int = 2, window_px: int = 8) -> Embedder:
    """That model as a level of an encoder."""
    return Embedder("means", cell_means(cell_px), window_px, cell_px, 3)
