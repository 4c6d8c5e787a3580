"""Maps to other sizes, exactly as PyTorch's `interpolate(mode="bilinear", align_corners=False)` and `adaptive_avg_pool2d`.

Published decoders were trained with both. Pixel areas are aligned, edges are repeated, and nothing is smoothed when a map
shrinks.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np


def bilinear(x: jax.Array, size: tuple[int, int]) -> jax.Array:
    """Resizes [B h w D] to `size` rows and columns, [B H W D]; the map itself where it has that size."""
    if x.shape[1:3] == tuple(size):
        return x
    return jax.image.resize(x, (x.shape[0], *size, x.shape[3]), "linear", antialias=False)


@functools.lru_cache(maxsize=64)
def bin_weights(size: int, bins: int) -> np.ndarray:
    """Weights [bins size] float32 of `size` samples in the mean of each bin.

    Bin i takes the samples from floor(i size / bins) up to ceil((i + 1) size / bins): where `bins` does not divide `size`,
    neighbouring bins share a sample.
    """
    weights = np.zeros((bins, size), np.float32)
    for i in range(bins):
        first, last = i * size // bins, -(-(i + 1) * size // bins)
        weights[i, first:last] = 1.0 / (last - first)
    return weights


def adaptive_average(x: jax.Array, bins: int) -> jax.Array:
    """Means of `bins` x `bins` parts of a map, [B h w D] to [B bins bins D]; computed in float32."""
    down, across = (jnp.asarray(bin_weights(side, bins)) for side in x.shape[1:3])
    means = jnp.einsum("rn,cm,bnmd->brcd", down, across, x.astype(jnp.float32), precision="highest")
    return means.astype(x.dtype)
