"""Models of the published evaluation, against what they are by definition."""

import numpy as np
import pytest

from spectral_jax.adapt.monthly import regressors

pytest.importorskip("sklearn", reason="needs the extra spectral-jax[eval]")


@pytest.fixture
def table(rng):
    """Training rows, their values and rows to predict, in float32."""
    features = rng.normal(size=(60, 5)).astype(np.float32)
    values = features @ np.array([1.0, -2.0, 0.5, 0.0, 3.0]) + 7 + rng.normal(scale=0.1, size=60)
    return features[:40], values[:40], features[40:], values[40:]


def test_the_constant_is_the_training_mean(table):
    train, values, asked, _ = table
    np.testing.assert_allclose(regressors.predict("constant", train, values, asked, 0), values.mean())


def test_linear_regression_is_the_least_squares_solution(table):
    train, values, asked, _ = table
    with_one = lambda x: np.concatenate([x, np.ones((len(x), 1))], axis=1).astype(np.float64)  # noqa: E731
    solution = np.linalg.lstsq(with_one(train), values, rcond=None)[0]
    found = regressors.predict("linear_regression", train, values, asked, 0)
    np.testing.assert_allclose(found, with_one(asked) @ solution, rtol=1e-4)


def test_ridge_takes_the_penalty_that_leave_one_out_likes_best(table):
    train, values, asked, _ = table
    x = (train.astype(np.float64) - train.mean(axis=0, dtype=np.float64)) / train.std(axis=0, dtype=np.float64)
    best = None
    for penalty in regressors.PENALTIES:
        centred = x - x.mean(axis=0)
        hat = centred @ np.linalg.solve(centred.T @ centred + penalty * np.eye(5), centred.T) + 1 / 40
        error = np.mean(((values - hat @ values) / (1 - np.diag(hat))) ** 2)
        best = min(best or (error, penalty), (error, penalty))
    slope = np.linalg.solve(x.T @ x + best[1] * np.eye(5), x.T @ (values - values.mean()))
    wanted = values.mean() + (asked - train.mean(axis=0, dtype=np.float64)) / train.std(axis=0, dtype=np.float64) @ slope
    np.testing.assert_allclose(regressors.predict("ridge", train, values, asked, 0), wanted, rtol=1e-6)


def test_a_forest_is_of_its_seed(table):
    train, values, asked, _ = table
    first, again, other = (regressors.predict("random_forest", train, values, asked, seed) for seed in (0, 0, 42))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0
    assert values.min() <= first.min() <= first.max() <= values.max()


def test_an_unknown_model_is_refused_with_the_closest(table):
    train, values, asked, _ = table
    with pytest.raises(ValueError, match="no model is called 'forest'.*closest first: random_forest"):
        regressors.predict("forest", train, values, asked, 0)
