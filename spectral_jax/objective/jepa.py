"""The joint-embedding objective: every view's embedding agrees with the teacher's global centre, and SIGReg keeps them apart.

z_v = projector(encoder(view v)); c = mean over global views of the teacher's z; L_inv = mean over views, samples and dimensions
of (c - z_v)^2; L = lambda * SIGReg(z) + (1 - lambda) * L_inv (SpectralEarth-FM, arXiv 2605.21075).
"""

import jax
import jax.numpy as jnp

from spectral_jax.config import Config
from spectral_jax.means import Axis, global_mean
from spectral_jax.model.encoder import projector
from spectral_jax.objective import collapse, encode_views, views
from spectral_jax.objective.encode_views import EncodedViews
from spectral_jax.objective.pictures import Seen
from spectral_jax.objective.sigreg import mixed


def loss(
    params: dict,
    teacher: dict,
    seen: Seen,
    plan: views.Plan,
    student: EncodedViews,
    key: jax.Array,
    cfg: Config,
    axis: Axis = None,
):
    """The objective on one batch.

    Args:
      params: `{"encoder", "projector"}` of the student.
      teacher: the same of the teacher; no gradient flows to it.
      seen: what the views of B locations on this device show (all of them under `jit`).
      plan: of the views.
      student: what the student's encoder made of them.
      key: random key of the directions, the same on every device.
      cfg: the run.
      axis: mesh axes of `shard_map`, or None.

    Returns:
      The loss over the global batch, and a dict of float32 scalars.
    """
    dtype, pooled, filled = jnp.dtype(cfg.model.dtype), student.pooled, student.filled
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
    value, regular, mix = mixed(invariance, z, filled, counted, key, cfg, axis)
    metrics = {"loss": value, "invariance": invariance, "sigreg": regular, "lambda": mix}
    metrics |= collapse.alarms(pooled[0], filled[0], axis)
    metrics["target_std"] = collapse.alarms(target[0], target_weight[0], axis)["embedding_std"]
    return value, jax.lax.stop_gradient(metrics)
