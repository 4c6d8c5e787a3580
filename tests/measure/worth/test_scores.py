import numpy as np
import pytest

from spectral_jax.measure.worth import scores
from spectral_jax.measure.worth.question import Question
from spectral_jax.pretrain import ridge

pytest.importorskip("sklearn")
QUESTION = Question(seed=3, labelled=40, unseen=60, labels=(10, 40), draws=4)
ALL = np.ones(100, bool)


@pytest.fixture
def data(rng):
    x = rng.normal(size=(100, 3))
    return x, x @ rng.normal(size=(3, 2)) + 0.5 * rng.normal(size=(100, 2))


def test_draws_are_of_labelled_places_each_once_and_the_same_every_time():
    draws, again = scores.draw(QUESTION, ALL), scores.draw(QUESTION, ALL)
    assert set(draws.rows) == {10}
    assert draws.rows[10].shape == (4, 10)
    assert all(len(set(rows)) == 10 and rows.max() < 40 for rows in draws.rows[10])
    np.testing.assert_array_equal(draws.rows[10], again.rows[10])
    assert [len(part) for part in draws.parts] == [15] * 4


def test_places_whose_truth_is_not_known_are_neither_labelled_nor_asked():
    usable = np.arange(100) % 2 == 0
    draws = scores.draw(QUESTION, usable)
    assert set(draws.labelled) == set(range(0, 40, 2))
    assert all(set(rows) < set(range(0, 40, 2)) for rows in draws.rows[10])
    assert set(np.concatenate(draws.parts)) == set(range(40, 100, 2))


def test_a_few_labels_are_scored_draw_by_draw_on_all_unseen_places(data):
    x, truth = data
    draws = scores.draw(QUESTION, ALL)
    found = scores.score(x, truth, draws, (10,))[10]
    rows = draws.rows[10][2]
    predicted = ridge.predict(x[rows], truth[rows], x[40:], shared=True)
    error = ((predicted - truth[40:]) ** 2).sum(0) / ((truth[40:] - truth[40:].mean(0)) ** 2).sum(0)
    assert found.shape == (4,)
    assert found[2] == pytest.approx(np.mean(1 - error))


def test_with_all_labels_the_mean_of_the_parts_is_r2_of_all_unseen_places(data):
    x, truth = data
    found = scores.score(x, truth, scores.draw(QUESTION, ALL), (40,))[40]
    whole = ridge.r2(truth[40:], ridge.predict(x[:40], truth[:40], x[40:]))
    assert found.std() > 0.01
    assert found.mean() == pytest.approx(whole.mean())


def test_features_that_are_not_finite_are_refused(data):
    x, truth = data
    x[[3, 70], 1] = np.nan
    with pytest.raises(ValueError, match="2 of 100 places hold numbers that are not finite"):
        scores.score(x, truth, scores.draw(QUESTION, ALL), (10,))
