"""Probes of frozen embeddings give what scikit-learn gives on the same embeddings."""

import dataclasses

import jax
import numpy as np
import pytest
from made import tiny_adapt
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, average_precision_score, confusion_matrix, f1_score, r2_score
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from spectral_jax.adapt.fit import adapted, line, prepared, supervised
from spectral_jax.adapt.fit.probe import embeddings
from spectral_jax.adapt.fit.probe import fit as fit_probe
from spectral_jax.adapt.parts.part import Part
from spectral_jax.adapt.parts.source import source_of

SAMPLES, TRAIN = 40, 30
PROBES = ("knn_probe", "linear_probe")


def task(kind, labels, **fields):
    """Samples brighter from one to the next; five scenes in the training part, so that inner folds leave out one each."""
    data = tiny_adapt.with_bands(tiny_adapt.segmentation(SAMPLES), 400, 900)
    rng = np.random.default_rng(1)
    level = rng.permutation(SAMPLES)
    images = rng.normal(700, 120, data.images.shape) + 8 * level[:, None, None, None]
    codes, targets = {
        "classification": (tuple((i,) for i in range(3)), ()),
        "multilabel": (tuple((i,) for i in range(3)), ()),
        "image_regression": ((), ("P", "K")),
        "segmentation": (tiny_adapt.SPEC.codes, ()),
    }[kind]
    spec = dataclasses.replace(tiny_adapt.SPEC, kind=kind, codes=codes, class_names=(), targets=targets)
    scene = tuple(f"scene {i % 5 if i < TRAIN else i}" for i in range(SAMPLES))
    made = dict(task=spec, images=images.astype(np.int16), labels=labels(level, rng), scene=scene)
    return dataclasses.replace(data, **(made | fields))


def classes(level, rng):
    found = np.clip((level + rng.normal(0, 4, SAMPLES)) * 3 // SAMPLES, 0, 2).astype(np.int16)
    found[(np.arange(SAMPLES) < TRAIN) & (level > 31)] = -1  # the brightest, so that a probe that knew of them would say so
    found[TRAIN + 1] = -1
    return found


def sets(level, rng):
    noisy = level + rng.normal(0, 8, SAMPLES)
    return np.stack([noisy > 20, noisy < 25, rng.random(SAMPLES) > 0.5], axis=1)


def quantities(level, rng):
    found = np.stack([200.0 + 3 * level + rng.normal(0, 20, SAMPLES), 5 - 0.1 * level], axis=1).astype(np.float32)
    found[[1, 4, TRAIN + 2], 0] = np.nan
    found[[4, 9, TRAIN + 5], 1] = np.nan
    return found


class Probed:
    """A frozen encoder of a task, its parts, and the embeddings of both."""

    def __init__(self, data, row="terramind/srf/knn_probe"):
        cfg = tiny_adapt.run((row,))
        source = source_of(data)
        self.line = cfg.lines()[0]
        self.made = prepared.prepare(self.line, cfg, data.task, source)
        self.data, self.model = data, self.made.model
        count = len(data)
        self.train, self.test = (Part(data, source, rows) for rows in (range(TRAIN), range(TRAIN, count)))
        self.params = adapted.init(jax.random.key(0), self.model, self.made.start, tiny_adapt.PX)
        matrix = self.made.start.matrix if self.made.start else None
        self.buffers = supervised.buffers_of(self.model, self.params, matrix, self.train)

    def fit(self, probe):
        args = self.model, self.params, self.buffers
        return fit_probe(probe, *args, self.train, self.test, 7).metrics()

    def embedded(self, part, batch=7):
        return embeddings(self.model, self.params, self.buffers, part, batch)


def regressed(probe, found, values, asked, groups):
    found, asked = found.astype(float), asked.astype(float)
    if probe == "knn_probe":
        return KNeighborsRegressor(min(20, len(found)), weights="distance", metric="cosine").fit(found, values).predict(asked)
    pipe = Pipeline([("scale", StandardScaler()), ("ridge", Ridge())])
    search = GridSearchCV(
        pipe, {"ridge__alpha": 10.0 ** np.arange(-3, 6)}, cv=LeaveOneGroupOut(), scoring="neg_mean_squared_error"
    )
    return search.fit(found, values, groups=groups).predict(asked)


@pytest.fixture(scope="module")
def groups():
    return np.arange(TRAIN) % 5


@pytest.mark.parametrize("probe", PROBES)
@pytest.mark.slow
def test_classes_are_those_of_scikit_learn(probe, groups):
    probed = Probed(task("classification", classes))
    found, asked = probed.embedded(probed.train), probed.embedded(probed.test)
    labels, truth = probed.data.labels[:TRAIN], probed.data.labels[TRAIN:]
    known, counted = labels != -1, truth != -1
    if probe == "knn_probe":
        model = KNeighborsClassifier(20, weights="distance", metric="cosine").fit(found[known], labels[known])
    else:
        pipe = Pipeline([("scale", StandardScaler()), ("model", LogisticRegression(max_iter=500))])
        grid = {"model__C": 10.0 ** np.arange(-4, 3)}
        model = GridSearchCV(pipe, grid, cv=LeaveOneGroupOut(), scoring="accuracy")
        model.fit(found[known], labels[known], groups=groups[known])
    predicted = model.predict(asked)[counted]
    got = probed.fit(probe)
    assert len(np.unique(predicted)) > 1
    assert got["accuracy_overall"] == pytest.approx(accuracy_score(truth[counted], predicted), abs=1e-12)
    counts = confusion_matrix(truth[counted], predicted, labels=range(3))
    for k in range(3):
        union = counts[k].sum() + counts[:, k].sum() - counts[k, k]
        assert got[f"iou_per_class/{k}"] == pytest.approx(counts[k, k] / union, abs=1e-12, nan_ok=True)


@pytest.mark.slow
@pytest.mark.parametrize("probe", PROBES)
def test_labels_of_which_an_image_has_several_are_numbers_above_one_half(probe, groups):
    probed = Probed(task("multilabel", sets))
    found, asked = probed.embedded(probed.train), probed.embedded(probed.test)
    labels, truth = probed.data.labels[:TRAIN].astype(float), probed.data.labels[TRAIN:]
    scores = np.stack([regressed(probe, found, labels[:, k], asked, groups) for k in range(3)], axis=1)
    got = probed.fit(probe)
    assert got["map"] == pytest.approx(average_precision_score(truth, scores, average="macro"), abs=1e-9)
    assert got["f1_micro"] == pytest.approx(f1_score(truth, scores >= 0.5, average="micro"), abs=1e-9)
    assert got["f1_micro"] > 0.5


@pytest.mark.slow
@pytest.mark.parametrize("probe", PROBES)
def test_a_target_is_fitted_on_the_samples_where_it_was_measured(probe, groups):
    probed = Probed(task("image_regression", quantities))
    found, asked = probed.embedded(probed.train), probed.embedded(probed.test)
    labels, truth = probed.data.labels[:TRAIN].astype(float), probed.data.labels[TRAIN:].astype(float)
    got, shares = probed.fit(probe), []
    for k, name in enumerate(("P", "K")):
        there, counted = np.isfinite(labels[:, k]), np.isfinite(truth[:, k])
        assert (there.sum(), counted.sum()) == (TRAIN - 2, SAMPLES - TRAIN - 1)
        predicted = regressed(probe, found[there], labels[there, k], asked, groups[there])[counted]
        error = predicted - truth[counted, k]
        assert got[f"r2_per_target/{name}"] == pytest.approx(r2_score(truth[counted, k], predicted), rel=1e-5)
        assert got[f"rmse_per_target/{name}"] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-5)
        shares.append(np.sum(error**2) / np.sum((labels[there, k].mean() - truth[counted, k]) ** 2))
    assert got["hyperview_score"] == pytest.approx(np.mean(shares), rel=1e-5)
    assert got["r2_mean"] > 0.3


def test_a_probe_asks_no_more_neighbours_than_there_are():
    probed = Probed(task("image_regression", quantities))
    probed.train = Part(probed.data, probed.train.source, [0, 2, 3])
    found, asked = probed.embedded(probed.train), probed.embedded(probed.test)
    truth = probed.data.labels[TRAIN:, 1]
    counted = np.isfinite(truth)
    expected = regressed("knn_probe", found, probed.data.labels[[0, 2, 3], 1], asked, None)[counted]
    got = probed.fit("knn_probe")
    assert got["rmse_per_target/K"] == pytest.approx(np.sqrt(np.mean((expected - truth[counted]) ** 2)), rel=1e-5)


@pytest.mark.slow
def test_embeddings_do_not_depend_on_the_batches_and_are_those_of_the_encoder():
    probed = Probed(task("classification", classes))
    found = probed.embedded(probed.test)
    assert (found.shape, found.dtype) == ((SAMPLES - TRAIN, tiny_adapt.SIZE.width), np.float32)
    np.testing.assert_allclose(found, probed.embedded(probed.test, 4), rtol=1e-5, atol=1e-6)
    samples = probed.test.batch([3], 1)
    _, pooled = adapted.embed(probed.params, probed.buffers, samples.images, samples.valid, probed.model)
    np.testing.assert_allclose(found[3], pooled[0], rtol=1e-5, atol=1e-6)
    assert np.ptp(found, axis=0).max() > 0.01


@pytest.mark.slow
def test_of_several_dates_the_mean_over_those_that_were_seen_is_embedded():
    one = task("classification", classes)
    of = tuple(dataclasses.replace(c, date=d) for d in range(3) for c in one.channels)
    images = np.concatenate([one.images, one.images[::-1], 2 * one.images], axis=-1)
    valid = np.ones(images.shape, bool)
    bands = len(one.channels)
    valid[TRAIN, ..., bands : 2 * bands] = False  # the second date of the first test sample
    valid[TRAIN + 1, ..., : 2 * bands] = False  # all but the last date of the second
    valid[TRAIN + 2] = False
    valid[TRAIN + 3, :4, :, :bands] = False  # half of a date is still a date
    probed = Probed(dataclasses.replace(one, images=images, valid=valid, channels=of))
    assert (probed.model.temporal, probed.model.dates) == (None, 1)
    found = probed.embedded(probed.test)
    samples = probed.test.batch(range(5), 5)
    alone = np.stack([
        adapted.embed(probed.params, probed.buffers, samples.images[:, [t]], samples.valid[:, [t]], probed.model)[1]
        for t in range(3)
    ])  # fmt: skip
    expected = [alone[[0, 2], 0].mean(axis=0), alone[2, 1], np.zeros(alone.shape[-1]), alone[:, 3].mean(axis=0)]
    np.testing.assert_allclose(found[:4], expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found[4], alone[:, 4].mean(axis=0), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("probe", PROBES)
def test_labels_of_pixels_are_refused_in_a_sentence(probe):
    probed = Probed(task("segmentation", lambda *_: np.tile(np.arange(2, dtype=np.int16), (SAMPLES, 8, 4))))
    with pytest.raises(
        ValueError, match="task tiny: probes are of whole images .* 'segmentation'; take a protocol with the head"
    ):
        probed.fit(probe)


def test_a_probe_of_a_comparison_trains_nothing_and_does_not_look_at_validation():
    probed = Probed(task("image_regression", quantities))
    empty = Part(probed.data, probed.train.source, [])
    found = line.fit(probed.line, probed.made, probed.train, empty, probed.test, 0, shown=3)
    assert (found.best_epoch, found.maps) == (None, [])
    # The statistics of random encoders are those of the training part, and parameters those of the seed.
    assert found.metrics == pytest.approx(probed.fit("knn_probe"), rel=1e-6)
