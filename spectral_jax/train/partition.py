"""Where every array lives: one mesh, one table from parameter path to PartitionSpec, and the step placed on it.

The batch is split over all devices; `train.fsdp` devices share each parameter (and its teacher and optimizer copies), the
others hold replicas. Axes are Auto: Linen layers do not take the Explicit axes that `jax.make_mesh` gives by default.
"""

import re
from functools import cache, partial

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, SingleDeviceSharding
from jax.sharding import PartitionSpec as P

from spectral_jax.batch import BATCH_AXES
from spectral_jax.config import Config
from spectral_jax.means import varying
from spectral_jax.objective.parts import check_parts
from spectral_jax.train import norms, state, step

COLUMNS = "columns"  # split the last axis over fsdp
REPLICA = "replica"  # whole on every device

# First match wins. Paths are printed by `dump`; those of the optimizer and the teacher end as the parameters' do.
RULES: tuple[tuple[str, str], ...] = (
    # First of all what is as wide as a spectrum has bands, which need not divide, and what is too small to split.
    (
        r"(spectm/\w+/\w+/out/kernel|levels/bands/\w+/kernel|/whitening/([^/]+/)?\w+|"
        r"/(bias|scale|query|group|group_wide|hidden_band))$",
        REPLICA,
    ),
    (r"/kernel$", COLUMNS),
    (r"/position$", COLUMNS),
    (r"/fuse/sensor/\w+$", REPLICA),
    (r"(^|/)(step|count)$", REPLICA),
)


def make_mesh(cfg: Config, devices: list | None = None) -> Mesh:
    """The mesh (data, fsdp) over all devices.

    Raises:
      ValueError: `train.fsdp` does not divide the devices, the devices do not divide `data.batch_size`, or `train.accumulate`
        does not divide what a device has of it.
    """
    devices = jax.devices() if devices is None else devices
    if len(devices) % cfg.train.fsdp:
        raise ValueError(
            f"train.fsdp: {cfg.train.fsdp} does not divide the {len(devices)} devices of this run; take one of "
            f"{[n for n in range(1, len(devices) + 1) if len(devices) % n == 0]}."
        )
    if cfg.data.batch_size % len(devices):
        near = max(1, round(cfg.data.batch_size / len(devices))) * len(devices)
        raise ValueError(
            f"data.batch_size: the mesh of {len(devices)} devices (data {len(devices) // cfg.train.fsdp}, fsdp "
            f"{cfg.train.fsdp}) does not divide {cfg.data.batch_size}; the nearest batch size that divides is {near}."
        )
    check_parts(cfg.train.accumulate, cfg.data.batch_size // len(devices))
    grid = np.asarray(devices).reshape(-1, cfg.train.fsdp)
    return Mesh(grid, BATCH_AXES, axis_types=(AxisType.Auto,) * 2)


def shardings(tree, mesh: Mesh, rules: tuple[tuple[str, str], ...] = RULES):
    """The NamedSharding of every leaf of a state, by its path.

    Args:
      tree: arrays or `jax.ShapeDtypeStruct`s, such as `jax.eval_shape(train.state.create, ...)`.
      mesh: of `make_mesh`.
      rules: pairs of a pattern searched in the path and a layout.

    Raises:
      ValueError: a leaf without a rule, a rule without a leaf, or an axis that does not divide.
    """
    used = set()
    parts = mesh.shape["fsdp"]

    def place(path, leaf):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        match = next((rule for rule in rules if re.search(rule[0], name)), None)
        if match is None:
            raise ValueError(f"partition: leaf {name} of shape {leaf.shape} matches no rule; add one to partition.RULES.")
        used.add(match)
        if match[1] == REPLICA or parts == 1:
            return NamedSharding(mesh, P())
        if leaf.shape[-1] % parts:
            near = -(-leaf.shape[-1] // parts) * parts
            raise ValueError(
                f"partition: {name} of shape {leaf.shape} cannot be split over fsdp = {parts} devices: axis "
                f"{len(leaf.shape) - 1} has {leaf.shape[-1]} columns; the next width that divides is {near}."
            )
        return NamedSharding(mesh, P(*[None] * (len(leaf.shape) - 1), "fsdp"))

    out = jax.tree_util.tree_map_with_path(place, tree)
    idle = [pattern for pattern, layout in rules if (pattern, layout) not in used]
    if idle:
        raise ValueError(f"partition: rule {idle[0]!r} matches no leaf; remove it from partition.RULES or mend its pattern.")
    return out


def dump(tree, mesh: Mesh) -> str:
    """One line a leaf: path, shape, spec, bytes on each device."""
    placed = jax.tree.leaves(shardings(tree, mesh))
    lines = []
    for (path, leaf), place in zip(jax.tree_util.tree_leaves_with_path(tree), placed, strict=True):
        size = leaf.dtype.itemsize * int(np.prod(place.shard_shape(leaf.shape), dtype=np.int64))
        spec = ", ".join("-" if axis is None else str(axis) for axis in place.spec) or "replica"
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        lines.append(f"{name} {'x'.join(map(str, leaf.shape)) or 'scalar'} ({spec}) {size}")
    return "\n".join(lines) + "\n"


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """Locations split over all devices."""
    return NamedSharding(mesh, P(BATCH_AXES))


def create_state(cfg: Config, mesh: Mesh) -> state.State:
    """A fresh state; every process draws the parameters, array by array, and its devices take their share of each."""
    drawn, around = state.init_params(jax.random.key(cfg.train.seed), cfg), partial(state.around, cfg=cfg)
    place = shardings(jax.eval_shape(around, drawn), mesh)
    return jax.jit(around, out_shardings=place)(jax.tree.map(_placed, drawn, place.params))


def _placed(array, sharding: NamedSharding):
    """An array that every process holds whole, laid out over the devices of all."""
    if sharding.is_fully_addressable:
        return jax.device_put(array, sharding)
    whole = np.asarray(array)
    return jax.make_array_from_callback(whole.shape, sharding, lambda index: whole[index])


def abstract_state(cfg: Config, mesh: Mesh) -> state.State:
    """Shapes, types and shardings of the state on this mesh; what a checkpoint is restored to."""
    shapes = jax.eval_shape(partial(state.create, cfg=cfg), jax.random.key(0))
    return jax.tree.map(
        lambda s, place: jax.ShapeDtypeStruct(s.shape, s.dtype, sharding=place), shapes, shardings(shapes, mesh)
    )


def on_one_device(shapes):
    """The same shapes and types, on this process's first device."""
    here = SingleDeviceSharding(jax.local_devices()[0])
    return jax.tree.map(lambda s: jax.ShapeDtypeStruct(s.shape, s.dtype, sharding=here), shapes)


def gathered(tree):
    """The tree with arrays that no process holds whole copied to every host. All processes must call it."""
    from jax.experimental import multihost_utils

    whole = partial(multihost_utils.process_allgather, tiled=True)
    return jax.tree.map(lambda x: x if x.is_fully_addressable else whole(x), tree)


@cache
def cpu_options() -> dict[str, str]:
    """What XLA is told of a step for a CPU; nothing where it does not know the option.

    Left to itself it gives chains of products, activations and norms to YNNPACK as one, and each by itself is faster: the
    gradient of the tokenizer at size tiny takes 87 ms instead of 118 (jaxlib 0.10.2).
    """
    options = {"xla_cpu_experimental_ynn_fusion_type": ""}
    try:
        jax.jit(lambda: 0, compiler_options=options).lower().compile()
    except jax.errors.JaxRuntimeError:
        return {}
    return options


def place_step(cfg: Config, mesh: Mesh):
    """`step.update` compiled for the mesh: `(state, batch, key) -> (state, metrics)`; the state given is consumed.

    With `train.path` "shard_map" every device takes the gradient of its share of the batch by itself: a weight that is split
    over `fsdp` is gathered once a step, and gradients are added up once, in float32, after everything else. With "jit" the
    compiler decides what moves between devices, and when. Both give the same state.
    """
    whole = NamedSharding(mesh, P())
    shardings = jax.tree.map(lambda s: s.sharding, abstract_state(cfg, mesh))
    spread = cfg.train.path == "shard_map" and mesh.devices.size > 1
    gradient = _spread_gradient(mesh, jax.tree.map(lambda s: s.spec, shardings.params)) if spread else step.gradient
    return jax.jit(
        partial(step.update, cfg=cfg, gradient=gradient),
        in_shardings=(shardings, batch_sharding(mesh), whole),
        out_shardings=(shardings, whole),
        donate_argnums=0,
        compiler_options=cpu_options() if mesh.devices.flat[0].platform == "cpu" else None,
    )


def place_norms(cfg: Config, mesh: Mesh):
    """`norms.of` of a state that lies on the mesh, to scalars that every process holds; the state is kept."""
    return jax.jit(partial(norms.of, cfg=cfg), out_shardings=NamedSharding(mesh, P()))


def _spread_gradient(mesh: Mesh, specs):
    """`step.gradient` of the global batch, each device's share by itself; parameters and gradients lie as `specs` says."""

    def whole(leaf, spec, dtype):
        """A parameter as all devices hold it, marked as each device's own, so that nothing is added up before the end."""
        if not any(spec):
            return varying(leaf, BATCH_AXES)
        # Products of matrices take it in the dtype of the computation, so it travels in that.
        gathered = jax.lax.all_gather(leaf.astype(dtype), "fsdp", axis=leaf.ndim - 1, tiled=True)
        return varying(gathered.astype(leaf.dtype), ("data",))

    def added(grad, spec):
        if not any(spec):
            return jax.lax.psum(grad, BATCH_AXES)
        return jax.lax.psum(jax.lax.psum_scatter(grad, "fsdp", scatter_dimension=grad.ndim - 1, tiled=True), "data")

    def gradient(params, teacher, batch, key, cfg):
        def own(params, teacher, batch, key):
            dtype = jax.numpy.dtype(cfg.model.dtype)
            params, teacher = (jax.tree.map(partial(whole, dtype=dtype), tree, specs) for tree in (params, teacher))
            metrics, grads = step.gradient(params, teacher, batch, key, cfg, BATCH_AXES)
            return metrics, jax.tree.map(added, grads, specs)

        run = jax.shard_map(own, mesh=mesh, in_specs=(specs, specs, P(BATCH_AXES), P()), out_specs=(P(), specs))
        return run(params, teacher, batch, key)

    return gradient
