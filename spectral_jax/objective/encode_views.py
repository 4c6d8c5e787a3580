"""All views of a batch to embeddings: the views of a sensor together, and all sensors through the same programs.

Which sensor a view shows is drawn, and programs are not: every sensor's tokens are made for the views that may show it, and of
those the ones that a view does show go on, each with its own branch's weights, through one program for all sensors.
"""

import typing
from functools import partial

import jax
import jax.numpy as jnp

from spectral_jax.config import Config
from spectral_jax.model.encoder import branch, readout
from spectral_jax.model.encoder.branch import BranchOutput
from spectral_jax.model.encoder.pooled import pooled_views
from spectral_jax.objective import slots, views
from spectral_jax.objective.pictures import Seen


class Vectors(typing.NamedTuple):
    """One level of the encoder as T slots show it: each a sensor in a view or, for levels of all sensors, each a view."""

    vectors: jax.Array  # float32 [T B D], of `readout.summaries`
    filled: jax.Array  # float32 [T B], 1 where a slot holds anything


class Maps(typing.NamedTuple):
    """Tokens of a stage in T slots, and how each slot's view was cut."""

    tokens: jax.Array  # [T B R Q D]
    valid: jax.Array  # bool [T B R Q]
    cut: views.Cut  # leaves [T ...]
    native: bool


class EncodedViews(typing.NamedTuple):
    """What the encoder makes of the views of a step.

    Attributes:
      pooled: float32 [V + L, B, D], global views first.
      filled: float32 [V + L, B], which hold anything.
      levels: those asked for.
      maps: of the stage asked for, in global and then in local views.
      tokens: sensor key -> tokens of the tokenizer in the global views, [V B R Q D], and their validity.
      facts: of the slots.
    """

    pooled: jax.Array
    filled: jax.Array
    levels: dict[str, Vectors]
    maps: list[Maps]
    tokens: dict[str, tuple[jax.Array, jax.Array]]
    facts: slots.Known


def pooled_globals(params: dict, seen: Seen, plan: views.Plan, cfg: Config):
    """Pooled embeddings float32 [V B D] of the global views, and which of them hold anything, float32 [V B]."""
    return pooled(params, seen._replace(locals={}), plan, cfg)


def pooled(params: dict, seen: Seen, plan: views.Plan, cfg: Config) -> tuple[jax.Array, jax.Array]:
    """Pooled embeddings float32 [V + L, B, D] of all views, global views first, and which hold anything, float32 [V + L, B]."""
    out = encoded(params, seen, plan, cfg)
    return out.pooled, out.filled


def encoded(
    params: dict, seen: Seen, plan: views.Plan, cfg: Config, levels: tuple[str, ...] = (), maps: str = ""
) -> EncodedViews:
    """All views of a batch through the encoder.

    Args:
      params: the encoder's.
      seen: of `pictures.make`.
      plan: the same as there.
      cfg: the run.
      levels: names of `readout.NAMES` whose vectors are wanted.
      maps: "stage1" or "stage2", whose tokens are wanted; empty: neither.
    """
    keys = tuple(seen.globals)
    tokens = {}
    for k in keys:
        run = partial(_view_tokens, params, k, cfg=cfg, pixels_too="pixels" in levels)
        tokens[k] = _together(run, seen.globals[k], seen.locals.get(k))
    shown = slots.of_globals({k: t[0] for k, t in tokens.items()}, plan, cfg)
    local = slots.of_locals(keys, {k: t[1] for k, t in tokens.items() if t[1]}, plan, cfg) if seen.locals else None

    def stages(tokens, valid, sensor, offset):
        keep = partial(_kept, levels=levels, maps=maps)
        return branch.local_stages(params, keys, tokens, valid, sensor, offset, cfg, keep)

    out = _together(stages, _at(shown, None), None if local is None else _at(local, seen.offset))
    sensors = jnp.asarray([cfg.sensors.index(cfg.sensor(k)) for k in keys], jnp.int32)
    whole = (x.reshape(cfg.views.global_views, -1, *x.shape[1:]) for x in out[0].stage2)
    parts = [(*whole, sensors[shown.sensor].reshape(cfg.views.global_views, -1))]
    if local is not None:
        parts.append((*(x[:, None] for x in out[1].stage2), sensors[local.sensor][:, None]))
    of_views, filled = pooled_views(params, parts, cfg, tuple(name for name in levels if name in readout.OF_VIEWS))
    filled, known = filled.astype(jnp.float32), slots.facts(keys, shown, plan, cfg)
    both = [x.levels | {"pixels": of.pixels} for x, of in zip(out, (shown, local), strict=True) if x and of]
    of_slots: dict[str, tuple[jax.Array, jax.Array]] = jax.tree.map(lambda *x: jnp.concatenate(x), *both)
    found = {name: Vectors(of_views[name], filled) if name in readout.OF_VIEWS else Vectors(*of_slots[name]) for name in levels}
    whole_maps = _maps(out, plan, cfg) if maps else []
    return EncodedViews(of_views[readout.POOLED], filled, found, whole_maps, {k: t[0][:2] for k, t in tokens.items()}, known)


def _view_tokens(params: dict, key: str, pixels, valid, cfg: Config, pixels_too: bool) -> tuple[jax.Array, ...]:
    """Tokens of a sensor in some views, their validity and, with `pixels_too`, the vectors of its pixels; 0 without a stem."""
    if not pixels_too:
        return branch.view_tokens(params, key, pixels, valid, cfg)
    if cfg.sensor(key).tokenizer == "stem":
        return branch.view_tokens(params, key, pixels, valid, cfg, lambda x, seen: _vector(readout.Level(x, seen)))
    out, lead = branch.view_tokens(params, key, pixels, valid, cfg), pixels.shape[:2]
    return (*out, jnp.zeros((*lead, 2 * cfg.model.stem_width)), jnp.zeros(lead))


def _vector(level: readout.Level) -> tuple[jax.Array, jax.Array]:
    """The vector of a map, and whether it holds anything, float32 [B]."""
    return readout.summary(level), level.valid.any(axis=(1, 2)).astype(jnp.float32)


class _Kept(typing.NamedTuple):
    """What is kept of T slots' local stages."""

    stage2: tuple[jax.Array, jax.Array]  # tokens [T B R/2 Q/2 2D] and validity
    levels: dict[str, tuple[jax.Array, jax.Array]]  # vectors [T B D'] and whether they hold anything
    maps: list[readout.Level]  # of the stage asked for; none or one


def _kept(out: BranchOutput, levels: tuple[str, ...], maps: str) -> _Kept:
    by_name = {"stage1": readout.Level(out.stage1, out.valid1), "stage2": readout.Level(out.stage2, out.valid2)}
    vectors = {name: _vector(level) for name, level in by_name.items() if name in levels}
    return _Kept((out.stage2, out.valid2), vectors, [by_name[maps]] if maps else [])


def _maps(out: tuple, plan: views.Plan, cfg: Config) -> list[Maps]:
    """Of the slots of global and of local views; every sensor of a view has its cut."""
    (of_globals,), of_locals = out[0].maps, out[1].maps if out[1] else []
    count = len(of_globals.tokens)
    cut = jax.tree.map(lambda leaf: jnp.repeat(leaf, count // len(leaf), axis=0), plan.global_cuts)
    native = cfg.views.local_mode == "native"
    found = [Maps(of_globals.tokens, of_globals.valid, cut, native=False)]
    return found + [Maps(x.tokens, x.valid, plan.local_cuts, native) for x in of_locals]


def _at(these: slots.Slots, offset) -> tuple:
    offset = jnp.zeros((len(these.tokens), 2), jnp.int32) if offset is None else offset
    return these.tokens, these.valid, these.sensor, offset


def _together(function, first, second):
    """The function of two lots of views, in one run where their shapes agree; of the first alone where there is no second."""
    if second is None:
        return function(*first), None
    if any(a.shape[1:] != b.shape[1:] for a, b in zip(first, second, strict=True)):
        return function(*first), function(*second)
    both = function(*(jnp.concatenate(pair) for pair in zip(first, second, strict=True)))
    split = len(first[0])
    return jax.tree.map(lambda x: x[:split], both), jax.tree.map(lambda x: x[split:], both)
