"""Whether a group of a store holds what a config expects, and where the bands lie."""

import dataclasses

from spectral_jax.config import Config
from spectral_jax.sensors import SensorSpec, differences


def check_sensors(store, group, cfg: Config) -> dict[str, tuple[int, ...]]:
    """Positions of the used bands in the stored arrays, for the config's sensors that the group has, in the config's order.

    Raises:
      ValueError: a sensor of the store differs from the config's; the sentence names both and every difference.
    """
    out = {}
    for sensor in cfg.sensors:
        if sensor.key not in group.sensors:
            continue
        found = group.sensors[sensor.key]
        positions = band_positions(sensor.spec, found)
        if positions is None:
            raise ValueError(
                f"store {store.path}, group {group.name}, sensor {sensor.key}: the config expects {sensor.spec.name} "
                f"({sensor.spec.digest}) and the store holds {found.name} ({found.digest}), which differ in "
                f"{'; '.join(differences(sensor.spec, found))}. Use the spec the store was built with, or build it again."
            )
        out[sensor.key] = positions
    return out


def band_positions(expected: SensorSpec, found: SensorSpec) -> tuple[int, ...] | None:
    """Positions in the stored bands of the bands that `expected` uses; None when the two differ.

    The store may hold all bands or only the used ones: its bands are compared after its own bad intervals, or those of
    `expected`, are removed.
    """
    reduced = None
    if expected.bad_intervals_nm != found.bad_intervals_nm:
        try:
            reduced = dataclasses.replace(found, bad_intervals_nm=expected.bad_intervals_nm, mean=(), std=())
        except ValueError:  # the expected intervals remove every stored band
            reduced = None
    for candidate in (found, reduced):
        if candidate is not None and not differences(expected, candidate):
            return candidate.used_index
    return None
