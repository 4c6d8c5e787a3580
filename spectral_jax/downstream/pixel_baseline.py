"""What a pixel's spectrum says by itself: logistic regression on all bands, on the parts that the encoders are fitted on.

As for them, the validation part decides, here about the strength; `embedding_probes.pixel_logistic` decides in inner folds of
the training part instead, which takes ten times as many fits.
"""

import warnings

import numpy as np

from spectral_jax.downstream.task_samples import Part
from spectral_jax.downstream.task_scores import Tally
from spectral_jax.ingest.tasks.data import IGNORED

NAME, ADAPTATION, PROTOCOL = "pixel logistic regression", "none", "pixel_logistic"
# Inverse strengths that are tried, weakest last, on standardised bands; and how long lbfgs may look. Choices.
INVERSE_STRENGTHS, MOST_ITERATIONS = (0.001, 0.01, 0.1), 100


def fit(train: Part, val: Part, test: Part) -> tuple[Tally, list[np.ndarray]]:
    """Fits on training pixels, takes the strength of the best validation accuracy, and predicts the test part.

    Args:
      train: training part.
      val: validation part.
      test: test part.

    Returns:
      Counts for metrics, and the predicted class of every pixel of each test sample [H W]; -1 where there is no data.

    Raises:
      ImportError: scikit-learn is not installed.
      ValueError: training pixels of one class alone.
    """
    try:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression
        from sklearn.preprocessing import StandardScaler
    except ImportError as error:
        raise ImportError("the pixel baseline needs scikit-learn; install the extra spectral-jax[eval].") from error
    (spectra, labels), (val_spectra, val_labels) = _pixels(train), _pixels(val)
    if len(np.unique(labels)) < 2:
        raise ValueError(
            f"task {train.data.task.name}: expected training pixels of at least two classes for the pixel baseline, got one; "
            "change the split, or set baseline to false."
        )
    scale = StandardScaler().fit(spectra)
    models = []
    with warnings.catch_warnings():
        # An early stop is a choice that the validation part judges.
        warnings.simplefilter("ignore", ConvergenceWarning)
        for strength in INVERSE_STRENGTHS:
            model = LogisticRegression(C=strength, max_iter=MOST_ITERATIONS).fit(scale.transform(spectra), labels)
            models.append((model.score(scale.transform(val_spectra), val_labels), model))
    best = max(models, key=lambda pair: pair[0])[1]
    tally, maps = Tally(test.data.task), []
    for at in range(len(test)):
        image, valid, label = test.sample(at)
        classes = np.full(valid.shape, IGNORED, np.int32)
        if valid.any():
            classes[valid] = best.predict(scale.transform(image[valid]))
        tally.add_classes(np.maximum(classes, 0), label)
        maps.append(classes)
    return tally, maps


def _pixels(part: Part) -> tuple[np.ndarray, np.ndarray]:
    """Spectra [N C] and classes [N] of the pixels that count."""
    found = [part.sample(at) for at in range(len(part))]
    counted = [valid & (label != IGNORED) for _, valid, label in found]
    spectra = np.concatenate([image[c] for (image, _, _), c in zip(found, counted, strict=True)])
    return spectra, np.concatenate([label[c] for (_, _, label), c in zip(found, counted, strict=True)])
