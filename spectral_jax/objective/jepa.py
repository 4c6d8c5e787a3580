"""The joint-embedding objective: every view's embedding agrees with the teacher's global centre, and SIGReg keeps them apart.

z_v = projector(encoder(view v)); c = mean over global views of the teacher's z; L_inv = mean over views, samples and dimensions
of (c - z_v)^2; L = lambda * SIGReg(z) + (1 - lambda) * L_inv (SpectralEarth-FM, arXiv 2605.21075).
"""

import jax
import jax.numpy as jnp

from spectral_jax.batch import Batch, SensorData, decode
from spectral_jax.config import Config
from spectral_jax.means import Axis, global_mean, rows, total
from spectral_jax.model.encoder import projector
from spectral_jax.objective import collapse, encode_views, views
from spectral_jax.objective.sigreg import directions, sigreg


def loss(params: dict, teacher: dict, batch: Batch, key: jax.Array, cfg: Config, axis: Axis = None):
    """The objective on one batch.

    Args:
      params: `{"encoder", "projector"}` of the student.
      teacher: the same of the teacher; no gradient flows to it.
      batch: of B locations on this device (all of them under `jit`).
      key: random key of the step, the same on every device.
      cfg: the run.
      axis: mesh axes of `shard_map`, or None.

    Returns:
      The loss over the global batch, and a dict of float32 scalars.
    """
    plan_key, direction_key = jax.random.split(key)
    plan = views.draw_plan(plan_key, tuple(batch.sensors), rows(batch.size, axis), cfg)
    decoded, other = _decoded(batch.sensors, cfg), None if batch.other is None else _decoded(batch.other, cfg)
    dtype = jnp.dtype(cfg.model.dtype)

    seen = encode_views.make(decoded, plan, cfg, other)
    pooled, filled = encode_views.pooled(params["encoder"], seen, plan, cfg)
    counted = jnp.concatenate([jnp.ones(cfg.views.global_views), plan.local_weight])
    weight = filled * counted[:, None]
    z = projector.project(params["projector"], pooled, axis, dtype, weight)

    frozen = jax.lax.stop_gradient(teacher)
    target_pooled, target_weight = encode_views.pooled_globals(frozen["encoder"], seen, plan, cfg)
    target = projector.project(frozen["projector"], target_pooled, axis, dtype, target_weight)
    centre = jax.lax.stop_gradient(jnp.einsum("vbd,vb->bd", target, target_weight))
    centre = centre / jnp.maximum(target_weight.sum(axis=0), 1.0)[:, None]

    counts = weight * (target_weight.sum(axis=0) > 0).astype(jnp.float32)[None]
    error = jnp.einsum("vbd,vb->", (z - centre[None]) ** 2, counts)
    invariance = global_mean(error, counts.sum() * z.shape[-1], axis)
    unit = directions(direction_key, z.shape[-1], cfg.jepa.directions)
    regular = sigreg(z, filled, unit, views=counted, count=cfg.jepa.knots, t_max=cfg.jepa.knot_max, axis=axis)
    mix = regularisation_weight(total(jnp.float32(batch.size), axis), cfg)
    value = mix * regular + (1.0 - mix) * invariance
    metrics = {"loss": value, "invariance": invariance, "sigreg": regular, "lambda": mix}
    metrics |= collapse.alarms(pooled[0], filled[0], axis)
    metrics["target_std"] = collapse.alarms(target[0], target_weight[0], axis)["embedding_std"]
    return value, jax.lax.stop_gradient(metrics)


def _decoded(sensors: dict[str, SensorData], cfg: Config) -> dict[str, tuple]:
    return {key: decode(data, cfg.sensor(key).spec) for key, data in sensors.items()}


def regularisation_weight(samples: jax.Array, cfg: Config) -> jax.Array:
    """Lambda = o / (N + o): SIGReg grows with the global batch N, so its weight falls with it."""
    o = cfg.jepa.lambda_numerator
    return o / (samples + o)
