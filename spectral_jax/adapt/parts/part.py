"""Samples of a task as an encoder's adaptation takes them: physical units, validity, labels, and batches."""

from collections.abc import Iterator
from typing import NamedTuple

import jax
import numpy as np

from spectral_jax.adapt.parts.source import Source, judge
from spectral_jax.means import IGNORED
from spectral_jax.tasks.samples import Rows, TaskData

# Samples are kept in memory as float32 up to so many bytes together; larger sets are read again for every batch.
KEPT_BYTES = 1 << 30
# Label that marks where a batch is filled up, by kind of number: it counts in no loss and in no metric.
MISSING = {"i": IGNORED, "f": np.nan, "b": False}


class Samples(NamedTuple):
    """Some samples of T dates; what fills up a batch has no valid pixel, and `counts` is False.

    Attributes:
      images: [B T H W C] physical values, float32, 0 where invalid.
      valid: bool [B T H W].
      labels: [B ...], see `TaskData.labels`.
      counts: bool [B].
    """

    images: np.ndarray
    valid: np.ndarray
    labels: np.ndarray
    counts: np.ndarray


class Part:
    """Samples `rows` of a task, read when they are asked for, and kept in `kept` where the whole task fits into `KEPT_BYTES`.

    Parts of one task, source and size can share `kept`: splits of several seeds have the same samples. With `resize_px` each
    is resized to a square of that side: images bilinearly over their valid pixels, labels of pixels to the nearest.
    """

    def __init__(self, data: TaskData, source: Source, rows: Rows, resize_px: int = 0, kept: dict[int, tuple] | None = None):
        self.data, self.source, self.rows, self.resize_px = data, source, np.asarray(rows, int), resize_px
        self._kept = {} if kept is None else kept

    def __len__(self) -> int:
        return len(self.rows)

    def sample(self, at: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Image [T H W C], valid [T H W] and label of the sample at position `at`."""
        row = int(self.rows[at])
        if row not in self._kept:
            sample = self._read(row)
            if sample[0].nbytes * len(self.data) > KEPT_BYTES:
                return sample
            self._kept[row] = sample
        return self._kept[row]

    def batch(self, at: Rows, size: int) -> Samples:
        """The samples at positions `at`, filled up to `size`.

        Raises:
          ValueError: samples of different sizes.
        """
        samples = [self.sample(int(i)) for i in at]
        shapes = sorted({image.shape for image, _, _ in samples})
        if len(shapes) > 1:
            raise ValueError(
                f"task {self.data.task.name}: expected samples of one size, got {shapes[0][1:3]} and {shapes[-1][1:3]} px; "
                "resize them by --config.data.resize_px, or cut tiles of one size."
            )
        images, valid, labels = (np.stack(x) for x in zip(*samples, strict=True))
        extra = size - len(samples)
        return Samples(
            _filled(images, extra, 0.0),
            _filled(valid, extra, False),
            _filled(labels, extra, MISSING[labels.dtype.kind]),
            np.arange(size) < len(samples),
        )

    def chunks(self, size: int) -> Iterator[Samples]:
        """All samples in order, `size` at a time."""
        for first in range(0, len(self), size):
            yield self.batch(range(first, min(first + size, len(self))), size)

    def labels(self) -> list[np.ndarray]:
        """The label of every sample, in order; no image is read."""
        return [_label(np.asarray(self.data.labels[int(row)])) for row in self.rows]

    def refuse_without_labels(self, name: str) -> None:
        """Raises ValueError where the part is empty, or none of its labels counts; `name` is what the split calls it."""
        task, labels = self.data.task, self.labels()
        if not labels:
            raise ValueError(
                f"task {task.name}: part {name!r} of the split is empty; change data.fractions, data.block_m or data.buffer_m, "
                "or read a split that has samples."
            )
        if not any((x != IGNORED).any() if x.dtype == np.int32 else np.isfinite(x).any() for x in labels):
            raise ValueError(
                f"task {task.name}: all labels of the {len(labels)} samples of part {name!r} are ignored; nothing can be "
                "learned or measured there. Change the split, or look at the labels."
            )

    def _read(self, row: int):
        whole, there = np.asarray(self.data.images[row]), np.asarray(self.data.valid[row])
        stored = np.stack([whole[..., list(one)] for one in self.source.index])
        seen = np.stack([there[..., list(one)].all(axis=-1) for one in self.source.index])
        image = stored.astype(np.float32) * np.float32(self.source.scale)
        if self.source.offset:
            image += np.float32(self.source.offset)
        judge(image, seen, self.source, self.data, row)
        label = _counted(_label(np.asarray(self.data.labels[row])), seen)
        image = np.where(seen[..., None], image, np.float32(0))
        if self.resize_px and seen.shape[1:] != (self.resize_px, self.resize_px):
            return _resized(image, seen, label, self.resize_px)
        return image, seen, label


def _counted(label: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """The label, where it is of pixels without those of no valid date: nothing could tell them, for encoder or baseline."""
    if label.shape[:2] != seen.shape[1:]:
        return label
    there = seen.any(axis=0).reshape(*seen.shape[1:], *(1,) * (label.ndim - 2))
    return np.where(there, label, label.dtype.type(MISSING[label.dtype.kind]))


def _resized(image: np.ndarray, seen: np.ndarray, label: np.ndarray, px: int):
    """Image [T H W C], valid [T H W] and label at px x px; a pixel is valid where most of what it is made of is."""
    to = lambda x, how: np.asarray(jax.image.resize(x, (*x.shape[:-3], px, px, x.shape[-1]), how))  # noqa: E731
    share = to(seen.astype(np.float32)[..., None], "linear")
    mean = to(image, "linear") / np.maximum(share, np.float32(1e-6))
    if label.shape[:2] == seen.shape[1:]:
        label = to(label if label.ndim == 3 else label[..., None], "nearest").reshape(px, px, *label.shape[2:])
    valid = share[..., 0] > 0.5
    return np.where(valid[..., None], mean, np.float32(0)), valid, _counted(label, valid)


def _label(label: np.ndarray) -> np.ndarray:
    if np.issubdtype(label.dtype, np.integer):
        return label.astype(np.int32)
    return label if label.dtype == bool else label.astype(np.float32)


def _filled(x: np.ndarray, extra: int, value) -> np.ndarray:
    return np.concatenate([x, np.full((extra, *x.shape[1:]), value, x.dtype)]) if extra else x
