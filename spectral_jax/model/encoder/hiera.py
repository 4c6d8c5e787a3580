"""Hiera's stages (Hiera, facebookresearch/hiera) on tokens kept window by window.

Published Hiera reorders tokens once so that pooling is a maximum over a leading axis; here tokens lie window by window,
[B W N D], which gives the same numbers: pooling 2x2 inside the windows of one stage leaves the windows of the next, so
attention never needs another reordering until a map is asked for.
"""

import einops
import jax
import jax.numpy as jnp
from flax import linen as nn

from spectral_jax.model.block import Block
from spectral_jax.model.layers import pool_valid

# So many blocks that are alike, or more, are one program: it compiles in their number's part of the time.
SCANNED = 4


def to_windows(grid: jax.Array, side: int) -> jax.Array:
    """A grid of tokens [B R Q ...] to windows of side * side tokens in raster order, [B W N ...]."""
    return einops.rearrange(grid, "b (r i) (q j) ... -> b (r q) (i j) ...", i=side, j=side)


def to_grid(windows: jax.Array, rows: int, columns: int) -> jax.Array:
    """The inverse of `to_windows`: [B W N ...] to [B rows columns ...]."""
    side = round(windows.shape[2] ** 0.5)
    shape = {"r": rows // side, "q": columns // side, "i": side, "j": side}
    return einops.rearrange(windows, "b (r q) (i j) ... -> b (r i) (q j) ...", **shape)


class Stage(nn.Module):
    """Blocks of one width. With `pool`, the first halves the grid, inside the windows it is given.

    Attention is inside windows, except that with `whole` the blocks after the pooling one see all tokens: the first block of a
    stage still attends as the stage before (Hiera's lag).
    """

    width: int
    heads: int
    depth: int
    mlp_ratio: int
    dtype: jnp.dtype
    pool: bool
    whole: bool = False
    remat: bool = False

    @nn.compact
    def __call__(self, x, valid):
        """Maps x [B W N D], valid bool [B W N] or None, to the same with `width`, N/4 tokens a window when pooling."""
        block = nn.remat(Block) if self.remat else Block
        options = dict(width=self.width, heads=self.heads, mlp_ratio=self.mlp_ratio, dtype=self.dtype)
        if self.pool:
            x = block(**options, pool=True, name="block0")(x, valid)
            valid = pool_valid(valid)
        inside = x.shape[2]
        if self.whole:
            x, valid = _merge(x), None if valid is None else _merge(valid)
        alike = [f"block{i}" for i in range(int(self.pool), self.depth)]
        if len(alike) < SCANNED or self.is_initializing():
            for name in alike:
                x = block(**options, name=name)(x, valid)
        else:
            x = self._scan(block(**options, parent=None), alike, x, valid)
        if self.whole:
            x, valid = _unmerge(x, inside), None if valid is None else _unmerge(valid, inside)
        return x, valid

    def _scan(self, block, names, x, valid):
        """Blocks that are alike as one program, run with the weights of each in turn."""
        params = self.variables["params"]
        weights = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(params[name] for name in names))
        return jax.lax.scan(lambda x, own: (block.apply({"params": own}, x, valid), None), x, weights)[0]


def _merge(x):
    return einops.rearrange(x, "b w n ... -> b 1 (w n) ...")


def _unmerge(x, n):
    return einops.rearrange(x, "b 1 (w n) ... -> b w n ...", n=n)
