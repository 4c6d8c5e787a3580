"""Samples of a task as an encoder's adaptation takes them: physical units, the sensor they are of, labels, and batches."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from spectral_jax.ingest.tasks.data import IGNORED, TaskData
from spectral_jax.sensors import Band, SensorSpec
from spectral_jax.sensors import names as sensor_names

# Samples are kept in memory as float32 up to so many bytes together; larger sets are read again for every batch.
KEPT_BYTES = 1 << 30
# Label that marks where a batch is filled up, by kind of number: it counts in no loss and in no metric.
MISSING = {"i": IGNORED, "f": np.nan, "b": False}


class Samples(NamedTuple):
    """Some samples; what fills up a batch has no valid pixel, and `counts` is False.

    Attributes:
      images: [B H W C] physical values, float32, 0 where invalid.
      valid: bool [B H W].
      labels: [B ...], see `TaskData.labels`.
      counts: bool [B].
    """

    images: np.ndarray
    valid: np.ndarray
    labels: np.ndarray
    counts: np.ndarray


@dataclasses.dataclass(frozen=True)
class Source:
    """The sensor that a task's channels are of, and where its bands are among them.

    Attributes:
      sensor: bands as the files state them, in the order of wavelength, without the bad intervals of the sensor's table and
        without channels that hold no data.
      index: position of each band among the channels [C].
      scale: stored number times this is the physical value.
    """

    sensor: SensorSpec
    index: tuple[int, ...]
    scale: float


def source_of(data: TaskData) -> Source:
    """The source sensor of a task, from its channels and the table of `data_specs/sensors`.

    Channels are matched by wavelength, not by position. A band of the table's bad intervals is left out, and so is a channel
    without a single valid pixel in the first sample.

    Raises:
      ValueError: several dates or sensors, a sensor without a table, or a channel without a wavelength.
    """
    sensors = sorted({c.sensor for c in data.channels})
    if len(sensors) != 1 or data.task.dates != 1:
        raise ValueError(
            f"task {data.task.name}: expected images of one sensor and one date to adapt, got {', '.join(sensors)} with "
            f"{data.task.dates} dates; choose the channels of one (TaskData.channel_index)."
        )
    if sensors[0] not in sensor_names():
        raise ValueError(
            f"task {data.task.name}: its channels are of {sensors[0]!r}, which has no file in data_specs/sensors and so no "
            "unit and no bad bands; add one, or name a known sensor in [[channels]]."
        )
    table = SensorSpec.load(sensors[0])
    without = [c.name for c in data.channels if not (np.isfinite(c.centre_nm) and np.isfinite(c.fwhm_nm))]
    if without:
        raise ValueError(
            f"task {data.task.name}: channel {without[0]} of {sensors[0]} has no wavelength; a spectral adaptation needs "
            "centre and width of every band."
        )
    holds = np.asarray(data.valid[0]).any(axis=(0, 1))
    index = [
        i
        for i, c in enumerate(data.channels)
        if holds[i] and not any(low <= c.centre_nm <= high for low, high in table.bad_intervals_nm)
    ]
    # By wavelength, as encoders that know bands by their order were trained; files may give one detector after the other.
    index.sort(key=lambda i: data.channels[i].centre_nm)
    if not index:
        raise ValueError(f"task {data.task.name}: no channel of {sensors[0]} holds data outside its bad intervals.")
    bands = tuple(Band(f"{i + 1}", data.channels[i].centre_nm, data.channels[i].fwhm_nm) for i in index)
    sensor = dataclasses.replace(
        table, bands=bands, bad_intervals_nm=(), mean=(), std=(), srf_file="", dtype="float32", scale=1.0, offset=0.0,
        nodata=None, valid_range=None,
    )  # fmt: skip
    # A unit of 1 says that the numbers are reflectance already; anything else is stored as the sensor's product stores it.
    stored = data.channels[0].unit not in ("1", table.unit)
    return Source(sensor, tuple(index), table.scale if stored else 1.0)


class Part:
    """Samples `rows` of a task, read when they are asked for and kept where all fit into `KEPT_BYTES`."""

    def __init__(self, data: TaskData, source: Source, rows: Sequence[int]):
        self.data, self.source, self.rows = data, source, np.asarray(rows, int)
        self._kept: dict[int, tuple] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def sample(self, at: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Image [H W C], valid [H W] and label of the sample at position `at`."""
        row = int(self.rows[at])
        if row not in self._kept:
            found = self._read(row)
            if found[0].nbytes * len(self) > KEPT_BYTES:
                return found
            self._kept[row] = found
        return self._kept[row]

    def batch(self, at: Sequence[int], size: int) -> Samples:
        """The samples at positions `at`, filled up to `size`.

        Raises:
          ValueError: samples of different sizes.
        """
        found = [self.sample(int(i)) for i in at]
        shapes = sorted({image.shape for image, _, _ in found})
        if len(shapes) > 1:
            raise ValueError(
                f"task {self.data.task.name}: expected samples of one size, got {shapes[0][:2]} and {shapes[-1][:2]} px; "
                "resize them, or cut tiles of one size."
            )
        images, valid, labels = (np.stack(x) for x in zip(*found, strict=True))
        extra = size - len(found)
        return Samples(
            _filled(images, extra, 0.0),
            _filled(valid, extra, False),
            _filled(labels, extra, MISSING[labels.dtype.kind]),
            np.arange(size) < len(found),
        )

    def chunks(self, size: int):
        """All samples in order, `size` at a time."""
        for first in range(0, len(self), size):
            yield self.batch(range(first, min(first + size, len(self))), size)

    def labels(self) -> list[np.ndarray]:
        """The label of every sample, in order; no image is read."""
        return [_label(np.asarray(self.data.labels[int(row)])) for row in self.rows]

    def _read(self, row: int):
        index = list(self.source.index)
        stored = np.asarray(self.data.images[row])[..., index]
        seen = np.asarray(self.data.valid[row])[..., index].all(axis=-1)
        image = stored.astype(np.float32) * np.float32(self.source.scale)
        label = _label(np.asarray(self.data.labels[row]))
        if label.shape == seen.shape and label.dtype.kind == "i":
            # A pixel without data has nothing to be classified by, for any encoder or baseline.
            label = np.where(seen, label, np.int32(IGNORED))
        return np.where(seen[..., None], image, np.float32(0)), seen, label


def _label(label: np.ndarray) -> np.ndarray:
    if label.dtype.kind in "iu":
        return label.astype(np.int32)
    return label if label.dtype.kind == "b" else label.astype(np.float32)


def _filled(x: np.ndarray, extra: int, value) -> np.ndarray:
    return np.concatenate([x, np.full((extra, *x.shape[1:]), value, x.dtype)]) if extra else x
