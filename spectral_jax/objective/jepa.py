"""The joint-embedding objective: every view's embedding agrees with the teacher's global centre, and SIGReg keeps them apart.

z_v = projector(encoder(view v)); c = mean over global views of the teacher's z; L_inv = mean over views, samples and dimensions
of (c - z_v)^2; L = lambda * SIGReg(z) + (1 - lambda) * L_inv (SpectralEarth-FM, arXiv 2605.21075).
"""

import typing

import jax
import jax.numpy as jnp

from spectral_jax.config import Config
from spectral_jax.means import Axis, global_mean
from spectral_jax.model.encoder import projector
from spectral_jax.objective import collapse, encode_views, views
from spectral_jax.objective.pictures import Seen
from spectral_jax.objective.sigreg import mixed


class Pooled(typing.NamedTuple):
    """Embeddings of B locations in some views, before the projector."""

    embedding: jax.Array  # float32 [V B D]
    filled: jax.Array  # float32 [V B], which hold anything


def targets(teacher: dict, seen: Seen, plan: views.Plan, cfg: Config) -> Pooled:
    """The teacher's embeddings of the global views; no gradient flows to it."""
    return Pooled(*encode_views.pooled_globals(jax.lax.stop_gradient(teacher["encoder"]), seen, plan, cfg))


def loss(
    params: dict,
    teacher: dict,
    student: Pooled,
    target: Pooled,
    counted: jax.Array,
    key: jax.Array,
    cfg: Config,
    axis: Axis = None,
):
    """The objective on one batch.

    Args:
      params: of the student; its "projector" is used.
      teacher: the same of the teacher; no gradient flows to it.
      student: the student's embeddings of all views, global ones first, of B locations on this device (all under `jit`).
      target: of `targets`, of the same locations.
      counted: float32 [V], what each view counts.
      key: random key of the directions, the same on every device.
      cfg: the run.
      axis: mesh axes of `shard_map`, or None.

    Returns:
      The loss over the global batch, and a dict of float32 scalars.
    """
    dtype = jnp.dtype(cfg.model.dtype)
    weight = student.filled * counted[:, None]
    z = projector.project(params["projector"], student.embedding, axis, dtype, weight)

    frozen = jax.lax.stop_gradient(teacher["projector"])
    of_teacher = projector.project(frozen, target.embedding, axis, dtype, target.filled)
    centre = jax.lax.stop_gradient(jnp.einsum("vbd,vb->bd", of_teacher, target.filled))
    centre = centre / jnp.maximum(target.filled.sum(axis=0), 1.0)[:, None]

    counts = weight * (target.filled.sum(axis=0) > 0).astype(jnp.float32)[None]
    error = jnp.einsum("vbd,vb->", (z - centre[None]) ** 2, counts)
    invariance = global_mean(error, counts.sum() * z.shape[-1], axis)
    value, regular, mix = mixed(invariance, z, student.filled, counted, key, cfg, axis)
    metrics = {"loss": value, "invariance": invariance, "sigreg": regular, "lambda": mix}
    metrics |= collapse.alarms(student.embedding[0], student.filled[0], axis)
    metrics["target_std"] = collapse.alarms(of_teacher[0], target.filled[0], axis)["embedding_std"]
    return value, jax.lax.stop_gradient(metrics)
