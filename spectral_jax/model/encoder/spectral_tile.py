"""What `ReadSpectrum` computes, for one tile of cells that stays on the chip: the body of the kernels.

A tile is a matrix [R D] of float32: R rows are the T tokens of a cell, cell after cell. Sums, means, softmax and the stream
that blocks add to are float32; the factors of a product of matrices are cast to the model's dtype, its sums are float32.

Attention is block-diagonal: the scores of a pack of cells (128 rows on a TPU) are one product, and what lies between two cells
is masked. A vector register holds 128 numbers in a row, so the 16 scores of a token fill it no better alone, and the matrix
unit, 128 x 128, does one product where it would do eight. Heads are told apart by masks and not by slices: a contraction over
96 numbers of which 48 are 0 costs the unit what one over 48 does, and nothing is moved between lanes.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp

# Far below any score, and finite: exp gives 0 and no NaN where a whole row has it.
HIDDEN = -1e30
# LayerNorm of the published tokenizer, see `tokenize.EPS`.
EPS = 1e-5


@dataclasses.dataclass(frozen=True)
class Shape:
    """What a kernel is compiled for.

    Widths are those of the model; arrays may be wider, filled up with zeros.
    """

    tokens: int  # rows of a cell T: a power of two
    seen: int  # bit t is set where token t has bands
    pack: int  # rows of one block-diagonal product
    packs: int  # in a tile
    width: int  # D
    heads: int
    depth: int
    wide: int  # width of the result W
    pool_heads: int
    dtype: str
    repeat: int  # rows of the result of a cell in the kernel: 1, or T where products of few rows are refused (Triton)

    @property
    def rows(self) -> int:
        """Rows of a tile R."""
        return self.pack * self.packs

    @property
    def cells(self) -> int:
        """Cells of a tile."""
        return self.rows // self.tokens


def _dot(a, b, axes):
    return jax.lax.dot_general(a, b, (axes, ((), ())), preferred_element_type=jnp.float32)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def product(a: jax.Array, b: jax.Array, dtype: str) -> jax.Array:
    """A [R K] @ b [K N], factors in `dtype`, float32 [R N]; its gradients are products of the same kind."""
    return _product_fwd(a, b, dtype)[0]


def _product_fwd(a, b, dtype):
    a, b = a.astype(dtype), b.astype(dtype)
    return _dot(a, b, ((1,), (0,))), (a, b)


def _product_bwd(dtype, factors, g):
    (a, b), g = factors, g.astype(dtype)
    return _dot(g, b, ((1,), (1,))), _dot(a, g, ((0,), (0,)))


product.defvjp(_product_fwd, _product_bwd)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def product_of_rows(a: jax.Array, b: jax.Array, dtype: str) -> jax.Array:
    """A [R K] @ transpose(b [N K]), as `product`."""
    return _rows_fwd(a, b, dtype)[0]


def _rows_fwd(a, b, dtype):
    a, b = a.astype(dtype), b.astype(dtype)
    return _dot(a, b, ((1,), (1,))), (a, b)


def _rows_bwd(dtype, factors, g):
    (a, b), g = factors, g.astype(dtype)
    return _dot(g, b, ((1,), (0,))), _dot(g, a, ((0,), (0,)))


product_of_rows.defvjp(_rows_fwd, _rows_bwd)


@jax.custom_vjp
def softmax(scores: jax.Array) -> jax.Array:
    """Softmax of the rows of [R K]; its gradient needs nothing but its result."""
    return _softmax_fwd(scores)[0]


def _softmax_fwd(scores):
    weights = jnp.exp(scores - jnp.max(scores, axis=-1, keepdims=True))
    weights = weights / jnp.sum(weights, axis=-1, keepdims=True)
    return weights, weights


def _softmax_bwd(weights, g):
    return (weights * (g - jnp.sum(g * weights, axis=-1, keepdims=True)),)


softmax.defvjp(_softmax_fwd, _softmax_bwd)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def standardise(x: jax.Array, width: int) -> jax.Array:
    """Mean 0 and variance 1 of the first `width` numbers of the rows of x [R D]; the others, zeros, stay 0."""
    return _standardise_fwd(x, width)[0]


def _inside(x, width):
    return x if x.shape[-1] == width else jnp.where(jax.lax.broadcasted_iota(jnp.int32, x.shape, 1) < width, x, 0.0)


def _mean(x, width):
    return jnp.sum(x, axis=-1, keepdims=True) * (1.0 / width)


def _standardise_fwd(x, width):
    x = _inside(x - _mean(x, width), width)
    rate = jax.lax.rsqrt(_mean(x * x, width) + EPS)
    return x * rate, (x * rate, rate)


def _standardise_bwd(width, saved, g):
    x, rate = saved
    return (_inside(rate * (g - _mean(g, width) - x * _mean(g * x, width)), width),)


standardise.defvjp(_standardise_fwd, _standardise_bwd)


def _below(x):
    """The normal distribution function, and its density times sqrt(2 pi).

    Abramowitz and Stegun 1964, 7.1.26, of an error below 1e-7: it needs the one exponential that the density needs too.
    """
    t = 1.0 / (1.0 + (0.3275911 * 0.5**0.5) * jnp.abs(x))
    series = 0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))
    bell = jnp.exp(-0.5 * x * x)
    tail = 0.5 * t * series * bell
    return jnp.where(x < 0.0, tail, 1.0 - tail), bell


@jax.custom_vjp
def gelu(x: jax.Array) -> jax.Array:
    """X times the normal distribution function, as `layers.gelu` to 1e-6."""
    return x * _below(x)[0]


def _gelu_fwd(x):
    below, bell = _below(x)
    return x * below, below + x * bell * 0.3989422804


def _gelu_bwd(slope, g):
    return (g * slope,)


gelu.defvjp(_gelu_fwd, _gelu_bwd)


def layer_norm(x: jax.Array, w: dict, name: str, width: int) -> jax.Array:
    """LayerNorm of x [R D] over its first `width` numbers."""
    return standardise(x, width) * w[f"{name}_scale"] + w[f"{name}_bias"]


def dense(x: jax.Array, w: dict, name: str, dtype: str) -> jax.Array:
    """A linear layer of x [R K], kernel [K N] and bias [1 N]."""
    return product(x, w[f"{name}_kernel"], dtype) + w[f"{name}_bias"]


def hidden(shape: Shape, queries: int) -> jax.Array:
    """What is added to the scores of a pack [queries pack]: 0 for a token with bands of the own cell, else `HIDDEN`.

    Args:
      shape: the sizes.
      queries: rows of the scores, a cell's one after another.
    """
    row, column = (jax.lax.broadcasted_iota(jnp.int32, (queries, shape.pack), axis) for axis in (0, 1))
    cells = shape.pack // shape.tokens
    token = column & (shape.tokens - 1)
    own = (row >> _log2(queries // cells)) == (column >> _log2(shape.tokens))
    has_bands = ((jnp.full_like(token, shape.seen) >> token) & 1) == 1
    return jnp.where(own & has_bands, 0.0, HIDDEN)


def _log2(power: int) -> int:
    return power.bit_length() - 1


def _of_head(x, head, size):
    """X [R D] with the numbers of the other heads 0."""
    lane = jax.lax.broadcasted_iota(jnp.int32, (1, x.shape[-1]), 1)
    return jnp.where((lane >= head * size) & (lane < (head + 1) * size), x, 0.0)


def _packs(x, shape):
    return [x] if shape.packs == 1 else [x[p * shape.pack : (p + 1) * shape.pack] for p in range(shape.packs)]


def _together(packs):
    return packs[0] if len(packs) == 1 else jnp.concatenate(packs, axis=0)


def block(x: jax.Array, w: dict, shape: Shape) -> jax.Array:
    """A pre-norm transformer block over the tokens of every cell, [R D] to [R D]."""
    size = shape.width // shape.heads
    mask = hidden(shape, shape.pack)
    h = layer_norm(x, w, "norm1", shape.width)
    q, k, v = (_packs(dense(h, w, name, shape.dtype), shape) for name in ("query", "key", "value"))
    attended = []
    for p in range(shape.packs):
        out = jnp.zeros_like(q[p])
        for head in range(shape.heads):
            scores = product_of_rows(_of_head(q[p], head, size), k[p], shape.dtype) * size**-0.5 + mask
            out = out + _of_head(product(softmax(scores), v[p], shape.dtype), head, size)
        attended.append(out)
    x = x + dense(_together(attended), w, "out", shape.dtype)
    h = layer_norm(x, w, "norm2", shape.width)
    return x + dense(gelu(dense(h, w, "up", shape.dtype)), w, "down", shape.dtype)


def read(x: jax.Array, w: dict, shape: Shape) -> jax.Array:
    """The tokens [R D] after the last block to one token a cell [cells W]."""
    h = layer_norm(x, w, "norm", shape.width)
    h = dense(h, w, "widen", shape.dtype) + w["group_wide"]
    packs = _packs(h, shape)
    y = w["pool_bias"]
    mask = hidden(shape, shape.pack // shape.tokens * shape.repeat)
    for head in range(shape.pool_heads):
        means = []
        for tokens in packs:
            scores = product_of_rows(w["read"][head], tokens, shape.dtype) + mask
            means.append(product(softmax(scores), tokens, shape.dtype))
        y = y + product(_together(means), w["pool_kernel"][head], shape.dtype)
    return layer_norm(y, w, "norm_out", shape.wide)
