"""All views of a batch to pooled embeddings: the views of a sensor together, and all sensors through the same programs.

Which sensor a view shows is drawn, and programs are not: every sensor's tokens are made for the views that may show it, and of
those the ones that a view does show go on, each with its own branch's weights, through one program for all sensors.
"""

import typing
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from spectral_jax.config import Config
from spectral_jax.model.encoder import branch
from spectral_jax.model.encoder.pooled import pooled_views
from spectral_jax.model.layers import one_by_one
from spectral_jax.objective import views
from spectral_jax.objective.strata import Stratum, strata, views_of


class Pictures(typing.NamedTuple):
    """Views of one sensor: pixels [V B H W C], normalised, and validity [V B H W]."""

    pixels: jax.Array
    valid: jax.Array


class Seen(typing.NamedTuple):
    """What the views of a step show.

    Attributes:
      globals: of every sensor of the batch, in all global views.
      locals: sensor key -> of the local views that may show it.
      offset: int32 [L 2], where a native local view starts, tokens; None for views that are resized.
    """

    globals: dict[str, Pictures]
    locals: dict[str, Pictures]
    offset: jax.Array | None


def make(decoded: dict[str, tuple], plan: views.Plan, cfg: Config, other: dict[str, tuple] | None = None) -> Seen:
    """Cuts all views of a batch.

    Args:
      decoded: sensor key -> pixels [B H W C], normalised, and validity [B H W].
      plan: of `views.draw_plan`.
      cfg: the run.
      other: the same at another date; views then alternate: of each sensor the first view shows
        `decoded`, the second `other`, and so on, global and local views by themselves. None: all show `decoded`.
    """
    globals_: dict[str, Pictures] = {}
    locals_: dict[str, Pictures] = {}
    dtype = jnp.dtype(cfg.model.dtype)
    rows_of = _rows_of(strata(tuple(decoded), cfg))
    native = cfg.views.local_mode == "native"
    for i, key in enumerate(decoded):
        dates = (decoded[key],) if other is None else (decoded[key], other[key])

        def resized(cut, date, dates=dates, i=i):
            out, seen = views.resized(*_at_date(dates, date), cut, i)
            return out.astype(dtype), seen

        def cropped(cut, date, dates=dates, i=i, key=key):
            out, seen = views.native(*_at_date(dates, date), cut, i, cfg, cfg.token_px(key))
            return out.astype(dtype), seen

        shown = (plan.global_cuts, _alternating(cfg.views.global_views))
        globals_[key] = Pictures(*one_by_one(resized, shown, again=False))
        if i in rows_of:
            cuts = jax.tree.map(lambda leaf, rows=rows_of[i]: leaf[rows], plan.local_cuts)
            shown = (cuts, _alternating(len(rows_of[i])))
            locals_[key] = Pictures(*one_by_one(cropped if native else resized, shown, again=False))
    return Seen(globals_, locals_, views.native_offset(plan.local_cuts, cfg) if native else None)


def _alternating(count: int) -> jax.Array:
    """0, 1, 0, 1 ..., int32 [count]: which date each view shows."""
    return jnp.arange(count, dtype=jnp.int32) % 2


def _at_date(dates: tuple[tuple, ...], date: jax.Array) -> tuple:
    """Pixels and validity at a date, of one or two."""
    if len(dates) == 1:
        return dates[0]
    return jax.tree.map(lambda first, second: jnp.where(date == 0, first, second), *dates)


def pooled_globals(params: dict, seen: Seen, plan: views.Plan, cfg: Config):
    """Pooled embeddings float32 [V B D] of the global views, and which of them hold anything, float32 [V B]."""
    return pooled(params, seen._replace(locals={}), plan, cfg)


def pooled(params: dict, seen: Seen, plan: views.Plan, cfg: Config) -> tuple[jax.Array, jax.Array]:
    """Pooled embeddings of all views of a batch.

    Args:
      params: the encoder's.
      seen: of `make`.
      plan: the same as there.
      cfg: the run.

    Returns:
      float32 [V + L, B, D], global views first, and which hold anything, float32 [V + L, B].
    """
    keys = tuple(seen.globals)
    tokens = {}
    for k in keys:
        run = partial(branch.view_tokens, params, k, cfg=cfg)
        tokens[k] = _together(run, seen.globals[k], seen.locals.get(k))
    shown = _global_slots({k: t[0] for k, t in tokens.items()}, plan, cfg)
    local = _local_slots(keys, {k: t[1] for k, t in tokens.items() if t[1]}, plan, cfg) if seen.locals else None

    def stages(tokens, valid, sensor, offset):
        return branch.local_stages(params, keys, tokens, valid, sensor, offset, cfg)

    out, local_out = _together(stages, _at(shown, None), None if local is None else _at(local, seen.offset))
    sensors = jnp.asarray([cfg.sensors.index(cfg.sensor(k)) for k in keys], jnp.int32)
    maps = (x.reshape(cfg.views.global_views, -1, *x.shape[1:]) for x in out)
    parts = [(*maps, sensors[shown.sensor].reshape(cfg.views.global_views, -1))]
    if local is not None:
        parts.append((*(x[:, None] for x in local_out), sensors[local.sensor][:, None]))
    embedding, any_ = pooled_views(params, parts, cfg)
    return embedding, any_.astype(jnp.float32)


class _Slots(typing.NamedTuple):
    tokens: jax.Array  # [T B R Q D]
    valid: jax.Array  # [T B R Q]
    sensor: jax.Array  # int32 [T], positions among the sensors of the batch


def _global_slots(tokens: dict[str, tuple], plan: views.Plan, cfg: Config) -> _Slots:
    """A slot for every sensor that a global view shows, view by view."""
    count, of_all = cfg.views.global_views, [jnp.stack(x) for x in zip(*tokens.values(), strict=True)]  # [S V B ...]
    if len(tokens) <= cfg.views.global_sensors:
        shown = jnp.asarray(np.tile(np.arange(len(tokens), dtype=np.int32), (count, 1)))
        chosen = [jnp.swapaxes(x, 0, 1) for x in of_all]
    else:
        shown = plan.shown_sensors
        chosen = [x[shown, jnp.arange(count)[:, None]] for x in of_all]
    out, valid = (x.reshape(-1, *x.shape[2:]) for x in chosen)
    return _Slots(out, valid, shown.reshape(-1))


def _local_slots(keys: tuple[str, ...], tokens: dict[str, tuple], plan: views.Plan, cfg: Config) -> _Slots:
    """A slot for every local view, in order."""
    parts = strata(keys, cfg)
    rows_of, out = _rows_of(parts), []
    for part, rows in zip(parts, views_of(parts), strict=True):
        own = [[x[np.searchsorted(rows_of[i], rows)] for x in tokens[keys[i]]] for i in part.sensors]
        if len(own) == 1:
            out.append(own[0])
            continue
        choice = jnp.searchsorted(jnp.asarray(part.sensors, jnp.int32), plan.sensor[rows])
        out.append([jnp.stack(x)[choice, jnp.arange(part.views)] for x in zip(*own, strict=True)])
    return _Slots(*_joined(out), plan.sensor)


def _joined(parts) -> tuple[jax.Array, jax.Array]:
    """Tokens and validity of several lots of views, one after another."""
    tokens, valid = (jnp.concatenate(x) for x in zip(*parts, strict=True))
    return tokens, valid


def _rows_of(parts: tuple[Stratum, ...]) -> dict[int, np.ndarray]:
    """Position of a sensor -> numbers of the local views that may show it."""
    return {i: rows for part, rows in zip(parts, views_of(parts), strict=True) for i in part.sensors}


def _at(slots: _Slots, offset) -> tuple:
    return (*slots, jnp.zeros((len(slots.tokens), 2), jnp.int32) if offset is None else offset)


def _together(function, first, second):
    """The function of two lots of views, in one run where their shapes agree; of the first alone where there is no second."""
    if second is None:
        return function(*first), None
    if any(a.shape[1:] != b.shape[1:] for a, b in zip(first, second, strict=True)):
        return function(*first), function(*second)
    both = function(*(jnp.concatenate(pair) for pair in zip(first, second, strict=True)))
    split = len(first[0])
    return tuple(x[:split] for x in both), tuple(x[split:] for x in both)
