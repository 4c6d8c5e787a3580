"""Pre-norm transformer blocks on tokens [B N D] of which some are not seen: no token attends to those.

The published code of Galileo and Presto removes unseen tokens and pads the rest; masked keys give the same numbers, and one
program serves any pattern of what is missing. LayerNorm's epsilon is 1e-5 here, PyTorch's default.
"""

import contextlib

import einops
import jax
import jax.numpy as jnp
from flax import linen as nn

from spectral_jax.model.attention import masked_softmax
from spectral_jax.model.devices import platform_of, split_by_xla
from spectral_jax.model.layers import TORCH_EPS, Dense, LayerNorm, one_by_one
from spectral_jax.model.published import vit
from spectral_jax.model.published.vit import FeedForward

# Xavier uniform and biases 0, for the packed projection too (Galileo's and Presto's `_init_weights`).
START = vit.MAE._replace(qkv=vit.XAVIER)
# From this many tokens on a CPU takes one head of one sample after another: its scores stay in the cache. Of 320 tokens that
# takes a fifth of the time that all heads at once take (one core, eight heads of 16).
ONE_BY_ONE = 128


def attend(q: jax.Array, k: jax.Array, v: jax.Array, seen: jax.Array) -> jax.Array:
    """Attention of each head to the seen tokens: [B A N D] and bool [B N] to [B A N D]; zeros where none is seen."""
    batch, heads, count = q.shape[:3]
    if count < ONE_BY_ONE or platform_of(q) != "cpu" or split_by_xla(q):
        return _weighted(q, k, v, seen[:, None])
    each = tuple(y.reshape(batch * heads, count, -1) for y in (q, k, v))
    return one_by_one(_weighted, (*each, jnp.repeat(seen, heads, axis=0)), again=False).reshape(v.shape)


def _weighted(q, k, v, seen):
    scores = jnp.einsum("...qd,...kd->...qk", q, k, preferred_element_type=jnp.float32) * q.shape[-1] ** -0.5
    return jnp.einsum("...qk,...kd->...qd", masked_softmax(scores, seen[..., None, :]).astype(v.dtype), v)


class MaskedAttention(nn.Module):
    """Multi-head self-attention whose keys are the seen tokens.

    `packed`: query, key and value are one projection, in that order, else three. `exact`: queries and keys are float32, and all
    products up to the weighted values at the highest precision, whatever `dtype` is.
    """

    heads: int
    dtype: jnp.dtype
    packed: bool
    exact: bool = False

    @nn.compact
    def __call__(self, x, seen):
        """Maps tokens [B N D] and whether each is seen, bool [B N], to [B N D]."""
        width, options = x.shape[-1], (True, START.kernel, START.bias)
        fine = jnp.float32 if self.exact else self.dtype
        with jax.default_matmul_precision("highest") if self.exact else contextlib.nullcontext():
            if self.packed:
                q, k, v = jnp.split(Dense(3 * width, fine, *options, name="qkv")(x), 3, axis=-1)
            else:
                q, k = (Dense(width, fine, *options, name=name)(x) for name in ("q", "k"))
                v = Dense(width, self.dtype, *options, name="v")(x)
            q, k, v = (einops.rearrange(y, "b n (a d) -> b a n d", a=self.heads) for y in (q, k, v.astype(self.dtype)))
            out = attend(q, k, v, seen)
        return Dense(width, self.dtype, *options, name="out")(einops.rearrange(out, "b a n d -> b n (a d)"))


class MaskedBlock(nn.Module):
    """Attention and MLP, each after a norm and added to what went in."""

    heads: int
    hidden: int
    dtype: jnp.dtype
    packed: bool
    exact: bool = False

    @nn.compact
    def __call__(self, x, seen):
        """Maps [B N D] and bool [B N] to [B N D]."""
        h = LayerNorm(jnp.float32 if self.exact else self.dtype, TORCH_EPS, name="norm1")(x)
        x = x + MaskedAttention(self.heads, self.dtype, self.packed, self.exact, name="attend")(h, seen)
        h = LayerNorm(self.dtype, TORCH_EPS, name="norm2")(x)
        return x + FeedForward(self.hidden, self.dtype, start=START, name="mlp")(h)


class MaskedTrunk(nn.Module):
    """`depth` blocks one after another; `exact_first`: see `MaskedAttention.exact`, of the first block."""

    depth: int
    heads: int
    dtype: jnp.dtype
    packed: bool
    exact_first: bool = False

    @nn.compact
    def __call__(self, x, seen):
        """Tokens [B N D] and bool [B N] to the tokens after each block, a list of `depth` arrays [B N D]."""
        kept: list[jax.Array] = []
        for i in range(self.depth):
            options = (self.heads, 4 * x.shape[-1], self.dtype, self.packed, self.exact_first and i == 0)
            x = MaskedBlock(*options, name=f"block{i}")(x, seen)
            kept.append(x)
        return kept
