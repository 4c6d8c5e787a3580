"""One structure for the labelled samples of every task: images, validity, labels, channels, scenes and places."""

import collections.abc
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from spectral_jax.tasks.spec import TaskSpec

# Numbers of samples.
Rows = Sequence[int] | np.ndarray


@dataclasses.dataclass(frozen=True)
class Channel:
    """One channel of the images.

    Attributes:
      name: of the band.
      sensor: what it is of.
      centre_nm: nm; NaN where it has none or it is not known.
      fwhm_nm: nm; likewise.
      unit: of the stored numbers; empty where it is not stated.
      date: number of its date, from 0, where an image has several.
    """

    name: str
    sensor: str
    centre_nm: float = float("nan")
    fwhm_nm: float = float("nan")
    unit: str = ""
    date: int = 0


@dataclasses.dataclass(frozen=True)
class Georeference:
    """Where an image lies.

    Attributes:
      transform: (a, b, c, d, e, f) of x = a col + b row + c, y = d col + e row + f, in the unit of the coordinate system.
      epsg: code of the coordinate system; None where it has none.
      height: rows; 0 for a point.
      width: columns; 0 for a point.
    """

    transform: tuple[float, float, float, float, float, float]
    epsg: int | None
    height: int
    width: int

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(left, bottom, right, top)."""
        a, b, c, d, e, f = self.transform
        x = [c + a * col + b * row for col in (0, self.width) for row in (0, self.height)]
        y = [f + d * col + e * row for col in (0, self.width) for row in (0, self.height)]
        return min(x), min(y), max(x), max(y)


@dataclasses.dataclass(frozen=True)
class FileSequence(collections.abc.Sequence):
    """Arrays that are read from their files when they are asked for; a set of tiles can be larger than memory."""

    files: tuple
    read: Callable[[Any], np.ndarray]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> np.ndarray:  # type: ignore[override]  # one file at a time, no slices
        return self.read(self.files[index])


@dataclasses.dataclass(frozen=True)
class TaskData:
    """Labelled samples of one task; N samples, C channels (all dates one after the other), K targets or classes.

    Attributes:
      task: what they are samples of.
      images: [N H W C] in the stored type or float32; a sequence of [H W C] where sizes differ or files are read on demand.
      valid: bool, alike: False where a number means "no data", or a pixel is outside the field.
      labels: class index [N H W] (segmentation, -1 ignored) or [N] (classification); bool [N K] (multi-label); float32 [N K]
        (image regression) or [N H W K] (pixel regression, or pixel multi-label with 1 present and 0 absent), NaN where not
        measured. A sequence where sizes differ.
      channels: what each of the C channels is.
      names: of the samples [N].
      scene: acquisition that a sample was cut from [N]; a split that is to say something about new scenes keeps them apart.
      block: location or site of a sample [N].
      split: published split of a sample [N], or an empty string.
      georeference: place of each sample [N]; empty where the files have none.
      months: [N T] month of the year of each date, 1 to 12; None where it is not known.
      notes: what a reader decided, in sentences.
      simulated: True where no instrument measured this.
    """

    task: TaskSpec
    images: Sequence | np.ndarray
    valid: Sequence | np.ndarray
    labels: Sequence | np.ndarray
    channels: tuple[Channel, ...]
    names: tuple[str, ...]
    scene: tuple[str, ...]
    block: tuple[str, ...]
    split: tuple[str, ...]
    georeference: tuple[Georeference, ...] = ()
    months: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    simulated: bool = False

    def __post_init__(self):
        count = len(self.names)
        for field in ("images", "valid", "labels", "scene", "block", "split", "months"):
            value = getattr(self, field)
            if value is not None and len(value) != count:
                raise ValueError(f"task {self.task.name}: {len(value)} {field} for {count} samples; expected one for each.")
        if len(self.georeference) not in (0, count):
            raise ValueError(
                f"task {self.task.name}: {len(self.georeference)} georeferences for {count} samples; give all or none."
            )

    def __len__(self) -> int:
        return len(self.names)

    @property
    def wavelength_nm(self) -> np.ndarray:
        """Centres [C], nm, NaN where unknown. They need not increase, and two detectors may overlap."""
        return np.array([c.centre_nm for c in self.channels])

    @property
    def fwhm_nm(self) -> np.ndarray:
        """Full widths at half maximum [C], nm, NaN where unknown."""
        return np.array([c.fwhm_nm for c in self.channels])

    def channel_index(self, sensor: str | None = None, date: int | None = None) -> np.ndarray:
        """Positions of the channels of one sensor, one date, or both."""
        chosen = [
            i
            for i, c in enumerate(self.channels)
            if (sensor or c.sensor) == c.sensor and (c.date if date is None else date) == c.date
        ]
        return np.array(chosen, int)

    def select(self, rows: Rows) -> "TaskData":
        """The samples `rows`, in that order; files stay unread."""
        rows = [int(i) for i in rows]
        fields = ("images", "valid", "labels", "names", "scene", "block", "split", "georeference", "months")
        picked = {f: _picked(getattr(self, f), rows) for f in fields}
        return dataclasses.replace(self, **picked)

    def stack(self, rows: Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Samples as arrays: images [n H W C], valid [n H W C], labels [n ...].

        Raises:
          ValueError: the samples differ in size; resize them one by one.
        """
        images = [np.asarray(self.images[int(i)]) for i in rows]
        sizes = sorted({image.shape for image in images})
        if len(sizes) > 1:
            raise ValueError(
                f"task {self.task.name}: expected samples of one size to stack, got {sizes[0]} and {sizes[-1]}; resize each "
                "sample first."
            )
        valid = [np.asarray(self.valid[int(i)]) for i in rows]
        return np.stack(images), np.stack(valid), np.stack([np.asarray(self.labels[int(i)]) for i in rows])


def all_or_none(places: Sequence[Georeference | None]) -> tuple[Georeference, ...]:
    """The places of all samples; none where one has none."""
    known = tuple(place for place in places if place is not None)
    return known if len(known) == len(places) else ()


def usable(valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels [H W] and channels [C] that hold data, from a validity mask [H W C].

    A channel without any valid pixel is taken out first; a pixel then counts where all other channels are valid.
    """
    channel = np.asarray(valid.any(axis=(0, 1)))
    return np.asarray(valid[..., channel].all(axis=-1)) & channel.any(), channel


def _picked(value, rows: list[int]):
    if value is None or len(value) == 0:
        return value
    if isinstance(value, FileSequence):
        return FileSequence(tuple(value.files[i] for i in rows), value.read)
    return value[rows] if isinstance(value, np.ndarray) else tuple(value[i] for i in rows)
