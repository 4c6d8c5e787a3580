"""The kernels for TPU, forward and backward.

The backward kernel computes a tile's forward again, keeps the input of every layer on chip, and adds up the weights' gradients
in float32 over the tiles, one after another. Both loop over stacked layers, so a program has one layer whatever the depth.
"""

import functools

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

from spectral_jax.model.encoder.spectral_kernel import tile
from spectral_jax.model.encoder.spectral_kernel.sizes import VMEM_BYTES, executed
from spectral_jax.model.encoder.spectral_kernel.weights import layer_of, result_like


def _enter(shape, x_ref, rest):
    return x_ref[...].astype(jnp.float32).T + tile.repeat(rest["group"][...], shape)


def _layers(shape, body, start):
    """A loop over the layers, of which there may be none: an array without a layer has no block."""
    return jax.lax.fori_loop(0, shape.depth, body, start) if shape.depth else start


def _forward(shape, x_ref, layers, rest, out_ref):
    """Kernel: x [R D] to [cells W]."""
    x = _layers(shape, lambda i, x: tile.block(x, layer_of(layers, i), shape), _enter(shape, x_ref, rest))
    out_ref[...] = tile.read(x, layer_of(rest, ...), shape).astype(out_ref.dtype)


def _backward(shape, x_ref, layers, rest, g_ref, dx_ref, d_layers, d_rest, saved):
    """Kernel: x [R D] and the result's gradient [cells W] to that of x; adds to those of the weights."""
    first = pl.program_id(0) == 0

    @pl.when(first)
    def _():
        for ref in d_rest.values():
            ref[...] = jnp.zeros_like(ref)

    def forward(i, x):
        saved[i] = x

        @pl.when(first)
        def _():
            for ref in d_layers.values():
                ref[i] = jnp.zeros(ref.shape[1:], jnp.float32)

        return tile.block(x, layer_of(layers, i), shape)

    def backward(i, g):
        i = shape.depth - 1 - i
        _, pull = jax.vjp(lambda x, w: tile.block(x, w, shape), saved[i], layer_of(layers, i))
        g, d_layer = pull(g)
        for name, d in d_layer.items():
            d_layers[name][i] += d
        return g

    x = _layers(shape, forward, _enter(shape, x_ref, rest))
    _, pull = jax.vjp(lambda x, w: tile.read(x, w, shape), x, layer_of(rest, ...))
    g, d = pull(g_ref[...].astype(jnp.float32))
    g = _layers(shape, backward, g)
    d["group"] = sum(tile.packs_of(g, shape))
    for name, ref in d_rest.items():
        ref[...] += d[name]
    dx_ref[...] = g.T.astype(dx_ref.dtype)


def _specs(shape, x, layers, rest):
    """Blocks of x, of the weights, and of the result; weights are whole and, as they never change, buffered once."""
    rows = pl.BlockSpec((shape.columns, x.shape[1]), lambda i: (i, 0))
    result = pl.BlockSpec((shape.cells, shape.wide), lambda i: (i, 0))

    def whole(w):
        return pl.BlockSpec(w.shape, lambda i: (0,) * w.ndim, pipeline_mode=pl.Buffered(1))

    return [rows, jax.tree.map(whole, layers), jax.tree.map(whole, rest)], result


def _call(kernel, shape, interpret, given, passes, order, **options):
    """A `pallas_call` over the tiles; `passes` says how many forward passes' work a tile is."""
    cells = given[0].shape[0] // shape.tokens
    operations, exponentials = executed(shape, cells)
    moved = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves((given, options["out_shape"])))
    return pl.pallas_call(
        functools.partial(kernel, shape),
        grid=(cells // shape.cells,),
        interpret=interpret,
        compiler_params=pltpu.CompilerParams(vmem_limit_bytes=VMEM_BYTES, dimension_semantics=(order,)),
        cost_estimate=pl.CostEstimate(passes * operations, passes * exponentials, moved),
        **options,
    )(*given)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def read_tiles(shape, interpret, x, layers, rest):
    """Tokens of all cells [cells*T D] to one a cell [cells W].

    Args:
      shape: the sizes; the cells are a multiple of a tile's.
      interpret: as of `pallas_call`.
      x: tokens, cell after cell, in the model's dtype.
      layers: weights of the blocks, see `weights`.
      rest: the others.
    """
    blocks, result = _specs(shape, x, layers, rest)
    out = result_like(x, (x.shape[0] // shape.tokens, shape.wide), shape.dtype)
    options = dict(in_specs=blocks, out_specs=result, out_shape=out, name="read_spectrum")
    return _call(_forward, shape, interpret, (x, layers, rest), 1, "parallel", **options)


def _read_fwd(shape, interpret, *given):
    return read_tiles(shape, interpret, *given), given


def _read_bwd(shape, interpret, given, g):
    blocks, result = _specs(shape, *given)
    likes = jax.tree.map(lambda w: result_like(w, w.shape, w.dtype), [*given])
    saved = pltpu.VMEM((max(1, shape.depth), shape.width, shape.columns), jnp.float32)
    options = dict(in_specs=[*blocks, result], out_specs=blocks, out_shape=likes)
    options |= dict(scratch_shapes=[saved], name="read_spectrum_gradient")
    # The gradients of the weights are sums over the tiles, so tiles come one after another.
    return tuple(_call(_backward, shape, interpret, (*given, g), 4, "arbitrary", **options))


read_tiles.defvjp(_read_fwd, _read_bwd)
