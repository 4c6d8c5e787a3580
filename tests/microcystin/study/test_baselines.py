import sys

import numpy as np
import pytest
from made import tiny_matchups

from spectral_jax.microcystin import problem, settings
from spectral_jax.microcystin.study import baselines, evaluate

pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def made():
    return problem.make(tiny_matchups.make(weeks=8), "ahead", None)


@pytest.mark.parametrize("name", [n for n in settings.BASELINES if n != "season"])
def test_every_baseline_predicts_every_row_once(made, name):
    parts = 0, 1
    train, test = np.arange(24), np.arange(24, 32)
    found = baselines.baseline(name, trees=20)(made, train, test, parts[0])
    assert np.isfinite(found.middle).all()
    assert (found.low <= found.middle).all()
    assert (found.middle <= found.high).all()


def test_persistence_ahead_is_the_sample_of_the_image_and_now_that_of_the_week_before(made):
    np.testing.assert_array_equal(made.persistence, np.log10(made.data.mc_now))
    now = problem.make(made.data, "now", None).persistence
    assert np.isnan(now[:4]).all()
    np.testing.assert_array_equal(now[4:], np.log10(made.data.mc_now[:-4]))


def test_the_mean_is_the_training_mean(made):
    train, test = np.arange(24), np.arange(24, 32)
    np.testing.assert_allclose(baselines.mean(made, train, test, 0).middle, made.y[:24].mean())


@pytest.mark.slow
def test_a_forest_depends_on_its_seed_and_on_nothing_else(made):
    forest = baselines.baseline("random forest", trees=10)
    runs = evaluate.out_of_fold(made, "random", "f", "baseline", forest, [0, 0, 1])
    a, b, c = (run.prediction.middle for run in runs)
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


@pytest.mark.slow
def test_folds_shared_by_processes_give_what_one_process_gives(made):
    alone = evaluate.out_of_fold(made, "week", "mean", "baseline", baselines.mean, [0, 1])
    shared = evaluate.out_of_fold(made, "week", "mean", "baseline", baselines.mean, [0, 1], workers=2)
    assert [run.seed for run in shared] == [run.seed for run in alone] == [0, 1]
    for a, b in zip(alone, shared, strict=True):
        np.testing.assert_array_equal(a.prediction.middle, b.prediction.middle)


def test_an_unknown_baseline_names_the_closest():
    with pytest.raises(
        ValueError,
        match=r"evaluation.baselines: no baseline is called 'boosting'; .* first: gradient boosting, .* \(9 in all\)",
    ):
        baselines.baseline("boosting")


def test_without_scikit_learn_a_sentence_says_what_to_install(made, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(ImportError, match=r"the baseline 'ridge' needs scikit-learn.* pip install 'spectral-jax\[eval\]'"):
        baselines.baseline("ridge")(made, np.arange(24), np.arange(24, 32), 0)


def test_without_joblib_one_process_works_and_two_are_a_sentence(made, monkeypatch):
    monkeypatch.setitem(sys.modules, "joblib", None)
    (run,) = evaluate.out_of_fold(made, "week", "mean", "baseline", baselines.mean, [0])
    assert np.isfinite(run.prediction.middle).all()
    with pytest.raises(ImportError, match="sharing folds among processes needs joblib"):
        evaluate.out_of_fold(made, "week", "mean", "baseline", baselines.mean, [0], workers=2)


def test_the_season_without_a_climatology_is_a_sentence(made):
    with pytest.raises(ValueError, match="baseline 'season': expected a climatology, got none"):
        baselines.season(made, np.arange(24), np.arange(24, 32), 0)
