"""Crop types of South Sudan: series of Sentinel-2 and Sentinel-1 in archives of NumPy arrays."""

import functools
import json
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from spectral_jax.tasks import classes
from spectral_jax.tasks.readers import rasters, series
from spectral_jax.tasks.readers.series import Sample
from spectral_jax.tasks.samples import TaskData
from spectral_jax.tasks.spec import ChannelGroup, TaskSpec

# Number in the column `partition` -> split: croptypemapping_dataset.py of github.com/sustainlab-group/sustainbench.
PARTITIONS = {"0": "train", "1": "val", "2": "test"}
COUNTRY = "southsudan"


def south_sudan(spec: TaskSpec, folder: Path, parts: Sequence[str]) -> TaskData:
    """`southsudan/list_eval_partition.csv` (id, partition), and four files for each id, which has six digits.

    `npy/southsudan_<id>.npz` has `s2` and `s1` [C H W T], `truth/southsudan_<id>.npz` has `truth` [H W], and
    `s2/s2_southsudan_<id>.json` and `s1/s1_southsudan_<id>.json` have `dates`. Of `s1` VV and VH count, the first two bands; a
    third is their ratio. The latest dates are taken, as published, and kept from the oldest to the newest (the published reader
    turns them round). A location is its own scene and block; the files have no georeference. Damaged archives are left out, as
    published, with a note. Options: `arrays`, the name for each group of channels, and `most_bands`, how many an array may
    have, of which the first count.

    Sources: pangaea/datasets/croptypemapping.py and DATASET_GUIDE.md of github.com/yurujaja/pangaea-bench, and
    sustainbench/datasets/croptypemapping_dataset.py of github.com/sustainlab-group/sustainbench.

    Raises:
      FileNotFoundError: the list, an array or a list of dates is missing.
      ValueError: fewer bands, other rows, columns or dates than stated, too few dates, an unknown partition, labels that are no
        whole numbers, or all pixels are ignored.
    """
    root = folder / COUNTRY
    path = rasters.existing(root / "list_eval_partition.csv", spec, "the list of locations")
    samples, labels, damaged = [], [], []
    for row in series.table(path, ("id", "partition")):
        split = PARTITIONS.get(row["partition"])
        if split is None:
            raise ValueError(
                f"{path}: expected the partitions 0, 1 and 2, and location {row['id']} is in {row['partition']!r}; "
                "fetch the list again."
            )
        if split not in parts:
            continue
        name = f"{COUNTRY}_{int(row['id']):06d}"
        images = rasters.existing(root / "npy" / f"{name}.npz", spec, "the images of a location")
        label = rasters.existing(root / "truth" / f"{name}.npz", spec, "the labels of a location")
        try:
            raw = _archived(label, "truth")
            shapes = [_archived_shape(images, array) for array in spec.option("arrays")]
        except zipfile.BadZipFile:
            damaged.append(name)
            continue
        samples.append(_location(spec, root, images, label, raw.shape, split, shapes))
        labels.append(classes.class_index(raw, spec, label))
    notes = (f"Damaged archives were left out: {', '.join(damaged)}.",) if damaged else ()
    return series.task_data(spec, folder, samples, labels, _south_sudan_dates, notes)


def _location(
    spec: TaskSpec, root: Path, images: Path, label: Path, size: tuple[int, int], split: str, shapes: Sequence[tuple]
) -> Sample:
    name, sources, months = images.stem, [], []
    for array, shape in zip(spec.option("arrays"), shapes, strict=True):
        path = rasters.existing(root / array / f"{array}_{name}.json", spec, "the dates of a location")
        days = [series.day(text, path) for text in json.loads(path.read_text())["dates"]]
        if len(shape) != 4 or shape[-1] != len(days):
            raise ValueError(
                f"{images}: expected {array!r} of bands, rows, columns and the {len(days)} dates of {path.name}, got "
                f"{list(shape)}; fetch both again, from one version of the set."
            )
        chosen = series.latest(days, spec, images)
        sources.append((images, array, chosen))
        months.append(tuple(days[i].month for i in chosen))
    sample = Sample(name, tuple(sources), label, size, split, name, name, months[0])
    for shape, group, most in zip(shapes, spec.channels, spec.option("most_bands"), strict=True):
        bands = group.count if group.count <= shape[0] <= most else shape[0]
        series.check_fits(bands, shape[1:3], group, images, sample)
    return sample


def _south_sudan_dates(source, group: ChannelGroup, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    path, array, chosen = source
    try:
        numbers = _archived(path, array)[: group.count, ..., list(chosen)].transpose(3, 0, 1, 2)
    except zipfile.BadZipFile as error:
        raise ValueError(f"{path}: expected a whole archive, and {array!r} is damaged ({error}); fetch it again.") from error
    return numbers, np.isfinite(numbers)


def _archived(path: Path, name: str) -> np.ndarray:
    return _from_archive(path, name, functools.partial(np.lib.format.read_array, allow_pickle=False))


def _archived_shape(path: Path, name: str) -> tuple[int, ...]:
    return _from_archive(path, name, _shape)


def _shape(file) -> tuple[int, ...]:
    version = np.lib.format.read_magic(file)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return header(file)[0]


def _from_archive(path: Path, name: str, read: Callable):
    """What `read` makes of an array's file in an archive; whatever is damaged is a `zipfile.BadZipFile`."""
    with zipfile.ZipFile(path) as archive:
        if f"{name}.npy" not in archive.namelist():
            there = ", ".join(sorted(member.removesuffix(".npy") for member in archive.namelist()))
            raise ValueError(f"{path}: expected the array {name!r}, and the archive has {there}; is this file of another set?")
        try:
            with archive.open(f"{name}.npy") as file:
                return read(file)
        except (zlib.error, EOFError) as error:
            raise zipfile.BadZipFile(str(error)) from error
