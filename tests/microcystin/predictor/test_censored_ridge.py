import numpy as np
import pytest

from spectral_jax.microcystin.predictor import censored_ridge


@pytest.fixture
def problem(rng):
    x = rng.normal(size=(60, 5))
    y = x @ np.array([0.5, -0.3, 0.0, 0.2, 0.0]) + 0.1 * rng.normal(size=60)
    return x, y, np.repeat(np.arange(10), 6)


def test_left_out_predictions_are_those_of_refitting_without_the_group(problem):
    x, y, groups = problem
    ridge, left_out = censored_ridge.fit(x, y, groups, limit=-9.0)
    z = (x - x.mean(0)) / x.std(0)
    for g in (0, 7):
        rest = groups != g
        kernel = z[rest] @ z[rest].T / 5 + ridge.strength * np.eye(rest.sum())
        # The intercept is the full fit's, as the closed form has it.
        dual = np.linalg.solve(kernel, y[rest] - ridge.intercept)
        expected = z[~rest] @ (z[rest].T @ dual) / 5 + ridge.intercept
        np.testing.assert_allclose(left_out[~rest], expected, atol=1e-9)


def test_it_finds_the_rule(problem):
    x, y, groups = problem
    ridge, _ = censored_ridge.fit(x, y, groups, limit=-9.0)
    np.testing.assert_allclose(ridge.weights / ridge.deviation, [0.5, -0.3, 0.0, 0.2, 0.0], atol=0.06)


@pytest.mark.slow
def test_censoring_recovers_the_slope_that_replacement_by_the_limit_flattens(rng):
    x = rng.normal(size=(400, 1))
    latent = 1.0 * x[:, 0] + 0.3 * rng.normal(size=400)
    y, below = np.maximum(latent, 0.0), latent < 0.0
    groups = np.repeat(np.arange(20), 20)
    plain, _ = censored_ridge.fit(x, y, groups, limit=0.0)
    tobit, predicted = censored_ridge.fit(x, y, groups, below=below, limit=0.0)
    assert plain.weights[0] / plain.deviation[0] < 0.7
    assert 0.8 < tobit.weights[0] / tobit.deviation[0] < 1.1
    assert predicted.min() >= 0.0


def test_expected_of_a_censored_normal_by_sampling(rng):
    draws = rng.normal(0.2, 0.5, size=400_000)
    assert censored_ridge.expected(np.array([0.2]), 0.5, -0.1)[0] == pytest.approx(np.maximum(draws, -0.1).mean(), abs=3e-3)


def test_bad_input_is_a_sentence(problem):
    x, y, groups = problem
    with pytest.raises(ValueError, match="at least two groups to choose its strength by, got 1"):
        censored_ridge.fit(x, y, np.zeros(60))
    x[3, 2] = np.nan
    with pytest.raises(ValueError, match="feature 2 of row 3 is not finite"):
        censored_ridge.fit(x, y, groups)
