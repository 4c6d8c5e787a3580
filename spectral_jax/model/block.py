"""The pre-norm transformer block of Hiera and of the spectral transformer."""

import jax.numpy as jnp
from flax import linen as nn

from spectral_jax.model.attention import Attention
from spectral_jax.model.initialise import fan_in
from spectral_jax.model.layers import Dense, LayerNorm, Mlp, mean_tokens, pool_tokens


class Block(nn.Module):
    """Pre-norm transformer block on P packs of T windows of N tokens, [B P N T D].

    With `pool` it is the first block of a Hiera stage: queries are max-pooled 2x2, and the skip path is the max-pooled linear
    projection of the *normalised* input (Hiera, facebookresearch/hiera). With `carry`, a linear projection of the mean of the
    four is added: a maximum of normalised tokens keeps neither their mean nor their size.
    """

    width: int
    heads: int
    mlp_ratio: int
    dtype: jnp.dtype
    eps: float = 1e-6
    pool: bool = False
    carry: bool = False

    @nn.compact
    def __call__(self, x, valid):
        """Maps x [B P N T D], valid [B P N T] or None, to [B P N T width]; N/4 tokens when pooling."""
        h = LayerNorm(self.dtype, self.eps, name="norm1")(x)
        if self.pool:
            pooled = pool_tokens(Dense(self.width, self.dtype, name="skip")(h), valid)
            if self.carry:
                pooled = pooled + Dense(self.width, self.dtype, kernel_init=fan_in, name="carry")(mean_tokens(x, valid))
            x = pooled
        x = x + Attention(self.width, self.heads, self.dtype, self.pool, name="attend")(h, valid)
        h = LayerNorm(self.dtype, self.eps, name="norm2")(x)
        return x + Mlp(self.mlp_ratio, self.dtype, name="mlp")(h)
