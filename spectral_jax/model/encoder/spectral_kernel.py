"""All of `ReadSpectrum` as one kernel, written in Pallas: a tile of cells stays on the chip through all layers.

The plain form, `tokenize.ReadSpectrum`, moves every layer's tokens to memory and back and is bound by that. The backward kernel
computes a tile's forward again, keeps the input of every layer on chip, and adds up the weights' gradients in float32 over the
tiles, one after another. Both loop over stacked layers, so a program has one layer whatever the depth.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

from spectral_jax.config import Model
from spectral_jax.model.encoder import spectral_tile as tile
from spectral_jax.model.encoder.spectral_shape import MOST_GROUPS, VMEM_BYTES, Shape, executed, fits, shape_of
from spectral_jax.model.encoder.spectral_weights import varying_alike, weights_of


def chosen(model: Model, platform: str, groups: int = MOST_GROUPS) -> str:
    """Which form of `ReadSpectrum` runs: "xla", "pallas" or "interpret".

    `auto` is "pallas" on a TPU where there is a kernel for the sizes, and else "xla": the two compute the same to rounding.

    Args:
      model: the encoder's sizes; `model.kernel` is what was asked for.
      platform: of the devices: tpu, cpu, gpu.
      groups: spectral tokens of a cell.

    Raises:
      ValueError: "pallas" where no kernel runs, or for sizes that it does not take.
    """
    if model.kernel == "auto":
        return "pallas" if platform == "tpu" and fits(model, groups) else "xla"
    if model.kernel == "pallas" and platform != "tpu":
        raise ValueError(
            f"model.kernel: 'pallas' is a kernel that runs on TPU, and the devices here are {platform}; take 'xla', or 'auto', "
            "which takes 'xla' here."
        )
    if model.kernel != "xla":
        shape_of(model, groups, None)
    return model.kernel


def platform_of(x: jax.Array) -> str:
    """Platform that `x` is computed on: that of its mesh, which may be one compiled for ahead of time, or JAX's default."""
    device = getattr(jax.typeof(x).sharding.mesh, "abstract_device", None)
    return device.platform if device else jax.default_backend()


def read_spectrum(params: dict, x: jax.Array, has_bands: np.ndarray | None, model: Model, *, interpret: bool = False) -> jax.Array:
    """Spectral tokens of every cell to one spatial token, as `ReadSpectrum` does it.

    Under `jax.shard_map`, `x` may vary over axes of the mesh and `params` too; where they do not, they are made to vary.

    Args:
      params: parameters of `ReadSpectrum`, float32.
      x: spectral tokens [N G D].
      has_bands: bool [G], or None; a group without bands is never looked at.
      model: the encoder's sizes.
      interpret: runs the kernel's program by XLA, slowly, on any device.

    Returns:
      [N W] in the model's dtype.

    Raises:
      ValueError: sizes that the kernel does not take, see `shape_of`.
    """
    n, groups, d = x.shape
    shape = shape_of(model, groups, has_bands)
    layers, rest = weights_of(params, groups, shape)
    if not shape.seen:  # nothing to look at: what remains are the biases after the pooling
        row, _ = varying_alike((tile.finish(rest["pool_bias"], rest, shape), x))
        return jnp.broadcast_to(row.astype(shape.dtype), (n, shape.wide))
    cells = math.ceil(n / shape.cells) * shape.cells
    x = jnp.pad(x.astype(shape.dtype), ((0, cells - n), (0, shape.tokens - groups), (0, 0)))
    given = varying_alike((x.reshape(cells * shape.tokens, d), layers, rest))
    return _read(shape, interpret, *given)[:n]


def _at(weights, layer):
    return {name: ref[layer] for name, ref in weights.items()}


def _enter(shape, x_ref, rest):
    return x_ref[...].astype(jnp.float32).T + tile.repeat(rest["group"][...], shape)


def _layers(shape, body, start):
    """A loop over the layers, of which there may be none: an array without a layer has no block."""
    return jax.lax.fori_loop(0, shape.depth, body, start) if shape.depth else start


def _forward(shape, x_ref, layers, rest, out_ref):
    """Kernel: x [R D] to [cells W]."""
    x = _layers(shape, lambda i, x: tile.block(x, _at(layers, i), shape), _enter(shape, x_ref, rest))
    out_ref[...] = tile.read(x, _at(rest, ...), shape).astype(out_ref.dtype)


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

        return tile.block(x, _at(layers, i), shape)

    def backward(i, g):
        i = shape.depth - 1 - i
        _, pull = jax.vjp(lambda x, w: tile.block(x, w, shape), saved[i], _at(layers, i))
        g, d_layer = pull(g)
        for name, d in d_layer.items():
            d_layers[name][i] += d
        return g

    x = _layers(shape, forward, _enter(shape, x_ref, rest))
    _, pull = jax.vjp(lambda x, w: tile.read(x, w, shape), x, _at(rest, ...))
    g, d = pull(g_ref[...].astype(jnp.float32))
    g = _layers(shape, backward, g)
    d["group"] = sum(tile.packs_of(g, shape))
    for name, ref in d_rest.items():
        ref[...] += d[name]
    dx_ref[...] = g.T.astype(dx_ref.dtype)


def _specs(shape, x, layers, rest):
    """Blocks of x, of the weights, and of the result; weights are whole and, as they never change, buffered once."""
    rows = pl.BlockSpec((shape.columns, x.shape[1]), lambda i: (i, 0))
    whole = lambda w: pl.BlockSpec(w.shape, lambda i: (0,) * w.ndim, pipeline_mode=pl.Buffered(1))
    result = pl.BlockSpec((shape.cells, shape.wide), lambda i: (i, 0))
    return [rows, jax.tree.map(whole, layers), jax.tree.map(whole, rest)], result


def _like(x, shape, dtype):
    return jax.ShapeDtypeStruct(shape, dtype, manual_axis_type=jax.typeof(x).manual_axis_type)


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
def _read(shape, interpret, x, layers, rest):
    blocks, result = _specs(shape, x, layers, rest)
    out = _like(x, (x.shape[0] // shape.tokens, shape.wide), shape.dtype)
    options = dict(in_specs=blocks, out_specs=result, out_shape=out, name="read_spectrum")
    return _call(_forward, shape, interpret, (x, layers, rest), 1, "parallel", **options)


def _read_fwd(shape, interpret, *given):
    return _read(shape, interpret, *given), given


def _read_bwd(shape, interpret, given, g):
    blocks, result = _specs(shape, *given)
    like = lambda w: _like(w, w.shape, w.dtype)
    saved = pltpu.VMEM((max(1, shape.depth), shape.width, shape.columns), jnp.float32)
    options = dict(in_specs=[*blocks, result], out_specs=blocks, out_shape=[jax.tree.map(like, w) for w in given])
    options |= dict(scratch_shapes=[saved], name="read_spectrum_gradient")
    # The gradients of the weights are sums over the tiles, so tiles come one after another.
    return tuple(_call(_backward, shape, interpret, (*given, g), 4, "arbitrary", **options))


_read.defvjp(_read_fwd, _read_bwd)
