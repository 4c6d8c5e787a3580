"""Large sets of tiles: images and labels are both read when they are asked for, as all labels may not fit into memory."""

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spectral_jax.ingest.packing import Packing
from spectral_jax.ingest.raster import geotiff
from spectral_jax.ingest.raster.grid import check_same_grid
from spectral_jax.tasks import classes, order
from spectral_jax.tasks.readers import rasters
from spectral_jax.tasks.readers.pairs import Pair
from spectral_jax.tasks.samples import Channel, FileSequence, Georeference, TaskData, all_or_none
from spectral_jax.tasks.spec import ChannelGroup, TaskSpec


def read_tiles(spec: TaskSpec, found: Sequence[Pair], folder: Path, notes: tuple[str, ...] = ()) -> TaskData:
    """Samples with a raster for each date of the task's one group of channels, and a label raster with class codes.

    Grids and channels of all files are compared now, their numbers are not read, but for the labels up to the first that holds
    a class. A code outside the class list raises when its label is read.

    Raises:
      ValueError: grids or numbers of bands differ, or all pixels of all labels are ignored.
    """
    places: list[Georeference | None] = []
    channels: tuple[Channel, ...] = ()
    ordered = []
    for pair in found:
        with geotiff.opened(pair.label) as label:
            own, packed = _channels(spec, pair, label)
            places.append(rasters.place(label))
        channels = channels or own
        ordered.append((pair, order.to_first(own, channels, pair.images[0], found[0].images[0]), packed))
    labels = FileSequence(tuple(found), functools.partial(_label, spec=spec))
    classes.refuse_all_ignored(labels, spec, folder)
    return TaskData(
        task=spec,
        images=FileSequence(tuple(ordered), functools.partial(_image, group=spec.channels[0], part=0)),
        valid=FileSequence(tuple(ordered), functools.partial(_image, group=spec.channels[0], part=1)),
        labels=labels,
        channels=channels,
        names=tuple(pair.name for pair in found),
        scene=tuple(pair.scene or pair.name for pair in found),
        block=tuple(pair.block or pair.name for pair in found),
        split=tuple(pair.split for pair in found),
        georeference=all_or_none(places),
        notes=notes,
    )


def _channels(spec: TaskSpec, pair: Pair, label) -> tuple[tuple[Channel, ...], tuple[tuple[Packing, ...], ...]]:
    """All channels of a sample, and how each of its files is packed."""
    found: list[Channel] = []
    packed = []
    for date, path in enumerate(pair.images):
        with geotiff.opened(path) as image:
            check_same_grid(image, path, label, pair.label)
            found += [dataclasses.replace(c, date=date) for c in rasters.channels(image, path, spec.channels[0])]
            packed.append(rasters.packings(image, path, spec.channels[0]))
    return tuple(found), tuple(packed)


def _image(at: tuple[Pair, tuple[int, ...] | None, tuple], group: ChannelGroup, part: int) -> np.ndarray:
    """[H W C], all dates one after the other: numbers (part 0) or where they are data (part 1)."""
    pair, places, packed = at
    rows = []
    for path, own in zip(pair.images, packed, strict=True):
        with geotiff.opened(path) as image:
            rows.append(rasters.pixels(image, path, group=group, packed=own)[part])
    joined = np.concatenate(rows)
    return (joined if places is None else joined[list(places)]).transpose(1, 2, 0)


def _label(pair: Pair, spec: TaskSpec) -> np.ndarray:
    with geotiff.opened(pair.label) as label:
        numbers, valid = rasters.pixels(label, pair.label)
        classes.refuse_class_as_nodata(label.nodata, spec, pair.label)
    return classes.class_index(classes.one_band(numbers, spec, pair.label), spec, pair.label, ~valid[0])
