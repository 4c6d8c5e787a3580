"""What `ReadSpectrum` computes, for one tile of cells that stays on the chip: the body of the kernels.

A tile is a matrix [D R] of float32, upright: R columns are the T tokens of a cell, cell after cell, so that D = 96 fills whole
registers of 8 x 128 numbers, and what is summed over D, or over the keys of a query, is summed by adding registers. Sums,
means, softmax and the stream that blocks add to are float32; the factors of a product of matrices are cast to the model's
dtype, its sums are float32.

Attention is block-diagonal: the scores of a pack of cells (128 columns on a TPU) are one product, and what lies between two
cells is masked. A register holds 128 numbers in a row, so the 16 scores of a token fill it no better alone, and the matrix
unit, 128 x 128, does one product where it would do eight. Heads are told apart by masks and not by slices: a contraction over
96 numbers of which 48 are 0 costs the unit what one over 48 does.
"""

import functools
import math

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl

from spectral_jax.model.encoder.spectral_shape import Shape

# Far below any score, and finite: exp gives 0.
HIDDEN = -1e30
# LayerNorm of the published tokenizer, see `tokenize.EPS`.
EPS = 1e-5


def _dot(a, b, over_a, over_b):
    return jax.lax.dot_general(a, b, (((over_a,), (over_b,)), ((), ())), preferred_element_type=jnp.float32)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def product(a: jax.Array, b: jax.Array, dtype: str) -> jax.Array:
    """A [M K] @ b [K N], factors in `dtype`, float32 [M N]; its gradients are products of the same kind."""
    return _product_fwd(a, b, dtype)[0]


def _product_fwd(a, b, dtype):
    a, b = a.astype(dtype), b.astype(dtype)
    return _dot(a, b, 1, 0), (a, b)


def _product_bwd(dtype, factors, g):
    (a, b), g = factors, g.astype(dtype)
    return _dot(g, b, 1, 1), _dot(a, g, 0, 0)


product.defvjp(_product_fwd, _product_bwd)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def product_of_columns(a: jax.Array, b: jax.Array, dtype: str) -> jax.Array:
    """Transpose(a [K M]) @ b [K N], as `product`."""
    return _columns_fwd(a, b, dtype)[0]


def _columns_fwd(a, b, dtype):
    a, b = a.astype(dtype), b.astype(dtype)
    return _dot(a, b, 0, 0), (a, b)


def _columns_bwd(dtype, factors, g):
    (a, b), g = factors, g.astype(dtype)
    return _dot(b, g, 1, 1), _dot(a, g, 1, 0)


product_of_columns.defvjp(_columns_fwd, _columns_bwd)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def product_of_rows(a: jax.Array, b: jax.Array, dtype: str) -> jax.Array:
    """A [M K] @ transpose(b [N K]), as `product`."""
    return _rows_fwd(a, b, dtype)[0]


def _rows_fwd(a, b, dtype):
    a, b = a.astype(dtype), b.astype(dtype)
    return _dot(a, b, 1, 1), (a, b)


def _rows_bwd(dtype, factors, g):
    (a, b), g = factors, g.astype(dtype)
    return _dot(g, b, 1, 0), _dot(g, a, 0, 0)


product_of_rows.defvjp(_rows_fwd, _rows_bwd)


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
    rate = jax.lax.rsqrt(_mean(x * x, width, axis) + EPS)
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
    t = 1.0 / t if gpu else pl.reciprocal(t, full_range=False)
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


def repeat(x: jax.Array, shape: Shape) -> jax.Array:
    """What all packs of a tile share, [D pack], for every pack of it, [D R]."""
    return _join([x] * shape.packs, 1)


def _join(packs, axis):
    return packs[0] if len(packs) == 1 else jnp.concatenate(packs, axis=axis)


def packs_of(x: jax.Array, shape: Shape) -> list[jax.Array]:
    """The packs [D pack] of a tile [D R]."""
    if shape.packs == 1:
        return [x]
    return [x[:, p * shape.pack : (p + 1) * shape.pack] for p in range(shape.packs)]


def _dense(x, w, name, shape):
    return product(w[f"{name}_kernel"], x, shape.dtype) + repeat(w[f"{name}_bias"], shape)


def _layer_norm(x, w, name, shape):
    x = standardise(x, shape.width, 0)
    return x * repeat(w[f"{name}_scale"], shape) + repeat(w[f"{name}_bias"], shape)


def _log2(power: int) -> int:
    return power.bit_length() - 1


def _hidden(shape, size, keys):
    """What is added to scores: 0 where a key has bands and is of the query's cell, else `HIDDEN`.

    `size` are those of the scores, and keys lie along the axis `keys`.
    """
    key, query = (jax.lax.broadcasted_iota(jnp.int32, size, axis) for axis in (keys, 1 - keys))
    a_cell = size[1 - keys] // (shape.pack // shape.tokens)
    own = (key >> _log2(shape.tokens)) == (query >> _log2(a_cell))
    has_bands = ((jnp.full_like(key, shape.seen) >> (key & (shape.tokens - 1))) & 1) == 1
    return jnp.where(own & has_bands, 0.0, HIDDEN)


def _of_head(x, head, size):
    """X [D R] with the numbers of the other heads 0."""
    row = jax.lax.broadcasted_iota(jnp.int32, x.shape, 0)
    return jnp.where((row >= head * size) & (row < (head + 1) * size), x, 0.0)


def block(x: jax.Array, w: dict, shape: Shape) -> jax.Array:
    """A pre-norm transformer block over the tokens of every cell, [D R] to [D R]."""
    size = shape.width // shape.heads
    mask = _hidden(shape, (shape.pack, shape.pack), 0)
    h = _layer_norm(x, w, "norm1", shape)
    q, k, v = (packs_of(_dense(h, w, name, shape), shape) for name in ("query", "key", "value"))
    attended = []
    for p in range(shape.packs):
        out = jnp.zeros_like(q[p])
        for head in range(shape.heads):
            scores = product_of_columns(k[p], _of_head(q[p], head, size), shape.dtype) * size**-0.5 + mask
            out = out + _of_head(product(v[p], softmax(scores, 0), shape.dtype), head, size)
        attended.append(out)
    x = x + _dense(_join(attended, 1), w, "out", shape)
    h = _layer_norm(x, w, "norm2", shape)
    return x + _dense(gelu(_dense(h, w, "up", shape), shape.gpu), w, "down", shape)


def read(x: jax.Array, w: dict, shape: Shape) -> jax.Array:
    """The tokens [D R] after the last block to one token a cell [cells W]; on a GPU [R W], T times the same."""
    h = packs_of(_dense(_layer_norm(x, w, "norm", shape), w, "widen", shape), shape)
    mask = _hidden(shape, (shape.queries, shape.pack), 1)
    y = w["pool_bias"]
    for head in range(shape.pool_heads):
        scores = (product(w["read"][head], tokens, shape.dtype) + mask for tokens in h)
        means = [product_of_rows(softmax(s, 1), tokens, shape.dtype) for s, tokens in zip(scores, h, strict=True)]
        y = y + product(_join(means, 0), w["pool_kernel"][head], shape.dtype)
    return finish(y, w, shape)


def finish(y: jax.Array, w: dict, shape: Shape) -> jax.Array:
    """The last LayerNorm, [cells W]."""
    return standardise(y, shape.wide, 1) * w["norm_out_scale"] + w["norm_out_bias"]
