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
    assert np.isfinite(found.log10).all()
    assert (found.lower <= found.log10).all()
    assert (found.log10 <= found.upper).all()


def test_persistence_ahead_is_the_sample_of_the_image_and_now_that_of_the_week_before(made):
    np.testing.assert_array_equal(made.persistence, np.log10(made.data.mc_now))
    now = problem.make(made.data, "now", None).persistence
    assert np.isnan(now[:4]).all()
    np.testing.assert_array_equal(now[4:], np.log10(made.data.mc_now[:-4]))


def test_the_mean_is_the_training_mean(made):
    train, test = np.arange(24), np.arange(24, 32)
    np.testing.assert_allclose(baselines.mean(made, train, test, 0).log10, made.y[:24].mean())


def test_a_forest_depends_on_its_seed_and_on_nothing_else(made):
    forest = baselines.baseline("random forest", trees=10)
    a, b, c = (evaluate.out_of_fold(made, "random", "f", "baseline", forest, s).prediction.log10 for s in (0, 0, 1))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


def test_an_unknown_baseline_names_all():
    with pytest.raises(KeyError, match="no baseline is called 'xgboost'; there are mean, season, persistence"):
        baselines.baseline("xgboost")
