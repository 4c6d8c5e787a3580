"""What the kernels take and give: parameters of `ReadSpectrum` with layers stacked, vectors once a column, the pooling folded.

Plain functions of the parameters, so that gradients find their way back through them by themselves.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from spectral_jax.model.encoder.spectral_kernel.sizes import Shape


def weights_of(params: Mapping, groups: int, shape: Shape) -> tuple[dict, dict]:
    """The weights of the blocks, each [depth ...], and the others; float32.

    Kernels are transposed [N K], because a tile is upright. A vector [D] is repeated over the columns of a pack [D pack]: its
    gradient is then a sum of registers in the kernel, and XLA sums the columns once at the end.

    The pooling has one query, so a score is x . (W_k q), and value and output are one matrix a head (see `QueryPool`).

    Args:
      params: parameters of `ReadSpectrum`.
      groups: spectral tokens of a cell G; what is added to the tokens that pad them is 0.
      shape: the sizes.
    """
    pool, w, heads = params["pool"], shape.wide, shape.pool_heads
    w_query, w_key, w_value = jnp.split(pool["qkv"]["kernel"], 3, axis=1)
    b_query, _, b_value = jnp.split(pool["qkv"]["bias"], 3)
    query = (pool["query"] @ w_query + b_query).reshape(heads, -1) * (w // heads) ** -0.5
    read = jnp.einsum("pad,ad->ap", w_key.reshape(w, heads, -1), query)
    out = pool["out"]["kernel"].reshape(heads, -1, w)

    def column(vector):
        return jnp.broadcast_to(vector[:, None], (len(vector), shape.pack))

    def of_group(table):
        padded = jnp.pad(table.T, ((0, 0), (0, shape.tokens - groups)))
        return jnp.tile(padded, (1, shape.pack // shape.tokens))

    rest = {
        "group": of_group(params["group"]),
        **_norm("norm", params, column),
        "widen_kernel": params["widen"]["kernel"].T,
        "widen_bias": column(params["widen"]["bias"]) + of_group(params["group_wide"]),
        **{f"read{head}": jnp.broadcast_to(read[head][None], (shape.queries, w)) for head in range(heads)},
        **{f"pool{head}_kernel": w_value.reshape(w, heads, -1)[:, head] @ out[head] for head in range(heads)},
        "pool_bias": (b_value @ pool["out"]["kernel"] + pool["out"]["bias"])[None],
        **_norm("norm_out", params, lambda v: v[None]),
    }
    made = [_block(params[f"block{i}"], column) for i in range(shape.depth)]
    return {name: jnp.stack([layer[name] for layer in made]) for name in (made[0] if made else ())}, rest


def _norm(name, params, form):
    return {f"{name}_{part}": form(params[name][part]) for part in ("scale", "bias")}


def _block(params: dict, column) -> dict:
    kernels, biases = (jnp.split(params["attend"]["qkv"][part], 3, axis=-1) for part in ("kernel", "bias"))
    dense = {name: {"kernel": kernels[i], "bias": biases[i]} for i, name in enumerate(("query", "key", "value"))}
    dense |= {"out": params["attend"]["out"], "up": params["mlp"]["in"], "down": params["mlp"]["out"]}
    out = _norm("norm1", params, column) | _norm("norm2", params, column)
    for name, layer in dense.items():
        out |= {f"{name}_kernel": layer["kernel"].T, f"{name}_bias": column(layer["bias"])}
    return out


def layer_of(weights: dict, layer) -> dict:
    """What stands in a kernel's references at a number of a layer; `...`: all of it."""
    return {name: ref[layer] for name, ref in weights.items()}


def result_like(x: jax.Array, shape: tuple[int, ...], dtype) -> jax.ShapeDtypeStruct:
    """A kernel's result, which varies over the axes of a mesh that `x` varies over."""
    return jax.ShapeDtypeStruct(shape, dtype, manual_axis_type=jax.typeof(x).manual_axis_type)


def varying_alike(tree: tuple) -> tuple:
    """Arrays that vary over the same manual axes of a mesh, as the operands of a kernel must under `jax.shard_map`.

    What is alike on all devices, such as whole weights beside a part of the batch, is marked as varying; its gradient is
    summed over the devices by that.
    """
    axes = frozenset().union(*(jax.typeof(x).manual_axis_type.varying for x in jax.tree.leaves(tree)))

    def vary(x):
        missing = tuple(sorted(axes - jax.typeof(x).manual_axis_type.varying))
        return jax.lax.pcast(x, missing, to="varying") if missing else x

    return jax.tree.map(vary, tree)
