"""Deep supervision: every level of the encoder that a run names is trained by itself, by the agreement of a place's views.

A level's vector of a sensor in a view (mean and deviation over its tokens), or of a view, goes through a head of its own.
`objective.agreement`: vectors of a place agree with their own mean, and SIGReg keeps places apart, as in LeJEPA (arXiv
2511.08544), without a teacher. `objective.contrast`: InfoNCE. `objective.dense`: agreement and SIGReg of single cells instead
of the patch. `objective.reconstruction`: bands of a cell are read off its token. What each gave alone: docs/encoder.md.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from spectral_jax.config import Config
from spectral_jax.means import Axis, global_mean
from spectral_jax.model.encoder import level_heads, readout
from spectral_jax.objective import collapse
from spectral_jax.objective.encode_views import EncodedViews, Vectors
from spectral_jax.objective.levels import bands, cells
from spectral_jax.objective.levels.contrast import infonce
from spectral_jax.objective.pictures import Seen
from spectral_jax.objective.sigreg import mixed
from spectral_jax.objective.slots import Facts, Known


class Found(NamedTuple):
    """What the objectives need of B locations; every array has them on its second axis, or there a sum over them."""

    vectors: dict[str, Vectors]  # by level
    cells: tuple[jax.Array, jax.Array] | None  # of `cells.at_positions`, of all slots: [T B P D], [T B P]
    errors: dict[str, tuple[jax.Array, jax.Array]]  # of `bands.errors`


def of_locations(params: dict, seen: Seen, student: EncodedViews, key: jax.Array, cfg: Config) -> Found:
    """What is known of each location by itself.

    Args:
      params: of `level_heads.init_heads`.
      seen: what the views show.
      student: what the encoder made of it.
      key: random key of the step, the same for all locations.
      cfg: the run.
    """
    shown = None
    if cfg.objective.dense:
        position = jax.random.uniform(_cell_keys(key, cfg)[0], (cfg.levels.cells, 2))
        found = [cells.at_positions(part, position, cfg) for part in student.maps]
        tokens, counts = (jnp.concatenate(x) for x in zip(*found, strict=True))
        shown = tokens, counts
    errors = bands.errors(params, seen.globals, student.tokens, cfg) if cfg.objective.reconstruction else {}
    return Found(student.levels, shown, errors)


def loss(params: dict, found: Found, known: Known, key: jax.Array, cfg: Config, axis: Axis = None):
    """The weighted objectives of the levels on one batch.

    Args:
      params: of `level_heads.init_heads`.
      found: of B locations on this device (all of them under `jit`).
      known: of the slots.
      key: random key of the step, the same on every device.
      cfg: the run.
      axis: mesh axes of `shard_map`, or None.

    Returns:
      The loss over the global batch, and float32 scalars: of each level its terms, and the collapse alarms of its first slot.
    """
    o, names = cfg.objective, cfg.levels.names
    parts, metrics = [], {}
    shares = cfg.levels.shares or (1.0,) * len(names)
    for i, name in enumerate(names if o.agreement or o.contrast else ()):
        vectors, share = found.vectors[name], shares[i] / sum(shares)
        facts = known.of_views if name in readout.OF_VIEWS else known.of_slots
        z = level_heads.embed(params[name], vectors.vectors, vectors.filled * facts.weight[:, None], cfg, axis)
        if o.agreement:
            term = agreement(z, vectors.filled, facts.weight, jax.random.fold_in(key, i), cfg, axis)
            parts.append(o.agreement * share * term)
            metrics[f"{name}_agreement"] = term
        if o.contrast:
            term = infonce(z, vectors.filled, pairs(facts, cfg), cfg.levels.temperature, axis)
            parts.append(o.contrast * share * term)
            metrics[f"{name}_contrast"] = term
        alarms = collapse.alarms(vectors.vectors[0], vectors.filled[0], axis)
        metrics |= {f"{name}_{of}": alarms[f"embedding_{of}"] for of in ("std", "rank")}
    if found.cells:
        term = _dense(params, *found.cells, known.of_slots.weight, _cell_keys(key, cfg)[1], cfg, axis)
        parts.append(o.dense * term)
        metrics["cells_agreement"] = term
    if o.reconstruction:
        term = bands.loss(found.errors, axis)
        parts.append(o.reconstruction * term)
        metrics["bands_error"] = term
    return sum(parts[1:], parts[0]), metrics


def agreement(z: jax.Array, filled: jax.Array, counted: jax.Array, key: jax.Array, cfg: Config, axis: Axis = None) -> jax.Array:
    """(1 - lambda) * mean (z - centre)^2 + lambda * SIGReg(z), the centre the mean of a place's slots; lambda as in `jepa`.

    Args:
      z: float32 [T B K], T slots of B samples.
      filled: float32 [T B], which hold anything.
      counted: float32 [T], what each slot counts.
      key: of the random directions.
      cfg: the run.
      axis: mesh axes of `shard_map`, or None.
    """
    weight = filled * counted[:, None]
    centre = jnp.einsum("tbk,tb->bk", z, weight) / jnp.maximum(weight.sum(axis=0), 1e-6)[:, None]
    error = jnp.einsum("tbk,tb->", (z - centre[None]) ** 2, weight)
    invariance = global_mean(error, weight.sum() * z.shape[-1], axis)
    return mixed(invariance, z, filled, counted, key, cfg, axis)[0]


def pairs(facts: Facts, cfg: Config) -> jax.Array:
    """What each ordered pair of slots counts, float32 [T T]: their weights' product, 0 for a slot and itself.

    With two dates a pair must differ in date or sensor: another crop of one picture is found too easily, and costs a tenth of
    R2 where it is all there is (docs/encoder.md). A view of several sensors holds the picture of a view of one of them, so of
    such a pair the dates must differ.
    """
    sensor, date = facts.sensor, jnp.asarray(facts.date)
    one = jnp.minimum(sensor[:, None], sensor[None]) >= 0
    differs = (one & (sensor[:, None] != sensor[None])) | (date[:, None] != date[None])
    if cfg.views.dates == 1:
        differs = ~jnp.eye(len(facts.date), dtype=bool)
    return jnp.where(differs, facts.weight[:, None] * facts.weight[None], 0.0)


def _cell_keys(key: jax.Array, cfg: Config) -> jax.Array:
    """Of the positions of cells, and of the directions of their SIGReg."""
    return jax.random.split(jax.random.fold_in(key, len(cfg.levels.names)))


def _dense(params: dict, tokens, shown, counted, key: jax.Array, cfg: Config, axis: Axis) -> jax.Array:
    """Agreement of cells: those of a place and position are a sample."""
    tokens, shown = (x.reshape(len(x), -1, *x.shape[3:]) for x in (tokens, shown))  # T (B P)
    z = level_heads.embed(params[level_heads.CELLS], tokens, shown * counted[:, None], cfg, axis)
    return agreement(z, shown, counted, key, cfg, axis)
