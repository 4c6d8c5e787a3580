"""Models of scikit-learn on embeddings or raw numbers, as Presto's evaluation fits them (presto/eval/eval.py), and two more.

Default settings, no scaling, no validation part: linear regression, random forest. Beside them the constant, and a ridge
regression on standardised numbers whose penalty leave-one-out decides on the training rows.
"""

import numpy as np

from spectral_jax.sentences import needs, unknown

CONSTANT, LINEAR, RIDGE, FOREST = "constant", "linear_regression", "ridge", "random_forest"
# Whether a seed changes what is fitted.
SEEDED = {CONSTANT: False, LINEAR: False, RIDGE: False, FOREST: True}
PENALTIES = tuple(10.0**p for p in np.arange(-3.0, 5.5, 0.5))


def predict(model: str, train: np.ndarray, values: np.ndarray, asked: np.ndarray, seed: int) -> np.ndarray:
    """Fits a model and predicts.

    Args:
      model: of `SEEDED`.
      train: [N D]; float32 stays float32 in linear regression, as published.
      values: the target [N].
      asked: [M D].
      seed: of the forest.

    Returns:
      [M].

    Raises:
      ImportError: scikit-learn is not installed.
      ValueError: an unknown model.
    """
    if model not in SEEDED:
        raise unknown("rows", "model", model, SEEDED, most=len(SEEDED))
    if model == CONSTANT:
        return np.full(len(asked), values.mean())
    with needs("scikit-learn", "eval", "fitting embeddings of monthly series"):
        from sklearn.ensemble import RandomForestRegressor
        from sklearn.linear_model import LinearRegression, RidgeCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    if model == FOREST:
        return RandomForestRegressor(random_state=seed).fit(train, values).predict(asked)
    if model == LINEAR:
        return LinearRegression().fit(train, values).predict(asked)
    ridge = make_pipeline(StandardScaler(), RidgeCV(PENALTIES))
    return ridge.fit(train.astype(np.float64), values).predict(asked.astype(np.float64))
