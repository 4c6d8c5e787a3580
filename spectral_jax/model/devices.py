"""Which devices an array is computed on, asked while a program is traced."""

import jax


def platform_of(x: jax.Array) -> str:
    """Platform that `x` is computed on: that of its mesh, which may be one compiled for ahead of time, or JAX's default."""
    device = getattr(jax.typeof(x).sharding.mesh, "abstract_device", None)
    return device.platform if device else jax.default_backend()


def split_by_xla(x: jax.Array) -> bool:
    """Whether `x` is computed under `jit` on a mesh of several devices, outside `jax.shard_map`: XLA cannot divide a kernel."""
    mesh = jax.typeof(x).sharding.mesh
    return any(size > 1 and axis not in mesh.manual_axes for axis, size in mesh.shape.items())
