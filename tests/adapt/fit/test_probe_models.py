"""Probes on embeddings: what they find, what they choose, and what they refuse."""

import sys

import numpy as np
import pytest

from spectral_jax.adapt.fit import probe_models

pytest.importorskip("sklearn", reason="needs the extra spectral-jax[eval]")


def two_classes(rng, count, width=6, apart=2.0):
    labels = rng.integers(0, 2, count)
    return rng.normal(size=(count, width)) + apart * labels[:, None] * np.eye(width)[0], labels


def by_hand(train, labels, test, k):
    """Votes of the nearest by cosine distance, weighed by one over it."""
    unit = lambda x: x / np.linalg.norm(x, axis=1, keepdims=True)  # noqa: E731
    out = []
    for row in 1 - unit(test) @ unit(train).T:
        near = np.argsort(row)[:k]
        votes = {c: sum(1 / row[j] for j in near if labels[j] == c) for c in np.unique(labels)}
        out.append(max(votes, key=votes.get))
    return np.array(out)


@pytest.mark.parametrize("k", [1, 5, 12])
def test_nearest_neighbours_vote_by_cosine_distance(rng, k):
    train, labels = rng.normal(size=(60, 4)), rng.integers(0, 4, 60)
    test = rng.normal(size=(40, 4))
    np.testing.assert_array_equal(probe_models.nearest_neighbours(train, labels, test, k), by_hand(train, labels, test, k))


def test_length_does_not_matter_to_nearest_neighbours_and_closeness_outweighs_number():
    train = np.array([[1.0, 0.0], [0.6, 0.8], [0.6, 0.8]])
    got = probe_models.nearest_neighbours(train, np.array(["near", "far", "far"]), np.array([[100.0, 10.0]]), 3)
    assert got.tolist() == ["near"]  # 1/0.005 against 2/0.32


def test_logistic_probe_finds_classes_and_reports_the_strength_it_chose(rng):
    train, labels = two_classes(rng, 200, apart=4.0)
    test, truth = two_classes(rng, 200, apart=4.0)
    fit = probe_models.linear_classes(train, labels, test)
    # Two normals four deviations apart: a fraction Phi(2) = 0.977 is told apart at best.
    assert 0.95 < (fit.predicted == truth).mean() <= 1.0
    assert fit.inner_score == pytest.approx(0.977, abs=0.03)


def test_the_strength_is_the_best_of_the_inner_folds(rng, monkeypatch):
    from sklearn.linear_model import LogisticRegression

    monkeypatch.setattr(probe_models, "INVERSE_STRENGTHS", (1e-4, 1e-3, 0.1, 1.0))
    train, labels = two_classes(rng, 60, width=20, apart=1.0)
    fit, scores = probe_models.linear_classes(train, labels, train, seed=3), {}
    for strength in probe_models.INVERSE_STRENGTHS:
        right = []
        for a, b in probe_models._folds(60, None, 3):
            mean, deviation = train[a].mean(0), train[a].std(0)
            model = LogisticRegression(C=strength, max_iter=500).fit((train[a] - mean) / deviation, labels[a])
            right.append((model.predict((train[b] - mean) / deviation) == labels[b]).mean())
        scores[strength] = np.mean(right)
    assert len(set(scores.values())) > 2
    assert scores[fit.strength] == max(scores.values())
    assert fit.inner_score == pytest.approx(max(scores.values()))


def test_scales_of_the_columns_do_not_matter(rng, monkeypatch):
    monkeypatch.setattr(probe_models, "INVERSE_STRENGTHS", (0.01, 1.0))
    train, labels = two_classes(rng, 60)
    test, _ = two_classes(rng, 60)
    scale = 10.0 ** np.arange(-3, 3)
    plain, scaled = (probe_models.linear_classes(train * s, labels, test * s).predicted for s in (1.0, scale))
    np.testing.assert_array_equal(plain, scaled)


@pytest.mark.slow
def test_strengths_are_scored_on_folds_that_divide_no_group(rng, monkeypatch):
    monkeypatch.setattr(probe_models, "INVERSE_STRENGTHS", (1.0, 10.0))
    # Each group of ten copies has a random label: inside a group it is known from a copy, between groups not at all.
    rows, labels = rng.normal(size=(40, 30)), np.arange(40) % 2
    train, labels, groups = (np.repeat(x, 10, axis=0) for x in (rows, labels, np.arange(40)))
    apart = probe_models.linear_classes(train, labels, rows, groups)
    together = probe_models.linear_classes(train, labels, rows)
    assert together.inner_score > 0.9
    assert apart.inner_score < 0.75


def test_folds_cover_every_row_once_and_follow_the_seed():
    groups = np.repeat(np.arange(7), 3)
    folds = probe_models._folds(21, groups, 0)
    assert len(folds) == 5
    np.testing.assert_array_equal(np.sort(np.concatenate([test for _, test in folds])), np.arange(21))
    for train, test in folds:
        assert not set(groups[train]) & set(groups[test])
    other = probe_models._folds(21, groups, 1)
    assert any(a[1].tolist() != b[1].tolist() for a, b in zip(folds, other, strict=True))


def test_ridge_probe_finds_several_quantities(rng):
    x, weights = rng.normal(size=(150, 5)), rng.normal(size=(5, 2))
    y = x @ weights + 7.0
    fit = probe_models.linear_values(x[:100], y[:100], x[100:])
    assert fit.predicted.shape == (50, 2)
    np.testing.assert_allclose(fit.predicted, y[100:], atol=0.01)
    assert fit.strength == min(probe_models.STRENGTHS)
    assert probe_models.linear_values(x[:100], y[:100, 0], x[100:]).predicted.shape == (50,)
    noise = probe_models.linear_values(x[:100], rng.normal(size=100), x[100:])
    assert noise.strength >= 100.0


def test_nearest_values_are_weighed_means_of_the_nearest(rng):
    train, values, test = rng.normal(size=(40, 3)), rng.normal(size=(40, 2)), rng.normal(size=(15, 3))
    unit = lambda x: x / np.linalg.norm(x, axis=1, keepdims=True)  # noqa: E731
    distance = 1 - unit(test) @ unit(train).T
    near = np.argsort(distance, axis=1)[:, :4]
    weights = 1 / np.take_along_axis(distance, near, axis=1)
    expected = (values[near] * weights[..., None]).sum(axis=1) / weights.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probe_models.nearest_values(train, values, test, 4), expected, rtol=1e-6)
    with pytest.raises(ValueError, match="values: 1 are not finite"):
        probe_models.nearest_values(train, np.where(np.arange(40) == 3, np.nan, values[:, 0]), test)


def test_rows_that_cannot_be_used_are_refused(rng):
    x, y = rng.normal(size=(10, 3)), np.arange(10) % 2
    with pytest.raises(ValueError, match=r"test: expected rows of one width, \[N D\] and \[M D\], got \(10, 3\) and \(10, 2"):
        probe_models.linear_classes(x, y, x[:, :2])
    spoiled = x.copy()
    spoiled[4, 1] = np.nan
    with pytest.raises(ValueError, match="train: 1 rows hold NaN or infinity, the first is 4; leave them out."):
        probe_models.nearest_neighbours(spoiled, y, x)
    with pytest.raises(ValueError, match="labels: expected one for each of the 10 training rows, got 9."):
        probe_models.linear_values(x, y[:9], x)
    with pytest.raises(ValueError, match="groups: expected one for each of the 10 training rows, got 3."):
        probe_models.linear_classes(x, y, x, y[:3])
    with pytest.raises(ValueError, match="k: expected 1 to 10, the number of training rows, got 11."):
        probe_models.nearest_neighbours(x, y, x, 11)
    zero = x.copy()
    zero[2] = 0.0
    with pytest.raises(ValueError, match="test: row 2 is all zeros and has no direction to compare; leave it out."):
        probe_models.nearest_neighbours(x, y, zero, 3)
    with pytest.raises(ValueError, match=r"labels: expected at least two classes to tell apart, got \[1\] alone."):
        probe_models.linear_classes(x, np.ones(10, int), x)
    with pytest.raises(ValueError, match="groups: expected at least two, one to score the strength on, got 1; give more data."):
        probe_models.linear_classes(x, y, x, np.zeros(10))
    with pytest.raises(ValueError, match="labels: every inner fold leaves a single class to fit on; give more groups"):
        probe_models.linear_classes(x, y, x, y)
    with pytest.raises(ValueError, match="values: 1 are not finite; leave out the rows that were not measured."):
        probe_models.linear_values(x, np.where(np.arange(10) == 3, np.nan, 1.0), x)


def test_without_scikit_learn_the_extra_is_named(rng, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.neighbors", None)
    x = rng.normal(size=(10, 3))
    with pytest.raises(
        ImportError,
        match=r"^probing embeddings needs scikit-learn, and it is not installed; install the extra eval: pip install",
    ):
        probe_models.nearest_neighbours(x, np.arange(10), x, 3)
