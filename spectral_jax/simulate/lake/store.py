"""The simulated lake as an ordinary store: many places with irregular dates, for pretraining where few real spectra exist."""

import os
from pathlib import Path

import numpy as np

from spectral_jax.data import store
from spectral_jax.data.store_whole import written_whole
from spectral_jax.sensors import SensorSpec
from spectral_jax.simulate import place
from spectral_jax.simulate.lake import correction, season, state
from spectral_jax.simulate.lake.rrs import check as check_rrs
from spectral_jax.simulate.lake.rrs import every_band

# Means of log10 over a place's dates and pixels: chlorophyll and phycocyanin (ug/L), suspended matter (g/m3), absorption of
# dissolved matter at 440 nm (1/m). The first two have the names they have in the simulated scenes.
LAKE_PARAMETERS = ("water_chlorophyll_log10", "water_phycocyanin_log10", "water_suspended_log10", "water_cdom_log10")
GAP_DAYS = (1, 12)  # between dates: clouds and orbits leave gaps
_INVALID = 0.05  # share of the dates
_START = 10957.0  # days from 2000-01-01 to 2030-01-01: no year of an observation
_PIXELS_AT_ONCE = 2**15  # of all dates together; spectra of so many take some 100 MB


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
    """Writes a simulated store with one group; each location is a place in some lake of its own.

    It is written beside its place under a temporary name and renamed when complete, so what stands at `path` is whole.

    Args:
      path: a folder that does not exist yet.
      spec: an optical sensor; all its bands are stored, those of its bad intervals too.
      key: of the sensor in the store.
      footprint_m: side of the patches, metres, a whole number of the sensor's pixels.
      locations: how many.
      dates: of each, 1 to 12 days apart; one in twenty is invalid.
      seed: of everything.
      group: name of the group.

    Raises:
      FileExistsError: there is something at `path` already.
      OSError: the disk is full, or writing failed otherwise; nothing is left behind.
      ValueError: the sensor cannot see this water, or the footprint does not fit.
    """
    whole = check_rrs(every_band(spec))
    layout = store.GroupLayout(group, {key: spec}, locations, dates)
    pixels = max(1, dates * round(footprint_m / spec.gsd_m) ** 2)
    at_once = max(1, min(256, _PIXELS_AT_ONCE // pixels))
    provenance = {
        "made_by": "spectral_jax.simulate.lake.store",
        "seed": seed,
        "note": "simulated, no observation; sizes of the correction's errors set to overall numbers of PACE over Lake Erie",
    }
    with written_whole(Path(path), "simulated lake") as partial:
        # A block is a whole shard; a shard written twice would be compressed twice.
        made = store.create(
            partial, [layout], footprint_m=footprint_m, simulated=True, truth_names=LAKE_PARAMETERS, provenance=provenance,
            shard_bytes=at_once * pixels * len(spec.bands) * np.dtype(spec.dtype).itemsize,
        )  # fmt: skip
        for first in range(0, locations, at_once):
            _write(made.groups[group], key, whole, seed, footprint_m, range(first, min(first + at_once, locations)))


def _write(group, key: str, spec: SensorSpec, seed: int, footprint_m: float, rows: range) -> None:
    rng = np.random.default_rng([seed, rows.start])
    n, side = len(rows), round(footprint_m / spec.gsd_m)
    gaps = rng.integers(GAP_DAYS[0], GAP_DAYS[1] + 1, (n, group.dates))
    # The first date lies anywhere from late April on; a long series ends in autumn or goes on through another year.
    days = rng.uniform(105.0, 270.0, (n, 1)) + np.cumsum(gaps, axis=1)
    water = state.water_of(rng, state.independent(rng, days), days, side, one_lake=False)
    rrs = season.seen(rng, water, spec, one_scene_a_date=False)
    valid = rng.random((n, group.dates)) >= _INVALID
    if spec.nodata is not None:
        rrs[~valid] = np.nan
    stored = np.ascontiguousarray(np.moveaxis(correction.pack(rrs, spec), -1, 2))
    group.write_block(rows.start, key, stored, valid, _START + days)
    longitude, latitude = rng.uniform(-125.0, 140.0, n), rng.uniform(25.0, 60.0, n)
    squares = [place.square(x, y, footprint_m) for x, y in zip(longitude, latitude, strict=True)]
    held = (water.chlorophyll_ug_l, water.phycocyanin_ug_l, water.suspended_g_m3, water.cdom_a440_1_m)
    group.write_locations(
        rows.start,
        [f"simulated-{seed}-{group.name}-{i:06d}" for i in rows],
        np.stack([longitude, latitude], axis=1),
        np.array([epsg for epsg, _ in squares], np.int32),
        np.array([transform for _, transform in squares]),
        np.stack([np.log10(x).mean(axis=(1, 2, 3), dtype=float) for x in held], axis=1).astype(np.float32),
    )
