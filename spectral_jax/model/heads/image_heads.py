"""Heads on the embedding of a whole image: class scores, and quantities.

`task_heads` makes and calls them. Each takes `(maps, pooled, size, key)`, as decoders do, and gives float32 [B K].
"""

import jax.numpy as jnp
from flax import linen as nn

from spectral_jax.model.convolutions import TORCH_UNIFORM, drop
from spectral_jax.model.layers import Dense, gelu


class Classification(nn.Module):
    """A linear layer: K class scores, of which one label (softmax) or several (sigmoid) are read; the loss decides."""

    outputs: int
    rate: float
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, maps, pooled, size, key):
        """Maps `pooled` [B D] to [B K]."""
        x = drop(pooled, self.rate, key)
        return Dense(self.outputs, self.dtype, kernel_init=TORCH_UNIFORM, name="out")(x).astype(jnp.float32)


class Regression(nn.Module):
    """Linear, GELU, linear: K quantities, in the units that the targets were standardised to."""

    outputs: int
    width: int
    rate: float
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, maps, pooled, size, key):
        """Maps `pooled` [B D] to [B K]."""
        x = gelu(Dense(self.width, self.dtype, kernel_init=TORCH_UNIFORM, name="hidden")(pooled))
        x = drop(x, self.rate, key)
        return Dense(self.outputs, self.dtype, kernel_init=TORCH_UNIFORM, name="out")(x).astype(jnp.float32)
