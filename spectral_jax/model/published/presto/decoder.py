"""Presto's decoder: from the encoder's tokens to the channels and the class of every step, also of those that were missing."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from spectral_jax.model.layers import TORCH_EPS, Dense, LayerNorm, along_last
from spectral_jax.model.published.monthly import sines
from spectral_jax.model.published.monthly.masked_blocks import START, MaskedTrunk
from spectral_jax.model.published.presto.inputs import DYNAMIC_WORLD_CLASSES, GROUPS, ONCE


def added(channels: jax.Array, months: jax.Array, steps: jax.Array) -> jax.Array:
    """What is added to the tokens but the place's: [month | channel | step] in the order of the tokens, [B M D].

    Args:
      channels: a row for each group, dynamic world last [10 C].
      months: of each step [B T E].
      steps: [T F].

    Returns:
      [B M D] with D = E + C + F; the group that has one token has neither month nor step.
    """
    batch, count, wide = months.shape
    parts = []
    for row, group in enumerate((*GROUPS, "")):
        many = 1 if group == ONCE else count
        when = jnp.zeros((batch, 1, wide), months.dtype) if group == ONCE else months
        where = jnp.zeros((1, steps.shape[1]), steps.dtype) if group == ONCE else steps
        channel = jnp.broadcast_to(channels[row][None, None], (batch, many, channels.shape[1]))
        parts.append(jnp.concatenate([when, channel, jnp.broadcast_to(where[None], (batch, *where.shape))], axis=-1))
    return jnp.concatenate(parts, axis=1)


class Decoder(nn.Module):
    """Two blocks on all tokens, and a linear layer for each group.

    Attributes:
      width, depth, heads, steps: as of the encoder; 8 divides the width.
      channel: width of the channel table, which it shares with the encoder.
      dtype: of the products.
    """

    width: int
    depth: int
    heads: int
    steps: int
    channel: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, tokens, seen, months, channels):
        """Decodes.

        Args:
          tokens: of the encoder after its norm, the place first [B 1+M D].
          seen: bool [B 1+M].
          months: int [B T].
          channels: the encoder's channel table [10 C].

        Returns:
          Normalised channels [B T 17] and logits of dynamic world's classes [B T 9].
        """
        count, part = months.shape[1], (self.width - self.channel) // 2
        options = dict(kernel_init=START.kernel, bias_start=START.bias)
        hidden = self.param("mask_token", nn.initializers.zeros, (self.width,), jnp.float32).astype(self.dtype)
        table = self.param("steps", nn.initializers.constant(sines.presto_steps(self.steps, part)), (self.steps, part))
        names = self.param("months", nn.initializers.constant(sines.months(part)), (sines.MONTHS, part))
        x = Dense(self.width, self.dtype, **options, name="embed")(tokens)
        x = jnp.where(seen[..., None], x, along_last(hidden, x))
        more = added(channels, names[months], table[:count]).astype(self.dtype)
        x = jnp.concatenate([x[:, :1], x[:, 1:] + more], axis=1)
        trunk = MaskedTrunk(self.depth, self.heads, self.dtype, packed=True, name="trunk")
        x = LayerNorm(self.dtype, TORCH_EPS, name="norm")(trunk(x, jnp.ones_like(seen))[-1])
        found, start = [], 1
        for group, wanted in GROUPS.items():
            many = 1 if group == ONCE else count
            part_of = x[:, start : start + many]
            made = Dense(len(wanted), self.dtype, **options, name=group)(part_of)
            found.append(jnp.broadcast_to(made, (made.shape[0], count, len(wanted))))
            start += many
        logits = Dense(DYNAMIC_WORLD_CLASSES, self.dtype, **options, name="dynamic_world")(x[:, start:])
        return jnp.concatenate(found, axis=-1), logits
