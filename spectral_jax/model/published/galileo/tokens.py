"""Galileo's arrays to tokens: patches and numbers of each group through a linear layer, plus what, when and where they are."""

import einops
import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from spectral_jax.model.convolutions import TORCH_UNIFORM
from spectral_jax.model.initialise import torch_bias
from spectral_jax.model.layers import Dense, along_last
from spectral_jax.model.published.galileo import patch_kernel
from spectral_jax.model.published.galileo.channels import KINDS, Kind
from spectral_jax.model.published.galileo.inputs import GalileoInputs
from spectral_jax.model.published.monthly import sines
from spectral_jax.model.published.monthly.masked_blocks import START


class Patches(nn.Module):
    """A patch's numbers through a kernel that is stored for `size` pixels and resized to `patch`."""

    width: int
    size: int
    patch: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x):
        """Maps [B H W ... C] to [B h w ... D]."""
        channels = x.shape[-1]
        kernel = self.param("kernel", TORCH_UNIFORM, (self.size, self.size, channels, self.width), jnp.float32)
        bias = self.param("bias", torch_bias(self.size**2 * channels), (self.width,), jnp.float32)
        kernel = patch_kernel.resized(kernel, self.patch).reshape(-1, self.width)
        cut = einops.rearrange(x, "b (h p) (w q) ... c -> b h w ... (p q c)", p=self.patch, q=self.patch)
        y = cut.astype(self.dtype) @ kernel.astype(self.dtype)
        return y + along_last(bias.astype(self.dtype), y)


class Tokens(nn.Module):
    """Tokens of the groups that are asked for, in the published order.

    Attributes:
      width: D; a quarter each says channel, step, month and place.
      size: side of the stored kernels, pixels.
      patch: side of a patch, pixels.
      gsd_m: side of a pixel.
      steps: rows of the table of steps.
      groups: names of `channels.GROUPS`.
      dtype: of the products.
    """

    width: int
    size: int
    patch: int
    gsd_m: float
    steps: int
    groups: tuple[str, ...]
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, inputs: GalileoInputs):
        """Inputs to (kind, tokens, seen) of each kind with groups: [B h w T G D] without the axes it has not, and bool."""
        part = self.width // 4
        table = self.param("steps", nn.initializers.constant(sines.galileo_steps(self.steps, part)), (self.steps, part))
        months = self.param("months", nn.initializers.constant(sines.months(part)), (sines.MONTHS, part))
        batch, count = inputs.months.shape
        when = jnp.concatenate([jnp.broadcast_to(table[None, :count], (batch, count, part)), months[inputs.months]], axis=-1)
        rows, columns = (side // self.patch for side in inputs.space_time.shape[1:3])
        where = jnp.asarray(sines.galileo_places(rows, columns, part, self.gsd_m * self.patch / 10.0))
        found = []
        for kind in KINDS:
            at = [i for i, group in enumerate(kind.groups) if group in self.groups]
            # Made for every kind, so that parameters do not depend on the groups that are asked for.
            names = self.param(f"{kind.name}_channels", nn.initializers.zeros, (len(kind.groups), part), jnp.float32)
            if at:
                x = jnp.stack([self._group(kind, group, inputs) for group in kind.groups if group in self.groups], axis=-2)
                mask = getattr(inputs, f"{kind.name}_mask")
                seen = (mask[:, :: self.patch, :: self.patch] if kind.spatial else mask)[..., np.array(at)] == 0
                found.append((kind, x + _told(kind, names[np.array(at)], when, where, x.shape).astype(self.dtype), seen))
        return found

    def _group(self, kind: Kind, group: str, inputs: GalileoInputs):
        start = kind.channels.index(kind.groups[group][0])
        values = jnp.asarray(getattr(inputs, kind.name))[..., start : start + len(kind.groups[group])]
        if kind.spatial:
            return Patches(self.width, self.size, self.patch, self.dtype, name=group)(values)
        return Dense(self.width, self.dtype, kernel_init=START.kernel, name=group)(values)


def _told(kind: Kind, channel, when, where, shape) -> jax.Array:
    """Channel, step and month, and place of a kind's tokens [... G D], side by side; 0 where it has no steps, or no place.

    Args:
      kind: which axes [h w] and [T] the tokens have.
      channel: [G C].
      when: [B T 2 C].
      where: [h w C].
      shape: of the tokens.
    """
    between, width = (1, 1) if kind.spatial else (), channel.shape[-1]
    when = when.reshape(len(when), *between, -1, 1, 2 * width) if kind.temporal else jnp.zeros(2 * width)
    where = where.reshape(1, *where.shape[:2], *((1,) * (len(shape) - 4)), width) if kind.spatial else jnp.zeros(width)
    parts = [y.reshape((1,) * (len(shape) - y.ndim) + y.shape) for y in (channel, when, where)]
    return jnp.concatenate([jnp.broadcast_to(y, (*shape[:-1], y.shape[-1])) for y in parts], axis=-1)
