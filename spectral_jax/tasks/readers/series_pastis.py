"""PASTIS-R: series of Sentinel-2 and Sentinel-1 in NumPy files."""

import functools
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spectral_jax.tasks import classes
from spectral_jax.tasks.readers import rasters, series
from spectral_jax.tasks.readers.series import Sample
from spectral_jax.tasks.samples import TaskData
from spectral_jax.tasks.spec import ChannelGroup, TaskSpec

# Published fold -> split: pangaea/datasets/pastis.py of github.com/yurujaja/pangaea-bench.
FOLDS = {1: "train", 2: "train", 3: "train", 4: "val", 5: "test"}
NOTE = "Dates are evenly spaced over the whole series; the published reader first draws 50 at random from longer ones."


def pastis(spec: TaskSpec, folder: Path, parts: Sequence[str]) -> TaskData:
    """`metadata.geojson`, `DATA_<S>/<S>_<id>.npy` [T C H W], and `ANNOTATIONS/TARGET_<id>.npy`, of which plane 0 counts.

    Each feature of the metadata has ID_PATCH, Fold (1 to 5) and, for each series <S>, `dates-<S>`: position -> day as YYYYMMDD.
    Dates are evenly spaced over the series in the stored order, first and last included (the published rule; there, series of
    more than 50 dates are thinned out at random before, and here they are not). The Sentinel-2 tile, whose acquisitions all its
    patches share, is the scene; the patch is the block. The arrays have no georeference. Option: `series`, the name <S> for
    each group of channels; `missing`, numbers that mean "no data".

    Sources: pangaea/datasets/pastis.py of github.com/yurujaja/pangaea-bench and code/dataloader.py of
    github.com/VSainteuf/pastis-benchmark.

    Raises:
      FileNotFoundError: the metadata, a series or a label is missing.
      ValueError: another number of bands, rows, columns or dates than stated, too few dates, an unknown fold, a code outside
        the class list, or all pixels are ignored.
    """
    path = rasters.existing(folder / "metadata.geojson", spec, "folds and dates of the patches")
    names = spec.option("series")
    if len(names) != len(spec.channels):
        raise ValueError(
            f"{spec.path}: expected a series for each of the {len(spec.channels)} groups of channels, got {', '.join(names)}; "
            "correct series of [layout]."
        )
    samples, labels = [], []
    for feature in json.loads(path.read_text())["features"]:
        row = feature["properties"]
        split = FOLDS.get(int(row["Fold"]))
        if split is None:
            raise ValueError(
                f"{path}: expected folds 1 to 5, and patch {row['ID_PATCH']} is in fold {row['Fold']}; fetch it again."
            )
        if split in parts:
            sample, label = _patch(spec, folder, row, split, path)
            samples.append(sample)
            labels.append(label)
    read = functools.partial(_pastis_dates, missing=spec.option("missing", ()))
    return series.task_data(spec, folder, samples, labels, read, (NOTE,))


def _patch(spec: TaskSpec, folder: Path, row: dict, split: str, metadata: Path) -> tuple[Sample, np.ndarray]:
    name = str(row["ID_PATCH"])
    label = rasters.existing(folder / "ANNOTATIONS" / f"TARGET_{name}.npy", spec, "the labels of a patch")
    raw = _array(label, 3)[0]
    sources, months = [], []
    for series_name in spec.option("series"):
        path = rasters.existing(folder / f"DATA_{series_name}" / f"{series_name}_{name}.npy", spec, "a series of a patch")
        days = _days(row, f"dates-{series_name}", metadata)
        count = len(_array(path, 4))
        if count != len(days):
            raise ValueError(
                f"{path}: expected the {len(days)} dates that {metadata.name} lists, got {count}; fetch both again, from one "
                "version of the set."
            )
        chosen = series.evenly_spaced(count, spec, path)
        sources.append((path, chosen))
        months.append(tuple(days[i].month for i in chosen))
    sample = Sample(name, tuple(sources), label, raw.shape, split, str(row.get("TILE", name)), name, months[0])
    for (path, _), group in zip(sources, spec.channels, strict=True):
        shape = _array(path, 4).shape
        series.check_fits(shape[1], shape[2:], group, path, sample)
    return sample, classes.class_index(np.asarray(raw), spec, label)


def _days(row: dict, field: str, path: Path) -> list:
    if field not in row:
        raise ValueError(
            f"{path}: expected {field} of patch {row['ID_PATCH']}, and it has {', '.join(row)}; is this PASTIS without radar? "
            "Fetch PASTIS-R, or correct series of [layout]."
        )
    # Writers of GeoJSON differ: a table, or the same as text.
    listed = json.loads(row[field]) if isinstance(row[field], str) else row[field]
    return [series.day(listed[key], path) for key in sorted(listed, key=int)]


def _pastis_dates(source, group: ChannelGroup, sample: Sample, missing: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    path, chosen = source
    numbers = _array(path, 4)[list(chosen)]
    return numbers, np.isfinite(numbers) & ~np.isin(numbers, missing)


def _array(path: Path, axes: int) -> np.ndarray:
    """An array that is read from its file as it is used."""
    try:
        found = np.load(path, mmap_mode="r")
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f"{path}: expected a whole NumPy array, and it cannot be read ({error}); fetch it again.") from error
    if found.ndim != axes:
        raise ValueError(f"{path}: expected an array of {axes} axes, got {list(found.shape)}; is this file of another set?")
    return found
