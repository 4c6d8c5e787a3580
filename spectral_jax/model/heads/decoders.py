"""Decoders from the maps of an encoder to a map of K numbers a pixel: class scores, or quantities (pixel regression).

`upernet` has the fourth one. Widths and structures are those published; `task_heads` makes and calls all of them. Each takes
`(maps, pooled, size, key)` and gives float32 [B H W K].
"""

import math

import jax
import jax.numpy as jnp
from flax import linen as nn

from spectral_jax.model.convolutions import Conv, Double, GroupNorm, drop
from spectral_jax.model.layers import LayerNorm, gelu
from spectral_jax.model.resize import bilinear

# Groups of the multi-tap decoder's GroupNorm, as published.
GROUPS = 8


class LinearMap(nn.Module):
    """A 1x1 convolution on the last map, resized to the labels: what the tokens themselves know."""

    outputs: int
    rate: float
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, maps, pooled, size, key):
        """Maps the last of `maps` [B h w D] to [B H W K]."""
        return classify(maps[-1], self, size, key)


class Fcn(nn.Module):
    """TerraTorch's `FCNDecoder` and a 1x1 convolution, on the last map.

    A stage is a transposed convolution 2x2 (stride 2), a convolution 3x3, LayerNorm over channels (epsilon 1e-6) and GELU. The
    published four stages take 14 x 14 to 224 x 224; here there are as many as the size of the labels takes. What is larger
    then, because the size is no power of two of the map, is resized.
    """

    outputs: int
    width: int
    rate: float
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, maps, pooled, size, key):
        """Maps the last of `maps` [B h w D] to [B H W K]."""
        x = maps[-1]
        for i in range(stages(x.shape[1:3], size)):
            x = Double(self.width, self.dtype, name=f"stage{i}_up")(x)
            x = Conv(self.width, 3, self.dtype, name=f"stage{i}_conv")(x)
            x = gelu(LayerNorm(self.dtype, name=f"stage{i}_norm")(x))
        return classify(x, self, size, key)


class MultiTap(nn.Module):
    """The light decoder of SpectralEarth-FM's protocol.

    A 1x1 convolution for each tap, all resized to the finest and concatenated; one 3x3 convolution, GroupNorm(8) and ReLU; a
    1x1 classifier. GroupNorm takes its statistics over the whole map, so a pixel depends on its tile.
    """

    outputs: int
    width: int
    rate: float
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, maps, pooled, size, key):
        """Maps taps [B h w D], each of its own size and width, to [B H W K]."""
        finest = max((x.shape[1:3] for x in maps), key=math.prod)
        taps = [bilinear(Conv(self.width, 1, self.dtype, name=f"tap{i}")(x), finest) for i, x in enumerate(maps)]
        x = Conv(self.width, 3, self.dtype, name="fuse")(jnp.concatenate(taps, axis=-1))
        return classify(jax.nn.relu(GroupNorm(GROUPS, self.dtype, name="norm")(x)), self, size, key)


def classify(x: jax.Array, head: nn.Module, size: tuple[int, int], key: jax.Array | None) -> jax.Array:
    """Dropout, the 1x1 convolution `out` of a decoder, and its numbers resized: [B h w D] to float32 [B H W K]."""
    x = Conv(head.outputs, 1, head.dtype, name="out")(drop(x, head.rate, key))
    return bilinear(x.astype(jnp.float32), size)


def stages(grid: tuple[int, int], size: tuple[int, int]) -> int:
    """How often a map of `grid` rows and columns must double to be no smaller than `size`."""
    return max(0, *((-(-wanted // side) - 1).bit_length() for side, wanted in zip(grid, size, strict=True)))
