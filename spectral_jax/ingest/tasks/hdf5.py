"""Tasks in HDF5: one file a split, with images and labels as arrays. Images are read when they are asked for."""

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spectral_jax.ingest.tasks import classes, rasters
from spectral_jax.ingest.tasks.data import Channel, FileSequence, TaskData
from spectral_jax.ingest.tasks.spec import PER_PIXEL, TaskSpec


def hdf5(spec: TaskSpec, folder: Path, parts: Sequence[str]) -> TaskData:
    """`train.h5`, `val.h5`, `test.h5` (those that exist), with images [N H W C] or [N C H W] and labels [N ...].

    Options: `images`, `labels` (names of the arrays), `order` ("NHWC" or "NCHW"), and where the files have them `wavelength`,
    `fwhm` (nm, [C]), `scene`, `block` (text or numbers, [N]); `missing` (numbers that mean "no data").

    Raises:
      FileNotFoundError: no file of the splits asked for.
      ImportError: h5py is not installed.
      ValueError: an array is missing or of another length, or a code is outside the class list.
    """
    files = {part: folder / f"{part}.h5" for part in parts if (folder / f"{part}.h5").is_file()}
    if not files:
        raise FileNotFoundError(
            f"task {spec.name}: expected {' or '.join(f'{p}.h5' for p in parts)} in {folder}, and none is there."
        )
    labels, where, scenes, blocks, splits, channels = [], [], [], [], [], None
    for part, path in files.items():
        with _opened(path) as file:
            count = len(_array(file, path, spec.option("images")))
            channels = channels or _channels(file, path, spec)
            raw = _array(file, path, spec.option("labels"), count)[()]
            names = [f"{part}_{i:05d}" for i in range(count)]
            scenes += _texts(file, path, spec, "scene", names)
            blocks += _texts(file, path, spec, "block", names)
        labels.append(_labels(raw, spec, path))
        where += [(path, i, name) for i, name in enumerate(names)]
        splits += [part] * count
    if spec.kind in PER_PIXEL:
        classes.refuse_all_ignored([x for one in labels for x in one], spec, folder)
    read = functools.partial(
        _read, name=spec.option("images"), order=spec.option("order", "NHWC"), missing=tuple(spec.option("missing", ()))
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
    if spec.kind == "multilabel":
        if raw.shape[1:] != (spec.classes,):
            raise ValueError(f"{path}: expected labels [N {spec.classes}], one column a class, got {list(raw.shape)}.")
        return raw.astype(bool)
    return classes.class_index(raw, spec, path) if spec.codes else raw.astype(np.float32)


def _opened(path: Path):
    try:
        import h5py
    except ImportError as error:
        raise ImportError("reading HDF5 tasks needs h5py; install the extra spectral-jax[pace].") from error
    return h5py.File(path, "r")


def _array(file, path: Path, name: str, count: int | None = None):
    if name not in file:
        raise ValueError(
            f"{path}: expected the array {name!r}, and the file has {', '.join(file)}; correct [layout] of the task."
        )
    if count is not None and len(file[name]) != count:
        raise ValueError(f"{path}: {name!r} has {len(file[name])} rows for {count} images; expected one for each.")
    return file[name]


def _channels(file, path: Path, spec: TaskSpec) -> tuple[Channel, ...]:
    shape = _array(file, path, spec.option("images")).shape
    count = shape[1] if spec.option("order", "NHWC") == "NCHW" else shape[-1]
    group = spec.channels[0]
    if group.count and group.count != count:
        raise ValueError(f"{path}: expected the {group.count} bands of {group.sensor} that the task states, got {count}.")
    if not spec.option("wavelength", ""):
        return rasters.known_channels(group, count)
    centre = _array(file, path, spec.option("wavelength"), count)[()]
    width = _array(file, path, spec.option("fwhm"), count)[()] if spec.option("fwhm", "") else np.full(count, np.nan)
    return tuple(
        Channel(f"{i + 1}", group.sensor, float(c), float(w), group.unit)
        for i, (c, w) in enumerate(zip(centre, width, strict=True))
    )


def _texts(file, path: Path, spec: TaskSpec, what: str, names: list[str]) -> list[str]:
    if not spec.option(what, ""):
        return names
    values = _array(file, path, spec.option(what), len(names))[()]
    return [v.decode() if isinstance(v, bytes) else str(v) for v in values]


def _read(at: tuple[Path, int, str], name: str, order: str, missing: tuple[float, ...], part: int) -> np.ndarray:
    path, row, _ = at
    with _opened(path) as file:
        image = file[name][row]
    image = image.transpose(1, 2, 0) if order == "NCHW" else image
    return image if part == 0 else np.isfinite(image) & ~np.isin(image, missing)
