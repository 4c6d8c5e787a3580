"""Metrics against scikit-learn on random label maps, exact sums over batches, and what is undefined."""

import dataclasses
import functools
import operator

import numpy as np
import pytest

from spectral_jax.adapt.score.metrics import (
    confusion,
    multilabel_metrics,
    overlap_metrics,
    overlaps,
    regression_metrics,
    regression_sums,
    segmentation_metrics,
)

metrics = pytest.importorskip("sklearn.metrics", reason="needs the extra spectral-jax[eval]")
CLOSE = dict(rtol=0, atol=1e-9)


def random_maps(seed, classes=5, shape=(6, 17, 13)):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, shape)
    predicted = np.where(rng.random(shape) < 0.6, truth, rng.integers(0, classes, shape))
    truth[rng.random(shape) < 0.2] = -1
    return truth, predicted


@pytest.mark.parametrize("seed", range(4))
def test_segmentation_agrees_with_scikit_learn(seed):
    truth, predicted = random_maps(seed)
    got = segmentation_metrics(confusion(truth, predicted, 5))
    y, p = truth[truth != -1], predicted[truth != -1]
    expected = {
        "iou_macro": metrics.jaccard_score(y, p, average="macro"),
        "iou_micro": metrics.jaccard_score(y, p, average="micro"),
        "iou_per_class": metrics.jaccard_score(y, p, average=None),
        "accuracy_overall": metrics.accuracy_score(y, p),
        "accuracy_mean": metrics.balanced_accuracy_score(y, p),
        "f1_macro": metrics.f1_score(y, p, average="macro"),
        "f1_micro": metrics.f1_score(y, p, average="micro"),
        "f1_per_class": metrics.f1_score(y, p, average=None),
    }
    assert set(got) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(got[name], value, **CLOSE, err_msg=name)


@pytest.mark.parametrize("seed", range(3))
def test_overlaps_of_things_that_share_pixels_agree_with_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    truth = (rng.random((4, 9, 7, 3)) < 0.3).astype(np.float32)
    score = truth + rng.normal(size=truth.shape)
    truth[rng.random(truth.shape) < 0.2] = np.nan
    halves = [overlaps(truth[i : i + 2], score[i : i + 2]) for i in (0, 2)]
    got = overlap_metrics(halves[0] + halves[1])
    known = [np.isfinite(truth[..., k]) for k in range(3)]
    pairs = [(truth[..., k][known[k]] == 1, score[..., k][known[k]] >= 0.5) for k in range(3)]
    each = [metrics.jaccard_score(y, p) for y, p in pairs]
    together = [np.concatenate(side) for side in zip(*pairs, strict=True)]
    np.testing.assert_allclose(got["iou_per_class"], each, **CLOSE)
    np.testing.assert_allclose(got["iou_macro"], np.mean(each), **CLOSE)
    np.testing.assert_allclose(got["iou_micro"], metrics.jaccard_score(*together), **CLOSE)


def test_a_thing_that_is_nowhere_has_no_overlap_and_nothing_at_all_is_refused():
    truth = np.array([[1.0, 0.0], [0.0, 0.0]])
    got = overlap_metrics(overlaps(truth, truth))
    assert np.isnan(got["iou_per_class"][1])
    assert got["iou_macro"] == 1.0
    with pytest.raises(ValueError, match="nothing is present anywhere"):
        overlap_metrics(overlaps(0 * truth, 0 * truth))


def test_micro_and_macro_differ_on_unbalanced_maps():
    truth = np.array([0] * 98 + [1] * 2)
    got = segmentation_metrics(confusion(truth, np.zeros(100, int), 2))
    assert got["iou_micro"] == pytest.approx(98 / 102)
    assert got["iou_macro"] == pytest.approx(0.98 / 2)


def test_ignored_pixels_do_not_count_however_they_are_predicted():
    truth, predicted = random_maps(9)
    other = np.where(truth == -1, 77, predicted)
    np.testing.assert_array_equal(confusion(truth, predicted, 5).counts, confusion(truth, other, 5).counts)
    valid = np.random.default_rng(1).random(truth.shape) < 0.5
    masked = confusion(truth, predicted, 5, valid)
    y, p = (x[(truth != -1) & valid] for x in (truth, predicted))
    np.testing.assert_array_equal(masked.counts, metrics.confusion_matrix(y, p))
    assert masked.ignored == truth.size - len(y)


def test_absent_classes_are_left_out_and_only_predicted_ones_count_as_zero():
    truth, predicted = np.array([0, 0, 1, 1]), np.array([0, 0, 1, 2])
    got = segmentation_metrics(confusion(truth, predicted, 4))
    np.testing.assert_allclose(got["iou_per_class"], [1.0, 0.5, 0.0, np.nan])
    assert got["iou_macro"] == pytest.approx(0.5)
    assert got["iou_macro"] == pytest.approx(metrics.jaccard_score(truth, predicted, average="macro"))
    assert got["accuracy_mean"] == pytest.approx(0.75)


def test_batches_of_any_size_add_up_exactly():
    truth, predicted = random_maps(3)
    whole = confusion(truth, predicted, 5)
    parts = [confusion(t, p, 5) for t, p in zip(np.array_split(truth, 4), np.array_split(predicted, 4), strict=True)]
    total = functools.reduce(operator.add, parts)
    np.testing.assert_array_equal(total.counts, whole.counts)
    assert total.ignored == whole.ignored
    mean_of_means = np.mean([segmentation_metrics(part)["iou_macro"] for part in parts])
    assert mean_of_means != pytest.approx(segmentation_metrics(whole)["iou_macro"], abs=1e-9)


def test_wrong_maps_are_refused():
    with pytest.raises(ValueError, match="expected pixels that count, and all 6 are ignored"):
        segmentation_metrics(confusion(np.full((2, 3), -1), np.zeros((2, 3), int), 3))
    with pytest.raises(ValueError, match=r"one shape, got \(4,\) and \(2, 2\)"):
        confusion(np.zeros(4, int), np.zeros((2, 2), int), 3)
    with pytest.raises(ValueError, match="expected a label of 0 to 2, or -1 in labels to ignore, and 1 are 3"):
        confusion(np.array([0, 3]), np.array([0, 0]), 3)
    with pytest.raises(ValueError, match="expected a prediction of 0 to 2, .*1 are -1"):
        confusion(np.array([0, 1]), np.array([0, -1]), 3)


def test_multilabel_agrees_with_scikit_learn():
    rng = np.random.default_rng(5)
    truth = rng.random((60, 7)) < 0.3
    truth[:, 4] = False
    score = np.clip(truth * 0.3 + rng.random((60, 7)) * 0.7, 0, 1)
    said = score >= 0.5
    got = multilabel_metrics(truth, score)
    there = truth.any(axis=0)
    assert said[:, 4].any()
    expected = {
        "f1_micro": metrics.f1_score(truth, said, average="micro"),
        "f1_macro": metrics.f1_score(truth, said, average="macro"),
        "map": metrics.average_precision_score(truth[:, there], score[:, there], average="macro"),
        "map_micro": metrics.average_precision_score(truth, score, average="micro"),
    }
    assert set(got) == set(expected)
    for name, value in expected.items():
        assert got[name] == pytest.approx(value, abs=1e-9), name
    assert multilabel_metrics(truth, score, threshold=0.9)["f1_micro"] < got["f1_micro"]
    with pytest.raises(ValueError, match="none of 60 samples has any"):
        multilabel_metrics(np.zeros((60, 7), bool), score)
    with pytest.raises(ValueError, match=r"one shape \[N K\], got \(60, 7\) and \(60, 6\)"):
        multilabel_metrics(truth, score[:, :6])


def regression_case():
    rng = np.random.default_rng(2)
    truth = rng.normal([1e4, 0.0, 7.0], [1.0, 5.0, 0.1], (50, 3))
    return truth, truth + rng.normal(0, [0.5, 2.0, 0.2], (50, 3))


def test_regression_agrees_with_scikit_learn_where_labels_are_missing():
    truth, predicted = regression_case()
    truth[::3, 1] = np.nan
    got = regression_metrics(regression_sums(truth, predicted))
    for k in range(3):
        known = np.isfinite(truth[:, k])
        y, p = truth[known, k], predicted[known, k]
        assert got["rmse_per_target"][k] == pytest.approx(metrics.root_mean_squared_error(y, p), abs=1e-9)
        assert got["r2_per_target"][k] == pytest.approx(metrics.r2_score(y, p), abs=1e-9)
    assert got["r2_mean"] == pytest.approx(got["r2_per_target"].mean())
    assert np.isnan(got["hyperview_score"])


def test_regression_batches_add_up():
    truth, predicted = regression_case()
    truth[:7, 2] = np.nan
    mean = np.array([9999.0, 1.0, 7.0])
    whole = regression_sums(truth, predicted, mean)
    cuts = [0, 4, 5, 33, 50]
    parts = [regression_sums(truth[a:b], predicted[a:b], mean) for a, b in zip(cuts, cuts[1:], strict=False)]
    total = functools.reduce(operator.add, parts)
    for field in dataclasses.fields(whole):
        np.testing.assert_allclose(getattr(total, field.name), getattr(whole, field.name), rtol=1e-12, err_msg=field.name)


def test_hyperview_score_is_one_for_the_training_mean():
    truth, predicted = regression_case()
    mean = np.array([9999.5, 0.5, 7.0])
    constant = regression_metrics(regression_sums(truth, np.broadcast_to(mean, truth.shape), mean))
    assert constant["hyperview_score"] == pytest.approx(1.0)
    got = regression_metrics(regression_sums(truth, predicted, mean))["hyperview_score"]
    ratios = [
        metrics.mean_squared_error(truth[:, k], predicted[:, k]) / metrics.mean_squared_error(truth[:, k], np.full(50, mean[k]))
        for k in range(3)
    ]
    assert got == pytest.approx(np.mean(ratios), abs=1e-9)


def test_wrong_regressions_are_refused():
    truth, predicted = regression_case()
    with pytest.raises(ValueError, match="target 1 has none in this split"):
        regression_metrics(regression_sums(np.where([True, False, True], truth, np.nan), predicted))
    with pytest.raises(ValueError, match="1 predictions are not finite"):
        regression_sums(truth, np.where(np.arange(150).reshape(50, 3) == 4, np.inf, predicted))
    with pytest.raises(ValueError, match="one shape"):
        regression_sums(truth, predicted[:, :2])
    flat = regression_metrics(regression_sums(np.ones((5, 1)), np.zeros((5, 1))))
    assert np.isnan(flat["r2_per_target"][0])
