"""What the views of a step show: every sensor's pictures, cut and changed as the plan says."""

import typing

import jax
import jax.numpy as jnp
import numpy as np

from spectral_jax.batch import Batch, SensorData, decode
from spectral_jax.config import Config
from spectral_jax.model.layers import one_by_one
from spectral_jax.objective import views
from spectral_jax.objective.strata import rows_of, strata


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


def show(batch: Batch, key: jax.Array, cfg: Config, numbers: jax.Array | None = None) -> tuple[Seen, views.Plan]:
    """Draws the views of a step and cuts them.

    Args:
      batch: of B locations: all of them, or some.
      key: random key of the plan, the same for all locations of a step.
      cfg: the run.
      numbers: int32 [B], of the locations in the global batch; None: these are all.
    """
    plan = views.draw_plan(key, tuple(batch.sensors), jnp.arange(batch.size) if numbers is None else numbers, cfg)
    decoded, other = _decoded(batch.sensors, cfg), None if batch.other is None else _decoded(batch.other, cfg)
    return make(decoded, plan, cfg, other), plan


def _decoded(sensors: dict[str, SensorData], cfg: Config) -> dict[str, tuple]:
    return {key: decode(data, cfg.sensor(key).spec) for key, data in sensors.items()}


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
    local_rows = rows_of(strata(tuple(decoded), cfg))
    native = cfg.views.local_mode == "native"
    for i, key in enumerate(decoded):
        dates = (decoded[key],) if other is None else (decoded[key], other[key])

        def resized(cut, date, dates=dates, i=i):
            out, seen = views.resized(*_at_date(dates, date), cut, i)
            return out.astype(dtype), seen

        def cropped(cut, date, dates=dates, i=i, key=key):
            out, seen = views.native(*_at_date(dates, date), cut, i, cfg, cfg.token_px(key))
            return out.astype(dtype), seen

        shown = (plan.global_cuts, jnp.asarray(alternating(cfg.views.global_views)))
        globals_[key] = Pictures(*one_by_one(resized, shown, again=False))
        if i in local_rows:
            cuts = jax.tree.map(lambda leaf, rows=local_rows[i]: leaf[rows], plan.local_cuts)
            shown = (cuts, jnp.asarray(alternating(len(local_rows[i]))))
            locals_[key] = Pictures(*one_by_one(cropped if native else resized, shown, again=False))
    return Seen(globals_, locals_, views.native_offset(plan.local_cuts, cfg) if native else None)


def alternating(count: int) -> np.ndarray:
    """0, 1, 0, 1 ..., int32 [count]: which of two dates each view shows."""
    return np.arange(count, dtype=np.int32) % 2


def _at_date(dates: tuple[tuple, ...], date: jax.Array) -> tuple:
    """Pixels and validity at a date, of one or two."""
    if len(dates) == 1:
        return dates[0]
    return jax.tree.map(lambda first, second: jnp.where(date == 0, first, second), *dates)
