"""The one ridge by which features are judged: standardised, its penalty by leave-one-out inside the training rows."""

import numpy as np

from spectral_jax.sentences import needs

PENALTIES = tuple(10.0**p for p in range(-3, 6))


def predict(x: np.ndarray, truth: np.ndarray, unseen: np.ndarray, shared: bool = False) -> np.ndarray:
    """Fits a ridge for each of K parameters on N rows and predicts M others.

    Args:
      x: features of the training rows [N D]; they are standardised by themselves.
      truth: of the training rows [N K].
      unseen: features [M D].
      shared: one penalty for all parameters, each counted by its own variance: with few labels a penalty of its own is mostly
        luck. Otherwise one a parameter.

    Returns:
      float64 [M K].

    Raises:
      ImportError: scikit-learn is not installed.
    """
    with needs("scikit-learn", "eval", "the linear probe"):
        from sklearn.linear_model import RidgeCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

    centre, spread = truth.mean(axis=0), truth.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    model = make_pipeline(StandardScaler(), RidgeCV(PENALTIES, alpha_per_target=not shared))
    found = model.fit(x, (truth - centre) / spread).predict(unseen)
    return found.reshape(len(unseen), -1) * spread + centre


def r2(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Coefficient of determination of each column of [M K], [K]."""
    return 1.0 - ((truth - predicted) ** 2).mean(axis=0) / truth.var(axis=0)
