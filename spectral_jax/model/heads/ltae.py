"""The Lightweight Temporal Attention Encoder (arXiv 2007.00586) as PANGAEA sets it up (pangaea-bench, decoders/ltae.py)."""

import functools

import einops
import jax
import jax.numpy as jnp
from flax import linen as nn

from spectral_jax.model.attention import masked_softmax
from spectral_jax.model.convolutions import TORCH_UNIFORM, GroupNorm
from spectral_jax.model.initialise import torch_bias
from spectral_jax.model.layers import TORCH_EPS, Dense, LayerNorm, along_last

# L-TAE as PANGAEA sets it up: heads, which are also the groups of its norms, and the width of a key.
HEADS = 16
KEY_WIDTH = 4
ATTENTION_DROPOUT = 0.1
DROPOUT = 0.2
# Keys and queries start normal with deviation sqrt(2 / key width), whatever the width of the maps.
ATTENTION_NORMAL = nn.initializers.normal((2.0 / KEY_WIDTH) ** 0.5)
# A linear layer that starts as PyTorch's.
TorchDense = functools.partial(Dense, kernel_init=TORCH_UNIFORM, bias_start=torch_bias)


class Ltae(nn.Module):
    """The Lightweight Temporal Attention Encoder (arXiv 2007.00586), one for all maps.

    Maps of several widths first each get a linear layer to the largest width. There is no encoding of positions in time, as
    PANGAEA switches it off: the order of the dates has no effect.
    """

    dtype: jnp.dtype

    @nn.compact
    def __call__(self, maps, seen, key):
        """Maps [B T h w D] each, seen bool [B T], to [B h w D], D the largest width."""
        widths = [x.shape[-1] for x in maps]
        if len(set(widths)) > 1:
            maps = [TorchDense(max(widths), self.dtype, name=f"widen{i}")(x) for i, x in enumerate(maps)]
        encode = DateEncoder(self.dtype, name="encode")
        keys = [None] * len(maps) if key is None else jax.random.split(key, len(maps))
        return tuple(encode(x, seen, k) for x, k in zip(maps, keys, strict=True))


class DateEncoder(nn.Module):
    """L-TAE of one map: what its dates say, weighted by how well their keys fit a learned query of each head.

    One difference from PANGAEA: its BatchNorm before the ReLU has running statistics, which a pure function does not have.
    Here it is LayerNorm over the channels of each position, as in `upernet`. Dropout is of single numbers, as published.
    """

    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x, seen, key):
        """Maps [B T h w D], seen bool [B T], to [B h w D]."""
        width = x.shape[-1]
        of_weights, of_channels = (None, None) if key is None else jax.random.split(key)
        x = TorchDense(width, self.dtype, name="in")(DatesNorm(self.dtype, name="in_norm")(x, seen))
        query = self.param("query", ATTENTION_NORMAL, (HEADS, KEY_WIDTH), jnp.float32).astype(self.dtype)
        keys = TorchDense(HEADS * KEY_WIDTH, self.dtype, kernel_init=ATTENTION_NORMAL, name="keys")(x)
        keys = einops.rearrange(keys, "b t h w (a k) -> b t h w a k", a=HEADS)
        scores = jnp.einsum("bthwak,ak->bhwat", keys, query, preferred_element_type=jnp.float32) * KEY_WIDTH**-0.5
        weights = _drop(masked_softmax(scores, seen[:, None, None, None, :]), ATTENTION_DROPOUT, of_weights)
        values = einops.rearrange(x, "b t h w (a c) -> b t h w a c", a=HEADS)
        x = jnp.einsum("bhwat,bthwac->bhwac", weights.astype(self.dtype), values)
        x = TorchDense(width, self.dtype, name="out")(einops.rearrange(x, "b h w a c -> b h w (a c)"))
        x = _drop(jax.nn.relu(LayerNorm(self.dtype, name="norm")(x)), DROPOUT, of_channels)
        # GroupNorm counts the whole map; as maps of one pixel, each position has its own statistics.
        return GroupNorm(HEADS, self.dtype, name="out_norm")(x.reshape(-1, 1, 1, width)).reshape(x.shape)


class DatesNorm(nn.Module):
    """GroupNorm of each position: groups of neighbouring channels by their statistics over all seen dates."""

    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x, seen):
        """Normalises [B T h w D], seen bool [B T]."""
        scale = self.param("scale", nn.initializers.ones, (x.shape[-1],), jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, (x.shape[-1],), jnp.float32)
        y = einops.rearrange(x.astype(jnp.float32), "b t h w (g c) -> b t h w g c", g=HEADS)
        share = seen.astype(jnp.float32) / jnp.maximum(jnp.sum(seen, axis=1, keepdims=True), 1).astype(jnp.float32)
        share = share[:, :, None, None, None, None]
        mean = lambda z: jnp.mean(jnp.sum(z * share, axis=1, keepdims=True), axis=-1, keepdims=True)  # noqa: E731
        y = y - mean(y)
        y = y * jax.lax.rsqrt(mean(y * y) + TORCH_EPS)
        y = y.reshape(x.shape)
        return (y * along_last(scale, y) + along_last(bias, y)).astype(self.dtype)


def _drop(x: jax.Array, rate: float, key: jax.Array | None) -> jax.Array:
    """With a key, each number is 0 with probability `rate`, and the rest is scaled up."""
    if key is None:
        return x
    return jnp.where(jax.random.bernoulli(key, 1.0 - rate, x.shape), x / (1.0 - rate), jnp.zeros_like(x))
