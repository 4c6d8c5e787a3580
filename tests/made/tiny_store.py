"""Tiny sensors, configs and stores for the tests of the data floor."""

import numpy as np

from spectral_jax.config import Config, Data, Model, SensorInput
from spectral_jax.data import store
from spectral_jax.sensors import Band, SensorSpec

FOOTPRINT_M = 480.0


def sensor(gsd_m: float, bands: int, dtype: str = "int16", nodata: float | None = -32768, **changes) -> SensorSpec:
    """Optical bands at 400, 420, ... nm."""
    table = tuple(Band(f"b{i}", 400.0 + 20.0 * i, 10.0) for i in range(bands))
    fields = dict(name=f"tiny{gsd_m:g}", kind="optical", quantity="reflectance", unit="1", gsd_m=gsd_m, dtype=dtype)
    return SensorSpec(**(fields | dict(bands=table, nodata=nodata) | changes))


# The third band of HY lies in a bad interval.
HY = sensor(30.0, 5, bad_intervals_nm=((435.0, 445.0),))
MS = sensor(60.0, 3, "uint16", 0)
TH = sensor(120.0, 1, "uint16", 0)
SENSORS = {"HY": HY, "MS": MS, "TH": TH}


def config(keys=("HY", "MS", "TH"), footprint_m: float = FOOTPRINT_M, specs=None, **data) -> Config:
    """A run on the tiny sensors; `data` are fields of `config.Data`."""
    specs = SENSORS | (specs or {})
    model = Model(footprint_m=footprint_m, token_gsd_m=120.0, mask_unit=1)
    fields = dict(batch_size=4, seed=7) | data
    return Config("tiny", tuple(SensorInput(key, specs[key]) for key in keys), model, Data(**fields))


def random_pixels(rng, shape, spec: SensorSpec) -> np.ndarray:
    """Numbers that are never nodata."""
    return rng.integers(1, 10_000, shape).astype(spec.dtype)


def build(path, sizes: dict[str, int], keys=None, dates: int = 3, valid_share: float = 0.6, footprint_m: float = FOOTPRINT_M,
          specs=None, seed: int = 0):  # fmt: skip
    """A store of random numbers, and what was written: (group, key) -> pixels, valid, times."""
    rng = np.random.default_rng(seed)
    specs = SENSORS | (specs or {})
    keys = keys or {name: tuple(specs) for name in sizes}
    layouts = [store.GroupLayout(name, {k: specs[k] for k in keys[name]}, n, dates) for name, n in sizes.items()]
    made = store.create(path, layouts, footprint_m=footprint_m, simulated=True, truth_names=("cover",), shard_bytes=60_000)
    written = {}
    for layout in layouts:
        n = layout.locations
        group = made.groups[layout.name]
        for key, spec in layout.sensors.items():
            side = round(footprint_m / spec.gsd_m)
            pixels = random_pixels(rng, (n, dates, len(spec.bands), side, side), spec)
            valid = rng.random((n, dates)) < valid_share
            valid[:, 0] |= not valid_share < 1.0
            times = rng.random((n, dates)) * 9000.0
            group.write_block(0, key, pixels, valid, times)
            written[layout.name, key] = pixels, valid, times
        truth = rng.random((n, 1))
        ids = [f"{layout.name}-place-{i}" for i in range(n)]
        group.write_locations(0, ids, rng.random((n, 2)), np.full(n, 32633), rng.random((n, 6)), truth)
    return made, written


def same(a, b) -> bool:
    """Whether two batches are equal in every leaf."""
    import jax

    return jax.tree.structure(a) == jax.tree.structure(b) and all(
        x.dtype == y.dtype and np.array_equal(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    )
