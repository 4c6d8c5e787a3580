"""The one place where a sum is divided by a count, globally.

Written once for both ways of running a step: under `jit` arrays are global and `axis` is None; inside `shard_map` each device
holds its share and `axis` names the mesh axes to add over. Differentiating through the sums gives the gradient of the global
mean once: gradients are never averaged over devices (that multiplies them by the number of shards).
"""

import jax
import jax.numpy as jnp

Axis = str | tuple[str, ...] | None
IGNORED = -1  # a label that no sum and no count takes in


def total(value: jax.Array, axis: Axis) -> jax.Array:
    """Adds `value` over the devices of `axis`; `value` itself when `axis` is None."""
    return value if axis is None else jax.lax.psum(value, axis)


def global_mean(value: jax.Array, count: jax.Array, axis: Axis) -> jax.Array:
    """`sum / count` over all devices; 0 where there is nothing to count."""
    return total(value, axis) / jnp.maximum(total(count, axis), 1.0)


def rows(batch: int, axis: Axis) -> jax.Array:
    """Numbers [B] of this device's samples in the global batch, so that random draws do not depend on the layout."""
    first = 0 if axis is None else jax.lax.axis_index(axis) * batch
    return first + jnp.arange(batch)


def varying(value: jax.Array, axis: Axis) -> jax.Array:
    """Marks what is the same on all devices as each device's own: its gradient is then this device's part, not the sum."""
    return value if axis is None else jax.lax.pcast(value, axis, to="varying")
