"""Fusion: the sensors' tokens of a cell to one token, by one learned query ("projected attention" of SpectralEarth-FM)."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from spectral_jax.model.attention import QueryPool
from spectral_jax.model.initialise import TRUNCATED
from spectral_jax.model.layers import TORCH_EPS, Dense, LayerNorm, mean_of_valid


class SensorEmbedding(nn.Module):
    """One vector a branch, under the branch's own name.

    Names, not rows of a table: a config with other sensors, or the same in another order, finds the same vectors, and all
    sensors of the wavelength tokenizer share one, so a sensor not seen in training has one too.
    """

    branches: tuple[str, ...]
    width: int

    @nn.compact
    def __call__(self, branch):
        """Vectors of the branches numbered `branch`, int32 [B M], float32 [B M D]."""
        rows = [self.param(name, TRUNCATED, (self.width,), jnp.float32) for name in self.branches]
        return jnp.stack(rows)[branch]


class Fuse(nn.Module):
    """Linear to the fusion width, sensor embedding, cross-attention of one query over the sensors, LayerNorm, linear back.

    With `carry`, the mean of the sensors' tokens is added.
    """

    branches: tuple[str, ...]
    width: int
    heads: int
    dtype: jnp.dtype
    carry: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, mask: jax.Array, branch: jax.Array) -> jax.Array:
        """Fuses every cell by itself.

        Args:
          x: tokens [B N M D], slot by slot.
          mask: bool [B N M], which slots hold something.
          branch: int32 [B M], number in `branches` of each slot.

        Returns:
          [B N D]; meaningless where no slot holds anything.
        """
        width, carried = x.shape[-1], mean_of_valid(x, mask) if self.carry else None
        x = Dense(self.width, self.dtype, name="widen")(x)
        x = x + SensorEmbedding(self.branches, self.width, name="sensor")(branch).astype(self.dtype)[:, None]
        x = LayerNorm(self.dtype, TORCH_EPS, name="norm")(QueryPool(self.heads, self.dtype, name="pool")(x, mask))
        x = Dense(width, self.dtype, name="narrow")(x)
        return x if carried is None else x + carried
