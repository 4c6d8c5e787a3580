"""A small simulated segmentation task: EnMAP scenes of known ground, labelled with the class that covers most of each pixel.

It lets everything run before any file is at hand. Its scores say how well simulated classes are told apart, and nothing about
the Earth; `TaskData.simulated` goes with it.
"""

import numpy as np

from spectral_jax.sensors import SensorSpec
from spectral_jax.simulate.scenes import layout, store
from spectral_jax.tasks.kinds import KINDS
from spectral_jax.tasks.samples import Channel, Georeference, TaskData
from spectral_jax.tasks.spec import ChannelGroup, TaskSpec

NAME = "simulated"
SENSOR = "enmap_l2a"


def spec() -> TaskSpec:
    """The task: classes of `scenes.layout.CLASSES` as EnMAP sees them."""
    return TaskSpec(
        name=NAME,
        title="simulated EnMAP scenes, and the class that covers most of each pixel",
        kind=KINDS["segmentation"],
        channels=(ChannelGroup(SENSOR, unit="reflectance * 1e4"),),
        codes=tuple((code,) for code in range(1, len(layout.CLASSES) + 1)),
        class_names=tuple(name.replace("_", " ") for name in layout.CLASSES),
        layout="geotiff_pairs",
    )


def simulate(tiles: int, footprint_m: float = 960.0, seed: int = 0) -> TaskData:
    """Scenes of places of their own, one date each.

    Args:
      tiles: how many; at least 3, one a part of a split.
      footprint_m: side of a tile, metres; a multiple of 30.
      seed: same seed, same tiles.

    Raises:
      ValueError: fewer than 3 tiles.
    """
    if tiles < 3:
        raise ValueError(f"data.tiles: expected at least 3 tiles, one for each part of a split, got {tiles}.")
    sensor, px = SensorSpec.load(SENSOR), round(footprint_m / 30.0)
    images, labels, places = [], [], []
    for index in range(tiles):
        scene = store.simulate_location(seed, "adapt", index, {"ENMAP": sensor}, footprint_m, dates=1)
        images.append(scene.pixels["ENMAP"][0][list(sensor.used_index)].transpose(1, 2, 0))
        weights = layout.sampling_weights(len(scene.ground), sensor.gsd_m, 0.0)
        cover = layout.class_cover(layout.resample(scene.ground, weights, weights))
        labels.append(cover.argmax(axis=-1).astype(np.int16))
        a, b, c, d, e, f = scene.geotransform
        places.append(Georeference((a / px, b / px, c, d / px, e / px, f), scene.epsg, px, px))
    names = tuple(f"scene {index}" for index in range(tiles))
    stack = np.stack(images)
    return TaskData(
        task=spec(),
        images=stack,
        valid=stack != sensor.nodata,
        labels=np.stack(labels),
        channels=tuple(
            Channel(band.name, SENSOR, float(centre), float(width), "reflectance * 1e4")
            for band, centre, width in zip(sensor.used, sensor.centre_nm, sensor.fwhm_nm, strict=True)
        ),
        names=names,
        scene=names,
        block=names,
        split=("",) * tiles,
        georeference=tuple(places),
        notes=("Simulated by spectral_jax.simulate.scenes; no instrument measured it.",),
        simulated=True,
    )
