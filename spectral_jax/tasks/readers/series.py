"""Samples that are series of dates of one or more sensors: what the readers of such sets share.

The channels of an image [H W C] are all dates of all sensors: sensor by sensor in the order of the task's groups of channels,
and within a sensor date by date, all bands of date 0 first.
"""

import csv
import dataclasses
import datetime
import functools
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from spectral_jax.tasks import classes
from spectral_jax.tasks.readers import rasters
from spectral_jax.tasks.samples import Channel, FileSequence, Georeference, TaskData, all_or_none
from spectral_jax.tasks.spec import ChannelGroup, TaskSpec


@dataclasses.dataclass(frozen=True)
class Sample:
    """One sample before its images are read.

    Attributes:
      name: of the sample.
      sources: for each group of channels, what its reader needs to read the chosen dates.
      label: file of the labels.
      size: rows and columns of the labels.
      split: published split.
      scene: acquisitions that it was cut from.
      block: location.
      months: month of the year of each date of the first sensor, 1 to 12.
      place: where it lies; None where the files do not say.
    """

    name: str
    sources: tuple
    label: Path
    size: tuple[int, int]
    split: str
    scene: str
    block: str
    months: tuple[int, ...]
    place: Georeference | None = None


# From a source and its group of channels to numbers [T c H W] and where they are data, alike.
Read = Callable[[object, ChannelGroup, Sample], tuple[np.ndarray, np.ndarray]]


def task_data(
    spec: TaskSpec, folder: Path, samples: Sequence[Sample], labels: Sequence, read: Read, notes: tuple[str, ...] = ()
) -> TaskData:
    """The samples as one structure; their images are read with `read` when they are asked for.

    Args:
      spec: the task.
      folder: of the set, for the sentence.
      samples: N samples; none makes empty data.
      labels: of each sample [H W] or [H W K].
      read: reads the dates of one sensor of one sample.
      notes: what the reader decided, in sentences.

    Raises:
      ValueError: every pixel of every label raster is ignored.
    """
    if samples and spec.kind.is_map:
        classes.refuse_all_ignored(labels, spec, folder)
    one_size = isinstance(labels, list) and len({label.shape for label in labels}) == 1
    image = functools.partial(_image, groups=spec.channels, read=read)
    return TaskData(
        task=spec,
        images=FileSequence(tuple(samples), functools.partial(image, part=0)),
        valid=FileSequence(tuple(samples), functools.partial(image, part=1)),
        labels=np.stack(labels) if one_size else labels,
        channels=channels(spec),
        names=tuple(sample.name for sample in samples),
        scene=tuple(sample.scene for sample in samples),
        block=tuple(sample.block for sample in samples),
        split=tuple(sample.split for sample in samples),
        georeference=all_or_none([sample.place for sample in samples]),
        months=np.array([sample.months for sample in samples], int).reshape(len(samples), spec.dates),
        notes=notes,
    )


def channels(spec: TaskSpec) -> tuple[Channel, ...]:
    """All channels of an image: each group of channels, date by date."""
    return tuple(
        channel
        for group in spec.channels
        for date in range(spec.dates)
        for channel in rasters.known_channels(group, group.count, date)
    )


def check_fits(bands: int, size: tuple[int, int], group: ChannelGroup, path: Path, sample: Sample) -> None:
    """Compares an image of one date with its group of channels and its labels.

    Raises:
      ValueError: another number of bands, or of rows and columns.
    """
    if bands != group.count:
        raise ValueError(
            f"{path}: expected the {group.count} bands of {group.sensor} that the task states, got {bands}; is this file of "
            "another product? Else correct [[channels]]."
        )
    if tuple(size) != sample.size:
        raise ValueError(
            f"{path} and {sample.label}: expected an image and labels of one size, got {size[0]} x {size[1]} against "
            f"{sample.size[0]} x {sample.size[1]} pixels; fetch both again, from one version of the set."
        )


def evenly_spaced(count: int, spec: TaskSpec, path: Path) -> tuple[int, ...]:
    """Positions of `spec.dates` of `count` dates: first and last, and evenly spaced between, rounded down; of one, the last.

    Raises:
      ValueError: the series has fewer dates than the task.
    """
    _refuse_too_few(count, spec, path)
    return tuple(i * (count - 1) // (spec.dates - 1) for i in range(spec.dates)) if spec.dates > 1 else (count - 1,)


def latest(days: Sequence[datetime.date], spec: TaskSpec, path: Path) -> tuple[int, ...]:
    """Positions of the `spec.dates` latest of these days, from the oldest to the newest.

    Raises:
      ValueError: the series has fewer dates than the task.
    """
    _refuse_too_few(len(days), spec, path)
    return tuple(sorted(range(len(days)), key=lambda i: days[i])[-spec.dates :])


def day(text: object, path: Path) -> datetime.date:
    """A day that is written 20180924 or 2018-09-24.

    Raises:
      ValueError: it is written otherwise, or no such day exists.
    """
    found = re.fullmatch(r"(\d{4})-?(\d\d)-?(\d\d)", str(text))
    try:
        return datetime.date(*map(int, found.groups() if found else ()))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{path}: expected days such as 20180924 or 2018-09-24, got {text!r}; fetch the file again."
        ) from error


def table(path: Path, columns: Sequence[str]) -> list[dict]:
    """The rows of a CSV file that has these columns.

    Raises:
      ValueError: a column is missing.
    """
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    missing = [column for column in columns if column not in (reader.fieldnames or ())]
    if missing:
        raise ValueError(
            f"{path}: expected the columns {', '.join(columns)}, and {missing[0]} is missing (it has "
            f"{', '.join(reader.fieldnames or ('none',))}); fetch the file again."
        )
    return rows


def _refuse_too_few(count: int, spec: TaskSpec, path: Path) -> None:
    if count < spec.dates:
        raise ValueError(
            f"{path}: expected a series of at least {spec.dates} dates, got {count}; take the sample out, or lower dates of "
            f"{spec.path or spec.name}."
        )


def _image(sample: Sample, groups: tuple[ChannelGroup, ...], read: Read, part: int) -> np.ndarray:
    """[H W C]: numbers (part 0) or where they are data (part 1); numbers of mixed types become float32."""
    rows = [read(source, group, sample)[part] for source, group in zip(sample.sources, groups, strict=True)]
    rows = [row.reshape(-1, *row.shape[-2:]) for row in rows]
    mixed = len({row.dtype for row in rows}) > 1
    return np.concatenate([row.astype(np.float32) if mixed else row for row in rows]).transpose(1, 2, 0)
