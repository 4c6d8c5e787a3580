"""A store with as many locations as SpectralEarth-MM: flags, times and places are simulated, and all shards are one another's.

What is read of it has the sizes and the places on disk of a real store; only the pixels repeat, shard by shard.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from spectral_jax.config import spectralearth_sensors
from spectral_jax.data import store, store_write
from spectral_jax.simulate.scenes.groups import GROUP_LOCATIONS, GROUPS

DATES = 4
VALID_SHARE = 2.2 / DATES  # 25 million patches of 2.06 million locations of 5.5 sensors are 2.2 dates of a sensor


def write(
    path: str | os.PathLike,
    locations: Mapping[str, int] = GROUP_LOCATIONS,
    footprint_m: float = 960.0,
    shard_bytes: int = 64 * 2**20,
    seed: int = 0,
) -> store.Store:
    """Writes the store; at the archive's size it takes a gigabyte and a minute or two.

    Args:
      path: a new folder.
      locations: of each group.
      footprint_m: side of the patches; the archive's are 3840 m, and a file of pixels here has 960 m of them.
      shard_bytes: as for `store.create`.
      seed: of flags, times and pixels.
    """
    rng = np.random.default_rng(seed)
    specs = {s.key: s.spec for s in spectralearth_sensors()}
    layouts = [
        store.GroupLayout(name, {key: specs[key] for key in GROUPS[name]}, count, DATES) for name, count in locations.items()
    ]
    made = store.create(
        path, layouts, footprint_m=footprint_m, simulated=True, shard_bytes=shard_bytes, provenance={"made_by": __name__}
    )
    shards: dict[tuple[str, int], Path] = {}  # of a sensor, by the locations that they hold
    for group in made.groups.values():
        for key, spec in group.sensors.items():
            each = group.shard_locations(key)
            chunks = Path(made.path, group.name, key, "c")
            if (key, each) not in shards:
                shape = (each, DATES, *group.pixels(key).shape[2:])
                pixels = rng.integers(0, 10_000, shape).astype(spec.dtype)
                group.write_block(0, key, pixels, np.ones(shape[:2], bool), np.full(shape[:2], 9000.0))
                shards[key, each] = chunks / "0"
            else:
                chunks.mkdir()
                (chunks / "0").symlink_to(shards[key, each])
            for number in range(1, -(-group.locations // each)):
                (chunks / str(number)).symlink_to(shards[key, each])
            valid = rng.random((group.locations, DATES)) < VALID_SHARE
            store_write.dates(group, 0, key, valid, rng.uniform(8000.0, 9800.0, valid.shape))
        n = group.locations
        square = np.tile([footprint_m, 0.0, 4e5, 0.0, -footprint_m, 5e6], (n, 1))
        ids = [f"{group.name}/{row}" for row in range(n)]
        group.write_locations(0, ids, rng.uniform(-60.0, 60.0, (n, 2)), np.full(n, 32633), square)
    return made
