"""The abstract batch of a group: which sensors, shapes and stored types the loader would make of it, without a store."""

import dataclasses

import jax
import jax.numpy as jnp

from spectral_jax.batch import Batch, SensorData
from spectral_jax.config import Config
from spectral_jax.data.loader_checks import check_sensors
from spectral_jax.sensors import SensorSpec
from spectral_jax.sentences import unknown
from spectral_jax.simulate.scenes.groups import GROUPS

ALL = "all"  # a group of a store that holds every sensor of the config


@dataclasses.dataclass(frozen=True)
class _Group:
    """What `check_sensors` looks at of a group."""

    name: str
    sensors: dict[str, SensorSpec]


def known(cfg: Config) -> list[str]:
    """Groups of the archive that hold a sensor of the config; `ALL` alone where there are none."""
    keys = {sensor.key for sensor in cfg.sensors}
    return [name for name, members in GROUPS.items() if keys & set(members)] or [ALL]


def sensors(cfg: Config, group: str) -> dict[str, tuple[int, ...]]:
    """Keys of the config's sensors that a group has, in the loader's order, with the positions of their used bands.

    Args:
      cfg: the run.
      group: a name of the archive SpectralEarth-MM, or "all": every sensor of the config.

    Raises:
      ValueError: no group has the name, or the group has no sensor of the config.
    """
    specs = {sensor.key: sensor.spec for sensor in cfg.sensors}
    if group not in (*GROUPS, ALL):
        raise unknown("--group", "group", group, [*GROUPS, ALL], most=len(GROUPS) + 1)
    members = GROUPS.get(group, tuple(specs))
    held = {key: specs[key] for key in members if key in specs}
    if not held:
        others = [name for name in known(cfg) if name != ALL]
        raise ValueError(
            f"--group: {group} holds {', '.join(members)}, and the config has {', '.join(specs)}; take {ALL}, every sensor of "
            f"the config together{', or one of ' + ', '.join(others) if others else ''}."
        )
    return check_sensors(None, _Group(group, held), cfg)


def abstract(cfg: Config, group: str, sharding) -> Batch:
    """Shapes, types and shardings of the batches [B ...] of a group, B being `data.batch_size`.

    Args:
      cfg: the run.
      group: as in `sensors`.
      sharding: of every leaf, `partition.batch_sharding(mesh)`; None: none is noted.

    Raises:
      ValueError: as `sensors`.
    """
    size = cfg.data.batch_size

    def leaf(shape: tuple[int, ...], dtype) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((size, *shape), dtype, sharding=sharding)

    def seen() -> dict[str, SensorData]:
        out = {}
        for key, bands in sensors(cfg, group).items():
            side = cfg.patch_px(key)
            pixels = leaf((side, side, len(bands)), jnp.dtype(cfg.sensor(key).spec.dtype))
            out[key] = SensorData(pixels, leaf((), jnp.bool_), leaf((), jnp.float32))  # type: ignore[arg-type]
        return out

    later = seen() if cfg.data.lead_days is not None else None
    other = seen() if cfg.views.dates > 1 else None
    return Batch(seen(), leaf((), jnp.int32), leaf((), jnp.int32), later, other)  # type: ignore[arg-type]
