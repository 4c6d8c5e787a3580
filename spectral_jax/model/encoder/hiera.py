"""Hiera's stages (Hiera, facebookresearch/hiera) on tokens kept window by window.

Published Hiera reorders tokens once so that pooling is a maximum over a leading axis; here tokens lie window by window,
[B P N T D], which gives the same numbers: pooling 2x2 inside the windows of one stage leaves the windows of the next, so
attention never needs another reordering until a map is asked for.

P packs of T windows: the windows of a pack lie abreast, as the second last axis. On a CPU a pack is one window. On a TPU it is
as many as a register has rows, where they are to be had: pooling then compares registers, and moves nothing inside one.
"""

import einops
import jax
import jax.numpy as jnp
from flax import linen as nn

from spectral_jax.model.block import Block
from spectral_jax.model.devices import platform_of
from spectral_jax.model.layers import pool_valid

# So many blocks that are alike, or more, are one program: it compiles in their number's part of the time.
SCANNED = 4

# Rows of a TPU's registers.
_TPU_SUBLANES = 8


def to_windows(grid: jax.Array, side: int, abreast: int | None = None) -> jax.Array:
    """A grid of tokens [B R Q ...] to windows of N = side * side tokens in raster order, in packs: [B P N T ...].

    `abreast` is T; None: what suits the devices.
    """
    windows = einops.rearrange(grid, "b (r i) (q j) ... -> b (r q) (i j) ...", i=side, j=side)
    if abreast is None:
        abreast = _most_abreast(windows.shape[1]) if platform_of(grid) == "tpu" else 1
    return einops.rearrange(windows, "b (p t) n ... -> b p n t ...", t=abreast)


def _most_abreast(windows: int) -> int:
    return next(many for many in range(_TPU_SUBLANES, 0, -1) if windows % many == 0)


def to_grid(windows: jax.Array, rows: int, columns: int) -> jax.Array:
    """The inverse of `to_windows`: [B P N T ...] to [B rows columns ...]."""
    side = round(windows.shape[2] ** 0.5)
    shape = {"r": rows // side, "q": columns // side, "i": side, "j": side}
    windows = einops.rearrange(windows, "b p n t ... -> b (p t) n ...")
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
    carry: bool = False

    @nn.compact
    def __call__(self, x, valid):
        """Maps x [B P N T D], valid bool [B P N T] or None, to the same with `width`, N/4 tokens a window when pooling."""
        block = nn.remat(Block) if self.remat else Block
        options = dict(width=self.width, heads=self.heads, mlp_ratio=self.mlp_ratio, dtype=self.dtype)
        if self.pool:
            x = block(**options, pool=True, carry=self.carry, name="block0")(x, valid)
            valid = pool_valid(valid)
        packs, inside, abreast = x.shape[1:4]
        if self.whole:
            x, valid = _merge(x), None if valid is None else _merge(valid)
        alike = [f"block{i}" for i in range(int(self.pool), self.depth)]
        if len(alike) < SCANNED or self.is_initializing():
            for name in alike:
                x = block(**options, name=name)(x, valid)
        else:
            x = self._scan(block(**options, parent=None), alike, x, valid)
        if self.whole:
            shape = dict(p=packs, n=inside, t=abreast)
            x, valid = _unmerge(x, shape), None if valid is None else _unmerge(valid, shape)
        return x, valid

    def _scan(self, block, names, x, valid):
        """Blocks that are alike as one program, run with the weights of each in turn."""
        params = self.variables["params"]
        weights = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(params[name] for name in names))
        return jax.lax.scan(lambda x, own: (block.apply({"params": own}, x, valid), None), x, weights)[0]


def _merge(x):
    return einops.rearrange(x, "b p n t ... -> b 1 (p n t) 1 ...")


def _unmerge(x, shape):
    return einops.rearrange(x, "b 1 (p n t) 1 ... -> b p n t ...", **shape)
