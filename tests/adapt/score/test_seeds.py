"""Means, intervals and paired comparisons over seeds, against scipy's own tests."""

import numpy as np
import pytest
from scipy import stats

from spectral_jax.adapt.score.seeds import over_seeds, paired

FIRST = {3: 0.71, 1: 0.75, 2: 0.69, 7: 0.77}
SECOND = {1: 0.70, 2: 0.68, 3: 0.66, 7: 0.75}


def test_summary_is_the_t_interval_of_the_mean():
    got = over_seeds(FIRST)
    values = np.array([0.75, 0.69, 0.71, 0.77])
    low, high = stats.t.interval(0.95, 3, loc=values.mean(), scale=stats.sem(values))
    assert (got.mean, got.standard_deviation) == (pytest.approx(0.73), pytest.approx(np.std(values, ddof=1)))
    assert (got.low, got.high) == (pytest.approx(low), pytest.approx(high))
    assert got.seeds == (1, 2, 3, 7)
    assert got.text() == f"0.730 +- 0.037 (95 % {low:.3f} to {high:.3f}, 4 seeds)"


def test_one_seed_has_no_spread():
    got = over_seeds({5: 0.5})
    assert got.mean == 0.5
    assert np.isnan([got.standard_deviation, got.low, got.high]).all()
    assert got.text() == "0.500 (one seed, no spread)"


def test_paired_comparison_is_scipys_paired_t_test():
    got = paired(FIRST, SECOND)
    ours, theirs = ([scores[s] for s in sorted(scores)] for scores in (FIRST, SECOND))
    expected = stats.ttest_rel(ours, theirs)
    interval = expected.confidence_interval(0.95)
    assert got.p == pytest.approx(expected.pvalue)
    assert (got.low, got.high) == (pytest.approx(interval.low), pytest.approx(interval.high))
    assert got.difference == pytest.approx(0.0325)
    back = paired(SECOND, FIRST)
    assert (back.difference, back.p, back.low) == (pytest.approx(-0.0325), pytest.approx(got.p), pytest.approx(-got.high))
    unpaired = stats.ttest_ind(ours, theirs).pvalue
    assert got.p < unpaired


def test_equal_differences_are_certain():
    assert paired({1: 0.5, 2: 0.75}, {1: 0.25, 2: 0.5}).p == 0.0
    same = paired(FIRST, FIRST)
    assert (same.p, same.difference, same.low, same.high) == (1.0, 0.0, 0.0, 0.0)


def test_unequal_or_missing_seeds_are_refused():
    with pytest.raises(
        ValueError, match="expected naive and srf on the same seeds, and naive alone has 3, 7 and srf alone has 9"
    ):
        paired(FIRST, {1: 0.7, 2: 0.7, 9: 0.7}, ("naive", "srf"))
    with pytest.raises(ValueError, match="at least two seeds to compare first and second, got 1"):
        paired({1: 0.5}, {1: 0.4})
    with pytest.raises(ValueError, match="at least one seed, got none"):
        over_seeds({})
    with pytest.raises(ValueError, match="the score of seed 2 is nan"):
        over_seeds({1: 0.5, 2: float("nan")})
