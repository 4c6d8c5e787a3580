"""What each kind of task asks of a head, its loss, and its metrics, exact over batches of any size."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from spectral_jax.adapt.protocols import Protocol
from spectral_jax.adapt.score.metrics import (
    confusion,
    multilabel_metrics,
    overlap_metrics,
    overlaps,
    regression_metrics,
    regression_sums,
    segmentation_metrics,
)
from spectral_jax.means import IGNORED
from spectral_jax.model.heads.task_heads import HeadConfig
from spectral_jax.model.heads.temporal import TemporalConfig
from spectral_jax.objective import supervised
from spectral_jax.tasks.spec import PER_PIXEL, TaskSpec

# The metric by which states of training and rows of a table are ranked, higher is better, by kind of task.
HEADLINE = {
    "segmentation": "iou_macro",
    "change": "iou_macro",
    "classification": "accuracy_overall",
    "multilabel": "map",
    "pixel_multilabel": "iou_macro",
    "image_regression": "r2_mean",
    "pixel_regression": "r2_mean",
}
# What a task file calls the loss of overlaps.
DICE = "Dice"


def head_of(task: TaskSpec, protocol: Protocol) -> HeadConfig:
    """The head that a protocol puts on a task."""
    outputs = task.classes or len(task.targets)
    if task.kind in (*PER_PIXEL, "pixel_regression", "pixel_multilabel"):
        return HeadConfig(protocol.head, outputs, width=protocol.head_width, dropout=protocol.dropout)
    if task.kind == "image_regression":
        return HeadConfig("regression", outputs, width=protocol.regression_width, dropout=protocol.dropout)
    return HeadConfig("classification", outputs, dropout=protocol.dropout)


def merging(task: TaskSpec, protocol: Protocol, dates: int) -> TemporalConfig | None:
    """How a protocol merges the dates of a task's samples; None where they have one."""
    if dates == 1:
        return None
    return TemporalConfig(protocol.change if task.kind == "change" else protocol.series, dates)


def loss(
    task: TaskSpec, outputs: jax.Array, labels: jax.Array, counts: jax.Array, buffers: dict
) -> tuple[jax.Array, jax.Array]:
    """Sum and count of the loss of a batch; pure.

    Args:
      task: of the labels; static. Tasks with a class for each pixel whose published loss is "Dice" have that.
      outputs: of the head [B H W K] or [B K].
      labels: see `TaskData.labels`; -1 and NaN do not count.
      counts: bool [B], False for samples that fill up a batch.
      buffers: regressions take `label_mean` and `label_std` [K]: they are trained on standardised targets.
    """
    if task.kind in PER_PIXEL and task.loss == DICE:
        return supervised.soft_dice(outputs, labels)
    if task.kind in (*PER_PIXEL, "classification"):
        return supervised.cross_entropy(outputs, labels)
    if task.kind == "multilabel":
        return supervised.binary_cross_entropy(outputs, jnp.where(counts[:, None], labels.astype(jnp.float32), IGNORED))
    if task.kind == "pixel_multilabel":
        return supervised.binary_cross_entropy(outputs, labels)
    shape = (1,) * (labels.ndim - 1) + (labels.shape[-1],)
    scaled = (labels - buffers["label_mean"].reshape(shape)) / buffers["label_std"].reshape(shape)
    return supervised.squared_error(outputs, scaled)


def label_buffers(kind: str, labels: list[np.ndarray]) -> dict[str, jax.Array]:
    """Mean and deviation [K] of the training labels of a regression; empty for other kinds."""
    if not kind.endswith("regression"):
        return {}
    table = np.concatenate([np.asarray(one, np.float64).reshape(-1, one.shape[-1]) for one in labels])
    std = np.nanstd(table, axis=0)
    mean = np.nanmean(table, axis=0)
    return {"label_mean": jnp.asarray(mean, jnp.float32), "label_std": jnp.asarray(np.where(std > 0, std, 1.0), jnp.float32)}


def refuse_without_labels(task: TaskSpec, part: str, labels: list[np.ndarray]) -> None:
    """Raises ValueError where a part of a split is empty, or none of its labels counts."""
    if not labels:
        raise ValueError(
            f"task {task.name}: part {part!r} of the split is empty; change data.fractions, data.block_m or data.buffer_m, or "
            "read a split that has samples."
        )
    found = any((one != IGNORED).any() if one.dtype.kind == "i" else np.isfinite(one).any() for one in labels)
    if not found:
        raise ValueError(
            f"task {task.name}: all labels of the {len(labels)} samples of part {part!r} are ignored; nothing can be learned "
            "or measured there. Change the split, or look at the labels."
        )


@dataclasses.dataclass
class Tally:
    """Adds up what metrics need, batch by batch.

    Attributes:
      task: of the labels.
      training_mean: [K] of a regression's labels, the baseline of the HYPERVIEW score.
    """

    task: TaskSpec
    training_mean: np.ndarray | None = None

    def __post_init__(self):
        self._total = None
        self._pairs: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, outputs: np.ndarray, labels: np.ndarray) -> None:
        """Counts one batch; `outputs` are those of the head, regressions in the unit of the labels."""
        if self.task.kind == "multilabel":
            self._pairs.append((labels, outputs))
        elif self.task.kind in (*PER_PIXEL, "classification"):
            self.add_classes(outputs.argmax(axis=-1), labels)
        elif self.task.kind == "pixel_multilabel":
            self._join(overlaps(labels, outputs, threshold=0.0))
        else:
            self._join(regression_sums(labels, outputs, self.training_mean))

    def add_classes(self, predicted: np.ndarray, labels: np.ndarray) -> None:
        """Counts one batch of class indices, of any shape; labels of -1 are ignored."""
        self._join(confusion(labels, predicted, self.task.classes))

    def metrics(self) -> dict[str, float]:
        """Every metric by name; those of one class or target are `iou_per_class/water` and the like. NaN: not defined here.

        Raises:
          ValueError: nothing was added, or nothing counts.
        """
        if self.task.kind == "multilabel":
            truth, score = (np.concatenate(x) for x in zip(*self._pairs, strict=True))
            return multilabel_metrics(truth, score, threshold=0.0)
        measure = segmentation_metrics
        if self.task.kind.endswith("regression"):
            measure = regression_metrics
        elif self.task.kind == "pixel_multilabel":
            measure = overlap_metrics
        found = measure(self._total)
        names = self.task.targets or self.task.class_names or tuple(map(str, range(self.task.classes)))
        out: dict[str, float] = {}
        for name, value in found.items():
            if np.ndim(value):
                out |= {f"{name}/{one}": float(v) for one, v in zip(names, value, strict=True)}
            else:
                out[name] = float(value)
        return out

    def _join(self, part) -> None:
        self._total = part if self._total is None else self._total + part
