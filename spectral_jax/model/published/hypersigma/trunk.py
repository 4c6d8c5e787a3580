"""HyperSIGMA's blocks: all but every `interval`-th look at a few points each, those at all tokens.

Both encoders have them, in the same sizes.
"""

import dataclasses
from collections.abc import Callable

import einops
import jax
import jax.numpy as jnp
from flax import linen as nn

from spectral_jax import ranges
from spectral_jax.model.initialise import TRUNCATED
from spectral_jax.model.layers import Dense, LayerNorm, along_last, dtype_of, gelu
from spectral_jax.model.published import vit
from spectral_jax.model.published.hypersigma.sampling import Attention
from spectral_jax.model.published.vit import Features

# Width, blocks and heads of the published sizes, every how manieth block looks at all tokens, and the blocks whose tokens are
# taken out, counted from 0.
SIZES: dict[str, dict] = {
    "base": dict(width=768, depth=12, heads=12, interval=3, taps=(3, 5, 7, 11)),
    "large": dict(width=1024, depth=24, heads=16, interval=6, taps=(7, 11, 15, 23)),
    "huge": dict(width=1280, depth=32, heads=16, interval=8, taps=(10, 15, 20, 31)),
}
MLP_RATIO = 4
# That a token looks at, in all published fusions.
POINTS = 8


@dataclasses.dataclass(frozen=True)
class TrunkConfig:
    """Structure of the blocks.

    Attributes:
      width: of tokens.
      depth: blocks.
      heads: of attention; where they do not divide the width the rest of it is not used inside.
      interval: block i (from 0) looks at all tokens where this divides i + 1; 1: every block does, as in pretraining.
      points: that a token of the others looks at; 8 in the published models.
      taps: blocks whose tokens are taken out, counted from 0, rising.
      layer_scale: whether the two parts of a block are scaled by learned vectors; not in the published models.
      dtype: of products.
    """

    width: int
    depth: int
    heads: int
    interval: int
    taps: tuple[int, ...]
    points: int = POINTS
    layer_scale: bool = False
    dtype: str = "float32"

    def __post_init__(self):
        counts = dict.fromkeys(("width", "depth", "heads", "interval", "points"), ranges.COUNT)
        ranges.check(self, "TrunkConfig.", counts | {"taps": ranges.Range(0, self.depth - 1, rising=True)})
        if self.heads > self.width:
            raise ValueError(f"TrunkConfig.heads: expected at most the width of {self.width}, got {self.heads}.")
        if not self.taps:
            raise ValueError("TrunkConfig.taps: expected at least one block whose tokens are taken out, got none.")

    def samples(self, block: int) -> bool:
        """Whether a block looks at a few points alone."""
        return (block + 1) % self.interval != 0


def of_size(size: str, **options) -> TrunkConfig:
    """The blocks of a published size; `options` are other fields."""
    if size not in SIZES:
        raise ValueError(f"size: expected one of {', '.join(SIZES)}, got {size!r}.")
    return TrunkConfig(**SIZES[size] | options)


def divided(depth: int) -> Callable:
    """Normal weights of deviation 0.02, divided by sqrt(2 depth): what ends the two parts of the `depth`-th block, from 1."""
    return lambda key, shape, dtype: TRUNCATED(key, shape, dtype) * jnp.asarray((2.0 * depth) ** -0.5, dtype)


class Block(nn.Module):
    """Pre-norm block number `index`, from 0."""

    cfg: TrunkConfig
    index: int

    @nn.compact
    def __call__(self, x, grid):
        """Maps [B N D] to [B N D]."""
        cfg, dtype, last = self.cfg, dtype_of(self.cfg.dtype), divided(self.index + 1)
        points = cfg.points if cfg.samples(self.index) else 0
        h = LayerNorm(dtype, name="norm1")(x)
        x = x + self._scaled("scale1", Attention(cfg.heads, points, dtype, last, name="attend")(h, grid))
        h = LayerNorm(dtype, name="norm2")(x)
        h = gelu(Dense(MLP_RATIO * cfg.width, dtype, name="in")(h))
        return x + self._scaled("scale2", Dense(cfg.width, dtype, kernel_init=last, name="out")(h))

    def _scaled(self, name, x):
        if not self.cfg.layer_scale:
            return x
        return x * along_last(self.param(name, nn.initializers.ones, (x.shape[-1],), jnp.float32).astype(x.dtype), x)


def features(blocks: tuple, layers: tuple[int, ...] | None, rows: int) -> Features:
    """Tokens [B N D] of all blocks, the layers asked for as maps of `rows` rows, and the mean over the last one's; no norm."""
    maps = (einops.rearrange(blocks[i], "b (h w) d -> b h w d", h=rows) for i in vit.chosen(layers, len(blocks)))
    return Features(blocks, tuple(maps), blocks[-1].mean(axis=1))


class Trunk(nn.Module):
    """All blocks one after another; no norm follows them."""

    cfg: TrunkConfig

    @nn.compact
    def __call__(self, x: jax.Array, grid: tuple[int, int]) -> list[jax.Array]:
        """Tokens [B N D] of a grid (rows, columns) in raster order to those after each block, a list of [B N D]."""
        kept = []
        for i in range(self.cfg.depth):
            x = Block(self.cfg, i, name=f"block{i}")(x, grid)
            kept.append(x)
        return kept
