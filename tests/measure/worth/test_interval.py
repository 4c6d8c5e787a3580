import math

import numpy as np
import pytest
from scipy import stats

from spectral_jax.measure.worth import interval


def test_one_seed_is_a_t_interval_over_draws(rng):
    values = rng.normal(size=(1, 8))
    found = interval.over(values)
    low, high = stats.t.interval(0.95, 7, values.mean(), stats.sem(values[0]))
    assert found == pytest.approx((values.mean(), low, high))


def test_one_draw_is_a_t_interval_over_seeds():
    found = interval.over(np.array([[0.1], [0.2], [0.3]]))
    half = 4.3026527 * 0.1 / math.sqrt(3)
    assert found == pytest.approx((0.2, 0.2 - half, 0.2 + half))


def test_seeds_and_draws_add_their_variances():
    """Seeds differ by 0, 3 and 6, draws by 0 and 2, nothing else: mean squares 18 (2), 6 (1) and 0 (2)."""
    values = np.array([[0.0, 2.0], [3.0, 5.0], [6.0, 8.0]])
    freedom = 24.0**2 / (18.0**2 / 2 + 6.0**2 / 1)
    half = stats.t.ppf(0.975, freedom) * math.sqrt(24.0 / 6)
    assert interval.over(values) == pytest.approx((4.0, 4.0 - half, 4.0 + half))


def test_many_draws_do_not_hide_that_seeds_differ(rng):
    seeds = np.array([[-0.05], [0.02], [0.06]])
    found = interval.over(seeds + 0.001 * rng.normal(size=(3, 50)))
    assert found.low < -0.1
    assert found.verdict == "not shown"


def test_an_interval_covers_the_truth_about_as_often_as_it_says(rng):
    seeds, draws, rest = rng.normal(size=(2000, 3, 1)), rng.normal(size=(2000, 1, 10)), rng.normal(size=(2000, 3, 10))
    found = [interval.over(0.5 * a + b + 0.5 * c) for a, b, c in zip(seeds, draws, rest, strict=True)]
    assert 0.92 < np.mean([x.low < 0 < x.high for x in found]) < 0.99


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ((0.1, 0.01, 0.2), "ahead"),
        ((0.1, -0.01, 0.2), "not shown"),
        ((-0.1, -0.2, -0.01), "behind"),
        ((0.1, math.nan, math.nan), "not shown"),
    ],
)
def test_a_verdict_is_ahead_or_behind_only_where_the_interval_excludes_zero(found, verdict):
    assert interval.Interval(*found).verdict == verdict


def test_one_value_has_no_interval():
    found = interval.over(np.array([[0.25]]))
    assert found.text() == "+0.250 (no interval)"
    assert interval.Interval(0.1, 0.05, 0.15).text() == "+0.100 (+0.050 to +0.150)"
