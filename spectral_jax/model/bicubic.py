"""Bicubic interpolation of a table of positions, exactly as PyTorch's `interpolate(mode="bicubic", align_corners=False)`.

`jax.image.resize` has another cubic (a = -0.5, and it smooths when it shrinks), so its numbers are not those that TerraMind's
published code makes.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

# Of Keys' cubic convolution kernel, as PyTorch sets it.
SHARPNESS = -0.75


@functools.lru_cache(maxsize=64)
def cubic_weights(size: int, wanted: int) -> np.ndarray:
    """Weights [wanted size] float32 of `size` samples in each of `wanted` ones, pixel areas aligned; edges are repeated."""
    place = (np.arange(wanted) + 0.5) * size / wanted - 0.5
    left = np.floor(place).astype(int)
    weights = np.zeros((wanted, size))
    for tap in (-1, 0, 1, 2):
        source = np.clip(left + tap, 0, size - 1)
        np.add.at(weights, (np.arange(wanted), source), _kernel(np.abs(place - left - tap)))
    return weights.astype(np.float32)


def _kernel(distance):
    a, d = SHARPNESS, distance
    near = (a + 2) * d**3 - (a + 3) * d**2 + 1
    far = a * (d**3 - 5 * d**2 + 8 * d - 4)
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))


def resize_positions(positions: jax.Array, grid: tuple[int, int], wanted: tuple[int, int]) -> jax.Array:
    """A table of positions for another grid of tokens.

    Args:
      positions: float32 [N D], N = rows * columns of `grid`, in raster order.
      grid: rows and columns that the table was made for.
      wanted: rows and columns that are needed.

    Returns:
      [M D] with M = rows * columns of `wanted`; the table itself where the grids are equal.
    """
    if grid == wanted:
        return positions
    down, across = (jnp.asarray(cubic_weights(*sizes)) for sizes in zip(grid, wanted, strict=True))
    table = positions.reshape(*grid, -1)
    return jnp.einsum("rn,cm,nmd->rcd", down, across, table).reshape(-1, table.shape[-1])
