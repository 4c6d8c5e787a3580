"""What SpatSIGMA makes of the tokens of four blocks, by task: maps of four sizes, or of one."""

import jax.numpy as jnp
from flax import linen as nn

from spectral_jax.model.convolutions import Double
from spectral_jax.model.layers import LayerNorm, gelu
from spectral_jax.model.published.hypersigma.resample import largest_of

# What is made of the tokens, by task, each by the pyramid that it has: "features" for a fusion that classifies images, "plain"
# for one that maps classes (no convolutions at patch 16), "joint" for one that detects (maps as they are), "tokens" for
# pretraining; "classes" and "map" have a head here.
PYRAMIDS = {"features": "patch", "classes": "", "map": "patch", "plain": "plain", "tokens": "", "joint": ""}
HEADED = ("classes", "map")
# Patches that the published code has a pyramid for, px.
PATCHES = {"patch": (1, 2, 4, 8, 11, 16), "plain": (1, 2, 4, 8, 16)}
LEVELS = 4


def fewest_tokens(patch: int, style: str) -> int:
    """How many tokens a side needs, so that the maxima of a pyramid have some: 1 where there are no such."""
    if not style or patch == 11 or (style == "plain" and patch == 16):
        return 1
    return 2 if patch == 16 else 4


class Pyramid(nn.Module):
    """Maps of four blocks, shallow to deep, at four sizes: enlarged by convolutions, as they are, and by maxima of tokens."""

    patch: int
    style: str
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, maps):
        """Maps a list of four [B h w D] to a list of four [B h' w' D]."""
        width = maps[0].shape[-1]
        first, second, third, fourth = maps
        if self.patch in (1, 2):
            return [Double(width, self.dtype, name="double")(first), second, largest_of(third, 2), largest_of(fourth, 4)]
        if self.patch in (4, 8):
            return [first, second, largest_of(third, 2), largest_of(fourth, 4)]
        if self.patch == 11 or self.style == "plain":
            return list(maps)
        x = gelu(LayerNorm(self.dtype, name="norm")(Double(width, self.dtype, name="double")(first)))
        first = Double(width, self.dtype, name="double_again")(x)
        return [first, Double(width, self.dtype, name="double_second")(second), third, largest_of(fourth, 2)]
