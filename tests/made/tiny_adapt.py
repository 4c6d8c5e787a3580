"""A tiny labelled hyperspectral task in memory, and encoders of toy size, for the tests of adaptations."""

import dataclasses

import numpy as np
from made.tiny_tasks import square

from spectral_jax.adapt.protocols import TERRAMIND_STUDY
from spectral_jax.adapt.settings import AdaptData, Comparison, Size
from spectral_jax.sensors import SensorSpec
from spectral_jax.tasks.samples import Channel, TaskData
from spectral_jax.tasks.spec import ChannelGroup, TaskSpec

PX = 8
SPEC = TaskSpec(
    name="tiny",
    title="two classes that differ in the near infrared",
    kind="segmentation",
    channels=(ChannelGroup("enmap_l2a", unit="reflectance * 1e4"),),
    codes=((1,), (2,)),
    class_names=("dark", "bright"),
    layout="geotiff_pairs",
)
# Trains in a second or two; the learning rate is that of random initialisation.
PROTOCOL = dataclasses.replace(
    TERRAMIND_STUDY, head="multitap", head_width=8, learning_rate=3e-3, epochs=12, batch=4, patience=12, weight_decay=0.0
)
SIZE = Size(width=12, depth=1, heads=1, patch=2, px=PX)


def segmentation(tiles=8, seed=0, **changes) -> TaskData:
    """EnMAP tiles of 8 x 8 pixels, 2 km apart: the left or the right side is bright beyond 700 nm."""
    rng = np.random.default_rng(seed)
    bands = SensorSpec.load("enmap_l2a").used
    labels = np.zeros((tiles, PX, PX), np.int16)
    for i in range(tiles):
        labels[i, :, : PX // 2] = i % 2
        labels[i, :, PX // 2 :] = 1 - i % 2
    infrared = np.array([b.centre_nm > 700 for b in bands])
    clean = 500 + 2500 * labels[..., None] * infrared
    images = (clean + rng.normal(0, 100, clean.shape)).astype(np.int16)
    fields = dict(
        task=SPEC,
        images=images,
        valid=np.ones(images.shape, bool),
        labels=labels,
        channels=tuple(Channel(b.name, "enmap_l2a", b.centre_nm, b.fwhm_nm, "reflectance * 1e4") for b in bands),
        names=tuple(f"tile {i}" for i in range(tiles)),
        scene=tuple(f"scene {i}" for i in range(tiles)),
        block=tuple(f"block {i}" for i in range(tiles)),
        split=("",) * tiles,
        georeference=tuple(square(500_000 + 2000 * i, 5_800_000, side=240.0, px=PX) for i in range(tiles)),
        simulated=True,
    )
    return TaskData(**(fields | changes))


def run(rows=("terramind/srf", "dofa/none"), **changes) -> Comparison:
    """A comparison of two rows on two seeds."""
    fields = dict(
        name="tiny",
        data=AdaptData(block_m=1000.0, fractions=(0.5, 0.25, 0.25)),
        rows=rows,
        size=SIZE,
        protocol=PROTOCOL,
        seeds=2,
    )
    return Comparison(**(fields | changes))


def with_bands(data: TaskData, low_nm: float, high_nm: float) -> TaskData:
    """The channels with centres between two wavelengths alone."""
    bands = [i for i, c in enumerate(data.channels) if low_nm < c.centre_nm < high_nm]
    pixels = {k: getattr(data, k)[..., bands] for k in ("images", "valid")}
    return dataclasses.replace(data, channels=tuple(data.channels[i] for i in bands), **pixels)
