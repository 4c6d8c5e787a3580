"""What spectra say by themselves: linear models on all bands, without an encoder, on the parts that encoders are fitted on.

Tasks of pixels get logistic or ridge regression of single pixels, whose strength the validation part decides, as it decides for
the encoders. Tasks of whole images get the linear probe of `fit.probe_models` on the image's mean spectrum.
"""

import warnings
from typing import NamedTuple

import numpy as np

from spectral_jax.adapt.fit import probe
from spectral_jax.adapt.lines import LINEAR_PROBE
from spectral_jax.adapt.parts.part import Part
from spectral_jax.adapt.score.tally import Tally
from spectral_jax.means import IGNORED
from spectral_jax.sentences import needs
from spectral_jax.tasks.spec import TaskSpec

# Inverse strengths of the logistic regression and strengths of the ridge regression that are tried, on standardised bands, and
# how long lbfgs may look. Choices.
INVERSE_STRENGTHS, MOST_ITERATIONS = (0.001, 0.01, 0.1), 100
STRENGTHS = tuple(10.0**p for p in range(-2, 5))


class Baseline(NamedTuple):
    """What stands in the table: the model, what it sees, and how it is fitted."""

    encoder: str
    adaptation: str
    how: str

    @property
    def row(self) -> str:
        """Its name beside the rows of the config."""
        return f"{self.encoder}/{self.adaptation}"


def of(task: TaskSpec) -> Baseline:
    """The baseline of a task."""
    if task.kind.is_map:
        return Baseline("pixel logistic regression", "none", "pixel_logistic")
    if task.kind.of == "pixels":
        return Baseline("pixel ridge regression", "none", "pixel_ridge")
    return Baseline("linear model of the mean spectrum", "none", LINEAR_PROBE)


def fit(train: Part, val: Part, test: Part) -> tuple[Tally, list[np.ndarray]]:
    """Fits on the training part and predicts the test part.

    Args:
      train: training part.
      val: validation part; of tasks of pixels it decides the strength, of others it is not used.
      test: test part.

    Returns:
      Counts for metrics, and of tasks with a class for each pixel the predicted class of every pixel of each test sample
      [H W]; -1 where there is no data.

    Raises:
      ImportError: scikit-learn is not installed.
      ValueError: training pixels of one class alone.
    """
    task = train.data.task
    if task.kind.of == "images":
        return probe.score(LINEAR_PROBE, _mean_spectra(train), _mean_spectra(test), train, test), []
    classes = task.kind.is_map
    spectra, labels = _pixels(train)
    if classes and len(np.unique(labels)) < 2:
        raise ValueError(
            f"task {task.name}: expected training pixels of at least two classes for the pixel baseline, got one; "
            "change the split, or set baseline to false."
        )
    model = _best((spectra, labels), _pixels(val), classes)
    tally = Tally(task, None if classes else labels.mean(axis=0))
    maps = []
    for at in range(len(test)):
        image, valid, label = _flat(test, at)
        if not classes:
            predicted = model.predict(image.reshape(-1, image.shape[-1])).reshape(label.shape)
            # What is present or absent is fitted as 1 and 0.
            predicted = predicted - 0.5 if task.kind.labels == "set" else predicted
            tally.add(predicted, np.where(valid[..., None], label, np.nan))
            continue
        predicted = np.full(valid.shape, IGNORED, np.int32)
        if valid.any():
            predicted[valid] = model.predict(image[valid])
        tally.add_classes(np.maximum(predicted, 0), label)
        maps.append(predicted)
    return tally, maps


def _best(train, val, classes: bool):
    """The fitted model of the strength with the best validation accuracy or R2."""
    with needs("scikit-learn", "eval", "the pixel baseline"):
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression, Ridge
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    if classes:
        tried = [LogisticRegression(C=strength, max_iter=MOST_ITERATIONS) for strength in INVERSE_STRENGTHS]
    else:
        tried = [Ridge(alpha=strength, solver="svd") for strength in STRENGTHS]
    with warnings.catch_warnings():
        # An early stop is a choice that the validation part judges.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = [make_pipeline(StandardScaler(), model).fit(*train) for model in tried]
    return max(fitted, key=lambda model: model.score(*val))


def _pixels(part: Part) -> tuple[np.ndarray, np.ndarray]:
    """Spectra [N C] and classes [N] or quantities [N K] of the pixels that count."""
    samples = [_flat(part, at) for at in range(len(part))]
    known = lambda label: label != IGNORED if label.dtype == np.int32 else np.isfinite(label).all(axis=-1)  # noqa: E731
    counted = [valid & known(label) for _, valid, label in samples]
    spectra = np.concatenate([image[c] for (image, _, _), c in zip(samples, counted, strict=True)])
    return spectra, np.concatenate([label[c] for (_, _, label), c in zip(samples, counted, strict=True)])


def _mean_spectra(part: Part) -> np.ndarray:
    """Means over the valid pixels of each date, all dates one after the other [N T*C]; 0 of dates without one."""
    rows = []
    for at in range(len(part)):
        image, valid, _ = part.sample(at)
        counted = valid[..., None].astype(np.float64)
        rows.append(((image * counted).sum(axis=(1, 2)) / np.maximum(counted.sum(axis=(1, 2)), 1.0)).ravel())
    return np.stack(rows)


def _flat(part: Part, at: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Spectra of all dates one after the other [H W T*C], where some date is valid [H W], and the label.

    Where a date is missing, the mean of the pixel's other dates stands in.
    """
    image, valid, label = part.sample(at)
    mean = image.sum(axis=0) / np.maximum(valid.sum(axis=0), 1)[..., None]
    filled = np.where(valid[..., None], image, mean[None])
    return filled.transpose(1, 2, 0, 3).reshape(*image.shape[1:3], -1), np.asarray(valid.any(axis=0)), label
