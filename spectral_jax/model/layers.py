"""The layers all parts of the encoder are made of: masks everywhere, reductions in float32, every parameter named.

Parameters are float32; `dtype` is that of the matrix products. LayerNorm statistics, attention scores and softmax stay float32.
"""

from collections.abc import Callable
from functools import partial

import einops
import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from spectral_jax.model.initialise import TRUNCATED, zero_bias

# PyTorch's default of LayerNorm, GroupNorm and BatchNorm. Hiera's blocks have 1e-6.
TORCH_EPS = 1e-5


def dtype_of(name: str) -> jnp.dtype:
    """The dtype called `name` in a config, such as "bfloat16"."""
    return jnp.dtype(name)


def parameter_shapes(params: dict) -> dict[str, tuple[int, ...]]:
    """Path "a/b/c" of every parameter, and its shape."""
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): tuple(leaf.shape) for path, leaf in leaves}


def refuse_other_shapes(expected: dict[str, tuple[int, ...]], params: dict, what: str, how: str) -> None:
    """Raises ValueError where paths or shapes of `params` are not those expected of `what`; `how` says how to make them."""
    found = parameter_shapes(params)
    wrong = [name for name in sorted(expected | found) if expected.get(name) != found.get(name)]
    if wrong:
        wanted, got = (table.get(wrong[0], "nothing") for table in (expected, found))
        raise ValueError(f"params: {what} has {wanted} at {wrong[0]}, and the parameters have {got}; {how}.")


def along_last(vector: jax.Array, like: jax.Array) -> jax.Array:
    """A vector [D] with leading axes of size 1, as many as `like` [... D] has; promotion of ranks is refused."""
    return vector.reshape((1,) * (like.ndim - 1) + vector.shape)


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


def one_by_one(function: Callable, arrays, again: bool):
    """The function of every first index of the arrays, one after another in one program.

    Args:
      function: takes as many arguments as there are arrays, each without its first axis.
      arrays: tuple of trees of arrays, all of one length.
      again: whether the backward pass computes it again instead of keeping what it needs.

    Returns:
      What it gives, stacked.
    """
    if again:
        function = jax.checkpoint(function)
    return jax.lax.scan(lambda _, one: (None, function(*one)), None, arrays)[1]


@jax.custom_jvp
def add_row(x: jax.Array, row: jax.Array) -> jax.Array:
    """A row [D] added to every row of a matrix [N D].

    The row's gradient is written as a product with ones, which a CPU takes a fifth of the time for that XLA's sum takes.
    """
    return x + row[None]


@add_row.defjvp
def _add_row_jvp(primals, tangents):
    (x, row), (moved, moved_row) = primals, tangents
    ones = jnp.ones((x.shape[0], 1), x.dtype)
    return add_row(x, row), moved + jnp.matmul(ones, moved_row[None], precision="highest")


class Dense(nn.Module):
    """A linear layer; unless told otherwise, it starts with truncated-normal weights and zero bias.

    `kernel_init` is the initializer of the kernel [D width], and `bias_start(D)` gives that of the bias [width].

    All leading axes become one before the product: the gradient of the kernel is then one product of two matrices, which a
    CPU does up to three times faster than a contraction over several axes.
    """

    width: int
    dtype: jnp.dtype
    use_bias: bool = True
    kernel_init: Callable = TRUNCATED
    bias_start: Callable[[int], Callable] = zero_bias

    @nn.compact
    def __call__(self, x):
        """Maps [... D] to [... width]."""
        kernel = self.param("kernel", self.kernel_init, (x.shape[-1], self.width), jnp.float32)
        y = x.astype(self.dtype).reshape(-1, x.shape[-1]) @ kernel.astype(self.dtype)
        if self.use_bias:
            bias = self.param("bias", self.bias_start(x.shape[-1]), (self.width,), jnp.float32)
            y = add_row(y, bias.astype(self.dtype))
        return y.reshape(*x.shape[:-1], self.width)


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def standardise(x: jax.Array, eps: float) -> jax.Array:
    """Mean 0 and variance 1 over the last axis [... D].

    Its derivative is written out, from the result: what JAX derives goes back through every step, three times as slow on a CPU.
    """
    return _standardised(x, eps)[0]


def _standardised(x, eps):
    x = x - jnp.mean(x, axis=-1, keepdims=True)
    rate = jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + eps)
    return x * rate, rate


@standardise.defjvp
def _standardise_jvp(eps, primals, tangents):
    (y, rate), (moved,) = _standardised(*primals, eps), tangents
    moved = moved * rate
    across = jnp.mean(moved, axis=-1, keepdims=True) + y * jnp.mean(y * moved, axis=-1, keepdims=True)
    return y, moved - across


class LayerNorm(nn.Module):
    """LayerNorm over the last axis [... D], statistics in float32, result in `dtype`."""

    dtype: jnp.dtype
    eps: float = 1e-6

    @nn.compact
    def __call__(self, x):
        """Normalises [... D]."""
        scale = self.param("scale", nn.initializers.ones, (x.shape[-1],), jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, (x.shape[-1],), jnp.float32)
        y = standardise(x.astype(jnp.float32).reshape(-1, x.shape[-1]), self.eps) * scale[None] + bias[None]
        return y.astype(self.dtype).reshape(x.shape)


@jax.custom_jvp
def gelu(x: jax.Array) -> jax.Array:
    """X times the normal distribution function, by the error function as in PyTorch, in float32 at least; [...] to [...].

    Its derivative is written out, because that of `jax.nn.gelu` cannot be taken under `shard_map` in JAX 0.12 ("Primitive
    polynomial requires varying manual axes to match"), and takes twice as long on a CPU.
    """
    return _gelu(x)[0]


def _gelu(x):
    wide = x.astype(jnp.float32) if x.dtype.itemsize < 4 else x
    below = 0.5 + 0.5 * jax.lax.erf(wide * np.sqrt(0.5).astype(wide.dtype))
    return (wide * below).astype(x.dtype), wide, below


@gelu.defjvp
def _gelu_jvp(primals, tangents):
    (y, x, below), (moved,) = _gelu(*primals), tangents
    slope = below + x * (np.sqrt(0.5 / np.pi).astype(x.dtype) * jnp.exp(-0.5 * x * x))
    return y, slope.astype(moved.dtype) * moved


class Mlp(nn.Module):
    """Linear, GELU (exact), linear; [... D] to [... D]."""

    ratio: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x):
        """Maps [... D] to [... D]."""
        hidden = gelu(Dense(self.ratio * x.shape[-1], self.dtype, name="in")(x))
        return Dense(x.shape[-1], self.dtype, name="out")(hidden)


def pool_tokens(x: jax.Array, valid: jax.Array | None) -> jax.Array:
    """Maximum over 2x2 tokens of square windows in raster order, of the valid ones; 0 where none is valid.

    Args:
      x: [B W N D], W windows of N = s * s tokens, s even.
      valid: bool [B W N], or None.

    Returns:
      [B W N/4 D], again in raster order.
    """
    if valid is None:
        return _reduce_2x2(x, "max")
    pooled = _reduce_2x2(jnp.where(valid[..., None], x, jnp.finfo(x.dtype).min), "max")
    return jnp.where(_any_of_four(valid)[..., None], pooled, jnp.zeros((), x.dtype))


def pool_valid(valid: jax.Array | None) -> jax.Array | None:
    """Which tokens of `pool_tokens` have a valid one among their four; [B W N] to [B W N/4]."""
    return None if valid is None else _any_of_four(valid)


def _any_of_four(valid: jax.Array) -> jax.Array:
    return _reduce_2x2(valid[..., None], "any")[..., 0]


def _reduce_2x2(x, how):
    side = round(x.shape[2] ** 0.5)
    return einops.reduce(x, "b w (i p j q) d -> b w (i j) d", how, i=side // 2, p=2, j=side // 2, q=2)


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
        """Attends within windows; x [B W N D], valid [B W N] or None; gives [B W N width], N/4 tokens when pooling."""
        qkv = Dense(3 * self.width, self.dtype, name="qkv")(x)
        q, k, v = jnp.split(qkv, 3, axis=-1)
        if self.pool:
            q = pool_tokens(q, valid)
        q, k, v = (einops.rearrange(y, "b w n (a d) -> b w n a d", a=self.heads) for y in (q, k, v))
        scores = jnp.einsum("bwqad,bwkad->bwaqk", q, k, preferred_element_type=jnp.float32) * q.shape[-1] ** -0.5
        weights = masked_softmax(scores, None if valid is None else valid[:, :, None, None, :]).astype(self.dtype)
        out = jnp.einsum("bwaqk,bwkad->bwqad", weights, v)
        return Dense(self.width, self.dtype, name="out")(einops.rearrange(out, "b w n a d -> b w n (a d)"))


class Block(nn.Module):
    """Pre-norm transformer block on windows [B W N D].

    With `pool` it is the first block of a Hiera stage: queries are max-pooled 2x2, and the skip path is the max-pooled linear
    projection of the *normalised* input (Hiera, facebookresearch/hiera).
    """

    width: int
    heads: int
    mlp_ratio: int
    dtype: jnp.dtype
    eps: float = 1e-6
    pool: bool = False

    @nn.compact
    def __call__(self, x, valid):
        """Maps x [B W N D], valid [B W N] or None, to [B W N width]; N/4 tokens when pooling."""
        h = LayerNorm(self.dtype, self.eps, name="norm1")(x)
        if self.pool:
            x = pool_tokens(Dense(self.width, self.dtype, name="skip")(h), valid)
        x = x + Attention(self.width, self.heads, self.dtype, self.pool, name="attend")(h, valid)
        h = LayerNorm(self.dtype, self.eps, name="norm2")(x)
        return x + Mlp(self.mlp_ratio, self.dtype, name="mlp")(h)


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
