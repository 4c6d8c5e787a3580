"""Supervised losses against plain NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spectral_jax.means import global_mean
from spectral_jax.objective import supervised

WEIGHTS = np.array([0.5, 2.0, 1.0])


def scores_and_labels(rng):
    logits = rng.normal(scale=3.0, size=(2, 4, 5, 3))
    labels = rng.integers(-1, 3, (2, 4, 5))
    labels[1] = np.where(labels[1] == 2, 0, labels[1])  # the second image does not have class 2
    return logits, labels, jnp.asarray(logits, jnp.float32), jnp.asarray(labels, jnp.int32)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_cross_entropy_is_the_weighted_sum_over_labels_that_count(rng, weights):
    logits, labels, x, y = scores_and_labels(rng)
    row = np.ones(3) if weights is None else weights
    total = count = 0.0
    for place in np.ndindex(labels.shape):
        if labels[place] >= 0:
            total -= row[labels[place]] * np.log(softmax(logits[place])[labels[place]])
            count += row[labels[place]]
    got = jax.jit(supervised.cross_entropy)(x, y, None if weights is None else jnp.asarray(weights))
    np.testing.assert_allclose(got, (total, count), rtol=1e-5)


def test_cross_entropy_stays_finite_where_scores_are_far_apart():
    total, count = supervised.cross_entropy(jnp.asarray([[1e4, -1e4], [1e4, -1e4]]), jnp.asarray([1, -1]))
    assert (float(total), float(count)) == (2e4, 1.0)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_soft_dice_is_of_each_image_and_each_class_that_it_has(rng, weights):
    logits, labels, x, y = scores_and_labels(rng)
    row = np.ones(3) if weights is None else weights
    total = count = 0.0
    for image, truth in zip(softmax(logits), labels, strict=True):
        counted = truth >= 0
        for k in range(3):
            t, p = (truth == k)[counted], image[..., k][counted]
            if t.any():
                total += row[k] * (1 - 2 * (p * t).sum() / (p.sum() + t.sum()))
                count += row[k]
    assert count == (5 if weights is None else 6.0)
    got = jax.jit(supervised.soft_dice)(x, y, None if weights is None else jnp.asarray(weights))
    np.testing.assert_allclose(got, (total, count), rtol=1e-5)


def test_soft_dice_of_a_perfect_map_is_zero_and_of_an_ignored_one_nothing():
    labels = jnp.asarray([[0, 1, 1, -1], [-1, -1, -1, -1]])
    logits = 100.0 * jax.nn.one_hot(labels, 2)
    total, count = supervised.soft_dice(logits, labels)
    assert float(total) == pytest.approx(0.0, abs=1e-6)
    assert float(count) == 2.0


def test_squared_error_leaves_out_what_was_not_measured():
    predicted, target = jnp.asarray([[1.0, 2.0], [3.0, 5.0]]), jnp.asarray([[0.0, jnp.nan], [5.0, 5.0]])
    total, count = supervised.squared_error(predicted, target)
    assert (float(total), float(count)) == (5.0, 3.0)
    slope = jax.grad(lambda p: supervised.squared_error(p, target)[0])(predicted)
    np.testing.assert_array_equal(slope, [[2.0, 0.0], [-4.0, 0.0]])


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_binary_cross_entropy_counts_the_labels_that_are_known(rng, weights):
    logits, row = rng.normal(scale=2.0, size=(4, 3)), np.ones(3) if weights is None else weights
    labels = np.array([[1, 0, 1], [0, -1, 1], [np.nan, 0, 0], [1, 1, 0]])
    total = count = 0.0
    for place in np.ndindex(4, 3):
        if labels[place] in (0, 1):
            p = 1 / (1 + np.exp(-logits[place]))
            total -= row[place[1]] * np.log(p if labels[place] else 1 - p)
            count += row[place[1]]
    weights = None if weights is None else jnp.asarray(weights, jnp.float32)
    got = supervised.binary_cross_entropy(jnp.asarray(logits, jnp.float32), jnp.asarray(labels, jnp.float32), weights)
    np.testing.assert_allclose(got, (total, count), rtol=1e-5)


def test_integer_labels_of_several_kinds_are_taken_as_they_are():
    total, count = supervised.binary_cross_entropy(jnp.zeros((1, 3)), jnp.asarray([[1, 0, -1]]))
    assert float(count) == 2.0
    assert float(total) == pytest.approx(2 * np.log(2))


@pytest.mark.slow
def test_unknown_labels_give_no_gradient(rng):
    _, labels, x, y = scores_and_labels(rng)
    for loss in (supervised.cross_entropy, supervised.soft_dice):
        slope = np.asarray(jax.grad(lambda s: loss(s, y)[0])(x))  # noqa: B023
        assert np.isfinite(slope).all()
        np.testing.assert_array_equal(slope[labels < 0], 0.0)
        assert (np.abs(slope[labels >= 0]).max(-1) > 0).all()
    known = jnp.asarray([[1.0, -1.0, jnp.nan]])
    slope = jax.grad(lambda s: supervised.binary_cross_entropy(s, known)[0])(jnp.ones((1, 3)))
    np.testing.assert_allclose(slope, [[1 / (1 + np.exp(-1.0)) - 1, 0.0, 0.0]], rtol=1e-5)


@pytest.mark.parametrize("label", [3, -2])
def test_a_class_that_does_not_exist_makes_the_loss_nan(label):
    labels = jnp.asarray([[0, 1, label]])
    for loss in (supervised.cross_entropy, supervised.soft_dice):
        assert np.isnan(jax.jit(loss)(jnp.zeros((1, 3, 3)), labels)[0])
        assert np.isnan(global_mean(*loss(jnp.zeros((1, 3, 3)), labels), None))
        assert np.isfinite(global_mean(*loss(jnp.zeros((1, 3, 3)), labels.at[0, 2].set(2)), None))


@pytest.mark.slow
def test_sums_and_counts_of_parts_add_up_to_those_of_the_batch(rng):
    _, _, x, y = scores_and_labels(rng)
    for loss in (supervised.cross_entropy, supervised.soft_dice):
        parts = [loss(x[i : i + 1], y[i : i + 1]) for i in range(2)]
        np.testing.assert_allclose(loss(x, y), np.sum(parts, axis=0), rtol=1e-6)


def test_labels_of_another_kind_or_shape_are_refused():
    x = jnp.zeros((2, 5, 3))
    for loss in (supervised.cross_entropy, supervised.soft_dice):
        with pytest.raises(TypeError, match="labels: expected integers, class numbers from 0 or -1 to ignore, got float32"):
            loss(x, jnp.zeros((2, 5)))
        with pytest.raises(ValueError, match=r"the shape of the scores without their last axis, \(2, 5\), got \(2, 5, 3\)"):
            loss(x, jnp.zeros((2, 5, 3), int))
        with pytest.raises(ValueError, match=r"weights: expected one number for each of the 3 classes, got shape \(2,\)."):
            loss(x, jnp.zeros((2, 5), int), jnp.ones(2))
    with pytest.raises(ValueError, match=r"squared_error: expected predictions and targets of one shape, got \(2, 1\) and"):
        supervised.squared_error(jnp.zeros((2, 1)), jnp.zeros(2))
    with pytest.raises(ValueError, match=r"expected scores and labels of one shape \[... K\], got \(2, 5, 3\) and \(2, 5\)"):
        supervised.binary_cross_entropy(x, jnp.zeros((2, 5)))
