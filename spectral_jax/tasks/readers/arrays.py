"""Tasks in containers of arrays, one a split: images and labels under names the task states, whatever the container is."""

import functools
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np

from spectral_jax.ingest import packing
from spectral_jax.ingest.raster import wavelengths
from spectral_jax.tasks import classes, order
from spectral_jax.tasks.readers import rasters
from spectral_jax.tasks.samples import Channel, FileSequence, TaskData
from spectral_jax.tasks.spec import ChannelGroup, TaskSpec

# From a path to its arrays by name. An array has a shape, takes a row number in brackets, and `np.asarray` reads it.
Opened = Callable[[Path], AbstractContextManager[Mapping]]


def labelled(spec: TaskSpec, folder: Path, parts: Sequence[str], ending: str, opened: Opened) -> TaskData:
    """`train`, `val` and `test` (those that exist) with images [N H W C] or [N C H W] and labels [N ...].

    Images are read when they are asked for, labels now. Options: `images`, `labels` (names of the arrays), `order` ("NHWC" or
    "NCHW"), and where the containers have them `wavelength`, `fwhm` (nm, [C]), `scene`, `block` (text or numbers [N], or text
    in UTF-8 as uint8 [N B], filled up with zeros); `missing` (numbers that mean "no data").

    Args:
      spec: the task.
      folder: with the containers.
      parts: splits to read.
      ending: of a container's name, after the split.
      opened: how a container is opened.

    Raises:
      FileNotFoundError: no container of the splits asked for.
      ValueError: an array is missing or of another length, or a code is outside the class list.
    """
    files = {part: folder / f"{part}{ending}" for part in parts if (folder / f"{part}{ending}").exists()}
    if not files:
        raise FileNotFoundError(
            f"task {spec.name}: expected {' or '.join(f'{p}{ending}' for p in parts)} in {folder}, and none is there."
        )
    labels, where, said, scenes, blocks, splits = [], [], [], [], [], []
    channels: tuple[Channel, ...] = ()
    places: tuple[int, ...] | None = None
    for part, path in files.items():
        with opened(path) as held:
            count = _images(held, path, spec).shape[0]
            own = _channels(held, path, spec)
            channels = channels or own
            places = order.to_first(own, channels, path, next(iter(files.values())))
            raw, there = _label_numbers(_array(held, path, spec.option("labels"), count), path, spec)
            names = [f"{part}_{i:05d}" for i in range(count)]
            scenes += _texts(held, path, spec, "scene", names)
            blocks += _texts(held, path, spec, "block", names)
        labels.append(_labels(raw, there, spec, path))
        where += [(path, i, places) for i in range(count)]
        said += names
        splits += [part] * count
    if spec.kind.is_map:
        classes.refuse_all_ignored([label for of_part in labels for label in of_part], spec, folder)
    read = functools.partial(
        _read,
        opened=opened,
        name=spec.option("images"),
        order=spec.option("order", "NHWC"),
        missing=(*map(float, spec.option("missing", ())), *rasters.own_fill(spec.channels[0])),
        group=spec.channels[0],
    )
    return TaskData(
        task=spec,
        images=FileSequence(tuple(where), functools.partial(read, part=0)),
        valid=FileSequence(tuple(where), functools.partial(read, part=1)),
        labels=np.concatenate(labels),
        channels=channels,
        names=tuple(said),
        scene=tuple(scenes),
        block=tuple(blocks),
        split=tuple(splits),
    )


def _label_numbers(array, path: Path, spec: TaskSpec) -> tuple[np.ndarray, np.ndarray]:
    """Labels, unpacked where their attributes state a packing, and where they are no missing value; alike in shape."""
    name = spec.option("labels")
    if np.dtype(array.dtype).kind not in "biuf":
        raise ValueError(f"{path}: expected numbers in {name!r}, got {array.dtype}; write codes or targets as numbers.")
    packed = packing.of_attributes(_attributes(array, path, name), f"{path}: {name!r}", array.dtype)
    if spec.kind.has_codes:
        for number in packed.missing:
            classes.refuse_class_as_nodata(number, spec, f"{path}: {name!r}")
    try:
        raw = np.asarray(array)
    except (OSError, RuntimeError) as error:
        raise ValueError(f"{path}: {name!r} cannot be read ({error}); the file is damaged: fetch it again.") from error
    return packing.unpacked(raw, packed)


def _labels(raw: np.ndarray, there: np.ndarray, spec: TaskSpec, path: Path) -> np.ndarray:
    if spec.kind.labels == "set" and spec.kind.of == "images":
        if raw.shape[1:] != (spec.classes,):
            raise ValueError(f"{path}: expected labels [N {spec.classes}], one column a class, got {list(raw.shape)}.")
        if not there.all() or not np.isin(raw, (0, 1)).all():
            raise ValueError(f"{path}: expected labels of 0 and 1, one column a class, and some are others; correct them.")
        return raw.astype(bool)
    if spec.codes:
        return classes.class_index(raw, spec, path, ~there)
    if len(spec.targets) == 1 and raw.ndim == (1 if spec.kind.of == "images" else 3):
        raw, there = raw[..., None], there[..., None]
    if raw.shape[-1:] != (len(spec.targets),):
        raise ValueError(
            f"{path}: expected labels that end in an axis of the {len(spec.targets)} targets {', '.join(spec.targets)}, got "
            f"{list(raw.shape)}; correct the file or targets.names."
        )
    return np.where(there, raw, np.nan).astype(np.float32)


def _array(held: Mapping, path: Path, name: str, count: int | None = None):
    array = _member(held, path, name)
    if count is not None and array.shape[:1] != (count,):
        rows = array.shape[0] if array.shape else 0
        raise ValueError(f"{path}: {name!r} has {rows} rows for {count} images; expected one for each.")
    return array


def _member(held: Mapping, path: Path, name: str):
    """An array of an open container; h5py's errors about a damaged one are of many types."""
    try:
        if name in held:
            return held[name]
        there = ", ".join(held) or "none"
    except (KeyError, RuntimeError, OSError, AttributeError) as error:
        raise ValueError(f"{path}: {name!r} cannot be opened ({error}); the file is damaged: fetch it again.") from error
    raise ValueError(f"{path}: expected the array {name!r}, and the file has {there}; correct [layout] of the task.")


def _channels(held: Mapping, path: Path, spec: TaskSpec) -> tuple[Channel, ...]:
    shape = _images(held, path, spec).shape
    count = shape[1] if spec.option("order", "NHWC") == "NCHW" else shape[-1]
    group = spec.channels[0]
    if group.count and group.count != count:
        raise ValueError(f"{path}: expected the {group.count} bands of {group.sensor} that the task states, got {count}.")
    if not spec.option("wavelength", ""):
        return rasters.known_channels(group, count)
    centre, unit = _lengths(held, path, spec.option("wavelength"), count)
    width, width_unit = np.full(count, np.nan), unit
    if spec.option("fwhm", ""):
        width, width_unit = _lengths(held, path, spec.option("fwhm"), count)
    nm = wavelengths.in_nm(
        [(float(c), unit) for c in centre], [(float(w), width_unit) for w in width], f"{path}: band", tuple(range(1, count + 1))
    )
    return tuple(
        Channel(f"{i + 1}", group.sensor, float(c), float(w), group.unit)
        for i, (c, w) in enumerate(zip(nm.centre_nm, nm.fwhm_nm, strict=True))
    )


def _lengths(held: Mapping, path: Path, name: str, count: int) -> tuple[np.ndarray, float | None]:
    """Lengths [C], and how many nanometres one of their unit is; None where the array does not state one."""
    array = _array(held, path, name, count)
    attributes = _attributes(array, path, name)
    unit = attributes.get("units", attributes.get("unit", ""))
    text = (unit.decode() if isinstance(unit, bytes) else str(unit)).strip().lower()
    if text not in (*wavelengths.UNSTATED, *wavelengths.UNITS_NM):
        raise ValueError(f"{path}: the unit of {name!r} is {text!r}, which is not known here; write it in nanometres.")
    values = np.asarray(array)
    if values.dtype.kind not in "iuf":
        raise ValueError(f"{path}: expected lengths in {name!r}, got {values.dtype}; write them as numbers, in nanometres.")
    return values.astype(np.float64), wavelengths.UNITS_NM.get(text)


def _texts(held: Mapping, path: Path, spec: TaskSpec, what: str, names: list[str]) -> list[str]:
    if not spec.option(what, ""):
        return names
    values = np.asarray(_array(held, path, spec.option(what), len(names)))
    if values.ndim == 2:
        return [bytes(row).rstrip(b"\0").decode() for row in values.astype(np.uint8)]
    return [v.decode() if isinstance(v, bytes) else str(v) for v in values]


def _read(
    at: tuple[Path, int, tuple[int, ...] | None],
    opened: Opened,
    name: str,
    order: str,
    missing: tuple[float, ...],
    group: ChannelGroup,
    part: int,
) -> np.ndarray:
    """[H W C]: numbers (part 0) or where they are data (part 1), in the order of the task's channels."""
    path, row, places = at
    with opened(path) as held:
        array = _member(held, path, name)
        packed = _packing(array, path, name, group)
        image = _row(array, row, path, name)
    image = image.transpose(1, 2, 0) if order == "NCHW" else image
    image = image if places is None else image[..., list(places)]
    values, good = packing.unpacked(image, packed, missing)
    if part == 1:
        return good
    if packed.plain:
        return values
    # Numbers packed as the task's unit says are in that unit as they stand.
    return image if (packed.scale, packed.offset) == rasters.scale_of(group) else rasters.in_unit(values, group)


def _packing(array, path: Path, name: str, group: ChannelGroup) -> packing.Packing:
    """What the attributes of an array say; its unit is compared with that of the group's sensor."""
    attributes = _attributes(array, path, name)
    stated = str(attributes.get("units", attributes.get("unit", "")) or "")
    rasters.check_unit(stated, group, f"{path}: {name!r}")
    return packing.of_attributes(attributes, f"{path}: {name!r}", array.dtype)


def _attributes(array, path: Path, name: str) -> dict:
    try:
        return dict(getattr(array, "attrs", {}))
    except (KeyError, RuntimeError, OSError, TypeError) as error:
        raise ValueError(
            f"{path}: the attributes of {name!r} cannot be read ({error}); the file is damaged: fetch it again."
        ) from error


def _row(array, row: int, path: Path, name: str) -> np.ndarray:
    try:
        return np.asarray(array[row])
    except (OSError, ValueError, RuntimeError) as error:
        first = str(error).split("\n", 1)[0].split(" [", 1)[0]
        raise ValueError(
            f"{path}: image {row} of {name!r} cannot be read ({first}); the file is truncated or damaged: fetch it again."
        ) from error


def _images(held: Mapping, path: Path, spec: TaskSpec):
    """The array of images.

    Raises:
      ValueError: it is missing, has other axes, or holds no numbers.
    """
    array = _array(held, path, spec.option("images"))
    if len(array.shape) != 4 or np.dtype(array.dtype).kind not in "iuf":
        raise ValueError(
            f"{path}: expected numbers [N H W C] or [N C H W] in {spec.option('images')!r}, got {array.dtype} of shape "
            f"{list(array.shape)}; correct [layout] of the task, or write the array again."
        )
    return array
