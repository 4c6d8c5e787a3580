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
from jax.custom_derivatives import SymbolicZero

from spectral_jax.model.devices import platform_of
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

    On a CPU the row's gradient is written as a product with ones, for which it takes 0.4 to 1 of the time of XLA's sum.
    """
    return x + row[None]


@add_row.defjvp
def _add_row_jvp(primals, tangents):
    (x, row), (moved, moved_row) = primals, tangents
    if platform_of(x) != "cpu":  # a TPU sums while it computes what is summed
        return add_row(x, row), moved + moved_row[None]
    return add_row(x, row), moved + jnp.ones((x.shape[0], 1), x.dtype) @ moved_row[None]


def product(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """The product of a matrix [N D] and a kernel [D width].

    On a CPU the gradient of a kernel of D > width is made transposed, from the transposed gradient of the result: XLA sums over
    the rows of a wide and of a narrow matrix at a third of the speed of a plain product (N = 1,920, D = 128 and 256, width = 32
    and 64; Intel Xeon, jaxlib 0.10.2).
    """
    return _product_cpu(x, kernel) if platform_of(x) == "cpu" else x @ kernel


@jax.custom_jvp
def _product_cpu(x, kernel):
    return x @ kernel


@partial(_product_cpu.defjvp, symbolic_zeros=True)
def _product_cpu_jvp(primals, tangents):
    (x, kernel), (moved, moved_kernel) = primals, tangents
    parts = []
    if not isinstance(moved, SymbolicZero):
        parts.append(_product_cpu(moved, kernel))
    if not isinstance(moved_kernel, SymbolicZero):
        parts.append(_moved_by_kernel(x, moved_kernel))
    return _product_cpu(x, kernel), sum(parts[1:], parts[0])


def _moved_by_kernel(x, kernel):
    """The product of x and a kernel, so written that its transpose, which makes the kernel's gradient, is fast on a CPU."""
    if x.shape[1] <= kernel.shape[1]:
        return x @ kernel
    # Between barriers, as XLA would make the contraction over rows of it again.
    barrier = jax.lax.optimization_barrier
    return barrier(jax.lax.dot_general(barrier(kernel.T), x, (((1,), (1,)), ((), ())))).T


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
        y = product(x.astype(self.dtype).reshape(-1, x.shape[-1]), kernel.astype(self.dtype))
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


def keep(x: jax.Array, valid: jax.Array) -> jax.Array:
    """Pixels or tokens [... D] with 0 where `valid` [...] is False."""
    return jnp.where(valid[..., None], x, jnp.zeros((), x.dtype))


def mean_of_valid(x: jax.Array, valid: jax.Array) -> jax.Array:
    """The mean over valid tokens: [... N D] and bool [... N] to [... D]; 0 where none is valid."""
    share = valid.astype(jnp.float32)[..., None]
    total = jnp.sum(x.astype(jnp.float32) * share, axis=-2)
    return (total / jnp.maximum(jnp.sum(share, axis=-2), 1.0)).astype(x.dtype)


def by_token(x: jax.Array, valid: jax.Array, side: int) -> tuple[jax.Array, jax.Array]:
    """Pixels or cells [... H W C], valid bool [... H W] by their token: [... R Q N C], [... R Q N], N = side^2."""
    shape = dict(i=side, j=side)
    x = einops.rearrange(x, "... (r i) (q j) c -> ... r q (i j) c", **shape)
    return x, einops.rearrange(valid, "... (r i) (q j) -> ... r q (i j)", **shape)


def pool_tokens(x: jax.Array, valid: jax.Array | None) -> jax.Array:
    """Maximum over 2x2 tokens of square windows in raster order, of the valid ones; 0 where none is valid.

    Args:
      x: [B P N T D], P packs of T windows of N = s * s tokens, s even.
      valid: bool [B P N T], or None.

    Returns:
      [B P N/4 T D], again in raster order.
    """
    if valid is None:
        return _reduce_2x2(x, "max")
    pooled = _reduce_2x2(jnp.where(valid[..., None], x, jnp.finfo(x.dtype).min), "max")
    return jnp.where(_any_of_four(valid)[..., None], pooled, jnp.zeros((), x.dtype))


def mean_tokens(x: jax.Array, valid: jax.Array | None) -> jax.Array:
    """As `pool_tokens`, the mean in place of the maximum."""
    if valid is None:
        return _reduce_2x2(x, "mean")
    share = valid.astype(x.dtype)[..., None]
    return _reduce_2x2(x * share, "sum") / jnp.maximum(_reduce_2x2(share, "sum"), jnp.ones((), x.dtype))


def pool_valid(valid: jax.Array | None) -> jax.Array | None:
    """Which tokens of `pool_tokens` have a valid one among their four; [B P N T] to [B P N/4 T]."""
    return None if valid is None else _any_of_four(valid)


def _any_of_four(valid: jax.Array) -> jax.Array:
    return _reduce_2x2(valid[..., None], "any")[..., 0]


def _reduce_2x2(x, how):
    side = round(x.shape[2] ** 0.5)
    return einops.reduce(x, "b w (i p j q) t d -> b w (i j) t d", how, i=side // 2, p=2, j=side // 2, q=2)
