"""Tiny labelled samples for the tests of tasks: rasters on disk, and a task in memory."""

import dataclasses
from pathlib import Path

import numpy as np
from made.tiny_geotiffs import write_tif

from spectral_jax.tasks.samples import Channel, Georeference, TaskData
from spectral_jax.tasks.spec import ChannelGroup, TaskSpec

SPEC = TaskSpec(
    name="tiny",
    title="two classes",
    kind="segmentation",
    channels=(ChannelGroup("camera", count=3),),
    codes=((1,), (2,)),
    ignored=(0,),
    layout="geotiff_pairs",
    options=(("images", "images"), ("labels", "labels")),
    path="tiny.toml",
)


def with_options(spec: TaskSpec, **options) -> TaskSpec:
    return dataclasses.replace(spec, options=tuple((dict(spec.options) | options).items()))


def write_pair(image: Path, label: Path, codes, seed=0, bands=3, dtype=np.int16, **more):
    """An image of `bands` random bands and its label raster on one grid of 10 m; returns the pixels [C H W]."""
    codes = np.asarray(codes)
    pixels = np.random.default_rng(seed).integers(1, 5000, (bands, *codes.shape)).astype(dtype)
    grid = {k: more.pop(k) for k in ("left", "top", "crs", "transform") if k in more}
    write_tif(image, pixels, 10.0, **grid, **more)
    write_tif(label, codes[None], 10.0, **grid)
    return pixels


def in_memory(labels, places=(), scene=None, block=None, split=None, **spec) -> TaskData:
    """A task of one-band images of zeros with these labels [N ...]."""
    labels = np.asarray(labels)
    count = len(labels)
    names = tuple(f"tile {i}" for i in range(count))
    images = np.zeros((count, 2, 2, 1), np.float32)
    return TaskData(
        task=dataclasses.replace(SPEC, **spec),
        images=images,
        valid=np.ones(images.shape, bool),
        labels=labels,
        channels=(Channel("1", "camera"),),
        names=names,
        scene=names if scene is None else tuple(scene),
        block=names if block is None else tuple(block),
        split=("",) * count if split is None else tuple(split),
        georeference=tuple(places),
    )


def square(left, bottom, side=100.0, epsg=32633, px=10):
    """The place of a square image of `px` rows and columns, metres."""
    pixel = side / px
    return Georeference((pixel, 0.0, float(left), 0.0, -pixel, float(bottom) + side), epsg, px, px)
