"""Attention: inside windows, and of one learned query; masked keys are never looked at, scores and softmax are float32."""

import einops
import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from spectral_jax.model.devices import platform_of
from spectral_jax.model.initialise import TRUNCATED
from spectral_jax.model.layers import Dense, along_last, pool_tokens

# Rows of a TPU's matrix unit, and lanes of its registers.
_TPU_ROWS = 128


@jax.custom_jvp
def softmax(scores: jax.Array) -> jax.Array:
    """Softmax over the last axis [... K]; its derivative needs nothing but its result, which JAX asks a flag for."""
    weights = jnp.exp(scores - jnp.max(scores, axis=-1, keepdims=True))
    return weights / jnp.sum(weights, axis=-1, keepdims=True)


@softmax.defjvp
def _softmax_jvp(primals, tangents):
    weights, (moved,) = softmax(*primals), tangents
    moved = weights * moved
    return weights, moved - weights * jnp.sum(moved, axis=-1, keepdims=True)


def masked_softmax(scores: jax.Array, mask: jax.Array | None) -> jax.Array:
    """Softmax over the last axis of the entries where `mask` is True; all zeros where none is.

    Args:
      scores: float32 [... K].
      mask: bool, broadcastable to the shape of `scores`, or None.

    Returns:
      Weights of the shape of `scores`. Neither they nor their gradient are ever NaN.
    """
    if mask is None:
        return softmax(scores)
    scores = jnp.where(mask, scores, -jnp.inf)
    top = jax.lax.stop_gradient(jnp.max(scores, axis=-1, keepdims=True))
    weights = jnp.exp(scores - jnp.where(jnp.isfinite(top), top, 0.0))
    return weights / jnp.maximum(jnp.sum(weights, axis=-1, keepdims=True), 1e-30)


def _packs_together(k: jax.Array) -> int:
    """How many packs, of [B P N T D], share a product on a TPU: a power of 2 that divides them, of at most a TPU's rows."""
    _, packs, tokens, abreast, _ = k.shape
    together = 1
    while packs % (2 * together) == 0 and 2 * together * tokens * abreast <= _TPU_ROWS:
        together *= 2
    return together


def attend(q, k, v, valid: jax.Array | None, heads: int, together: int) -> jax.Array:
    """Multi-head attention inside each window.

    Args:
      q: [B P M T D], queries of P packs of T windows.
      k: [B P N T D], keys.
      v: [B P N T D], values.
      valid: bool, broadcastable to [B P N T], which keys count; None: all.
      heads: of D / heads numbers each.
      together: how many packs are one product, in which what lies between two windows is masked; divides P. A TPU pads the 16
        scores of a token to 128 anyway, and so needs no other layouts: stages 1 and 2 of size `b` move three quarters of the
        bytes, in five sixths of the cycles that the compiler estimates (v5e).

    Returns:
      [B P M T D].
    """
    mask, (packs, _, abreast) = None, k.shape[1:4]
    several = together * abreast > 1
    if valid is not None:
        valid = jnp.broadcast_to(valid, k.shape[:4]) if several else valid
        mask = einops.rearrange(valid, "b (p g) n t -> b p 1 1 (g n t)", g=together)
    if several:
        own = np.equal.outer(*(_window_of(together, y.shape[2], abreast) for y in (q, k)))[None, None, None]
        mask = own if mask is None else mask & own
    q, k, v = (einops.rearrange(y, "b (p g) n t (a d) -> b p (g n t) a d", g=together, a=heads) for y in (q, k, v))
    scores = jnp.einsum("bpqad,bpkad->bpaqk", q, k, preferred_element_type=jnp.float32) * q.shape[-1] ** -0.5
    weights = masked_softmax(scores, mask).astype(v.dtype)
    out = jnp.einsum("bpaqk,bpkad->bpqad", weights, v)
    return einops.rearrange(out, "b p (g n t) a d -> b (p g) n t (a d)", p=packs // together, g=together, t=abreast)


def _window_of(packs: int, tokens: int, abreast: int) -> np.ndarray:
    """The window of each row of packs that share a product, int [packs * tokens * abreast]."""
    pack, _, window = np.indices((packs, tokens, abreast))
    return (pack * abreast + window).reshape(-1)


class Attention(nn.Module):
    """Multi-head self-attention inside each window, masked keys ignored; with `pool`, queries are max-pooled 2x2.

    The packed projection is ordered (query, key, value) x heads, as in Hiera and ViT.
    """

    width: int
    heads: int
    dtype: jnp.dtype
    pool: bool = False

    @nn.compact
    def __call__(self, x, valid):
        """Attends within windows; x [B P N T D], valid [B P N T] or None; gives [B P N T width], N/4 tokens when pooling."""
        qkv = Dense(3 * self.width, self.dtype, name="qkv")(x)
        q, k, v = jnp.split(qkv, 3, axis=-1)
        if self.pool:
            q = pool_tokens(q, valid)
        together = _packs_together(k) if platform_of(x) == "tpu" else 1
        out = attend(q, k, v, valid, self.heads, together)
        return Dense(self.width, self.dtype, name="out")(out)


class _Packed(nn.Module):
    """Kernel [D 3D] and bias [3D] of a packed query-key-value projection, Xavier-uniform as in torch's MultiheadAttention."""

    width: int

    @nn.compact
    def __call__(self):
        shape = (self.width, 3 * self.width)
        kernel = self.param("kernel", nn.initializers.xavier_uniform(), shape, jnp.float32)
        return kernel, self.param("bias", nn.initializers.zeros, (3 * self.width,), jnp.float32)


class QueryPool(nn.Module):
    """Multi-head cross-attention of ONE learned query over a set of tokens, [... M D] to [... D].

    With one query, keys and values need not be made for every token: a score is x . (W_k q), and the weighted mean of values is
    the value of the weighted mean of tokens. The numbers are those of the ordinary form at 1/M of its cost; the key bias, which
    adds the same to every score, has no effect in either.
    """

    heads: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x, mask):
        """Pools x [... M D], mask bool [... M] or None, to [... D]; the output's bias alone where no token is valid."""
        width = x.shape[-1]
        query = self.param("query", TRUNCATED, (width,), jnp.float32)
        kernel, bias = _Packed(width, name="qkv")()
        split = {"a": self.heads}
        w_query, w_key, w_value = jnp.split(kernel, 3, axis=1)
        b_query, _, b_value = jnp.split(bias, 3)
        q = einops.rearrange(query @ w_query + b_query, "(a d) -> a d", **split) * (width // self.heads) ** -0.5
        w_key, w_value = (einops.rearrange(w, "p (a d) -> p a d", **split) for w in (w_key, w_value))
        read = jnp.einsum("pad,ad->pa", w_key, q).astype(self.dtype)
        scores = jnp.einsum("...mp,pa->...am", x, read, preferred_element_type=jnp.float32)
        weights = masked_softmax(scores, None if mask is None else mask[..., None, :]).astype(self.dtype)
        mean = jnp.einsum("...am,...mp->...ap", weights, x)
        value = jnp.einsum("...ap,pad->...ad", mean, w_value.astype(self.dtype))
        value = einops.rearrange(value, "... a d -> ... (a d)")
        value = value + along_last(b_value.astype(self.dtype), value)
        return Dense(width, self.dtype, name="out")(value)
