"""Supervised fits: they learn, repeat, keep the best state, leave what is frozen alone, and count what counts."""

import dataclasses

import jax
import numpy as np
import pytest
from made import tiny_adapt
from sklearn.metrics import jaccard_score

from spectral_jax.adapt import bands
from spectral_jax.adapt.fit import adapted, prepared, supervised
from spectral_jax.adapt.parts import batches, source
from spectral_jax.adapt.parts.part import Part
from spectral_jax.adapt.protocols import SPECTRALEARTH_FM_FROZEN, TERRAMIND_STUDY
from spectral_jax.sensors import SensorSpec
from spectral_jax.spectral import project


class Fit:
    """A row of a comparison on a task, ready to be fitted."""

    def __init__(self, row="dofa/none", data=None, protocol=tiny_adapt.PROTOCOL, seed=0, size=tiny_adapt.SIZE):
        self.data = tiny_adapt.segmentation() if data is None else data
        cfg = tiny_adapt.run((row,), protocol=protocol, size=size)
        self.source = source.source_of(self.data)
        self.made = prepared.prepare(cfg.lines()[0], cfg, self.data.task, self.source)
        self.model, self.protocol, self.seed = self.made.model, protocol, seed
        self.train, self.val, self.test = (Part(self.data, self.source, rows) for rows in ([0, 1, 2, 3, 4], [5], [6, 7]))
        px = min(self.train.sample(0)[0].shape[1], self.model.px) if protocol.window else self.train.sample(0)[0].shape[1]
        self.params = adapted.init(jax.random.key(seed), self.model, self.made.start, px)
        matrix = self.made.start.matrix if self.model.adaptation in bands.FIXED else None
        self.buffers = supervised.buffers_of(self.model, self.params, matrix, self.train)

    def __call__(self):
        return supervised.fit(
            self.model, self.params, self.buffers, self.train, self.val, self.protocol, self.seed
        )  # fmt: skip

    def metrics(self, params):
        return supervised.evaluate(self.model, params, self.buffers, self.test, self.protocol)[1].metrics()


@pytest.fixture(scope="module")
def fitted():
    fit = Fit("terramind/learned_linear")
    return fit, fit()


def same(first, second):
    return all(jax.tree.leaves(jax.tree.map(lambda a, b: bool((np.asarray(a) == np.asarray(b)).all()), first, second)))


@pytest.mark.slow
def test_two_classes_that_differ_in_reflectance_are_learned(fitted):
    fit, found = fitted
    assert fit.metrics(fit.params)["iou_macro"] < 0.75
    assert fit.metrics(found.params)["iou_macro"] > 0.9
    assert found.history[-1]["loss"] < 0.8 * found.history[0]["loss"]


@pytest.mark.slow
def test_a_learned_projection_moves_and_starts_as_srf(fitted):
    fit, found = fitted
    np.testing.assert_array_equal(fit.params["projection"]["matrix"], fit.made.start.matrix)
    assert not np.array_equal(found.params["projection"]["matrix"], fit.made.start.matrix)


@pytest.mark.slow
def test_a_learned_projection_may_start_as_nearest():
    fit = Fit("terramind/learned_from_nearest")
    nearest = project.project(fit.source.sensor, SensorSpec.load("sentinel2a_l2a"), "nearest", "leave_out").matrix
    np.testing.assert_array_equal(fit.params["projection"]["matrix"], nearest)
    assert sorted(np.unique(nearest)) == [0, 1]
    assert "matrix" not in fit.buffers


def test_a_fit_repeats_exactly_and_seeds_differ(fitted):
    fit, found = fitted
    assert same(fit().params, found.params)
    fit.seed = 1
    other = fit()
    fit.seed = 0
    assert not same(other.params, found.params)


def test_the_state_of_the_lowest_validation_loss_is_kept(fitted):
    fit, found = fitted
    best = min(found.history, key=lambda row: row["val_loss"])
    assert found.best_epoch == best["epoch"]
    loss, _ = supervised.evaluate(fit.model, found.params, fit.buffers, fit.val, fit.protocol)
    assert loss == pytest.approx(best["val_loss"], rel=1e-6)


def test_buffers_of_the_published_encoder_do_not_train(fitted):
    fit, found = fitted
    before, after = (p["encoder"]["embed_S2L2A"] for p in (fit.params, found.params))
    np.testing.assert_array_equal(before["positions"], after["positions"])
    assert not np.array_equal(before["kernel"], after["kernel"])


@pytest.mark.slow
def test_a_frozen_encoder_stays_and_its_head_moves():
    protocol = dataclasses.replace(SPECTRALEARTH_FM_FROZEN, head_width=8, epochs=2, batch=4)
    fit = Fit("spectralearth/none", protocol=protocol)
    found = fit()
    assert same(fit.params["encoder"], found.params["encoder"])
    assert not same(fit.params["head"], found.params["head"])


@pytest.mark.slow
def test_training_ends_when_validation_does_not_improve():
    # At a learning rate of 0 nothing improves after the first epoch, so patience alone decides.
    protocol = dataclasses.replace(tiny_adapt.PROTOCOL, learning_rate=0.0, epochs=50, patience=3)
    found = Fit("terramind/srf", protocol=protocol)()
    assert (found.best_epoch, [row["epoch"] for row in found.history]) == (1, [1, 2, 3, 4])


def test_metrics_do_not_depend_on_the_batches(fitted):
    fit, found = fitted
    single = dataclasses.replace(fit.protocol, batch=1)
    results = [supervised.evaluate(fit.model, found.params, fit.buffers, fit.test, p) for p in (fit.protocol, single)]
    assert results[0][0] == pytest.approx(results[1][0], rel=1e-5)
    samples = fit.test.batch([0, 1], 2)
    outputs = adapted.outputs_of(fit.model, found.params, fit.buffers, samples, single)
    expected = jaccard_score(samples.labels.ravel(), np.asarray(outputs).argmax(-1).ravel(), average=None)
    for _, tally in results:
        got = tally.metrics()
        assert [got["iou_per_class/dark"], got["iou_per_class/bright"]] == pytest.approx(list(expected), abs=1e-12)


@pytest.mark.slow
def test_what_fills_up_a_batch_and_ignored_pixels_change_no_step():
    """Five samples in batches of eight, against the same samples with invalid pixels that hold other numbers."""
    data = tiny_adapt.segmentation()
    labels = data.labels.copy()
    labels[:, 0] = -1
    valid = data.valid.copy()
    valid[:, 0] = False
    images = data.images.copy()
    images[:, 0] = 30000
    protocol = dataclasses.replace(tiny_adapt.PROTOCOL, batch=8, epochs=1, patience=1, augment=False)
    first = Fit("terramind/srf", dataclasses.replace(data, labels=labels, valid=valid), protocol)()
    second = Fit("terramind/srf", dataclasses.replace(data, valid=valid, images=images), protocol)()
    assert same(first.params, second.params)


@pytest.mark.slow
def test_batches_are_a_function_of_seed_and_number():
    fit = Fit()
    protocol = dataclasses.replace(tiny_adapt.PROTOCOL, batch=2)
    whole = list(batches.draw(fit.train, protocol, 7, range(0, 6), fit.model.px))
    (fourth,) = batches.draw(fit.train, protocol, 7, range(4, 5), fit.model.px)
    np.testing.assert_array_equal(fourth.images, whole[4].images)
    np.testing.assert_array_equal(fourth.labels, whole[4].labels)
    # Three batches are an epoch: each of the five samples once, and one place filled up.
    counted = [np.sort(np.concatenate([b.images[b.counts].mean(axis=(1, 2, 3, 4)) for b in whole[i : i + 3]])) for i in (0, 3)]
    np.testing.assert_allclose(counted[0], np.sort([fit.train.sample(i)[0].mean() for i in range(5)]), rtol=1e-5)
    np.testing.assert_allclose(counted[0], counted[1], rtol=1e-5)
    assert [int(b.counts.sum()) for b in whole] == [2, 2, 1, 2, 2, 1]


def test_flips_turn_images_and_labels_together():
    fit = Fit()
    drawn = list(batches.draw(fit.train, tiny_adapt.PROTOCOL, 0, range(0, 8), fit.model.px))
    infrared = np.flatnonzero(fit.source.sensor.centre_nm > 700)[0]
    orientations = set()
    for batch in drawn:
        for image, label in zip(batch.images[batch.counts], batch.labels[batch.counts], strict=True):
            np.testing.assert_array_equal(image[0, ..., infrared] > 0.15, label == 1)
            orientations.add(label.tobytes())
    assert len(orientations) > 2  # the two of the samples, and those that lie on their side


@pytest.mark.slow
def test_a_window_crops_in_training_and_covers_the_image_in_prediction():
    protocol = dataclasses.replace(tiny_adapt.PROTOCOL, window=True, epochs=12)
    fit = Fit(protocol=protocol, size=dataclasses.replace(tiny_adapt.SIZE, px=4))
    (batch,) = batches.draw(fit.train, protocol, 0, range(1), fit.model.px)
    assert batch.images.shape[2:4] == batch.labels.shape[1:3] == (4, 4)
    samples = fit.test.batch([0], 1)
    whole = adapted.outputs_of(fit.model, fit.params, fit.buffers, samples, protocol)
    corner = samples._replace(images=samples.images[:, :, 4:, :4], valid=samples.valid[:, :, 4:, :4])
    part = adapted.outputs_of(fit.model, fit.params, fit.buffers, corner, protocol)
    assert whole.shape == (1, 8, 8, 2)
    np.testing.assert_allclose(whole[:, 4:, :4], part, atol=1e-5)


@pytest.mark.slow
def test_a_regression_gives_the_unit_of_its_labels():
    data = tiny_adapt.segmentation()
    level = np.arange(8, dtype=np.float32) * 10 + 200
    images = (data.images // 4 + (level * 10).astype(np.int16)[:, None, None, None]).astype(np.int16)
    spec = dataclasses.replace(tiny_adapt.SPEC, kind="image_regression", codes=(), class_names=(), targets=("P", "K"))
    labels = np.stack([level, np.full(8, np.nan, np.float32)], axis=1)
    labels[:, 1] = -level
    labels[0, 1] = np.nan
    protocol = dataclasses.replace(
        TERRAMIND_STUDY, regression_width=8, learning_rate=1e-2, batch=8, epochs=60, weight_decay=0.0
    )
    fit = Fit("terramind/srf", dataclasses.replace(data, task=spec, images=images, labels=labels), protocol)
    found = fit()
    got = fit.metrics(found.params)
    assert {"rmse_per_target/P", "r2_per_target/K", "r2_mean", "hyperview_score"} <= set(got)
    # Predicting the training mean, 220, for labels of 260 and 270 is off by 45.
    assert got["rmse_per_target/P"] < 30
    assert got["hyperview_score"] < 0.5


@pytest.mark.slow
def test_the_plateau_lowers_the_learning_rate():
    spec = dataclasses.replace(tiny_adapt.SPEC, kind="image_regression", codes=(), class_names=(), targets=("P",))
    labels = np.random.default_rng(0).normal(size=(8, 1)).astype(np.float32)
    data = dataclasses.replace(tiny_adapt.segmentation(), task=spec, labels=labels)
    protocol = dataclasses.replace(TERRAMIND_STUDY, learning_rate=0.0, epochs=9, plateau_patience=2)
    found = Fit("terramind/srf", data, protocol)()
    # Nothing improves after epoch 1; the third epoch in a row without is one more than the patience of two.
    assert [row["factor"] for row in found.history] == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25]


def test_the_cosine_ends_at_the_lowest_rate():
    protocol = dataclasses.replace(TERRAMIND_STUDY, learning_rate=4e-3, lowest_rate=1e-3)
    steps = [jax.numpy.int32(step) for step in (0, 50, 100)]
    shares = [float(supervised._share("cosine", step, jax.numpy.int32(100), protocol)) for step in steps]
    np.testing.assert_allclose(np.array(shares) * 4e-3, [4e-3, 2.5e-3, 1e-3], rtol=1e-6)
    assert float(supervised._share("cosine", steps[2], jax.numpy.int32(100), TERRAMIND_STUDY)) < 1e-7


@pytest.mark.slow
def test_what_is_better_by_less_than_the_least_gain_is_not_better():
    protocol = dataclasses.replace(tiny_adapt.PROTOCOL, learning_rate=1e-6, least_gain=0.5, patience=2)
    found = Fit(protocol=protocol)()
    assert (found.best_epoch, len(found.history)) == (1, 3)


def test_a_part_without_labels_is_refused_by_name():
    data = tiny_adapt.segmentation()
    labels = data.labels.copy()
    labels[5] = -1
    with pytest.raises(ValueError, match="part 'val' are ignored"):
        Fit(data=dataclasses.replace(data, labels=labels))()
    fit = Fit()
    fit.train = Part(fit.data, fit.source, [])
    with pytest.raises(ValueError, match="part 'train' of the split is empty"):
        fit()


def test_a_task_whose_sensor_or_wavelengths_are_unknown_is_refused():
    data = tiny_adapt.segmentation()
    strange = tuple(dataclasses.replace(c, sensor="camera") for c in data.channels)
    with pytest.raises(ValueError, match="'camera', which has no file"):
        source.source_of(dataclasses.replace(data, channels=strange))
    blind = (dataclasses.replace(data.channels[0], centre_nm=float("nan")), *data.channels[1:])
    with pytest.raises(ValueError, match="has no wavelength"):
        source.source_of(dataclasses.replace(data, channels=blind))


def test_bands_are_taken_by_wavelength_and_not_by_position():
    data = tiny_adapt.segmentation()
    order = np.random.default_rng(1).permutation(len(data.channels))
    turned = dataclasses.replace(
        data, channels=tuple(data.channels[i] for i in order), images=data.images[..., order], valid=data.valid[..., order]
    )
    pairs = [Part(d, source.source_of(d), [0]).sample(0)[0] for d in (data, turned)]
    np.testing.assert_array_equal(*pairs)
    assert (np.diff(source.source_of(turned).sensor.centre_nm) > 0).all()
