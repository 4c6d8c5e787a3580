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

import jax
import jax.numpy as jnp

from spectral_jax.model.encoder.spectral_kernel.arithmetic import gelu, product, softmax, standardise
from spectral_jax.model.encoder.spectral_kernel.sizes import Shape

# Far below any score, and finite: exp gives 0.
HIDDEN = -1e30


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
            scores = product(k[p], _of_head(q[p], head, size), shape.dtype, (0, 0)) * size**-0.5 + mask
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
        scores = (product(w[f"read{head}"], tokens, shape.dtype) + mask for tokens in h)
        means = [product(softmax(s, 1), tokens, shape.dtype, (1, 1)) for s, tokens in zip(scores, h, strict=True)]
        y = y + product(_join(means, 0), w[f"pool{head}_kernel"], shape.dtype)
    return finish(y, w, shape)


def finish(y: jax.Array, w: dict, shape: Shape) -> jax.Array:
    """The last LayerNorm, [cells W]."""
    return standardise(y, shape.wide, 1) * w["norm_out_scale"] + w["norm_out_bias"]
