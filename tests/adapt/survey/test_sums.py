"""Scores from sums over places, against scikit-learn on all samples, and intervals that hold what places do."""

import numpy as np
import pytest

from spectral_jax.adapt.survey import sums

metrics = pytest.importorskip("sklearn.metrics", reason="needs the extra spectral-jax[eval]")


def test_scores_are_those_of_all_samples_together(rng):
    place = rng.integers(0, 9, 200)
    truth, said = rng.integers(0, 3, 200), rng.integers(0, 3, (2, 200))
    found = sums.macro_f1(truth, said, place, 3)
    each = [metrics.f1_score(truth, row, average="macro") for row in said]
    np.testing.assert_allclose(found.seeds, each)
    assert found.value == pytest.approx(np.mean(each))
    assert found.low < found.value < found.high

    values, guess = rng.normal(size=200), rng.normal(size=(2, 200))
    wanted = [metrics.mean_squared_error(values, row) ** 0.5 for row in guess]
    np.testing.assert_allclose(sums.rmse(values, guess, place).seeds, wanted)

    values, guess = rng.normal(size=(200, 4)), rng.normal(size=(2, 200, 4))
    wanted = [metrics.r2_score(values, row) for row in guess]
    np.testing.assert_allclose(sums.mean_r2(values, guess, place).seeds, wanted)


def test_samples_of_one_place_are_drawn_together(rng):
    truth = np.zeros(400)
    error = np.repeat(rng.normal(size=8), 50)
    together = sums.rmse(truth, error[None], np.repeat(np.arange(8), 50))
    apart = sums.rmse(truth, error[None], np.arange(400))
    assert together.value == pytest.approx(apart.value)
    assert together.high - together.low > 2 * (apart.high - apart.low)
