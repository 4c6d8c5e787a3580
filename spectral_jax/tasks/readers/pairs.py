"""Samples that are an image (one raster or several) and a label raster: the layout most published sets come down to."""

import dataclasses
import functools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spectral_jax.ingest.packing import Packing
from spectral_jax.ingest.raster import geotiff
from spectral_jax.ingest.raster.grid import check_same_grid
from spectral_jax.tasks import classes, order, targets
from spectral_jax.tasks.readers import rasters
from spectral_jax.tasks.samples import Channel, FileSequence, Georeference, TaskData, all_or_none
from spectral_jax.tasks.spec import SPLITS, ChannelGroup, TaskSpec


@dataclasses.dataclass(frozen=True)
class Pair:
    """Files of one sample.

    Attributes:
      name: of the sample.
      images: rasters whose bands are the sample's channels, one after the other.
      label: the label raster.
      split: published split, or an empty string.
      scene: acquisition; empty: from the task's pattern, a tag for the time, or the sample's name.
      block: location; empty: the sample's name.
      subtract: taken from the numbers of each image raster.
      missing: numbers that mean "no data" in each image raster.
      coarser: True where rasters may have larger pixels than the labels; they are repeated.
    """

    name: str
    images: tuple[Path, ...]
    label: Path
    split: str = ""
    scene: str = ""
    block: str = ""
    subtract: tuple[float, ...] = ()
    missing: tuple[tuple[float, ...], ...] = ()
    coarser: bool = False


def folder_pairs(spec: TaskSpec, folder: Path, parts: Sequence[str]) -> list[Pair]:
    """Pairs of two folders whose files have one name up to the ending (layout `geotiff_pairs`).

    Options: `images`, `labels` (folders), `image_ending`, `label_ending`.
    """
    del parts  # the files are in no published split
    return pairs_in(spec, folder / spec.option("images"), folder / spec.option("labels"), "")


def pairs_in(spec: TaskSpec, images: Path, labels: Path, split: str) -> list[Pair]:
    """Pairs of the images in one folder and the labels in another, by name.

    Raises:
      FileNotFoundError: a folder, all images, or a label are missing.
    """
    ending, label_ending = spec.option("image_ending", ".tif"), spec.option("label_ending", ".tif")
    found = sorted(p for p in rasters.existing(images, spec, "a folder of images").iterdir() if p.name.endswith(ending))
    if not found:
        raise FileNotFoundError(f"task {spec.name}: expected images that end in {ending} in {images}, and there is none.")
    rasters.existing(labels, spec, "a folder of label rasters")
    stems = [p.name.removesuffix(ending) for p in found]
    wanted = [rasters.existing(labels / f"{stem}{label_ending}", spec, "the label raster of an image") for stem in stems]
    return [Pair(stem, (image,), label, split) for stem, image, label in zip(stems, found, wanted, strict=True)]


def listed_pairs(spec: TaskSpec, folder: Path, parts: Sequence[str]) -> list[Pair]:
    """Pairs that split lists name, `LLLLLLL/SSSSS.tif` a line (layout `split_lists`).

    Options: `images`, `labels` (folders), `splits` (folder with train.txt, val.txt, test.txt). The first part of a name is read
    as the location and the second as the scene, which the publishers do not state (inferred: many tiles share the second).

    Raises:
      FileNotFoundError: a list, an image or a label is missing.
      ValueError: a tile is listed twice.
    """
    return [
        Pair(name, (image,), label, split, scene=Path(name).stem, block=Path(name).parent.name)
        for name, split, image, label in listed(spec, folder, parts, "tile", "tiles")
    ]


def listed(spec: TaskSpec, folder: Path, parts: Sequence[str], what: str, several: str) -> list[tuple[str, str, Path, Path]]:
    """(name, split, image, label) of each line of the split lists; options as of `listed_pairs`.

    Args:
      spec: the task.
      folder: of its files.
      parts: splits to read.
      what: what a line names, for the sentences.
      several: its plural.

    Raises:
      FileNotFoundError: a list, an image or a label is missing.
      ValueError: a name is listed twice.
    """
    out: dict[str, tuple[str, str, Path, Path]] = {}
    for split in parts:
        path = rasters.existing(folder / spec.option("splits") / f"{split}.txt", spec, f"the list of {split} {several}")
        for name in (line.strip() for line in path.read_text().splitlines()):
            if not name:
                continue
            if name in out:
                raise ValueError(
                    f"{path}: {what} {name} is listed in {out[name][1]} already; a {what} stands in one split, once. Correct "
                    "the lists."
                )
            image = rasters.existing(folder / spec.option("images") / name, spec, f"a {what} of {path.name}")
            label = rasters.existing(folder / spec.option("labels") / name, spec, f"the labels of a {what} of {path.name}")
            out[name] = (name, split, image, label)
    return list(out.values())


def read_pairs(spec: TaskSpec, pairs: Sequence[Pair], folder: Path, notes: tuple[str, ...] = ()) -> TaskData:
    """Labels are read and compared with their images now, images when they are asked for.

    Raises:
      ValueError: grids differ, a code is outside the class list, all pixels are ignored, or images have other channels than the
        first one.
    """
    missing = tuple(float(x) for x in spec.option("missing", ()))
    labels, scenes = [], []
    places: list[Georeference | None] = []
    first: tuple[Channel, ...] = ()
    units: tuple[str, ...] = ()
    ordered = []
    for pair in pairs:
        seen = _looked_at(spec, pair)
        first, units = first or seen.channels, units or seen.units
        targets.check_alike(seen.units, pair.label, units, pairs[0].label)
        ordered.append((pair, order.to_first(seen.channels, first, pair.images[0], pairs[0].images[0]), seen.packed))
        labels.append(seen.label)
        places.append(seen.place)
        scenes.append(pair.scene or seen.scene or pair.name)
    if spec.kind.is_map:
        classes.refuse_all_ignored(labels, spec, folder)
    sizes = {label.shape for label in labels}
    read = functools.partial(_read, missing=missing, groups=spec.channels)
    return TaskData(
        task=spec,
        images=FileSequence(tuple(ordered), functools.partial(read, part=0)),
        valid=FileSequence(tuple(ordered), functools.partial(read, part=1)),
        labels=np.stack(labels) if len(sizes) == 1 else tuple(labels),
        channels=first,
        names=tuple(p.name for p in pairs),
        scene=tuple(scenes),
        block=tuple(p.block or p.name for p in pairs),
        split=tuple(p.split for p in pairs),
        georeference=all_or_none(places),
        notes=notes,
    )


class _Seen(NamedTuple):
    """What is known of a pair before its images are read; `units` are of the targets of a regression."""

    channels: tuple[Channel, ...]
    place: Georeference | None
    label: np.ndarray
    scene: str
    packed: tuple[tuple[Packing, ...], ...]
    units: tuple[str, ...] = ()


def _looked_at(spec: TaskSpec, pair: Pair) -> _Seen:
    groups = spec.channels if len(spec.channels) == len(pair.images) else ()
    found: list[Channel] = []
    packed = []
    seen = ""
    with geotiff.opened(pair.label) as label:
        for i, path in enumerate(pair.images):
            with geotiff.opened(path) as image:
                check_same_grid(image, path, label, pair.label, pair.coarser)
                group = groups[i] if groups else spec.channels[0]
                packed.append(rasters.packings(image, path, group if groups else dataclasses.replace(group, count=1)))
                if groups:
                    found += rasters.channels(image, path, group)
                seen = seen or {k.lower(): v for k, v in image.tags().items()}.get("start_time", "")
        where = rasters.place(label)
        numbers, valid = rasters.pixels(label, pair.label)
        if spec.kind.has_codes:
            classes.refuse_class_as_nodata(label.nodata, spec, pair.label)
        units = tuple(label.units)
    if not groups:
        found = _one_file_a_band(spec, pair)
    pattern = re.search(spec.option("scene", ""), pair.name)
    seen = (pattern.group(0) if pattern else "") or seen
    if spec.kind.has_codes:
        index = classes.class_index(classes.one_band(numbers, spec, pair.label), spec, pair.label, ~valid[0])
        told = index if spec.kind.is_map else np.isin(np.arange(spec.classes), index)
        return _Seen(tuple(found), where, told, seen, tuple(packed))
    if len(numbers) != len(spec.targets):
        raise ValueError(
            f"{pair.label}: expected a band for each of the targets {', '.join(spec.targets)}, got {len(numbers)}; correct "
            f"targets.names of {spec.path or spec.name}."
        )
    told = np.where(valid, numbers, np.nan).astype(np.float32).transpose(1, 2, 0)
    own = targets.units_of(units[: len(numbers)], spec, pair.label)
    return _Seen(tuple(found), where, told, seen, tuple(packed), own)


def _one_file_a_band(spec: TaskSpec, pair: Pair) -> list[Channel]:
    group = spec.channels[0]
    if group.count != len(pair.images):
        raise ValueError(
            f"{pair.label}: expected {group.count} rasters, one a band of {group.sensor}, got {len(pair.images)} (the first is "
            f"{pair.images[0] if pair.images else 'missing'}); fetch the sample again."
        )
    return list(rasters.known_channels(group, group.count))


def _read(
    at: tuple[Pair, tuple[int, ...] | None, tuple], missing: tuple[float, ...], groups: tuple[ChannelGroup, ...], part: int
) -> np.ndarray:
    """[H W C]: numbers (part 0) or where they are data (part 1), in the order of the task's channels."""
    pair, places, packed = at
    rows = []
    for i, path in enumerate(pair.images):
        with geotiff.opened(path) as image:
            gaps = (*missing, *(pair.missing[i] if pair.missing else ()))
            group = groups[i] if len(groups) == len(pair.images) else dataclasses.replace(groups[0], count=1)
            less = pair.subtract[i] if pair.subtract else 0.0
            rows.append(rasters.pixels(image, path, gaps, less, group, packed[i])[part])
    height = max(row.shape[1] for row in rows)
    rows = [np.repeat(np.repeat(row, height // row.shape[1], 1), height // row.shape[1], 2) for row in rows]
    joined = np.concatenate([row if len({r.dtype for r in rows}) == 1 else row.astype(np.float32) for row in rows])
    return (joined if places is None else joined[list(places)]).transpose(1, 2, 0)


def split_names(parts: Sequence[str]) -> tuple[str, ...]:
    """The splits asked for.

    Raises:
      ValueError: one of them is none.
    """
    unknown = [part for part in parts if part not in SPLITS]
    if unknown or not parts:
        raise ValueError(f"parts: expected some of {', '.join(SPLITS)}, got {tuple(parts)}.")
    return tuple(parts)
