import math

import pytest

from spectral_jax.measure.ablation import budget


def test_steps_are_those_that_the_budget_pays_for():
    assert budget.steps_within(100.0, 0.3) == 333
    assert budget.steps_within(10.0, 1.0) == 10


def test_a_budget_for_fewer_than_ten_steps_is_told():
    with pytest.raises(
        ValueError, match=r"budget: 30 CPU seconds pay for 7 steps of 4.00 CPU seconds, and a row needs 10 or more"
    ):
        budget.steps_within(30.0, 4.0)


def test_the_step_that_compiles_is_paid_at_the_pace_of_the_others():
    assert budget.spent([dict(start=0, stop=101, counted=100, cpu_s=50.0)], 101) == pytest.approx(50.5)


def test_pieces_of_a_cut_run_are_added_and_steps_of_a_killed_one_counted_at_their_pace():
    pieces = [dict(start=0, stop=41, counted=40, cpu_s=20.0), dict(start=60, stop=101, counted=40, cpu_s=28.0)]
    assert budget.spent(pieces, 101) == pytest.approx(48.0 / 80 * 101)


def test_without_counted_steps_nothing_is_claimed():
    assert math.isnan(budget.spent([], 10))
