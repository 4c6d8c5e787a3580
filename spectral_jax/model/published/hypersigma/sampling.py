"""Attention to a few points of a grid, which each token chooses for itself, or to all tokens.

Sparse sampling attention: a token's query gives, for every head, offsets in units of tokens from its own place; keys and values
are taken there by bilinear interpolation of the maps of that head, and the softmax is over these points alone.
"""

from collections.abc import Callable

import einops
import jax
import jax.numpy as jnp
from flax import linen as nn

from spectral_jax.model.initialise import TRUNCATED
from spectral_jax.model.layers import Dense


class Attention(nn.Module):
    """Multi-head self-attention; the packed projection is ordered (query, key, value) x heads.

    `points` is how many a token looks at; 0: all tokens. Where the heads do not divide the width, each has the whole part of
    it, and what is left over is not used. `out_start` is the initializer of the last projection.
    """

    heads: int
    points: int
    dtype: jnp.dtype
    out_start: Callable = TRUNCATED

    @nn.compact
    def __call__(self, x, grid):
        """Maps [B N D] to [B N D], N the tokens of `grid` (rows, columns) in raster order."""
        width = x.shape[-1]
        inner = width // self.heads * self.heads
        qkv = Dense(3 * inner, self.dtype, name="qkv")(x)
        q, k, v = einops.rearrange(qkv, "b n (s a d) -> s b a n d", s=3, a=self.heads)
        if self.points:
            # From the whole query of all heads, unscaled.
            offsets = Dense(self.heads * self.points * 2, self.dtype, name="offsets")(qkv[..., :inner])
            offsets = einops.rearrange(offsets, "b n (a p xy) -> b a n p xy", a=self.heads, xy=2)
            keys, values = jnp.split(sample(jnp.concatenate([k, v], axis=-1), offsets, grid), 2, axis=-1)
            scores = jnp.einsum("band,banpd->banp", q, keys, preferred_element_type=jnp.float32)
            weights = jax.nn.softmax(scores * q.shape[-1] ** -0.5, axis=-1).astype(self.dtype)
            out = jnp.einsum("banp,banpd->band", weights, values)
        else:
            scores = jnp.einsum("band,bamd->banm", q, k, preferred_element_type=jnp.float32)
            weights = jax.nn.softmax(scores * q.shape[-1] ** -0.5, axis=-1).astype(self.dtype)
            out = jnp.einsum("banm,bamd->band", weights, v)
        out = einops.rearrange(out, "b a n d -> b n (a d)")
        return Dense(width, self.dtype, kernel_init=self.out_start, name="out")(out)


def sample(maps: jax.Array, offsets: jax.Array, grid: tuple[int, int]) -> jax.Array:
    """Bilinear samples around each token's own place.

    A corner of the grid's cells that lies outside counts as 0, and the weights of the others stay as they are: what lies
    outside altogether is 0, and keeps its part of a softmax (PyTorch's `grid_sample`, zeros, `align_corners=False`).

    Args:
      maps: [B A N D], tokens in raster order.
      offsets: [B A N P 2], across and down from each token, in tokens.
      grid: rows and columns, N = rows * columns.

    Returns:
      [B A N P D].
    """
    batch, heads, tokens, points, _ = offsets.shape
    rows, columns = grid
    # In float32: a place among many tokens is more exact than half precision.
    own = jnp.arange(tokens, dtype=jnp.int32)
    column, row = (place.astype(jnp.float32)[None, None, :, None] for place in (own % columns, own // columns))
    x, y = column + offsets[..., 0].astype(jnp.float32), row + offsets[..., 1].astype(jnp.float32)
    left, top = jnp.floor(x), jnp.floor(y)
    total = jnp.zeros((), maps.dtype)
    for right, below in ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)):
        at_x, at_y = left + right, top + below
        weight = (1.0 - jnp.abs(x - at_x)) * (1.0 - jnp.abs(y - at_y))
        inside = (at_x >= 0) & (at_x < columns) & (at_y >= 0) & (at_y < rows)
        index = jnp.clip(at_y, 0, rows - 1) * columns + jnp.clip(at_x, 0, columns - 1)
        index = index.astype(jnp.int32).reshape(batch, heads, tokens * points, 1)
        found = jnp.take_along_axis(maps, index, axis=2).reshape(batch, heads, tokens, points, -1)
        total = total + found * jnp.where(inside, weight, 0.0).astype(maps.dtype)[..., None]
    return total
