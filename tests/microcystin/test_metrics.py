import numpy as np
import pytest

from spectral_jax.microcystin import metrics


def test_ranking_metrics_agree_with_scikit_learn(rng):
    sklearn = pytest.importorskip("sklearn.metrics")
    positive = rng.random(200) < 0.3
    score = np.round(rng.normal(size=200) + positive, 1)  # with ties
    assert metrics.auc(positive, score) == pytest.approx(sklearn.roc_auc_score(positive, score), abs=1e-12)
    assert metrics.average_precision(positive, score) == pytest.approx(
        sklearn.average_precision_score(positive, score), abs=1e-12
    )


def test_spearman_agrees_with_scipy(rng):
    stats = pytest.importorskip("scipy.stats")
    a, b = np.round(rng.normal(size=(2, 60)), 1)
    assert metrics.spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-12)


def test_values_of_a_hand_made_case():
    observed, predicted = np.array([0.1, 1.0, 10.0, 10.0]), np.array([0.01, 2.0, 10.0, 5.0])
    found = metrics.all_metrics(observed, predicted)
    # log10: observed -1, 0, 1, 1; predicted -1 (at the limit), 0.30103, 1, 0.69897; mean 0.25, total 2.75
    assert found["r2_log10"] == pytest.approx(1 - 2 * 0.30103**2 / 2.75, abs=1e-5)
    assert found["mae_log10"] == pytest.approx(0.30103 / 2, abs=1e-5)
    assert found["mae_ug_l"] == pytest.approx(6 / 4)
    assert found["mdsa_percent"] == pytest.approx(100 * (10 ** (0.30103 / 2) - 1), abs=1e-3)
    assert found["sspb_percent"] == pytest.approx(0.0)
    assert found["auc_8"] == 1.0
    assert np.isnan(found["coverage_90"])


def test_bias_has_the_sign_of_the_error():
    observed = np.array([1.0, 2.0, 4.0])
    assert metrics.all_metrics(observed, 2 * observed)["sspb_percent"] == pytest.approx(100)
    assert metrics.all_metrics(observed, observed / 2)["sspb_percent"] == pytest.approx(-100)


def test_a_non_detect_is_held_by_an_interval_that_reaches_below_the_limit():
    observed = np.array([0.1, np.float32(0.1), 1.0, 1.0])
    lower, upper = np.array([0.02, 0.2, 0.5, 1.5]), np.array([0.1, 0.5, 2.0, 3.0])
    np.testing.assert_array_equal(metrics.covered(observed, lower, upper), [True, False, True, False])
    found = metrics.all_metrics(observed, observed, censored=observed < 0.5, lower=lower, upper=upper)
    assert (found["coverage_90"], found["coverage_90_detected"], found["coverage_90_non_detected"]) == (0.5, 0.5, 0.5)


def test_without_both_classes_there_is_no_auc():
    assert np.isnan(metrics.auc(np.zeros(3, bool), np.arange(3.0)))
    assert np.isnan(metrics.average_precision(np.zeros(3, bool), np.arange(3.0)))
