"""The baseline without an encoder is the linear model of scikit-learn on the same spectra."""

import dataclasses

import numpy as np
import pytest
from made import tiny_adapt
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, jaccard_score, r2_score
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from spectral_jax.adapt.fit import baseline
from spectral_jax.adapt.parts.part import Part
from spectral_jax.adapt.parts.source import source_of

TRAIN, VAL, TEST = (0, 1, 2, 3, 4), (5,), (6, 7)


@pytest.fixture(autouse=True)
def numbers_of_no_quantity(monkeypatch):
    """The numbers of these toys are chosen for what is computed from them, and are no reflectance."""
    monkeypatch.setattr("spectral_jax.plausible.limits", lambda spec: None)


def parts(data, *rows):
    source = source_of(data)
    return [Part(data, source, of) for of in (rows or (TRAIN, VAL, TEST))]


def noisy(**changes):
    """Tiles of few bands, so noisy that single pixels are not told for certain; some pixels and labels are missing."""
    data = tiny_adapt.with_bands(tiny_adapt.segmentation(), 690, 735)
    rng = np.random.default_rng(2)
    images = np.clip(data.images + rng.normal(0, 4000, data.images.shape), -32000, 32000).astype(np.int16)
    valid, labels = np.ones(images.shape, bool), data.labels.copy()
    valid[0, :2, :, 1] = False
    valid[6, 3, 3] = valid[6, 3, 5, 0] = valid[5, 7, 7] = False
    labels[1, 0] = labels[7, 5, :3] = -1
    return dataclasses.replace(data, **(dict(images=images, valid=valid, labels=labels) | changes))


def spectra(data, rows, counted):
    """Spectra and labels of the pixels that count, sample by sample, in physical units."""
    rows = list(rows)
    x, y, there = data.images[rows].astype(np.float64) / 1e4, data.labels[rows], data.valid[rows].all(axis=-1)
    keep = there & counted(y)
    return x[keep], y[keep]


def best(models, train, val):
    """The first of the models with the best score on the validation part, and all scores."""
    fitted = [make_pipeline(StandardScaler(), model).fit(*train) for model in models]
    scores = [model.score(*val) for model in fitted]
    return fitted[int(np.argmax(scores))], scores


def test_pixels_are_classified_by_the_strength_that_validation_likes_best():
    data = noisy()
    known = lambda y: y != -1  # noqa: E731
    sets = [spectra(data, rows, known) for rows in (TRAIN, VAL, TEST)]
    assert len(sets[0][0]) == 5 * 64 - 16 - 8
    tried = [LogisticRegression(C=c, max_iter=100) for c in (0.001, 0.01, 0.1)]
    model, scores = best(tried, *sets[:2])
    assert len(set(scores)) > 1
    tally, maps = baseline.fit(*parts(data))
    predicted, got = model.predict(sets[2][0]), tally.metrics()
    assert got["accuracy_overall"] == pytest.approx(accuracy_score(sets[2][1], predicted), abs=1e-12)
    expected = jaccard_score(sets[2][1], predicted, average=None)
    assert [got["iou_per_class/dark"], got["iou_per_class/bright"]] == pytest.approx(list(expected), abs=1e-12)
    assert 0.6 < got["accuracy_overall"] < 1
    there = data.valid[list(TEST)].all(axis=-1)
    assert [m.shape for m in maps] == [(8, 8), (8, 8)]
    assert [np.argwhere(m == -1).tolist() for m in maps] == [[[3, 3], [3, 5]], []]
    np.testing.assert_array_equal(np.stack(maps)[there], model.predict(data.images[list(TEST)][there] / 1e4))


def test_a_test_tile_without_any_data_is_all_minus_one_and_counts_nothing():
    data = noisy()
    valid = data.valid.copy()
    valid[6] = False
    tally, maps = baseline.fit(*parts(dataclasses.replace(data, valid=valid)))
    assert (maps[0] == -1).all()
    only, _ = baseline.fit(*parts(data, TRAIN, VAL, (7,)))
    assert tally.metrics() == only.metrics()


@pytest.mark.parametrize(("rows", "strength"), [(VAL, 0.001), (TRAIN, 0.01), ((6,), 0.1)])
def test_other_validation_parts_take_other_strengths(rows, strength):
    data = noisy()
    train = spectra(data, TRAIN, lambda y: y != -1)
    tried = {c: make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=100)).fit(*train) for c in (0.001, 0.01, 0.1)}
    expected = {c: model.predict(data.images[5:].reshape(-1, train[0].shape[-1]) / 1e4) for c, model in tried.items()}
    assert len({one.tobytes() for one in expected.values()}) == 3
    _, maps = baseline.fit(*parts(data, TRAIN, rows, (5, 6, 7)))
    there = data.valid[5:].all(axis=-1)
    np.testing.assert_array_equal(np.stack(maps)[there], expected[strength].reshape(3, 8, 8)[there])


def test_one_class_alone_is_refused_in_a_sentence():
    data = noisy()
    labels = data.labels.copy()
    labels[list(TRAIN)] = 1
    with pytest.raises(
        ValueError, match="task tiny: expected training pixels of at least two classes .* set baseline to false"
    ):
        baseline.fit(*parts(dataclasses.replace(data, labels=labels)))


def measured(data):
    """Two quantities of each pixel, some of them not measured."""
    near = data.images[..., -3:].mean(axis=-1)
    labels = np.stack([near / 500, 4 - data.images[..., 0] / 1e3], axis=-1).astype(np.float32)
    labels += np.random.default_rng(3).normal(0, 0.3, labels.shape).astype(np.float32)
    labels[0, 4, 4, 0] = labels[2, 1, :, 1] = labels[6, 0, :4, 1] = np.nan
    spec = dataclasses.replace(
        tiny_adapt.SPEC, kind="pixel_regression", codes=(), class_names=(), targets=("biomass", "height")
    )
    return dataclasses.replace(data, task=spec, labels=labels)


def test_quantities_of_pixels_are_a_ridge_regression_of_their_spectra():
    data = measured(noisy())
    whole = lambda y: np.isfinite(y).all(axis=-1)  # noqa: E731
    train, val = (spectra(data, rows, whole) for rows in (TRAIN, VAL))
    assert len(train[0]) == 5 * 64 - 16 - 1 - 8
    model, scores = best([Ridge(alpha=10.0**p) for p in range(-2, 5)], train, val)
    assert len(set(scores)) == 7
    tally, maps = baseline.fit(*parts(data))
    assert maps == []
    got, shares = tally.metrics(), []
    x, y, there = (getattr(data, k)[list(TEST)] for k in ("images", "labels", "valid"))
    for k, name in enumerate(("biomass", "height")):
        counted = there.all(axis=-1) & np.isfinite(y[..., k])
        predicted = model.predict(x[counted] / 1e4)[:, k]
        error = predicted - y[counted][:, k]
        assert got[f"rmse_per_target/{name}"] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-5)
        assert got[f"r2_per_target/{name}"] == pytest.approx(r2_score(y[counted][:, k], predicted), rel=1e-5)
        shares.append(np.sum(error**2) / np.sum((train[1][:, k].mean() - y[counted][:, k]) ** 2))
    assert got["hyperview_score"] == pytest.approx(np.mean(shares), rel=1e-4)
    assert got["r2_mean"] > 0.5


def dated(data, dates=2):
    """The same channels on several dates, of which the later hold noise."""
    rng = np.random.default_rng(5)
    later = [rng.integers(0, 3000, data.images.shape).astype(np.int16) for _ in range(dates - 1)]
    of = tuple(dataclasses.replace(c, date=d) for d in range(dates) for c in data.channels)
    images = np.concatenate([data.images, *later], axis=-1)
    valid = np.concatenate([data.valid, *[np.ones(data.valid.shape, bool)] * (dates - 1)], axis=-1)
    return dataclasses.replace(data, images=images, valid=valid, channels=of)


def test_pixels_of_several_dates_are_classified_by_all_of_them_together():
    data = dated(noisy())
    # Where the first date is missing, the second stands in for it.
    half = data.images.shape[-1] // 2
    missing = ~data.valid[..., :half].all(axis=-1)
    images, valid = data.images.copy(), data.valid.copy()
    images[missing, :half] = images[missing, half:]
    valid[missing] = True
    given, data = data, dataclasses.replace(data, images=images, valid=valid)
    known = lambda y: y != -1  # noqa: E731
    tried = [LogisticRegression(C=c, max_iter=100) for c in (0.001, 0.01, 0.1)]
    model, _ = best(tried, *[spectra(data, rows, known) for rows in (TRAIN, VAL)])
    _, maps = baseline.fit(*parts(given, TRAIN, VAL, (7,)))
    np.testing.assert_array_equal(maps[0], model.predict(data.images[7].reshape(64, -1) / 1e4).reshape(8, 8))


def whole_images(kind):
    """Twenty training samples of five scenes, so that inner folds leave out one each."""
    count = 26
    data = tiny_adapt.with_bands(tiny_adapt.segmentation(count), 690, 735)
    rng = np.random.default_rng(4)
    level = rng.normal(size=count)
    images = (1500 + 400 * level[:, None, None, None] + rng.normal(0, 1500, data.images.shape)).astype(np.int16)
    valid = np.ones(images.shape, bool)
    valid[3, :5] = valid[21, 2, 2, 0] = False
    images[~valid] = 30000
    if kind == "classification":
        spec = dataclasses.replace(tiny_adapt.SPEC, kind=kind)
        labels = (level + rng.normal(0, 0.5, count) > 0).astype(np.int16)
    else:
        spec = dataclasses.replace(tiny_adapt.SPEC, kind=kind, codes=(), class_names=(), targets=("P",))
        labels = (10 * level + rng.normal(0, 3, count)).astype(np.float32)[:, None]
        labels[1] = np.nan
    scene = tuple(f"scene {i % 5}" if i < 20 else f"other {i}" for i in range(count))
    return dataclasses.replace(data, task=spec, images=images, valid=valid, labels=labels, scene=scene)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["classification", "image_regression"])
@pytest.mark.parametrize("dates", [1, 2])
def test_whole_images_are_told_by_the_linear_probe_of_their_mean_spectra(kind, dates):
    data = dated(whole_images(kind), dates)
    there = data.valid.reshape(26, 64, dates, -1).all(axis=-1)
    x = data.images.reshape(26, 64, dates, -1) / 1e4
    means = np.stack([
        np.concatenate([x[i, there[i, :, d], d].mean(axis=0) for d in range(dates)]) for i in range(26)
    ])  # fmt: skip
    labels = data.labels if kind == "classification" else data.labels[:, 0].astype(float)
    known = np.isfinite(labels)
    known[20:] = False
    model, name, grid, score = {
        "classification": (LogisticRegression(max_iter=500), "model__C", 10.0 ** np.arange(-4, 3), "accuracy"),
        "image_regression": (Ridge(), "model__alpha", 10.0 ** np.arange(-3, 6), "neg_mean_squared_error"),
    }[kind]
    pipe = Pipeline([("scale", StandardScaler()), ("model", model)])
    search = GridSearchCV(pipe, {name: grid}, cv=LeaveOneGroupOut(), scoring=score)
    search.fit(means[known], labels[known], groups=np.arange(26)[known] % 5)
    predicted = search.predict(means[20:])
    # The validation part decides nothing: without any it is the same.
    tally, maps = baseline.fit(*parts(data, range(20), (), range(20, 26)))
    got = tally.metrics()
    assert maps == []
    if kind == "classification":
        assert got["accuracy_overall"] == pytest.approx(accuracy_score(labels[20:], predicted), abs=1e-12)
        assert got["accuracy_overall"] > 0.5
    else:
        assert got["rmse_per_target/P"] == pytest.approx(np.sqrt(np.mean((predicted - labels[20:]) ** 2)), rel=1e-4)
        assert got["r2_mean"] > 0.3


@pytest.mark.parametrize(
    ("kind", "row", "how"),
    [
        ("segmentation", "pixel logistic regression/none", "pixel_logistic"),
        ("change", "pixel logistic regression/none", "pixel_logistic"),
        ("pixel_regression", "pixel ridge regression/none", "pixel_ridge"),
        ("classification", "linear model of the mean spectrum/none", "linear_probe"),
        ("multilabel", "linear model of the mean spectrum/none", "linear_probe"),
        ("image_regression", "linear model of the mean spectrum/none", "linear_probe"),
    ],
)
def test_the_baseline_of_a_task_says_what_it_is(kind, row, how):
    labelled = dict(codes=(), class_names=(), targets=("P",)) if kind.endswith("regression") else {}
    found = baseline.of(dataclasses.replace(tiny_adapt.SPEC, kind=kind, **labelled))
    assert (found.row, found.how) == (row, how)
