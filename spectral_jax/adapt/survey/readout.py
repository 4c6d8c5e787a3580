"""Linear models on frozen features: logistic regression with C = 1, ridge regression with a penalty by leave-one-out."""

import warnings

import numpy as np

from spectral_jax.sentences import needs

PENALTIES = tuple(10.0**p for p in range(-3, 6))
MOST_ITERATIONS = 200


def classes(train: np.ndarray, labels: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Classes [M] of rows [M D] by logistic regression on standardised rows [N D] of known classes [N]."""
    with needs("scikit-learn", "eval", "the table of encoders"):
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from threadpoolctl import threadpool_limits
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=MOST_ITERATIONS))
    # Of matrices so small two threads take three times the CPU time of one, and many times its time beside other work.
    with warnings.catch_warnings(), threadpool_limits(1, user_api="blas"):
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(train.astype(np.float64), labels).predict(asked.astype(np.float64))


def numbers(train: np.ndarray, values: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Numbers [M] or [M K] of rows [M D] by ridge regression on standardised rows [N D]; one penalty for all K."""
    with needs("scikit-learn", "eval", "the table of encoders"):
        from sklearn.linear_model import RidgeCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    model = make_pipeline(StandardScaler(), RidgeCV(PENALTIES))
    return model.fit(train.astype(np.float64), values).predict(asked.astype(np.float64))


def few_of_each(labels: np.ndarray, rows: np.ndarray, each: int, seed: int) -> np.ndarray:
    """So many of the rows for each class, drawn by the seed; all of a class that has fewer."""
    rng = np.random.default_rng([seed, 7])
    shuffled = rng.permutation(rows)
    return np.concatenate([shuffled[labels[shuffled] == one][:each] for one in np.unique(labels[rows])])


def few(rows: np.ndarray, count: int, seed: int) -> np.ndarray:
    """So many of the rows, drawn by the seed."""
    return np.random.default_rng([seed, 8]).permutation(rows)[:count]
