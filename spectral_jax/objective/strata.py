"""Which sensors the local views of a step may show, decided when the step is built, so that every shape in it is static.

The published draw lets every local view show any candidate (a sensor that some global view shows and that may be shown
locally), each as likely. A program for that holds every sensor's branch for every view. Here local views are parted into
strata, each of one sensor where there are enough views, and each view counts in the objective with a weight that makes up for
how many views its stratum was given: the expectation of every sum over local views is that of the published draw.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from spectral_jax.config import Config, SensorInput


@dataclasses.dataclass(frozen=True)
class Stratum:
    """Local views that are drawn from the same sensors.

    Attributes:
      sensors: positions among the sensors of the batch.
      views: how many local views there are.
    """

    sensors: tuple[int, ...]
    views: int


def strata(keys: tuple[str, ...], cfg: Config) -> tuple[Stratum, ...]:
    """The strata of a batch's local views.

    With as many views as sensors or more, each sensor has its own, as equal as whole numbers allow, and the sensors that cost
    least have one more. With fewer views those that cost least share one: what is computed of all of them is their tokens.

    Args:
      keys: the sensors of the batch, in order.
      cfg: the run; with `views.draw` "independent" there is one stratum of all sensors.

    Raises:
      ValueError: local views are wanted and the batch has no sensor for them.
    """
    views = cfg.views.local_views
    if not views:
        return ()
    allowed = [i for i, key in enumerate(keys) if cfg.sensor(key).local_views]
    if not allowed:
        raise ValueError(
            f"views: {views} local views are asked for, and none of the sensors {', '.join(keys)} may be shown in "
            "one (radar and temperature never are); set views.local_views to 0 or add an optical sensor."
        )
    if cfg.views.draw == "independent":
        return (Stratum(tuple(allowed), views),)
    cost = {i: _tokens_a_cell(cfg.sensor(keys[i]), cfg) for i in allowed}
    parts: list[tuple[int, ...]] = [(i,) for i in allowed]
    while len(parts) > views:
        first, second = sorted(parts, key=lambda part: sum(cost[i] for i in part))[:2]
        parts = [part for part in parts if part not in (first, second)] + [tuple(sorted(first + second))]
    parts.sort()
    more = sorted(parts, key=lambda part: sum(cost[i] for i in part))[: views % len(parts)]
    return tuple(Stratum(part, views // len(parts) + (part in more)) for part in parts)


def views_of(parts: tuple[Stratum, ...]) -> list[np.ndarray]:
    """The numbers of the local views of every stratum: those of one follow those of the one before."""
    ends = np.cumsum([part.views for part in parts], dtype=int)
    return [np.arange(end - part.views, end) for part, end in zip(parts, ends, strict=True)]


def rows_of(parts: tuple[Stratum, ...]) -> dict[int, np.ndarray]:
    """Position of a sensor -> numbers of the local views that may show it."""
    return {i: rows for part, rows in zip(parts, views_of(parts), strict=True) for i in part.sensors}


def _tokens_a_cell(sensor: SensorInput, cfg: Config) -> int:
    stem = round(cfg.model.token_gsd_m / max(cfg.model.stem_gsd_m, sensor.spec.gsd_m)) ** 2
    groups = {"linear": 1, "grouped": sensor.spec.groups, "wavelength": len(cfg.model.wavelength_edges_nm) + 1, "stem": stem}
    return groups[sensor.tokenizer]


def draw_local(key: jax.Array, parts: tuple[Stratum, ...], candidates: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The sensor of each local view, and what the view counts.

    Args:
      key: random key.
      parts: of `strata`, whose views are those of `views_of`. Which view of a step shows what is not drawn: their
        crops are drawn alike, so another order would be the same draw.
      candidates: bool [S], the sensors that may be shown; at least one.

    Returns:
      int32 [L] and float32 [L]. A view's weight is L times the share of the candidates that its stratum holds, divided by the
      stratum's views: 0 where the stratum holds none, and the weights of a step add up to L.
    """
    member = np.zeros((sum(part.views for part in parts), candidates.shape[0]), bool)
    views = np.concatenate([np.full(part.views, part.views, np.float32) for part in parts])
    for part, rows in zip(parts, views_of(parts), strict=True):
        member[rows[:, None], list(part.sensors)] = True
    draw = jax.random.uniform(key, member.shape)
    open_to = jnp.asarray(member) & candidates[None]
    sensor = jnp.argmax(jnp.where(open_to, draw, jnp.where(jnp.asarray(member), -1.0, -2.0)), axis=-1).astype(jnp.int32)
    share = open_to.sum(axis=-1, dtype=jnp.float32) / candidates.sum(dtype=jnp.float32)
    return sensor, share * np.float32(len(member)) / jnp.asarray(views)
