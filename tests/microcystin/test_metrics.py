import sys

import numpy as np
import pytest

from spectral_jax.microcystin import metrics


@pytest.fixture
def ranked(rng):
    """200 samples, some positive, and scores with ties."""
    positive = rng.random(200) < 0.3
    return positive, np.round(rng.normal(size=200) + positive, 1)


def mean_ranks(x):
    """From 1; ties at their mean."""
    return np.array([1 + np.sum(x < v) + (np.sum(x == v) - 1) / 2 for v in x])


def test_the_area_under_the_curve_is_the_share_of_pairs_in_the_right_order(ranked):
    positive, score = ranked
    apart = score[positive][:, None] - score[~positive]
    assert metrics.auc(positive, score) == pytest.approx(np.mean((apart > 0) + 0.5 * (apart == 0)), abs=1e-12)


def test_average_precision_sums_over_falling_bounds(ranked):
    positive, score = ranked
    expected, before = 0.0, 0.0
    for bound in sorted(set(score), reverse=True):
        called = score >= bound
        recall = np.sum(positive & called) / positive.sum()
        expected += (recall - before) * np.mean(positive[called])
        before = recall
    assert metrics.average_precision(positive, score) == pytest.approx(expected, abs=1e-12)


def test_spearman_is_the_correlation_of_mean_ranks(rng):
    a, b = np.round(rng.normal(size=(2, 60)), 1)
    assert metrics.spearman(a, b) == pytest.approx(np.corrcoef(mean_ranks(a), mean_ranks(b))[0, 1], abs=1e-12)


def test_r2_is_one_minus_residual_over_total(rng):
    y, p = rng.normal(size=(2, 50))
    assert metrics.r2(y, p) == pytest.approx(1 - np.sum((y - p) ** 2) / np.sum((y - y.mean()) ** 2), abs=1e-12)


def test_without_scikit_learn_a_sentence_says_what_to_install(ranked, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ImportError, match=r"scoring predictions needs scikit-learn.*pip install 'spectral-jax\[eval\]'"):
        metrics.auc(*ranked)


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


def test_what_is_constant_has_no_correlation_and_no_r2():
    assert np.isnan(metrics.spearman(np.ones(3), np.arange(3.0)))
    assert np.isnan(metrics.r2(np.ones(3), np.arange(3.0)))


def test_without_both_classes_there_is_no_auc():
    assert np.isnan(metrics.auc(np.ones(3, bool), np.arange(3.0)))
    assert np.isnan(metrics.auc(np.zeros(3, bool), np.arange(3.0)))
    assert np.isnan(metrics.average_precision(np.zeros(3, bool), np.arange(3.0)))
