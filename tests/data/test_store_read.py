"""Which date of a patch is read."""

import numpy as np

from spectral_jax.data import store_read
from spectral_jax.data.schedule import words


def test_dates_are_drawn_evenly():
    valid = np.tile(np.array([[1, 0, 1, 1]], bool), (3000, 1))
    present, dates = store_read.choose_dates(valid, words(0, "date of S2", 0, 3000))
    assert present.all()
    # 1000 expected each; five standard deviations of a binomial are 129.
    np.testing.assert_allclose(np.bincount(dates, minlength=4), [1000, 0, 1000, 1000], atol=129)


def test_another_date_is_never_the_chosen_one_where_there_are_two():
    valid = np.tile(np.array([[1, 0, 1, 1]], bool), (3000, 1))
    other = store_read.choose_other(valid, words(0, "other date of S2", 0, 3000), np.full(3000, 2))
    # 1500 expected each; five standard deviations of a binomial are 137.
    np.testing.assert_allclose(np.bincount(other, minlength=4), [1500, 0, 0, 1500], atol=137)
    few = np.array([[0, 1, 0], [0, 0, 0], [1, 0, 1]], bool)
    assert store_read.choose_other(few, np.arange(3, dtype=np.uint64), np.array([1, 0, 0])).tolist() == [1, 0, 2]


def test_the_later_date_is_the_one_nearest_to_the_middle_of_the_lead():
    valid = np.array([[1, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 0], [1, 1, 1, 1]], bool)
    times = np.array([[0.0, 6, 9, 20], [0, 7, 20, 30], [0, 7.5, 9, 9], [0, 8, 16, 24]])
    present, dates = np.array([True, True, True, False]), np.array([0, 0, 0, 0])
    found, which = store_read.choose_later(valid, times, present, dates, (6.0, 10.0))
    assert found.tolist() == [True, False, True, False]
    assert which[found].tolist() == [2, 1]  # 9 days are nearer to 8 than 6 are
