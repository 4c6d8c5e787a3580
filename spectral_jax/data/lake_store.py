"""The simulated lake as an ordinary store: many places with irregular dates, for pretraining where few real spectra exist."""

import os
import shutil
from pathlib import Path

import numpy as np

from spectral_jax.data import lake, store, water_correction, water_rrs
from spectral_jax.sensors import SensorSpec

GAP_DAYS = (1, 12)  # between dates: clouds and orbits leave gaps
TRUTH = ("mean log10 chlorophyll, ug/L",)
_AT_ONCE = 64  # places
_FIRST = 11000.0  # days since 2000-01-01: 2030, no year of an observation


def write_lake_store(
    path: str | os.PathLike,
    spec: SensorSpec,
    *,
    key: str = "PACE",
    footprint_m: float,
    locations: int,
    dates: int,
    seed: int,
    group: str = "lake",
) -> None:
    """Writes a simulated store with one group.

    Args:
      path: a folder that does not exist yet; what stands there afterwards is whole.
      spec: an optical sensor; all its bands are stored, those of its bad intervals too.
      key: of the sensor in the store.
      footprint_m: side of the patches, metres, a multiple of the sensor's pixel.
      locations: independent places.
      dates: of each; one in twenty is invalid.
      seed: of everything.
      group: name of the group.

    Raises:
      FileExistsError: there is something at `path` already.
      ValueError: the sensor cannot see this water, or the footprint does not fit.
    """
    path = Path(path)
    if path.exists():
        raise FileExistsError(f"simulated lake: expected nothing at {path}, and it exists; remove it or take another place.")
    whole = water_rrs.check(water_rrs.every_band(spec))
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial-{os.getpid()}")
    provenance = {"made_by": "spectral_jax.data.lake_store", "seed": seed, "note": "simulated, no observation"}
    try:
        made = store.create(
            partial, [store.GroupLayout(group, {key: spec}, locations, dates)], footprint_m=footprint_m, simulated=True,
            truth_names=TRUTH, provenance=provenance,
        )  # fmt: skip
        for first in range(0, locations, _AT_ONCE):
            _write(made.groups[group], key, whole, seed, footprint_m, range(first, min(first + _AT_ONCE, locations)))
        partial.rename(path)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _write(group, key: str, spec: SensorSpec, seed: int, footprint_m: float, rows: range) -> None:
    rng = np.random.default_rng([seed, rows.start])
    n, side = len(rows), round(footprint_m / spec.gsd_m)
    gaps = rng.integers(GAP_DAYS[0], GAP_DAYS[1] + 1, (n, group.dates))
    # A place's first date lies anywhere in the warm season.
    days = rng.uniform(112.0, 290.0, (n, 1)) + np.cumsum(gaps, axis=1)
    found = lake.concentrations(rng, n, days, side)
    rrs = lake.seen(rng, lake.water_of(rng, found), spec, one_scene_a_date=False)
    stored = np.ascontiguousarray(np.moveaxis(water_correction.pack(rrs, spec), -1, 2))
    valid = rng.random((n, group.dates)) > 0.05
    group.write_block(rows.start, key, stored, valid, _FIRST + days)
    truth = np.log10(found["chlorophyll_ug_l"]).mean(axis=(1, 2, 3))[:, None].astype(np.float32)
    box = np.array([footprint_m, 0.0, 0.0, 0.0, -footprint_m, 4.62e6])
    places = np.tile(box, (n, 1))
    places[:, 2] = 3e5 + footprint_m * np.arange(rows.start, rows.stop)
    ids = [f"simulated-lake-{seed}-{i:06d}" for i in rows]
    group.write_locations(rows.start, ids, np.tile([-83.3, 41.7], (n, 1)), np.full(n, 32617, np.int32), places, truth)
