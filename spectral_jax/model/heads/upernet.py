"""UPerNet (arXiv 1807.10221) as PANGAEA uses it, with one difference: norms have no batch statistics.

PANGAEA normalises with SyncBN, whose running statistics are state that a pure function does not have. Here every convolution
is followed by LayerNorm over the channels of each pixel: it needs no state, is the same in training and evaluation and for any
batch size, and does not make a pixel depend on the tile around it.
"""

import jax.numpy as jnp
from flax import linen as nn

from spectral_jax.model.convolutions import Double, NormedConv
from spectral_jax.model.heads.decoders import classify
from spectral_jax.model.layers import LayerNorm, gelu
from spectral_jax.model.resize import adaptive_average, bilinear

# Sides of the pooled grids.
BINS = (1, 2, 3, 6)
# How many maps of one scale become a pyramid: x4, x2, x1 and x0.5, in the order of the layers.
LEVELS = 4


class Rescale(nn.Module):
    """Four maps of one scale to a pyramid: the first is doubled twice, the second once, the last is max-pooled 2x2."""

    dtype: jnp.dtype

    @nn.compact
    def __call__(self, maps):
        """Maps four [B h w D] to [B 4h 4w D], [B 2h 2w D], [B h w D] and [B h/2 w/2 D] (rounded down)."""
        first, second, third, last = maps
        first = Double(first.shape[-1], self.dtype, name="first_up1")(first)
        first = gelu(LayerNorm(self.dtype, name="first_norm")(first))
        first = Double(first.shape[-1], self.dtype, name="first_up2")(first)
        second = Double(second.shape[-1], self.dtype, name="second_up")(second)
        return first, second, third, nn.max_pool(last, (2, 2), (2, 2))


class UperNet(nn.Module):
    """Pyramid pooling of the coarsest map, a top-down pyramid, all levels fused at the finest, and a 1x1 convolution."""

    outputs: int
    width: int
    rate: float
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, maps, pooled, size, key):
        """Maps a pyramid, or four maps of one scale, [B h w D] each, to float32 [B H W K]."""
        if one_scale([x.shape[1:3] for x in maps]):
            maps = Rescale(self.dtype, name="rescale")(maps)
        unit = lambda side, name: NormedConv(self.width, side, self.dtype, name=name)  # noqa: E731
        levels = [unit(1, f"lateral{i}")(x) for i, x in enumerate(maps[:-1])] + [self._pooled(maps[-1], unit)]
        for i in range(len(levels) - 1, 0, -1):
            levels[i - 1] = levels[i - 1] + bilinear(levels[i], levels[i - 1].shape[1:3])
        levels = [unit(3, f"smooth{i}")(x) for i, x in enumerate(levels[:-1])] + levels[-1:]
        finest = levels[0].shape[1:3]
        x = unit(3, "fuse")(jnp.concatenate([bilinear(x, finest) for x in levels], axis=-1))
        return classify(x, self, size, key)

    def _pooled(self, x, unit):
        means = [bilinear(unit(1, f"pool{b}")(adaptive_average(x, b)), x.shape[1:3]) for b in BINS]
        return unit(3, "pyramid")(jnp.concatenate([x, *means], axis=-1))


def one_scale(sizes: list[tuple[int, int]]) -> bool:
    """Whether all maps have the same rows and columns, as those of a plain vision transformer."""
    return len(set(sizes)) == 1


def check_levels(sizes: list[tuple[int, int]]) -> None:
    """Refuses maps that are neither four of one scale nor a pyramid.

    Args:
      sizes: rows and columns of each map.

    Raises:
      ValueError: another number of maps of one scale, maps of one scale that cannot be halved, or sizes that grow.
    """
    if one_scale(sizes):
        if len(sizes) != LEVELS or min(sizes[0]) < 2:
            raise ValueError(
                f"maps: upernet makes its pyramid of {LEVELS} maps of one scale, each at least 2 x 2, and got {len(sizes)} of "
                f"{sizes[0][0]} x {sizes[0][1]}; choose {LEVELS} layers of the encoder, or a head for one map (linear, fcn)."
            )
    elif any(a < b for before, after in zip(sizes, sizes[1:], strict=False) for a, b in zip(before, after, strict=True)):
        listed = ", ".join(f"{rows} x {columns}" for rows, columns in sizes)
        raise ValueError(f"maps: upernet expects a pyramid's maps from the finest to the coarsest, got {listed}; reorder them.")
