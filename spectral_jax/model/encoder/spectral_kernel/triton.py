"""The kernels for GPU, in the subset of Pallas that Triton compiles: lowered in tests, never timed.

Triton wants sides that are powers of two and products of 16 or more, and cuts no array: arrays are filled up with zeros, a tile
is one pack, and the result is computed for every token of a cell, T times the same. Programs run at once, so each keeps its own
sums of the weights' gradients, which are added up outside; the inputs of all layers stay in registers or what stands for them.
"""

import functools

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from spectral_jax.model.encoder.spectral_kernel import tile
from spectral_jax.model.encoder.spectral_kernel.weights import layer_of, result_like

LEAST = 16


def padded(x: jax.Array, axes: int = 2) -> jax.Array:
    """An array whose last `axes` sides are powers of two of at least 16, filled up with zeros; a side of 1 stays."""
    sides = [1 if n == 1 else max(LEAST, 1 << (n - 1).bit_length()) for n in x.shape[-axes:]]
    return jnp.pad(x, [(0, 0)] * (x.ndim - axes) + [(0, side - n) for side, n in zip(sides, x.shape[-axes:], strict=True)])


def _whole(shape, x, layers, rest):
    x = x.astype(jnp.float32).T + rest["group"]
    for layer in layers:
        x = tile.block(x, layer, shape)
    return tile.read(x, rest, shape)


def _forward(shape, x_ref, layers, rest, out_ref):
    """Kernel: x [R D] to [R W]. Through `jax.vjp`, which leaves nothing of the rules of gradients that Triton does not know."""
    layers = [layer_of(layers, i) for i in range(shape.depth)]
    y, _ = jax.vjp(functools.partial(_whole, shape), x_ref[...], layers, layer_of(rest, ...))
    out_ref[...] = y.astype(out_ref.dtype)


def _backward(shape, tiles, x_ref, layers, rest, g_ref, dx_ref, d_layers, d_rest):
    """Kernel: x [tiles R D] and the result's gradient [tiles R W] to that of x, and this program's sums of the weights'."""
    for ref in (*d_layers.values(), *d_rest.values()):
        for i in range(ref.shape[0]) if ref.ndim == 3 else (...,):
            ref[i] = jnp.zeros(ref.shape[-2:], jnp.float32)

    def one(i, done):
        at = (pl.ds(i * shape.columns, shape.columns), slice(None))
        given = x_ref[at], [layer_of(layers, i) for i in range(shape.depth)], layer_of(rest, ...)
        _, pull = jax.vjp(functools.partial(_whole, shape), *given)
        dx, of_layers, of_rest = pull(g_ref[at].astype(jnp.float32))
        dx_ref[at] = dx
        for number, layer in enumerate(of_layers):
            for name, d in layer.items():
                d_layers[name][number] += d
        for name, d in of_rest.items():
            d_rest[name][...] += d
        return done

    jax.lax.fori_loop(0, tiles, one, 0)


def _rows(rows, width):
    return pl.BlockSpec((rows, width), lambda i: (i, 0))


def _same(w):
    return pl.BlockSpec(w.shape, lambda i: (0,) * w.ndim)


def _own(w):
    return pl.BlockSpec((None, *w.shape), lambda i: (i, *(0,) * w.ndim))


def _options(interpret, name):
    return dict(interpret=interpret, name=name, compiler_params=triton.CompilerParams(num_warps=8, num_stages=1))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2))
def read_tiles_gpu(shape, programs, interpret, x, layers, rest):
    """Tokens of all cells [cells*T D] to [cells*T W], T times the same; arrays `padded`.

    Args:
      shape: the sizes; the cells are a multiple of a tile's times `programs`.
      programs: of the gradient.
      interpret: as of `pallas_call`.
      x: tokens, cell after cell, in the model's dtype.
      layers: weights of the blocks, see `weights`.
      rest: the others.
    """
    width = rest["pool_bias"].shape[1]
    return pl.pallas_call(
        functools.partial(_forward, shape),
        grid=(x.shape[0] // shape.columns,),
        in_specs=[_rows(shape.columns, x.shape[1]), jax.tree.map(_same, layers), jax.tree.map(_same, rest)],
        out_specs=_rows(shape.columns, width),
        out_shape=result_like(x, (x.shape[0], width), shape.dtype),
        **_options(interpret, "read_spectrum"),
    )(x, layers, rest)


def _read_fwd(shape, programs, interpret, *given):
    return read_tiles_gpu(shape, programs, interpret, *given), given


def _read_bwd(shape, programs, interpret, given, g):
    x, layers, rest = given
    tiles = x.shape[0] // shape.columns // programs
    rows, cotangents = (_rows(tiles * shape.columns, a.shape[1]) for a in (x, g))
    weights = (layers, rest)
    partial_sums = jax.tree.map(lambda w: result_like(x, (programs, *w.shape), jnp.float32), weights)
    dx, *sums = pl.pallas_call(
        functools.partial(_backward, shape, tiles),
        grid=(programs,),
        in_specs=[rows, *jax.tree.map(_same, weights), cotangents],
        out_specs=[rows, *jax.tree.map(_own, weights)],
        out_shape=[result_like(x, x.shape, x.dtype), *partial_sums],
        **_options(interpret, "read_spectrum_gradient"),
    )(x, layers, rest, g)
    return dx, *jax.tree.map(lambda s: jnp.sum(s, axis=0), sums)


read_tiles_gpu.defvjp(_read_fwd, _read_bwd)
