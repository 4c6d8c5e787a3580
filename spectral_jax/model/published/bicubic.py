"""Bicubic interpolation of a table of positions, exactly as PyTorch's `interpolate(mode="bicubic", align_corners=False)`.

`jax.image.resize` has another cubic: inside without antialiasing (a = -0.5), and at the edges, where it leaves out what lies
outside; its numbers are not those that published code makes. Formulas are those of PyTorch 2's `UpSampleKernel.cpp`.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

# Of Keys' cubic convolution kernel, as PyTorch sets it without and with antialiasing.
SHARPNESS, SHARPNESS_ANTIALIASED = -0.75, -0.5


@functools.lru_cache(maxsize=64)
def cubic_weights(size: int, wanted: int) -> np.ndarray:
    """Weights [wanted size] float32 of `size` samples in each of `wanted` ones, pixel areas aligned; edges are repeated."""
    place = (np.arange(wanted) + 0.5) * size / wanted - 0.5
    left = np.floor(place).astype(int)
    weights = np.zeros((wanted, size))
    for tap in (-1, 0, 1, 2):
        source = np.clip(left + tap, 0, size - 1)
        np.add.at(weights, (np.arange(wanted), source), _kernel(np.abs(place - left - tap), SHARPNESS))
    return weights.astype(np.float32)


@functools.lru_cache(maxsize=64)
def antialiased_weights(size: int, wanted: int) -> np.ndarray:
    """Weights [wanted size] float32 as with `antialias=True`: the kernel is as wide as a wanted sample where there are fewer.

    Samples beyond the edges are left out, and the weights of the others are divided by their sum.
    """
    place = (np.arange(wanted) + 0.5) * size / wanted - 0.5
    distance = np.abs(np.arange(size)[None] - place[:, None]) / max(size / wanted, 1.0)
    weights = _kernel(distance, SHARPNESS_ANTIALIASED)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def _kernel(distance, a):
    d = distance
    near = (a + 2) * d**3 - (a + 3) * d**2 + 1
    far = a * (d**3 - 5 * d**2 + 8 * d - 4)
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))


def resize_positions(
    positions: jax.Array, grid: tuple[int, int], wanted: tuple[int, int], antialias: bool = False
) -> jax.Array:
    """A table of positions for another grid of tokens.

    Args:
      positions: float32 [N D], N = rows * columns of `grid`, in raster order.
      grid: rows and columns that the table was made for.
      wanted: rows and columns that are needed.
      antialias: PyTorch's argument of that name; timm's `resample_abs_pos_embed` sets it, TerraMind's code does not.

    Returns:
      [M D] with M = rows * columns of `wanted`; the table itself where the grids are equal.
    """
    if grid == wanted:
        return positions
    weights = antialiased_weights if antialias else cubic_weights
    down, across = (jnp.asarray(weights(*sizes)) for sizes in zip(grid, wanted, strict=True))
    table = positions.reshape(*grid, -1)
    # A table is small, and published code interpolates it in float32 whatever the rest is computed in.
    return jnp.einsum("rn,cm,nmd->rcd", down, across, table, precision="highest").reshape(-1, table.shape[-1])
