"""Tasks in containers of arrays, one a split: images and labels under names the task states, whatever the container is."""

import functools
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np

from spectral_jax.tasks import classes
from spectral_jax.tasks.readers import rasters
from spectral_jax.tasks.samples import Channel, FileSequence, TaskData
from spectral_jax.tasks.spec import TaskSpec

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
    labels, where, scenes, blocks, splits = [], [], [], [], []
    channels: tuple[Channel, ...] = ()
    for part, path in files.items():
        with opened(path) as held:
            count = _array(held, path, spec.option("images")).shape[0]
            channels = channels or _channels(held, path, spec)
            raw = np.asarray(_array(held, path, spec.option("labels"), count))
            names = [f"{part}_{i:05d}" for i in range(count)]
            scenes += _texts(held, path, spec, "scene", names)
            blocks += _texts(held, path, spec, "block", names)
        labels.append(_labels(raw, spec, path))
        where += [(path, i, name) for i, name in enumerate(names)]
        splits += [part] * count
    if spec.kind.is_map:
        classes.refuse_all_ignored([label for of_part in labels for label in of_part], spec, folder)
    read = functools.partial(
        _read,
        opened=opened,
        name=spec.option("images"),
        order=spec.option("order", "NHWC"),
        missing=tuple(spec.option("missing", ())),
    )
    return TaskData(
        task=spec,
        images=FileSequence(tuple(where), functools.partial(read, part=0)),
        valid=FileSequence(tuple(where), functools.partial(read, part=1)),
        labels=np.concatenate(labels),
        channels=channels,
        names=tuple(name for _, _, name in where),
        scene=tuple(scenes),
        block=tuple(blocks),
        split=tuple(splits),
    )


def _labels(raw: np.ndarray, spec: TaskSpec, path: Path) -> np.ndarray:
    if spec.kind.labels == "set" and spec.kind.of == "images":
        if raw.shape[1:] != (spec.classes,):
            raise ValueError(f"{path}: expected labels [N {spec.classes}], one column a class, got {list(raw.shape)}.")
        return raw.astype(bool)
    return classes.class_index(raw, spec, path) if spec.codes else raw.astype(np.float32)


def _array(held: Mapping, path: Path, name: str, count: int | None = None):
    if name not in held:
        raise ValueError(
            f"{path}: expected the array {name!r}, and the file has {', '.join(held) or 'none'}; correct [layout] of the task."
        )
    if count is not None and held[name].shape[:1] != (count,):
        rows = held[name].shape[0] if held[name].shape else 0
        raise ValueError(f"{path}: {name!r} has {rows} rows for {count} images; expected one for each.")
    return held[name]


def _channels(held: Mapping, path: Path, spec: TaskSpec) -> tuple[Channel, ...]:
    shape = _array(held, path, spec.option("images")).shape
    count = shape[1] if spec.option("order", "NHWC") == "NCHW" else shape[-1]
    group = spec.channels[0]
    if group.count and group.count != count:
        raise ValueError(f"{path}: expected the {group.count} bands of {group.sensor} that the task states, got {count}.")
    if not spec.option("wavelength", ""):
        return rasters.known_channels(group, count)
    centre, width = np.asarray(_array(held, path, spec.option("wavelength"), count)), np.full(count, np.nan)
    if spec.option("fwhm", ""):
        width = np.asarray(_array(held, path, spec.option("fwhm"), count))
    return tuple(
        Channel(f"{i + 1}", group.sensor, float(c), float(w), group.unit)
        for i, (c, w) in enumerate(zip(centre, width, strict=True))
    )


def _texts(held: Mapping, path: Path, spec: TaskSpec, what: str, names: list[str]) -> list[str]:
    if not spec.option(what, ""):
        return names
    values = np.asarray(_array(held, path, spec.option(what), len(names)))
    if values.ndim == 2:
        return [bytes(row).rstrip(b"\0").decode() for row in values.astype(np.uint8)]
    return [v.decode() if isinstance(v, bytes) else str(v) for v in values]


def _read(
    at: tuple[Path, int, str], opened: Opened, name: str, order: str, missing: tuple[float, ...], part: int
) -> np.ndarray:
    path, row, _ = at
    with opened(path) as held:
        image = np.asarray(held[name][row])
    image = image.transpose(1, 2, 0) if order == "NCHW" else image
    return image if part == 0 else np.isfinite(image) & ~np.isin(image, missing)
