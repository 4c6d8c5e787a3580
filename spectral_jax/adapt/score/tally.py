"""What the metrics of a task are computed from, added up batch by batch; exact for batches of any size."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from spectral_jax.adapt.score.metrics import (
    Confusion,
    Overlaps,
    RegressionSums,
    confusion,
    multilabel_metrics,
    overlap_metrics,
    overlaps,
    regression_metrics,
    regression_sums,
    segmentation_metrics,
)
from spectral_jax.tasks.spec import TaskSpec

METRICS: dict[type, Callable] = {
    Confusion: segmentation_metrics,
    Overlaps: overlap_metrics,
    RegressionSums: regression_metrics,
}


@dataclasses.dataclass
class Tally:
    """Adds up what metrics need, batch by batch.

    Attributes:
      task: of the labels.
      training_mean: [K] of a regression's labels, the baseline of the HYPERVIEW score.
    """

    task: TaskSpec
    training_mean: np.ndarray | None = None

    def __post_init__(self) -> None:
        self._total: Any = None  # one of `METRICS`, and always the same
        self._pairs: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, outputs: np.ndarray, labels: np.ndarray) -> None:
        """Counts one batch; `outputs` are those of the head, regressions in the unit of the labels."""
        kind = self.task.kind
        if kind.labels == "class":
            self.add_classes(outputs.argmax(axis=-1), labels)
        elif kind.labels == "numbers":
            self._join(regression_sums(labels, outputs, self.training_mean))
        elif kind.of == "pixels":
            self._join(overlaps(labels, outputs, threshold=0.0))
        else:
            self._pairs.append((labels, outputs))

    def add_classes(self, predicted: np.ndarray, labels: np.ndarray) -> None:
        """Counts one batch of class indices, of any shape; labels of -1 are ignored."""
        self._join(confusion(labels, predicted, self.task.classes))

    def metrics(self) -> dict[str, float]:
        """Every metric by name; those of one class or target are `iou_per_class/water` and the like. NaN: not defined here.

        Raises:
          ValueError: nothing was added, or nothing counts.
        """
        if self._pairs:
            truth, score = (np.concatenate(x) for x in zip(*self._pairs, strict=True))
            return multilabel_metrics(truth, score, threshold=0.0)
        if self._total is None:
            raise ValueError(f"task {self.task.name}: expected predictions to measure, and none was added.")
        names = self.task.targets or self.task.class_names or tuple(map(str, range(self.task.classes)))
        metrics: dict[str, float] = {}
        for name, value in METRICS[type(self._total)](self._total).items():
            if np.ndim(value):
                metrics |= {f"{name}/{thing}": float(v) for thing, v in zip(names, np.asarray(value), strict=True)}
            else:
                metrics[name] = float(value)
        return metrics

    def _join(self, part: Any) -> None:
        self._total = part if self._total is None else self._total + part
