"""Layers of decoders on maps [B h w D]: convolutions as PyTorch defines them, and norms without batch statistics.

Parameters are float32; `dtype` is that of the products. Statistics are float32.
"""

import einops
import jax
import jax.numpy as jnp
from flax import linen as nn

from spectral_jax.model.layers import TORCH_EPS, LayerNorm, along_last

# Uniform within +-1/sqrt(fan in): what PyTorch starts a convolution with.
TORCH_UNIFORM = nn.initializers.variance_scaling(1.0 / 3.0, "fan_in", "uniform")


class Conv(nn.Module):
    """A convolution with a square kernel of odd side, stride 1, zeros around the map."""

    width: int
    side: int
    dtype: jnp.dtype
    use_bias: bool = True

    @nn.compact
    def __call__(self, x):
        """Maps [B h w D] to [B h w width]."""
        kernel = self.param("kernel", TORCH_UNIFORM, (self.side, self.side, x.shape[-1], self.width), jnp.float32)
        pad = [(self.side // 2, self.side // 2)] * 2
        x, kernel = x.astype(self.dtype), kernel.astype(self.dtype)
        x = jax.lax.conv_general_dilated(x, kernel, (1, 1), pad, dimension_numbers=("NHWC", "HWIO", "NHWC"))
        if self.use_bias:
            x = x + along_last(self.param("bias", nn.initializers.zeros, (self.width,), jnp.float32).astype(self.dtype), x)
        return x


class Double(nn.Module):
    """A transposed convolution 2x2 with stride 2: each pixel becomes four, so that none overlap."""

    width: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x):
        """Maps [B h w D] to [B 2h 2w width]."""
        kernel = self.param("kernel", TORCH_UNIFORM, (2, 2, x.shape[-1], self.width), jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, (self.width,), jnp.float32)
        x = jnp.einsum("bhwd,pqdc->bhpwqc", x.astype(self.dtype), kernel.astype(self.dtype))
        x = einops.rearrange(x, "b h p w q c -> b (h p) (w q) c")
        return x + along_last(bias.astype(self.dtype), x)


class GroupNorm(nn.Module):
    """Normalises groups of neighbouring channels by their statistics over the whole map, as PyTorch's GroupNorm."""

    groups: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x):
        """Normalises [B h w D], D a multiple of `groups`."""
        scale = self.param("scale", nn.initializers.ones, (x.shape[-1],), jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, (x.shape[-1],), jnp.float32)
        y = einops.rearrange(x.astype(jnp.float32), "b h w (g c) -> b h w g c", g=self.groups)
        y = y - jnp.mean(y, axis=(1, 2, 4), keepdims=True)
        y = y * jax.lax.rsqrt(jnp.mean(y * y, axis=(1, 2, 4), keepdims=True) + TORCH_EPS)
        y = y.reshape(x.shape)
        return (y * along_last(scale, y) + along_last(bias, y)).astype(self.dtype)


class NormedConv(nn.Module):
    """A convolution without bias, LayerNorm over the channels of each pixel, and ReLU."""

    width: int
    side: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x):
        """Maps [B h w D] to [B h w width]."""
        x = Conv(self.width, self.side, self.dtype, use_bias=False, name="conv")(x)
        return jax.nn.relu(LayerNorm(self.dtype, name="norm")(x))


def drop(x: jax.Array, rate: float, key: jax.Array | None) -> jax.Array:
    """Dropout: with a key, a share `rate` of the channels [B ... D] of each sample is 0 and the rest is scaled up.

    Whole channels of a map are dropped (PyTorch's Dropout2d), since neighbouring pixels tell the same.
    """
    if key is None or rate == 0.0:
        return x
    kept = jax.random.bernoulli(key, 1.0 - rate, (x.shape[0],) + (1,) * (x.ndim - 2) + x.shape[-1:])
    return jnp.where(kept, x / (1.0 - rate), jnp.zeros_like(x))
