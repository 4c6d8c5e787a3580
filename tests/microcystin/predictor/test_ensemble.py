import numpy as np
import pytest
from made import tiny_matchups

from spectral_jax.microcystin import climatology, problem
from spectral_jax.microcystin.predictor import calibration, ensemble
from spectral_jax.microcystin.study import compare, evaluate


@pytest.fixture(scope="module")
def table():
    return climatology.Climatology(np.array([0.0, 365.0]), ("*",), np.array([[-0.5], [-0.3]]))


@pytest.fixture(scope="module")
def made(table):
    return problem.make(tiny_matchups.make(weeks=16), "now", table)


@pytest.mark.slow
def test_it_predicts_left_out_weeks_and_its_intervals_hold(made):
    runs = evaluate.out_of_fold(made, "week", "ensemble", "ours", compare.mixture, [0])
    row = evaluate.row(made, runs, 5)
    assert row["r2_log10"] > 0.8
    assert 0.8 <= row["coverage_90"] <= 1.0
    assert row["n"] == 64
    assert row["seeds"] == 5


def test_labels_of_the_test_rows_do_not_reach_the_prediction(made):
    train, test = np.arange(40), np.arange(40, 64)
    first = compare.mixture(made, train, test, 0)
    y = made.y.copy()
    y[test] = 9.0
    again = compare.mixture(made._replace(y=y, below=~made.below), train, test, 0)
    # `below` of training rows changed too, so only plain experts would agree; give the right ones back.
    below = made.below.copy()
    below[test] = ~below[test]
    again = compare.mixture(made._replace(y=y, below=below), train, test, 0)
    np.testing.assert_array_equal(again.middle, first.middle)
    np.testing.assert_array_equal(again.high, first.high)


def test_nothing_is_predicted_beyond_twice_the_highest_sample(made):
    inputs = problem.inputs(made)
    fitted = ensemble.fit(inputs, made.y, made.below, made.groups, context_days=0.0)
    far = inputs._replace(features={k: 50 * v for k, v in inputs.features.items()}, season=np.full(64, made.y.max()))
    assert ensemble.predict(fitted, far).middle.max() <= made.y.max() + np.log10(2) + 1e-9


def test_context_is_the_mean_of_the_days_before_at_that_station(made):
    inputs = problem.inputs(made).take(np.array([0, 1, 4, 8]))
    fitted = ensemble.fit(problem.inputs(made), made.y, made.below, made.groups)
    alone = ensemble.predict(fitted._replace(context_days=0.0), inputs).middle
    start = inputs.time[0]
    near = inputs._replace(
        station=np.array(["WE2", "WE4", "WE2", "WE2"]), time=start + np.array([0, 86400, 2 * 86400, 9 * 86400]).astype("m8[s]")
    )
    np.testing.assert_allclose(
        ensemble.predict(fitted, near).middle, [alone[0], alone[1], (alone[0] + alone[2]) / 2, alone[3]], atol=1e-12
    )


def test_conformal_intervals_hold_nine_of_ten_new_samples(rng):
    level = np.repeat(rng.uniform(-1, 1, size=2), 2000)
    level = rng.uniform(-1, 1, size=4000)
    latent = level + (0.2 + 0.2 * (level + 1)) * rng.standard_t(5, size=4000)
    y, below = np.maximum(latent, -1.0), latent < -1.0
    spread = calibration.fit(level[:2000], y[:2000], below[:2000])
    lower, upper = calibration.interval(spread, level[2000:])
    inside = (lower <= y[2000:]) & (y[2000:] <= upper)
    assert inside.mean() == pytest.approx(0.9, abs=0.02)
    assert (upper >= -1.0).all()
    over = calibration.exceedance(spread, level[2000:], 0.2)
    assert over.mean() == pytest.approx((y[2000:] > 0.2).mean(), abs=0.03)


@pytest.mark.slow
def test_a_paired_comparison_with_itself_is_nothing_and_a_better_model_wins(made):
    models = {"a": compare.mixture, "mean": _mean}
    runs = {name: evaluate.out_of_fold(made, "week", name, "ours", model, [0]) for name, model in models.items()}
    same = evaluate.compare(made, runs["a"], runs["a"])
    assert (same["delta_r2_log10"], same["low"], same["high"]) == (0.0, 0.0, 0.0)
    found = evaluate.compare(made, runs["a"], runs["mean"])
    scores = {n: evaluate.score(made, r[0])["r2_log10"] for n, r in runs.items()}
    assert found["delta_r2_log10"] == pytest.approx(scores["a"] - scores["mean"])
    assert found["low"] > 0
    assert found["p_value"] < 0.05
    assert found["weeks"] == 16


def _mean(p, train, test, seed):
    return ensemble.of_log10(calibration.Spread(0.0, 0.0, 1.0), np.full(len(test), p.y[train].mean()))
