"""`ReadSpectrum` as two Pallas kernels for TPU, forward and backward."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

from spectral_jax.config import Model
from spectral_jax.model.encoder import spectral_tile as tile
from spectral_jax.model.encoder.spectral_tile import Shape

MOST_GROUPS = 16
PACK = 128
PACKS = 2
VMEM_LIMIT = 48 << 20


def weights_of(params: dict, groups: int, shape: Shape) -> tuple[dict, dict]:
    """Parameters of `ReadSpectrum` as the kernels take them: layers stacked [depth ...], and the rest; float32."""
    d, w, heads = shape.width, shape.wide, shape.pool_heads
    rows = lambda x: jnp.tile(jnp.pad(x, ((0, shape.tokens - groups), (0, 0))), (shape.cells, 1))
    layers = {}
    if shape.depth:
        made = [_layer(params[f"block{i}"], d) for i in range(shape.depth)]
        layers = {name: jnp.stack([layer[name] for layer in made]) for name in made[0]}
    pool = params["pool"]
    w_query, w_key, w_value = jnp.split(pool["qkv"]["kernel"], 3, axis=1)
    b_query, _, b_value = jnp.split(pool["qkv"]["bias"], 3)
    query = (pool["query"] @ w_query + b_query).reshape(heads, w // heads) * (w // heads) ** -0.5
    read = jnp.einsum("pad,ad->ap", w_key.reshape(w, heads, -1), query)
    queries = shape.pack // shape.tokens * shape.repeat
    rest = {
        "group": rows(params["group"]), "group_wide": rows(params["group_wide"]),
        "norm_scale": params["norm"]["scale"][None], "norm_bias": params["norm"]["bias"][None],
        "widen_kernel": params["widen"]["kernel"], "widen_bias": params["widen"]["bias"][None],
        "read": jnp.broadcast_to(read[:, None], (heads, queries, w)),
        "pool_kernel": jnp.einsum("pad,adq->apq", w_value.reshape(w, heads, -1), pool["out"]["kernel"].reshape(heads, -1, w)),
        "pool_bias": (b_value @ pool["out"]["kernel"] + pool["out"]["bias"])[None],
        "norm_out_scale": params["norm_out"]["scale"][None], "norm_out_bias": params["norm_out"]["bias"][None],
    }  # fmt: skip
    return layers, rest


def _layer(p: dict, d: int) -> dict:
    kernel, bias = p["attend"]["qkv"]["kernel"], p["attend"]["qkv"]["bias"]
    out = {}
    for i, name in enumerate(("query", "key", "value")):
        out[f"{name}_kernel"], out[f"{name}_bias"] = kernel[:, i * d : (i + 1) * d], bias[None, i * d : (i + 1) * d]
    for name, dense in (("out", p["attend"]["out"]), ("up", p["mlp"]["in"]), ("down", p["mlp"]["out"])):
        out[f"{name}_kernel"], out[f"{name}_bias"] = dense["kernel"], dense["bias"][None]
    for name in ("norm1", "norm2"):
        out[f"{name}_scale"], out[f"{name}_bias"] = p[name]["scale"][None], p[name]["bias"][None]
    return out


def read_spectrum(params, x, has_bands, model: Model, *, interpret: bool = False):
    n, groups, d = x.shape
    seen = np.ones(groups, bool) if has_bands is None else np.asarray(has_bands)
    tokens = 1 << (groups - 1).bit_length()
    shape = Shape(tokens, sum(1 << int(t) for t in np.flatnonzero(seen)), PACK, PACKS, d, model.spectral_heads, model.spectral_depth, model.width, model.heads, model.dtype, 1)
    weights = weights_of(params, groups, shape)
    cells = -(-n // shape.cells) * shape.cells
    x = jnp.pad(x, ((0, cells - n), (0, tokens - groups), (0, 0)))
    return _read(shape, interpret, x.reshape(cells * tokens, d), *weights)[:n]


def _at(weights, layer):
    return {name: ref[layer] for name, ref in weights.items()}


def _all(weights):
    return {name: ref[...] for name, ref in weights.items()}


def _forward(shape, x_ref, layers, rest, out_ref):
    x = x_ref[...].astype(jnp.float32) + rest["group"][...]
    if shape.depth:
        x = jax.lax.fori_loop(0, shape.depth, lambda i, x: tile.block(x, _at(layers, i), shape), x)
    out_ref[...] = tile.read(x, _all(rest), shape).astype(out_ref.dtype)


def _backward(shape, x_ref, layers, rest, g_ref, dx_ref, d_layers, d_rest, saved):
    first = pl.program_id(0) == 0

    @pl.when(first)
    def _():
        for ref in d_rest.values():
            ref[...] = jnp.zeros_like(ref)

    x = x_ref[...].astype(jnp.float32) + rest["group"][...]

    def forward(i, x):
        saved[i] = x

        @pl.when(first)
        def _():
            for ref in d_layers.values():
                ref[i] = jnp.zeros(ref.shape[1:], jnp.float32)

        return tile.block(x, _at(layers, i), shape)

    if shape.depth:
        x = jax.lax.fori_loop(0, shape.depth, forward, x)
    rest = _all(rest)
    rest.pop("group")
    _, pull = jax.vjp(lambda x, w: tile.read(x, w, shape), x, rest)
    g, d_w = pull(g_ref[...].astype(jnp.float32))
    for name, d in d_w.items():
        d_rest[name][...] += d

    def backward(i, g):
        i = shape.depth - 1 - i
        _, pull = jax.vjp(lambda x, w: tile.block(x, w, shape), saved[i], _at(layers, i))
        g, d_w = pull(g)
        for name, d in d_w.items():
            d_layers[name][i] += d
        return g

    if shape.depth:
        g = jax.lax.fori_loop(0, shape.depth, backward, g)
    d_rest["group"][...] += g
    dx_ref[...] = g.astype(dx_ref.dtype)


def _whole(x):
    return pl.BlockSpec(x.shape, lambda i: (0,) * x.ndim, pipeline_mode=pl.Buffered(1))


def _like(x, shape, dtype):
    return jax.ShapeDtypeStruct(shape, dtype, manual_axis_type=jax.typeof(x).manual_axis_type)


def _specs(shape, x, layers, rest):
    rows = pl.BlockSpec((shape.rows, x.shape[1]), lambda i: (i, 0))
    result = pl.BlockSpec((shape.cells, shape.wide), lambda i: (i, 0))
    return rows, result, [rows, jax.tree.map(_whole, layers), jax.tree.map(_whole, rest)]


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _read(shape, interpret, x, layers, rest):
    rows, result, given = _specs(shape, x, layers, rest)
    return pl.pallas_call(
        functools.partial(_forward, shape),
        grid=(x.shape[0] // shape.rows,),
        in_specs=given,
        out_specs=result,
        out_shape=_like(x, (x.shape[0] // shape.tokens, shape.wide), shape.dtype),
        compiler_params=pltpu.CompilerParams(vmem_limit_bytes=VMEM_LIMIT, dimension_semantics=("parallel",)),
        interpret=interpret,
        name="read_spectrum",
    )(x, layers, rest)


def _read_fwd(shape, interpret, x, layers, rest):
    return _read(shape, interpret, x, layers, rest), (x, layers, rest)


def _read_bwd(shape, interpret, saved, g):
    x, layers, rest = saved
    rows, result, given = _specs(shape, x, layers, rest)
    like = lambda w: _like(x, w.shape, jnp.float32)
    return tuple(pl.pallas_call(
        functools.partial(_backward, shape),
        grid=(x.shape[0] // shape.rows,),
        in_specs=[*given, result],
        out_specs=[*given],
        out_shape=[_like(x, x.shape, x.dtype), jax.tree.map(like, layers), jax.tree.map(like, rest)],
        scratch_shapes=[pltpu.VMEM((max(1, shape.depth), shape.rows, x.shape[1]), jnp.float32)],
        compiler_params=pltpu.CompilerParams(vmem_limit_bytes=VMEM_LIMIT, dimension_semantics=("arbitrary",)),
        interpret=interpret,
        name="read_spectrum_gradient",
    )(x, layers, rest, g))


_read.defvjp(_read_fwd, _read_bwd)
