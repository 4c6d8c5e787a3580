"""Batches without a valid pixel, and a loss that does not move."""

import pytest

from spectral_jax.train.alarms import Alarms, NothingValid


def rows(shares, losses=None):
    losses = losses or range(len(shares))
    return [{"step": i, "valid_share": s, "loss": float(x)} for i, (s, x) in enumerate(zip(shares, losses, strict=True), 1)]


def told(alarms, made):
    return [text for row in made for text in alarms.look(row, lambda: ["a", "b"])]


def test_one_empty_batch_is_told_and_passed_over():
    lines = told(Alarms(), rows([0.5, 0.0, 0.5, 0.0, 0.0, 0.3]))
    assert [line[:30] for line in lines] == [f"Step {n}: not one pixel of the ba"[:30] for n in (2, 4, 5)]
    assert "locations: a, b" in lines[0]


def test_three_empty_batches_in_a_row_end_the_run():
    with pytest.raises(NothingValid, match="step 5: 3 batches in a row hold not one valid pixel .* 2 locations: a, b"):
        told(Alarms(), rows([0.5, 0.5, 0.0, 0.0, 0.0]))


def test_a_tenth_of_empty_batches_ends_the_run():
    with pytest.raises(NothingValid, match="10 of the last 28 batches"):
        told(Alarms(), rows([0.0, 0.5, 0.5] * 12))
    assert told(Alarms(), rows(([0.0] + [0.5] * 11) * 20))


def test_a_loss_that_does_not_move_is_told_once():
    lines = told(Alarms(), rows([1.0] * 60, [2.0] * 10 + [0.0] * 50))
    assert lines == [
        "Step 30: the loss is 0 exactly in 20 steps in a row; nothing is being learned. Look at optim.lr and at what the store "
        "holds."
    ]
