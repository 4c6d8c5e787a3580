"""Series of dates in GeoTIFFs: DynamicEarthNet and BioMassters."""

import functools
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spectral_jax.ingest.raster import geotiff
from spectral_jax.ingest.raster.grid import check_same_grid
from spectral_jax.tasks import classes
from spectral_jax.tasks.readers import rasters, series
from spectral_jax.tasks.readers.series import Sample
from spectral_jax.tasks.samples import FileSequence, TaskData
from spectral_jax.tasks.spec import SPLITS, ChannelGroup, TaskSpec

# Folder of the split lists, and of images in their lines: pangaea/datasets/utae_dynamicen.py of
# github.com/yurujaja/pangaea-bench, which reads the images from the second name of the pair.
LISTS = "dynnet_training_splits"
LISTED, UNPACKED = "/reprocess-cropped/UTM-24000/", "/planet/"
# Number in a label raster where its class is.
MARK = 255
# Names of cubes look like 1417_3281_13: README of github.com/aysim/dynnet.
CUBE = re.compile(r"\d+_\d+_\d+")
# Month number 0 of BioMassters is September: torchgeo/datasets/biomassters.py of github.com/microsoft/torchgeo.
FIRST_MONTH = 9
METADATA = "The_BioMassters_-_features_metadata.csv.csv"


def dynamic_earth_net(spec: TaskSpec, folder: Path, parts: Sequence[str]) -> TaskData:
    """DynamicEarthNet: a line of `dynnet_training_splits/{train,val,test}.txt` names a folder of images, labels and a month.

    The folder has an image `YYYY-MM-DD.tif` a day, in bands B, G, R, NIR; the days that the option `days` lists are the dates
    (published: 1, 5, 10, 15, 20, 25). Where the listed folder is not there, its part /reprocess-cropped/UTM-24000/ is read as
    /planet/. A label raster has a band a class, 255 where the class is: first the classes, then the ignored one.
    Of several marked bands the last counts, as published. A pixel without mark is ignored here; the published reader makes it
    class 0. A cube is its own scene and block.

    Sources: data/utae_dynamicen.py of github.com/aysim/dynnet and pangaea/datasets/utae_dynamicen.py of
    github.com/yurujaja/pangaea-bench.

    Raises:
      FileNotFoundError: a list, an image or a label raster is missing.
      ValueError: other days than dates, a line that is not of three words, an image of another grid or number of bands than its
        labels or the task, label rasters of other numbers or bands, or all pixels are ignored.
    """
    days = spec.option("days")
    if len(days) != spec.dates:
        raise ValueError(f"{spec.path}: expected a day for each of the {spec.dates} dates, got {len(days)}; correct [layout].")
    samples = []
    for split in parts:
        path = rasters.existing(folder / LISTS / f"{split}.txt", spec, f"the list of {split} months")
        lines = [line.split() for line in path.read_text().splitlines()]
        samples += [_month(spec, folder, words, split, path) for words in lines if words]
    labels = FileSequence(tuple(samples), functools.partial(_marked_class, spec=spec))
    return series.task_data(spec, folder, samples, labels, functools.partial(_dates, missing=spec.option("missing", ())))


def _month(spec: TaskSpec, folder: Path, words: Sequence[str], split: str, listed: Path) -> Sample:
    if len(words) != 3 or not re.fullmatch(r"\d{4}-\d\d", words[2]):
        raise ValueError(
            f"{listed}: expected a folder, a label raster and a month such as 2018-01 in each line, got {' '.join(words)!r}; "
            "fetch the list again."
        )
    # Names in the lists begin with a slash that stands for the folder of the set.
    at, label = folder / words[0].lstrip("/"), folder / words[1].lstrip("/")
    if not at.is_dir():
        at = folder / words[0].replace(LISTED, UNPACKED).lstrip("/")
    label = rasters.existing(label, spec, f"a label raster of {listed.name}")
    days = [series.day(f"{words[2]}-{number:02d}", listed) for number in spec.option("days")]
    images = tuple(rasters.existing(at / f"{day}.tif", spec, f"an image of {listed.name}") for day in days)
    match = CUBE.search(words[0])
    cube = match.group(0) if match else words[0].strip("/")
    with geotiff.opened(label) as raster:
        size, place = (raster.height, raster.width), rasters.place(raster)
        months = tuple(day.month for day in days)
        sample = Sample(f"{cube} {words[2]}", (images,), label, size, split, cube, cube, months, place)
        for path in images:
            with geotiff.opened(path) as image:
                series.check_fits(image.count, (image.height, image.width), spec.channels[0], path, sample)
                check_same_grid(image, path, raster, label)
    # Read once now, so that a raster that does not fit stops here and not in the middle of a training.
    _marked_class(sample, spec)
    return sample


def _marked_class(sample: Sample, spec: TaskSpec) -> np.ndarray:
    """Class indices [H W] of a label raster with a band a class."""
    codes = np.array([code for group in spec.codes for code in group] + list(spec.ignored))
    with geotiff.opened(sample.label) as raster:
        marks, _ = rasters.pixels(raster, sample.label)
    if len(marks) != len(codes):
        raise ValueError(
            f"{sample.label}: expected a band for each of the {len(codes)} classes (ignored ones too), got {len(marks)}; "
            f"correct [classes] of {spec.path or spec.name}."
        )
    other = marks[(marks != 0) & (marks != MARK)]
    if other.size:
        raise ValueError(
            f"{sample.label}: expected {MARK} where a class is and 0 elsewhere, and {other.size} pixels hold {other[0]:g}; is "
            "this a resampled map, or of another set?"
        )
    there = marks == MARK
    last = len(codes) - 1 - there[::-1].argmax(axis=0)
    return classes.class_index(codes[last], spec, sample.label, ~there.any(axis=0))


def biomassters(spec: TaskSpec, folder: Path, parts: Sequence[str]) -> TaskData:
    """BioMassters: `<chip>_<S>_<MM>.tif` in `{train,test}_features`, `<chip>_agbm.tif` in `{train,test}_agbm`.

    S is S2 or S1 and MM the month from 00 (September) to 11 (August); the dates are the first months. The benchmark's splits
    are in `{train,val,test}_Data_list.csv` (chip_id); chips of "val" lie in the folders of "train". Where none of the lists is
    there, the metadata of the publishers (chip_id, split) tells train from test, and nothing is in "val". A month without file
    holds zeros, as published, and is not valid. Targets stay as stored; where one is not a number, it is not measured (the
    published reader makes it 0). A chip is its own scene and block; the files have no georeference. Options: `satellites`, the
    S of each group of channels; `missing`, numbers that mean "no data".

    Sources: pangaea/datasets/biomassters.py of github.com/yurujaja/pangaea-bench and torchgeo/datasets/biomassters.py of
    github.com/microsoft/torchgeo.

    Raises:
      FileNotFoundError: lists and metadata, a folder or a label raster are missing, or all images of a satellite.
      ValueError: more dates than months, or a label raster of another number of bands than targets; when an image is read:
        another number of bands, or other rows or columns than its labels.
    """
    if spec.dates > 12:
        raise ValueError(f"{spec.path}: expected at most the 12 months of a year, got {spec.dates} dates; correct dates.")
    samples, present = [], {}
    for chip, split in _chips(spec, folder, parts):
        side = "train" if split == "val" else split
        features = folder / f"{side}_features"
        if side not in present:
            # One listing in place of a question for each of 24 files a chip.
            present[side] = {path.name for path in rasters.existing(features, spec, "the folder of images").iterdir()}
        label = rasters.existing(folder / f"{side}_agbm" / f"{chip}_agbm.tif", spec, "the target of a chip")
        sources = tuple(_months(spec, features, chip, name, present[side]) for name in spec.option("satellites"))
        months = tuple((FIRST_MONTH - 1 + i) % 12 + 1 for i in range(spec.dates))
        with geotiff.opened(label) as raster:
            if raster.count != len(spec.targets):
                raise ValueError(
                    f"{label}: expected a band for each of the targets {', '.join(spec.targets)}, got {raster.count}; correct "
                    f"targets.names of {spec.path or spec.name}."
                )
            samples.append(Sample(chip, sources, label, (raster.height, raster.width), split, chip, chip, months))
    read = functools.partial(_dates, missing=spec.option("missing", ()))
    files = [path for sample in samples for source in sample.sources for path in source]
    lost = files.count(None)
    notes = (f"{lost} of {len(files)} monthly images have no file: they hold zeros and are not valid.",) if lost else ()
    return series.task_data(spec, folder, samples, FileSequence(tuple(samples), _target), read, notes)


def _chips(spec: TaskSpec, folder: Path, parts: Sequence[str]) -> list[tuple[str, str]]:
    lists = {part: folder / f"{part}_Data_list.csv" for part in SPLITS}
    if any(path.is_file() for path in lists.values()):
        found = {part: rasters.existing(lists[part], spec, f"the list of {part} chips") for part in parts}
        return [(row["chip_id"], part) for part, path in found.items() for row in series.table(path, ("chip_id",))]
    path = rasters.existing(folder / METADATA, spec, "train_Data_list.csv and its like, or the metadata of the publishers")
    rows = {row["chip_id"]: row["split"] for row in series.table(path, ("chip_id", "split"))}
    return [(chip, split) for chip, split in sorted(rows.items()) if split in parts]


def _months(spec: TaskSpec, features: Path, chip: str, satellite: str, present: set[str]) -> tuple[Path | None, ...]:
    names = [f"{chip}_{satellite}_{month:02d}.tif" for month in range(spec.dates)]
    if not present & set(names):
        raise FileNotFoundError(
            f"task {spec.name}: expected images such as {names[0]} in {features}, and chip {chip} has none of {satellite}; "
            "fetch it again, or take it out of the list."
        )
    return tuple(features / name if name in present else None for name in names)


def _target(sample: Sample) -> np.ndarray:
    """Targets [H W K], float32, NaN where not measured."""
    with geotiff.opened(sample.label) as raster:
        numbers, valid = rasters.pixels(raster, sample.label)
    return np.where(valid, numbers, np.nan).astype(np.float32).transpose(1, 2, 0)


def _dates(
    source: tuple[Path | None, ...], group: ChannelGroup, sample: Sample, missing: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray]:
    numbers, valid = {}, {}
    for date, path in enumerate(source):
        if path is not None:
            with geotiff.opened(path) as image:
                series.check_fits(image.count, (image.height, image.width), group, path, sample)
                numbers[date], valid[date] = rasters.pixels(image, path, missing, group=group)
    gap = np.zeros_like(next(iter(numbers.values())))
    dates = range(len(source))
    return np.stack([numbers.get(d, gap) for d in dates]), np.stack([valid.get(d, gap.astype(bool)) for d in dates])
