"""Constant matrices of HyperSIGMA's resampling: bilinear interpolation from corner to corner."""

import functools

import jax
import jax.numpy as jnp
import numpy as np


@functools.lru_cache(maxsize=64)
def between_corners(size: int, wanted: int) -> np.ndarray:
    """Weights [wanted size] float32 of linear interpolation whose first and last samples stay: `align_corners=True`."""
    place = np.zeros(wanted) if wanted == 1 else np.arange(wanted) * (size - 1) / (wanted - 1)
    left = np.minimum(place.astype(int), max(size - 2, 0))
    weights = np.zeros((wanted, size))
    np.add.at(weights, (np.arange(wanted), left), 1.0 - (place - left))
    np.add.at(weights, (np.arange(wanted), np.minimum(left + 1, size - 1)), place - left)
    return weights.astype(np.float32)


def enlarge(maps: jax.Array, wanted: tuple[int, int]) -> jax.Array:
    """Maps [B h w D] at `wanted` rows and columns [B H W D]: PyTorch's `UpsamplingBilinear2d`, corners on corners."""
    down, across = (jnp.asarray(between_corners(*sizes)) for sizes in zip(maps.shape[1:3], wanted, strict=True))
    wide = jnp.einsum("rh,cw,bhwd->brcd", down, across, maps.astype(jnp.float32), precision="highest")
    return wide.astype(maps.dtype)


def largest_of(maps: jax.Array, side: int) -> jax.Array:
    """The maximum of each `side` x `side` tokens of maps [B h w D]; rows and columns that are left over are dropped."""
    batch, rows, columns, width = maps.shape
    rows, columns = rows // side, columns // side
    cut = maps[:, : rows * side, : columns * side].reshape(batch, rows, side, columns, side, width)
    return cut.max(axis=(2, 4))
