"""Means, intervals and paired comparisons over seeds, against the formulas with quantiles of Student's table."""

import numpy as np
import pytest

from spectral_jax.adapt.score.seeds import over_seeds, paired

FIRST = {3: 0.71, 1: 0.75, 2: 0.69, 7: 0.77}
# Quantile 0.975 of Student's t of three degrees of freedom.
T_3 = 3.182446305
SECOND = {1: 0.70, 2: 0.68, 3: 0.66, 7: 0.75}


def test_summary_is_the_t_interval_of_the_mean():
    got = over_seeds(FIRST)
    values = np.array([0.75, 0.69, 0.71, 0.77])
    half = T_3 * np.std(values, ddof=1) / 2
    low, high = 0.73 - half, 0.73 + half
    assert (got.mean, got.standard_deviation) == (pytest.approx(0.73), pytest.approx(np.std(values, ddof=1)))
    assert (got.low, got.high) == (pytest.approx(low), pytest.approx(high))
    assert got.seeds == (1, 2, 3, 7)
    assert got.text() == f"0.730 +- 0.037 (95 % {low:.3f} to {high:.3f}, 4 seeds)"


def test_one_seed_has_no_spread():
    got = over_seeds({5: 0.5})
    assert got.mean == 0.5
    assert np.isnan([got.standard_deviation, got.low, got.high]).all()
    assert got.text() == "0.500 (one seed, no spread)"


def test_a_paired_comparison_is_of_the_differences():
    got = paired(FIRST, SECOND)
    differences = np.array([0.05, 0.01, 0.05, 0.02])
    error = np.std(differences, ddof=1) / 2
    assert got.difference == pytest.approx(0.0325)
    assert (got.low, got.high) == (pytest.approx(0.0325 - T_3 * error), pytest.approx(0.0325 + T_3 * error))
    # Of three degrees of freedom the distribution has a closed form (Student 1908).
    t = 0.0325 / error / np.sqrt(3)
    assert got.p == pytest.approx(1 - 2 / np.pi * (t / (1 + t**2) + np.arctan(t)))
    back = paired(SECOND, FIRST)
    assert (back.difference, back.p, back.low) == (pytest.approx(-0.0325), pytest.approx(got.p), pytest.approx(-got.high))


def test_differences_that_are_equal_but_for_rounding_pass_without_a_warning():
    got = paired({1: 0.9, 2: 0.8, 3: 0.7}, {1: 0.8, 2: 0.7, 3: 0.6})
    assert (got.low, got.high) == (pytest.approx(0.1), pytest.approx(0.1))
    assert got.p < 1e-6


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
