"""The simulated store: lakeside mosaics with known physics, seen by every sensor, written as an ordinary store.

A location has lasting properties (`scenes.site.Site`), a map of mixtures on a 10 m grid (`scenes.layout`), and a state on each
date. Every sensor looks at that one ground through its own bands, pixels, light and noise (`scenes.sensing`,
`scenes.radar_thermal`). Nothing here was measured: a store made by it says `simulated`, and nothing learned from it holds for
the Earth until it is tested there.
"""

import dataclasses
import os
from pathlib import Path

import numpy as np

from spectral_jax.config import Synthetic
from spectral_jax.data import store
from spectral_jax.data.store_whole import written_whole
from spectral_jax.sensors import SensorSpec
from spectral_jax.simulate.scenes import groups
from spectral_jax.simulate.scenes.groups import GROUP_LOCATIONS, GROUPS, group_sizes
from spectral_jax.simulate.scenes.layout import CLASSES, class_cover, resample, sampling_weights
from spectral_jax.simulate.scenes.location import GROUND_PARAMETERS, Location, simulate_location

__all__ = [
    "GROUND_PARAMETERS", "GROUPS", "GROUP_LOCATIONS", "Location", "ground_spectra", "group_sizes", "simulate_location",
    "write_store",
]  # fmt: skip
_SHARD_BYTES = 32 * 2**20  # of the largest sensor; a group is written block by block of so many pixels


def write_store(path: str | os.PathLike, cfg_synthetic: Synthetic, sensors: dict[str, SensorSpec], footprint_m: float) -> None:
    """Writes a simulated store.

    It is written beside its place under a temporary name and renamed when complete, so what stands at `path` is whole.

    Args:
      path: a folder that does not exist yet.
      cfg_synthetic: how many locations and dates, the seed, and which groups.
      sensors: key -> spec; keys of `GROUPS` that are not here are left out.
      footprint_m: side of the patches, metres.

    Raises:
      FileExistsError: there is something at `path` already.
      OSError: the disk is full, or writing failed otherwise; nothing is left behind.
      ValueError: an unknown group, too few locations, no sensor, or a footprint that does not fit.
    """
    provenance = {
        "made_by": "spectral_jax.simulate.scenes.store",
        "seed": cfg_synthetic.seed,
        "note": "simulated, no observation; published parameterisations, and EnMAP's correction of water fitted to one image",
    }
    layouts = groups.layouts(cfg_synthetic, sensors)
    with written_whole(Path(path), "simulated store") as partial:
        made = store.create(
            partial,
            layouts,
            footprint_m=footprint_m,
            simulated=True,
            truth_names=GROUND_PARAMETERS,
            provenance=provenance,
            shard_bytes=_SHARD_BYTES,
        )
        for layout in layouts:
            _write_group(made.groups[layout.name], layout, cfg_synthetic.seed, footprint_m)


def ground_spectra(key: str, spec: SensorSpec, count: int, seed: int = 0, footprint_m: float = 480.0) -> dict[str, np.ndarray]:
    """Pixels of an optical sensor as they occur in simulated scenes, by the class that covers most of the pixel.

    Args:
      key: sensor key.
      spec: its bands.
      count: pixels a class, at least; locations are simulated until all classes have as many.
      seed: of the scenes.
      footprint_m: side of a scene, metres.

    Returns:
      Class name of `scenes.layout.CLASSES` -> reflectance in the used bands [n C], `count` drawn at random.
    """
    found: dict[str, list[np.ndarray]] = {name: [] for name in CLASSES}
    rng, index = np.random.default_rng(seed), 0
    # A scene gives at most 1/40 of the sample, so that no single lake or field decides.
    share = max(1, count // 40)
    while min(sum(map(len, rows)) for rows in found.values()) < count:
        scene = simulate_location(seed, "ground_spectra", index, {key: spec}, footprint_m, dates=2)
        index += 1
        weights = sampling_weights(len(scene.ground), spec.gsd_m, 0.0)
        cover = class_cover(resample(scene.ground, weights, weights)).reshape(-1, len(found))
        for image in scene.pixels[key]:
            stored = image[list(spec.used_index)].reshape(len(spec.used_index), -1).T
            usable = (stored != spec.nodata).all(1)
            for number, rows in enumerate(found.values()):
                mine = np.flatnonzero(usable & (cover.argmax(1) == number))
                mine = rng.permutation(mine)[: (share + 1) // 2]
                rows.append(stored[mine] * spec.scale + spec.offset)
    return {name: rng.permutation(np.concatenate(rows))[:count] for name, rows in found.items()}


def _write_group(group, layout: store.GroupLayout, seed: int, footprint_m: float):
    # Blocks are whole shards of the largest array; a shard written twice would be read and compressed twice.
    block = max(1, min(group.shard_locations(key) for key in layout.sensors))
    for first in range(0, layout.locations, block):
        rows = range(first, min(first + block, layout.locations))
        scenes = [
            dataclasses.replace(
                simulate_location(seed, layout.name, i, layout.sensors, footprint_m, layout.dates), ground=np.zeros(0)
            )
            for i in rows
        ]
        for key in layout.sensors:
            group.write_block(
                first, key, *(np.stack([getattr(s, f)[key] for s in scenes]) for f in ("pixels", "valid", "times"))
            )
        group.write_locations(
            first,
            [f"simulated-{seed}-{layout.name}-{i:06d}" for i in rows],
            np.array([s.centre_lonlat for s in scenes]),
            np.array([s.epsg for s in scenes], np.int32),
            np.array([s.geotransform for s in scenes]),
            np.stack([s.truth for s in scenes]),
        )
