"""Matrices in a kernel: products, softmax, LayerNorm's statistics and GELU, each with its gradient written out.

Written out, because what JAX derives keeps more on chip and computes more: the gradient of a softmax needs its result alone,
that of a product casts as the product does.
"""

import functools
import math

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

from spectral_jax.model.layers import TORCH_EPS

# JAX 0.12 moved it.
_reciprocal = pltpu.reciprocal if hasattr(pltpu, "reciprocal") else pl.reciprocal


def _dot(a, b, over_a, over_b):
    return jax.lax.dot_general(a, b, (((over_a,), (over_b,)), ((), ())), preferred_element_type=jnp.float32)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def product(a: jax.Array, b: jax.Array, dtype: str, over: tuple[int, int] = (1, 0)) -> jax.Array:
    """A product of two matrices, factors in `dtype`, float32; its gradients are products of the same kind.

    `over` are the axes of `a` and of `b` that are summed over: (1, 0) is a [M K] @ b [K N], (0, 0) the same of a [K M]
    transposed, (1, 1) of b [N K] transposed.
    """
    return _product_fwd(a, b, dtype, over)[0]


def _product_fwd(a, b, dtype, over):
    a, b = a.astype(dtype), b.astype(dtype)
    return _dot(a, b, *over), (a, b)


def _product_bwd(dtype, over, factors, g):
    (a, b), g, (of_a, of_b) = factors, g.astype(dtype), over
    # g is [M N]: the axis that `b` keeps stands at 1 in it, that of `a` at 0.
    d_a = _dot(g, b, 1, 1 - of_b) if of_a else _dot(b, g, 1 - of_b, 1)
    d_b = _dot(g, a, 0, 1 - of_a) if of_b else _dot(a, g, 1 - of_a, 0)
    return d_a, d_b


product.defvjp(_product_fwd, _product_bwd)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def softmax(scores: jax.Array, axis: int) -> jax.Array:
    """Softmax of a matrix over an axis; its gradient needs nothing but its result."""
    return _softmax_fwd(scores, axis)[0]


def _softmax_fwd(scores, axis):
    weights = jnp.exp(scores - jnp.max(scores, axis=axis, keepdims=True))
    weights = weights * (1.0 / jnp.sum(weights, axis=axis, keepdims=True))
    return weights, weights


def _softmax_bwd(axis, weights, g):
    return (weights * (g - jnp.sum(g * weights, axis=axis, keepdims=True)),)


softmax.defvjp(_softmax_fwd, _softmax_bwd)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def standardise(x: jax.Array, width: int, axis: int) -> jax.Array:
    """Mean 0 and variance 1 of the first `width` numbers of a matrix along an axis; the others, zeros, stay 0."""
    return _standardise_fwd(x, width, axis)[0]


def _inside(x, width, axis):
    return x if x.shape[axis] == width else jnp.where(jax.lax.broadcasted_iota(jnp.int32, x.shape, axis) < width, x, 0.0)


def _mean(x, width, axis):
    return jnp.sum(x, axis=axis, keepdims=True) * (1.0 / width)


def _standardise_fwd(x, width, axis):
    x = _inside(x - _mean(x, width, axis), width, axis)
    rate = jax.lax.rsqrt(_mean(x * x, width, axis) + TORCH_EPS)
    return x * rate, (x * rate, rate)


def _standardise_bwd(width, axis, saved, g):
    x, rate = saved
    return (_inside(rate * (g - _mean(g, width, axis) - x * _mean(g * x, width, axis)), width, axis),)


standardise.defvjp(_standardise_fwd, _standardise_bwd)


def _below(x, gpu):
    """The normal distribution function, and exp(-x^2 / 2).

    Abramowitz and Stegun 1964, 7.1.26, of an error below 1e-7: it needs the one exponential that the density needs too.
    """
    t = 1.0 + (0.3275911 * 0.5**0.5) * jnp.abs(x)
    # Neither 0 nor infinite: without the checks of a division, which are a sixth of the layer's vector instructions on v5e.
    t = 1.0 / t if gpu else _reciprocal(t, full_range=False)
    series = 0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))
    bell = jnp.exp(-0.5 * x * x)
    tail = 0.5 * t * series * bell
    return jnp.where(x < 0.0, tail, 1.0 - tail), bell


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def gelu(x: jax.Array, gpu: bool) -> jax.Array:
    """X times the normal distribution function, as `layers.gelu` to 1e-6."""
    return x * _below(x, gpu)[0]


def _gelu_fwd(x, gpu):
    below, bell = _below(x, gpu)
    return x * below, below + x * bell * (0.5 / math.pi) ** 0.5


def _gelu_bwd(gpu, slope, g):
    return (g * slope,)


gelu.defvjp(_gelu_fwd, _gelu_bwd)
