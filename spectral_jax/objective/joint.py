"""The weighted sum of a run's objectives. One of weight 0 is not computed and draws nothing."""

import jax

from spectral_jax.batch import Batch
from spectral_jax.config import Config
from spectral_jax.means import Axis
from spectral_jax.objective import encode_views, jepa, pictures, spectm
from spectral_jax.objective.levels import agree
from spectral_jax.objective.parts import in_parts


def loss(params: dict, teacher: dict, batch: Batch, key: jax.Array, cfg: Config, axis: Axis = None):
    """The objectives on one batch.

    Args:
      params: of the student: "encoder", and what the objectives need beside it (`train.state.init_params`).
      teacher: the same of the teacher; no gradient flows to it.
      batch: of B locations on this device (all of them under `jit`).
      key: random key of the step, the same on every device.
      cfg: the run.
      axis: mesh axes of `shard_map`, or None.

    Returns:
      The loss over the global batch, and a dict of float32 scalars.
    """
    weights, values, metrics = cfg.objective, [], {}
    if weights.spectm:
        value, metrics = spectm.loss(params, batch, jax.random.fold_in(key, 1), cfg, axis)
        values.append(weights.spectm * value)
    if weights.jepa or weights.levels:
        (plan_key, direction_key), level_key = jax.random.split(key), jax.random.fold_in(key, 3)
        wanted = cfg.levels.names if weights.agreement or weights.contrast else ()
        maps = cfg.levels.dense if weights.dense else ""

        def of_locations(batch, numbers):
            seen, plan = pictures.show(batch, plan_key, cfg, numbers)
            student = encode_views.encoded(params["encoder"], seen, plan, cfg, wanted, maps)
            levels = agree.of_locations(params["levels"], seen, student, level_key, cfg) if weights.levels else None
            target = jepa.targets(teacher, seen, plan, cfg) if weights.jepa else None
            return (jepa.Pooled(student.pooled, student.filled), target, levels), student.facts

        (pooled, target, levels), known = in_parts(of_locations, batch, cfg.train.accumulate, along=1, axis=axis)
        if levels:
            value, more = agree.loss(params["levels"], levels, known, level_key, cfg, axis)
            values.append(value)
            metrics |= more
        if target:
            value, more = jepa.loss(params, teacher, pooled, target, known.of_views.weight, direction_key, cfg, axis)
            values.append(weights.jepa * value)
            metrics |= more  # the collapse alarms are those of the views
    loss = sum(values[1:], values[0])
    return loss, jax.lax.stop_gradient(metrics | {"loss": loss})
