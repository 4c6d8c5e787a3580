"""What frozen embeddings know: nearest neighbours and linear models on them.

All of it is scikit-learn on NumPy arrays. Whatever is chosen, is chosen inside the training rows.
"""

import importlib
import warnings
from types import ModuleType
from typing import NamedTuple

import numpy as np

from spectral_jax.sentences import needs

PARTS = 5
# Inverse strengths of logistic regression, and strengths of ridge regression, on standardised numbers.
INVERSE_STRENGTHS = tuple(10.0**p for p in range(-4, 3))
STRENGTHS = tuple(10.0**p for p in range(-3, 6))


class Fit(NamedTuple):
    """Result of a linear model.

    Attributes:
      predicted: of the test rows, [M] classes, or [M] or [M K] quantities.
      strength: the regularisation chosen: C for classes (larger is weaker), alpha for quantities (larger is stronger).
      inner_score: of that strength on the inner folds: accuracy for classes, minus the mean squared error for quantities.
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
    _check_neighbours(train, test, k)
    votes = _sklearn("neighbors").KNeighborsClassifier(k, weights="distance", metric="cosine", algorithm="brute")
    return votes.fit(train, labels).predict(test)


def nearest_values(train: np.ndarray, values: np.ndarray, test: np.ndarray, k: int = 20) -> np.ndarray:
    """Means over the `k` nearest training rows, by cosine distance; a row weighs one over the distance.

    Args:
      train: embeddings [N D].
      values: quantities [N] or [N K], all measured.
      test: embeddings [M D].
      k: neighbours.

    Returns:
      Quantities [M] or [M K].

    Raises:
      ImportError: scikit-learn is not installed.
      ValueError: as `nearest_neighbours`, or a quantity that was not measured.
    """
    _check(train, values, test)
    _check_measured(values)
    _check_neighbours(train, test, k)
    means = _sklearn("neighbors").KNeighborsRegressor(k, weights="distance", metric="cosine", algorithm="brute")
    return means.fit(train, values).predict(test)


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
    _check_measured(values)
    model = _sklearn("linear_model").Ridge(solver="svd")
    return _search(model, "alpha", STRENGTHS, _folds(len(train), groups, seed), train, values, test, "neg_mean_squared_error")


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
        search.fit(train.astype(np.float64), labels)
    return Fit(search.predict(test.astype(np.float64)), search.best_params_[f"model__{name}"], float(search.best_score_))


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


def _check_neighbours(train, test, k):
    if not 1 <= k <= len(train):
        raise ValueError(f"k: expected 1 to {len(train)}, the number of training rows, got {k}.")
    for name, rows in (("train", train), ("test", test)):
        zero = np.flatnonzero(~np.any(rows, axis=1))
        if zero.size:
            raise ValueError(f"{name}: row {zero[0]} is all zeros and has no direction to compare; leave it out.")


def _check_measured(values):
    if not np.isfinite(values).all():
        raise ValueError(f"values: {(~np.isfinite(values)).sum()} are not finite; leave out the rows that were not measured.")


def _sklearn(part: str) -> ModuleType:
    with needs("scikit-learn", "eval", "probing embeddings"):
        return importlib.import_module(f"sklearn.{part}")
