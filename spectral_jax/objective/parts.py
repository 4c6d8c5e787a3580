"""A batch in parts (`train.accumulate`): what is computed of each location by itself, one part of the batch after another.

An objective has two halves. The first, by far the larger, encodes locations and knows nothing of their neighbours; the second
(BatchNorm of heads, SIGReg, InfoNCE's negatives, means) needs the whole batch and only what the first says of each location, a
few vectors. So the first half runs in parts and keeps these vectors, the second half sees all of them, and its gradient is
pulled back through each part, which is computed again (the gradient cache of arXiv 2101.06983). Nothing is approximated: loss,
gradient and metrics are those of the batch in one piece, up to the order of sums.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

from spectral_jax.batch import Batch
from spectral_jax.means import Axis, rows


def check_parts(accumulate: int, share: int) -> None:
    """Refuses a number of parts that does not divide what a device has of the batch.

    Args:
      accumulate: parts, `train.accumulate`.
      share: locations of a batch on one device.

    Raises:
      ValueError: it does not; the sentence has the numbers that do.
    """
    if share % accumulate:
        raise ValueError(
            f"train.accumulate: {accumulate} parts do not divide the {share} locations that each device has of a batch; take "
            f"one of {[n for n in range(1, share + 1) if share % n == 0]}, or another data.batch_size."
        )


def in_parts(function: Callable, batch: Batch, parts: int, along: int, axis: Axis = None):
    """A function of every location of a batch, part after part; with one part it is called, and nothing else.

    Part p holds the locations p, p + parts, p + 2 parts, ...: where a batch is split over devices each of them cuts its own
    locations, and none travels.

    Args:
      function: takes locations, a `Batch` of b, and their numbers in the global batch, int32 [b]. It gives two trees: what it
        says of each location, arrays with b locations on the axis `along`, or with 1 there, a sum over them; and what is the
        same whatever locations it was given.
      batch: of B locations on this device (all of them under `jit`).
      parts: how many.
      along: that axis.
      axis: mesh axes of `shard_map`, or None.

    Returns:
      The two trees: of the first the arrays have B locations on that axis, in the order of the batch, or `parts` sums.

    Raises:
      ValueError: `parts` does not divide B.
    """
    numbers = rows(batch.size, axis)
    if parts == 1:
        return function(batch, numbers)
    check_parts(parts, batch.size)
    whole = jax.tree.map(lambda x: jnp.reshape(x, (-1, parts, *x.shape[1:])), (batch, numbers))

    # In a loop nothing else could be shared with what is computed again, so no barrier needs to keep it apart.
    def part(whole, number):
        return function(*jax.tree.map(lambda x: jax.lax.dynamic_index_in_dim(x, number, axis=1, keepdims=False), whole))

    again = jax.checkpoint(part, prevent_cse=False)
    found, common = jax.lax.scan(lambda _, number: (None, again(whole, number)), None, jnp.arange(parts))[1]
    return jax.tree.map(lambda x: _joined(x, along), found), jax.tree.map(lambda x: x[0], common)


def _joined(stacked: jax.Array, along: int) -> jax.Array:
    """Parts stacked in front, [P ... b ...], to the order of the batch, [... b * P ...], with `along` the axis of b."""
    last = jnp.moveaxis(stacked, 0, along + 1)
    shape = last.shape
    return last.reshape(*shape[:along], math.prod(shape[along : along + 2]), *shape[along + 2 :])
