"""Slots: a sensor in a view each. Which tokens go on, and what is known of each slot."""

import typing

import jax
import jax.numpy as jnp
import numpy as np

from spectral_jax.config import Config
from spectral_jax.objective import views
from spectral_jax.objective.pictures import alternating
from spectral_jax.objective.strata import rows_of, strata, views_of


class Slots(typing.NamedTuple):
    """Tokens of T slots, and the sensor of each."""

    tokens: jax.Array  # [T B R Q D]
    valid: jax.Array  # [T B R Q]
    sensor: jax.Array  # int32 [T], positions among the sensors of the batch
    pixels: tuple[jax.Array, ...]  # of the stem's pixels: vectors [T B D], and float32 [T B], which hold anything; or empty


def of_globals(tokens: dict[str, tuple], plan: views.Plan, cfg: Config) -> Slots:
    """A slot for every sensor that a global view shows, view by view; of a sensor's tokens [V B ...] and what is with them."""
    count, of_all = cfg.views.global_views, [jnp.stack(x) for x in zip(*tokens.values(), strict=True)]  # [S V B ...]
    if len(tokens) <= cfg.views.global_sensors:
        shown = jnp.asarray(np.tile(np.arange(len(tokens), dtype=np.int32), (count, 1)))
        chosen = [jnp.swapaxes(x, 0, 1) for x in of_all]
    else:
        shown = plan.shown_sensors
        chosen = [x[shown, jnp.arange(count)[:, None]] for x in of_all]
    out, valid, *pixels = (x.reshape(-1, *x.shape[2:]) for x in chosen)
    return Slots(out, valid, shown.reshape(-1), tuple(pixels))


def of_locals(keys: tuple[str, ...], tokens: dict[str, tuple], plan: views.Plan, cfg: Config) -> Slots:
    """A slot for every local view, in order."""
    parts = strata(keys, cfg)
    local_rows, out = rows_of(parts), []
    for part, rows in zip(parts, views_of(parts), strict=True):
        own = [[x[np.searchsorted(local_rows[i], rows)] for x in tokens[keys[i]]] for i in part.sensors]
        if len(own) == 1:
            out.append(own[0])
            continue
        choice = jnp.searchsorted(jnp.asarray(part.sensors, jnp.int32), plan.sensor[rows])
        out.append([jnp.stack(x)[choice, jnp.arange(part.views)] for x in zip(*own, strict=True)])
    joined, valid, *pixels = (jnp.concatenate(x) for x in zip(*out, strict=True))
    return Slots(joined, valid, plan.sensor, tuple(pixels))


class Facts(typing.NamedTuple):
    """What is known of T slots.

    Attributes:
      weight: float32 [T], what each counts.
      sensor: int32 [T], positions among the sensors of the batch; -1 for a view of several.
      date: int32 [T], which of two dates each shows; 0 where views have one.
    """

    weight: jax.Array
    sensor: jax.Array
    date: np.ndarray | jax.Array


class Known(typing.NamedTuple):
    """Facts of the slots of `of_globals` and then `of_locals`; and of the views, global ones first."""

    of_slots: Facts
    of_views: Facts


def facts(keys: tuple[str, ...], shown: Slots, plan: views.Plan, cfg: Config) -> Known:
    """What is known of all slots and all views of a step."""
    count, parts = cfg.views.global_views, strata(keys, cfg)
    date, a_view = alternating(count) % cfg.views.dates, len(shown.sensor) // count
    local = np.zeros(cfg.views.local_views, np.int32)
    for rows in views_of(parts):
        local[rows] = alternating(len(rows)) % cfg.views.dates
    dates = np.concatenate([np.repeat(date, a_view), local]), np.concatenate([date, local])
    sensors = (
        jnp.concatenate([jnp.asarray(shown.sensor, jnp.int32), plan.sensor]),
        jnp.concatenate([jnp.full(count, -1, jnp.int32), plan.sensor]),
    )
    weights = (jnp.concatenate([jnp.ones(n), plan.local_weight]) for n in (count * a_view, count))
    return Known(*(Facts(*x) for x in zip(weights, sensors, dates, strict=True)))
