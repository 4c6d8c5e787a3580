"""What frozen embeddings know: nearest neighbours and linear models on them; and the same linear model on bare pixels.

All of it is scikit-learn on NumPy arrays. Whatever is chosen, is chosen inside the training rows.
"""

import warnings
from typing import NamedTuple

import numpy as np

from spectral_jax.ingest.tasks.data import IGNORED

PARTS = 5
# Inverse strengths of logistic regression, and strengths of ridge regression, on standardised numbers.
INVERSE_STRENGTHS = tuple(10.0**p for p in range(-4, 3))
STRENGTHS = tuple(10.0**p for p in range(-3, 6))
# Pixels that a pixel-wise fit takes at most: a training set of tiles has millions, and neighbours hardly differ.
MOST_PIXELS = 20_000


class Fit(NamedTuple):
    """Result of a linear model.

    Attributes:
      predicted: of the test rows, [M] classes, or [M] or [M K] quantities.
      strength: the regularisation chosen: C for classes (larger is weaker), alpha for quantities (larger is stronger).
      inner_score: of that strength on the inner folds: accuracy for classes, R2 for quantities.
    """

    predicted: np.ndarray
    strength: float
    inner_score: float


def nearest_neighbours(train: np.ndarray, labels: np.ndarray, test: np.ndarray, k: int = 20) -> np.ndarray:
    """Classes by votes of the `k` nearest training rows, by cosine distance; a vote weighs one over the distance.

    Args:
      train: embeddings [N D].
      labels: classes [N].
      test: embeddings [M D].
      k: neighbours; 20 as in DINO's protocol.

    Returns:
      Classes [M].

    Raises:
      ImportError: scikit-learn is not installed.
      ValueError: shapes that do not belong together, numbers that are not finite, an embedding of zeros, or k beyond N.
    """
    _check(train, labels, test)
    if not 1 <= k <= len(train):
        raise ValueError(f"k: expected 1 to {len(train)}, the number of training rows, got {k}.")
    for name, rows in (("train", train), ("test", test)):
        zero = np.flatnonzero(~np.any(rows, axis=1))
        if zero.size:
            raise ValueError(f"{name}: row {zero[0]} is all zeros and has no direction to compare; leave it out.")
    neighbors = _sklearn("neighbors")
    votes = neighbors.KNeighborsClassifier(k, weights="distance", metric="cosine", algorithm="brute")
    return votes.fit(train, labels).predict(test)


def linear_classes(
    train: np.ndarray, labels: np.ndarray, test: np.ndarray, groups: np.ndarray | None = None, seed: int = 0
) -> Fit:
    """Multinomial logistic regression on standardised embeddings.

    Args:
      train: embeddings [N D].
      labels: classes [N].
      test: embeddings [M D].
      groups: [N] of rows that must not be divided between the inner folds, such as scenes; None: every row is its own.
      seed: of the inner folds.

    Raises:
      ImportError: scikit-learn is not installed.
      ValueError: shapes that do not belong together, numbers that are not finite, fewer than two classes or groups, or inner
        folds that all have one class alone.
    """
    _check(train, labels, test, groups)
    if len(np.unique(labels)) < 2:
        raise ValueError(f"labels: expected at least two classes to tell apart, got {np.unique(labels)} alone.")
    model = _sklearn("linear_model").LogisticRegression(max_iter=500)
    folds = [(a, b) for a, b in _folds(len(train), groups, seed) if len(np.unique(labels[a])) > 1]
    if not folds:
        raise ValueError(
            "labels: every inner fold leaves a single class to fit on; give more groups, or groups that have several classes."
        )
    return _search(model, "C", INVERSE_STRENGTHS, folds, train, labels, test, "accuracy")


def linear_values(
    train: np.ndarray, values: np.ndarray, test: np.ndarray, groups: np.ndarray | None = None, seed: int = 0
) -> Fit:
    """Ridge regression on standardised embeddings; one strength for all quantities.

    Args:
      train: embeddings [N D].
      values: quantities [N] or [N K], all measured.
      test: embeddings [M D].
      groups: [N] of rows that must not be divided between the inner folds; None: every row is its own.
      seed: of the inner folds.

    Raises:
      ImportError: scikit-learn is not installed.
      ValueError: shapes that do not belong together, numbers that are not finite, or fewer than two groups.
    """
    _check(train, values, test, groups)
    if not np.isfinite(values).all():
        raise ValueError(f"values: {(~np.isfinite(values)).sum()} are not finite; leave out the rows that were not measured.")
    model = _sklearn("linear_model").Ridge()
    return _search(model, "alpha", STRENGTHS, _folds(len(train), groups, seed), train, values, test, "r2")


def pixel_logistic(
    train_pixels: np.ndarray,
    train_labels: np.ndarray,
    train_tiles: np.ndarray,
    test_pixels: np.ndarray,
    seed: int = 0,
    most: int = MOST_PIXELS,
) -> Fit:
    """The baseline of every segmentation: logistic regression on all bands of one pixel, without any encoder.

    Args:
      train_pixels: [N C].
      train_labels: classes [N]; rows that are -1 (ignored) are left out.
      train_tiles: [N] tile of each pixel; neighbours are alike, so a tile is never divided between inner folds.
      test_pixels: [M C].
      seed: of the inner folds, and of the pixels drawn where there are more than `most`.
      most: training pixels that are used.

    Raises:
      ImportError: scikit-learn is not installed.
      ValueError: as `linear_classes`.
    """
    _check(train_pixels, train_labels, test_pixels, train_tiles)
    rows = np.flatnonzero(train_labels != IGNORED)
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
    return linear_classes(train_pixels[rows], train_labels[rows], test_pixels, train_tiles[rows], seed)


def _folds(count, groups, seed):
    """Inner folds (rows to fit on, rows to score) that divide no group."""
    groups = np.arange(count) if groups is None else np.asarray(groups)
    names, number = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        raise ValueError(f"groups: expected at least two, one to score the strength on, got {len(names)}; give more data.")
    part = (np.random.default_rng(seed).permutation(len(names)) % min(PARTS, len(names)))[number]
    return [(np.flatnonzero(part != p), np.flatnonzero(part == p)) for p in np.unique(part)]


def _search(model, name, choices, folds, train, labels, test, scoring):
    pipeline, preprocessing = _sklearn("pipeline"), _sklearn("preprocessing")
    steps = pipeline.Pipeline([("standardise", preprocessing.StandardScaler()), ("model", model)])
    search = _sklearn("model_selection").GridSearchCV(steps, {f"model__{name}": choices}, cv=folds, scoring=scoring)
    with warnings.catch_warnings():
        # An early stop is one of the choices that the inner folds judge.
        warnings.simplefilter("ignore", _sklearn("exceptions").ConvergenceWarning)
        search.fit(train, labels)
    return Fit(search.predict(test), search.best_params_[f"model__{name}"], float(search.best_score_))


def _check(train, labels, test, groups=None):
    for name, rows in (("train", train), ("test", test)):
        if rows.ndim != 2 or rows.shape[1] != train.shape[-1]:
            raise ValueError(f"{name}: expected rows of one width, [N D] and [M D], got {train.shape} and {test.shape}.")
        wrong = np.flatnonzero(~np.isfinite(rows).all(axis=1))
        if wrong.size:
            raise ValueError(f"{name}: {wrong.size} rows hold NaN or infinity, the first is {wrong[0]}; leave them out.")
    for name, column in (("labels", labels), ("groups", groups)):
        if column is not None and len(column) != len(train):
            raise ValueError(f"{name}: expected one for each of the {len(train)} training rows, got {len(column)}.")


def _sklearn(part):
    import importlib

    try:
        return importlib.import_module(f"sklearn.{part}")
    except ImportError as error:
        raise ImportError("probes need scikit-learn, and it is not installed; install the extra spectral-jax[eval].") from error
