"""Metrics of label maps, label sets and regressions, each under its own name, from sums that add up over batches exactly.

Averaging decides the number: micro-averaged IoU is higher than the class mean on unbalanced sets, and published tables call
both mIoU. Nothing here is called that.
"""

import dataclasses

import numpy as np

from spectral_jax.means import IGNORED
from spectral_jax.sentences import needs


@dataclasses.dataclass(frozen=True)
class Confusion:
    """Counts of pixels.

    Attributes:
      counts: [K K] int64, rows are the truth, columns the prediction.
      ignored: pixels that do not count.
    """

    counts: np.ndarray
    ignored: int = 0

    def __add__(self, other: "Confusion") -> "Confusion":
        return Confusion(self.counts + other.counts, self.ignored + other.ignored)


def confusion(truth: np.ndarray, predicted: np.ndarray, classes: int, valid: np.ndarray | None = None) -> Confusion:
    """Counts of one batch; add them up over batches.

    Args:
      truth: class index of any shape, -1 where ignored.
      predicted: class index, of the same shape.
      classes: K.
      valid: bool, of the same shape; False is ignored too.

    Raises:
      ValueError: shapes differ, or a class index is outside 0 to K - 1.
    """
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    if truth.shape != predicted.shape:
        raise ValueError(f"expected labels and predictions of one shape, got {truth.shape} and {predicted.shape}.")
    counted = truth != IGNORED if valid is None else (truth != IGNORED) & valid
    rows, columns = truth[counted].astype(np.int64), predicted[counted].astype(np.int64)
    for what, index in (("label", rows), ("prediction", columns)):
        wrong = index[(index < 0) | (index >= classes)]
        if wrong.size:
            raise ValueError(
                f"expected a {what} of 0 to {classes - 1}, or -1 in labels to ignore, and {wrong.size} are {wrong[0]}."
            )
    counts = np.bincount(rows * classes + columns, minlength=classes * classes).reshape(classes, classes)
    return Confusion(counts.astype(np.int64), int(truth.size - counted.sum()))


def segmentation_metrics(total: Confusion) -> dict[str, float | np.ndarray]:
    """IoU, accuracy and F1 of all pixels together.

    A class in neither truth nor prediction has no IoU and no F1 (NaN) and is left out of macro averages; one that is predicted
    and never true has 0 and counts. `accuracy_mean` averages the recall of the classes in the truth.

    Returns:
      `iou_macro`, `iou_micro`, `iou_per_class` [K], `accuracy_overall`, `accuracy_mean`, `f1_macro`, `f1_micro`,
      `f1_per_class` [K].

    Raises:
      ValueError: all pixels are ignored.
    """
    counts = total.counts
    if not counts.sum():
        raise ValueError(
            f"expected pixels that count, and all {total.ignored} are ignored; are the labels those of this task and split?"
        )
    hit, true, said = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    union = true + said - hit
    iou, f1 = _ratio(hit, union), _ratio(2 * hit, true + said)
    micro = float(hit.sum() / counts.sum())
    return {
        "iou_macro": float(np.nanmean(iou)),
        "iou_micro": float(hit.sum() / union.sum()),
        "iou_per_class": iou,
        "accuracy_overall": micro,
        "accuracy_mean": float(np.nanmean(_ratio(hit, true))),
        "f1_macro": float(np.nanmean(f1)),
        "f1_micro": micro,
        "f1_per_class": f1,
    }


def multilabel_metrics(truth: np.ndarray, score: np.ndarray, threshold: float = 0.5) -> dict[str, float]:
    """F1 at a threshold and mean average precision of label sets; pass all batches together, precision needs every score.

    Args:
      truth: bool [N K].
      score: [N K], the higher the more likely.
      threshold: a label is predicted where its score is at least this.

    Returns:
      `f1_micro`, `f1_macro` (over classes that are true or predicted somewhere), `map` (average precision over classes that are
      true somewhere), `map_micro` (of all pairs of sample and class together).

    Raises:
      ImportError: scikit-learn is not installed.
      ValueError: shapes differ, or no label is true.
    """
    with needs("scikit-learn", "eval", "average precision"):
        from sklearn.metrics import average_precision_score
    truth, score = np.asarray(truth, bool), np.asarray(score)
    if truth.shape != score.shape or truth.ndim != 2:
        raise ValueError(f"expected labels and scores of one shape [N K], got {truth.shape} and {score.shape}.")
    if not truth.any():
        raise ValueError(f"expected labels, and none of {len(truth)} samples has any; are they those of this task and split?")
    said = score >= threshold
    hit, both = (truth & said).sum(axis=0), truth.sum(axis=0) + said.sum(axis=0)
    precision = [average_precision_score(truth[:, k], score[:, k]) for k in np.flatnonzero(truth.any(axis=0))]
    return {
        "f1_micro": float(2 * hit.sum() / both.sum()),
        "f1_macro": float(np.nanmean(_ratio(2 * hit, both))),
        "map": float(np.mean(precision)),
        "map_micro": float(average_precision_score(truth.ravel(), score.ravel())),
    }


@dataclasses.dataclass(frozen=True)
class Overlaps:
    """Counts of pixels in which each of K things is present [K]: in both, and in labels or predictions; parts add up."""

    both: np.ndarray
    either: np.ndarray

    def __add__(self, other: "Overlaps") -> "Overlaps":
        return Overlaps(self.both + other.both, self.either + other.either)


def overlaps(truth: np.ndarray, score: np.ndarray, threshold: float = 0.5) -> Overlaps:
    """Counts of one batch.

    Args:
      truth: [... K], 1 present, 0 absent, NaN without label.
      score: [... K], the higher the more likely.
      threshold: a thing is predicted where its score is at least this.

    Raises:
      ValueError: shapes differ.
    """
    if truth.shape != score.shape:
        raise ValueError(f"expected labels and scores of one shape, got {truth.shape} and {score.shape}.")
    known, pixels = np.isfinite(truth), tuple(range(truth.ndim - 1))
    said, there = (score >= threshold) & known, (truth == 1) & known
    return Overlaps((said & there).sum(axis=pixels), (said | there).sum(axis=pixels))


def overlap_metrics(total: Overlaps) -> dict[str, np.ndarray | float]:
    """IoU of each thing (NaN where it is in neither labels nor predictions), their mean, and of all together.

    Raises:
      ValueError: nothing is present anywhere, in labels or predictions.
    """
    if not total.either.any():
        raise ValueError("expected labels, and nothing is present anywhere; are they those of this task and split?")
    each = _ratio(total.both, total.either)
    return {
        "iou_macro": float(np.nanmean(each)),
        "iou_micro": float(total.both.sum() / total.either.sum()),
        "iou_per_class": each,
    }


@dataclasses.dataclass(frozen=True)
class RegressionSums:
    """What regression metrics are computed from, K targets each; parts add up to what all samples together give.

    Attributes:
      count: [K] samples with a label.
      mean: [K] of the labels.
      spread: [K] sum of squares of labels about their mean.
      error: [K] sum of squares of prediction less label.
      baseline: [K] sum of squares of the training mean less label; NaN where no training mean was given.
    """

    count: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    error: np.ndarray
    baseline: np.ndarray

    def __add__(self, other: "RegressionSums") -> "RegressionSums":
        # Chan et al. 1983: sums of squares about a mean join without the cancellation that raw sums of squares suffer.
        count = self.count + other.count
        safe = np.maximum(count, 1)
        apart = other.mean - self.mean
        mean = self.mean + apart * other.count / safe
        spread = self.spread + other.spread + apart**2 * self.count * other.count / safe
        return RegressionSums(count, mean, spread, self.error + other.error, self.baseline + other.baseline)


def regression_sums(truth: np.ndarray, predicted: np.ndarray, training_mean: np.ndarray | None = None) -> RegressionSums:
    """Sums of one batch.

    Args:
      truth: [... K], NaN where not measured.
      predicted: [... K].
      training_mean: [K] mean of the training labels, the baseline of the HYPERVIEW score.

    Raises:
      ValueError: shapes differ, or a prediction that counts is not finite.
    """
    truth, predicted = np.asarray(truth, np.float64), np.asarray(predicted, np.float64)
    if truth.shape != predicted.shape:
        raise ValueError(f"expected labels and predictions of one shape, got {truth.shape} and {predicted.shape}.")
    truth, predicted = truth.reshape(-1, truth.shape[-1]), predicted.reshape(-1, truth.shape[-1])
    known = np.isfinite(truth)
    if not np.isfinite(predicted[known]).all():
        raise ValueError(f"{int((~np.isfinite(predicted[known])).sum())} predictions are not finite; the model has diverged.")
    count = known.sum(axis=0)
    mean = np.where(known, truth, 0.0).sum(axis=0) / np.maximum(count, 1)
    spread, error = (np.where(known, (truth - other) ** 2, 0.0).sum(axis=0) for other in (mean, predicted))
    if training_mean is None:
        baseline = np.full(truth.shape[-1], np.nan)
    else:
        baseline = np.where(known, (truth - training_mean) ** 2, 0.0).sum(axis=0)
    return RegressionSums(count, mean, spread, error, baseline)


def regression_metrics(total: RegressionSums) -> dict[str, np.ndarray | float]:
    """Metrics of all samples together.

    Returns:
      `rmse_per_target` [K] in the unit of each label, `r2_per_target` [K] (NaN where all labels are equal), `r2_mean`, and
      `hyperview_score`, the mean over targets of MSE over the MSE of the training mean (HYPERVIEW challenge: lower is better, 1
      is the training mean; NaN without a training mean).

    Raises:
      ValueError: a target has no label.
    """
    if (total.count == 0).any():
        raise ValueError(
            f"expected labels of every target, and target {int(np.flatnonzero(total.count == 0)[0])} has none in this split."
        )
    r2 = 1.0 - _ratio(total.error, total.spread)
    return {
        "rmse_per_target": np.sqrt(total.error / total.count),
        "r2_per_target": r2,
        "r2_mean": float(r2.mean()),
        "hyperview_score": float(_ratio(total.error, total.baseline).mean()),
    }


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Part / whole, NaN where whole is 0."""
    return np.where(whole == 0, np.nan, part / np.where(whole == 0, 1, whole))
