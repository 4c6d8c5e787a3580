"""Which sensor and which channels a task's images are of, and what is read of a sample."""

import dataclasses

import numpy as np
import pytest
from made.tiny_tasks import in_memory

from spectral_jax.adapt.parts.part import Part
from spectral_jax.adapt.parts.source import source_of
from spectral_jax.sensors import SensorSpec
from spectral_jax.tasks.samples import Channel

# Blue, green, red and near infrared of a sensor of four bands, with their widths.
BANDS = {"B": (485.0, 60.0), "G": (545.0, 90.0), "R": (630.0, 80.0), "NIR": (820.0, 80.0)}
PLANET = "planetscope_sr"


@pytest.fixture(autouse=True)
def numbers_of_no_quantity(monkeypatch):
    """The numbers of these toys are chosen for what is computed from them, and are no reflectance."""
    monkeypatch.setattr("spectral_jax.plausible.limits", lambda spec: None)


def channels(*dates, names="B G R NIR", sensor=PLANET, unit="1"):
    return tuple(Channel(n, sensor, *BANDS[n], unit, d) for d in dates for n in names.split())


def task(of, px=2, samples=2, valid=None, labels=None, images=None, **spec):
    """Samples whose channel i is i everywhere."""
    stated = np.broadcast_to(np.arange(len(of), dtype=np.float32), (samples, px, px, len(of)))
    labels = np.zeros((samples, px, px), np.int16) if labels is None else labels
    data = in_memory(labels, **spec)
    there = np.ones(stated.shape, bool) if valid is None else valid
    return dataclasses.replace(data, images=stated if images is None else images, valid=there, channels=of)


def test_of_several_sensors_one_is_chosen_by_name():
    of = (*channels(0, sensor="sentinel2a_l2a", names="B"), *channels(0), *channels(0, sensor="sentinel2b_l2a", names="G R"))
    data = task(of)
    with pytest.raises(ValueError, match="expected one sensor to adapt, and it has sentinel2a_l2a, planetscope_sr, sentinel2b"):
        source_of(data)
    source = source_of(data, PLANET)
    assert (source.sensor.name, source.index, source.dates) == (PLANET, ((1, 2, 3, 4),), 1)
    assert source_of(data, "sentinel2b_l2a").index == ((5, 6),)
    with pytest.raises(
        ValueError, match="data.sensor: no sensor of task .* is called 'planetscop'; .* closest first: planetscope_sr, senti"
    ):
        source_of(data, "planetscop")
    with pytest.raises(ValueError, match="closest first: sentinel2b_l2a, sentinel2a_l2a, planetscope_sr.$"):
        source_of(data, "sentinel2b")


def test_channels_of_several_dates_are_found_by_wavelength_and_date_however_they_are_shuffled():
    of = channels(0, 3, 7)
    order = np.random.default_rng(3).permutation(len(of))
    source = source_of(task(tuple(of[i] for i in order)))
    assert source.dates == 3
    assert [[order[i] for i in row] for row in source.index] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    np.testing.assert_array_equal(source.sensor.centre_nm, [485, 545, 630, 820])
    np.testing.assert_array_equal(source.sensor.fwhm_nm, [60, 90, 80, 80])


def test_a_width_that_the_files_do_not_give_is_that_of_the_sensors_table():
    of = channels(0)
    of = (dataclasses.replace(of[0], centre_nm=486.5, fwhm_nm=np.nan), dataclasses.replace(of[1], fwhm_nm=31.0), *of[2:])
    source = source_of(task(of))
    np.testing.assert_array_equal(source.sensor.fwhm_nm, [60, 31, 80, 80])
    np.testing.assert_array_equal(source.sensor.centre_nm, [486.5, 545, 630, 820])
    far = (dataclasses.replace(of[0], centre_nm=500.0), *of[1:])  # 15 nm off every band of the table
    with pytest.raises(ValueError, match="channel B of planetscope_sr has no wavelength"):
        source_of(task(far))


def test_bands_of_the_bad_intervals_are_left_out_whether_or_not_the_files_give_their_widths():
    bands = SensorSpec.load("enmap_l2a").bands
    nm = np.array([b.centre_nm for b in bands])
    for width in (6.0, np.nan):
        of = tuple(Channel(b.name, "enmap_l2a", b.centre_nm, width, "reflectance * 1e4") for b in bands)
        source = source_of(task(of))
        bad = ((nm >= 1289.3) & (nm <= 1524.9)) | ((nm >= 1733.7) & (nm <= 1972.7))
        assert source.index == (tuple(np.flatnonzero(~bad)),)
        assert source.scale == 1e-4


def test_a_band_without_data_on_every_date_is_left_out_and_one_with_data_on_one_date_stays():
    of = channels(0, 1)
    valid = np.ones((2, 2, 2, 8), bool)
    valid[..., 1] = valid[..., 5] = False  # green, both dates
    valid[..., 2] = False  # red, first date
    valid[0, ..., 3] = valid[0, ..., 7] = False  # near infrared, in one of two samples: the band stays
    source = source_of(task(of, valid=valid))
    assert source.index == ((0, 2, 3), (4, 6, 7))
    np.testing.assert_array_equal(source.sensor.centre_nm, [485, 630, 820])
    with pytest.raises(ValueError, match="no channel of planetscope_sr holds data outside its bad intervals"):
        source_of(task(of, valid=np.zeros_like(valid)))


@pytest.mark.parametrize("names", ["B G R", "B G R R"])
def test_dates_of_other_bands_are_refused(names):
    second = channels(4, names=names)
    if names.endswith("R R"):  # as many, of another wavelength
        second = (*second[:3], dataclasses.replace(second[3], centre_nm=700.0))
    with pytest.raises(ValueError, match=f"same bands of {PLANET} on every date, got 4 on date 0 and {len(second)} on date 4"):
        source_of(task((*channels(0), *second)))


def test_a_sample_has_its_dates_first_and_its_bands_by_wavelength():
    of = channels(0, 1, unit="reflectance * 1e4")
    order = [7, 0, 6, 1, 5, 2, 4, 3]
    data = task(tuple(of[i] for i in order), images=np.broadcast_to(np.array(order, np.int16), (2, 2, 2, 8)))
    part = Part(data, source_of(data), [1])
    image, valid, label = part.sample(0)
    assert (image.dtype, image.shape, valid.shape, label.shape) == (np.float32, (2, 2, 2, 4), (2, 2, 2), (2, 2))
    np.testing.assert_allclose(image[:, 1, 0], [[0, 1e-4, 2e-4, 3e-4], [4e-4, 5e-4, 6e-4, 7e-4]], rtol=1e-6)
    batch = part.batch([0], 3)
    assert (batch.images.shape, batch.valid.shape, batch.labels.shape) == ((3, 2, 2, 2, 4), (3, 2, 2, 2), (3, 2, 2))
    assert (batch.labels[1:] == -1).all()
    assert not batch.valid[1:].any()


def test_a_pixel_of_class_labels_is_ignored_only_where_no_date_is_valid():
    valid = np.ones((1, 2, 2, 8), bool)
    valid[0, 0, 0, 1] = False  # one band of the first date
    valid[0, 0, 1, 5] = False  # one of the second
    valid[0, 1, 0, [0, 7]] = False  # one of each
    labels = np.array([[[1, 1], [1, 0]]], np.int16)
    data = task(channels(0, 1), samples=1, valid=valid, labels=labels)
    image, there, label = Part(data, source_of(data), [0]).sample(0)
    np.testing.assert_array_equal(there, [[[0, 1], [0, 1]], [[1, 0], [0, 1]]])
    np.testing.assert_array_equal(label, [[1, 1], [-1, 0]])
    assert (image[~there] == 0).all()
    np.testing.assert_array_equal(image[0, 1, 1], [0, 1, 2, 3])
    np.testing.assert_array_equal(data.labels, labels)


def test_a_quantity_of_a_pixel_counts_only_where_a_date_is_valid_too():
    valid = np.ones((1, 2, 2, 8), bool)
    valid[0, 0, 0, 1] = valid[0, 1, 0, 0] = valid[0, 1, 0, 7] = False  # the first date of one pixel, both of another
    labels = np.full((1, 2, 2, 1), 3.0, np.float32)
    spec = dict(kind="pixel_regression", codes=(), targets=("biomass",))
    data = task(channels(0, 1), samples=1, valid=valid, labels=labels, **spec)
    _, there, label = Part(data, source_of(data), [0]).sample(0)
    assert there.any(axis=0).tolist() == [[True, True], [False, True]]
    # The baseline cannot predict there, and lines of one table are scored on the same pixels.
    np.testing.assert_array_equal(label[..., 0], [[3, 3], [np.nan, 3]])


def resized(px, images, valid=None, labels=None, **spec):
    """One sample of two dates with two bands each, at px x px."""
    data = task(channels(0, 1, names="B NIR"), px=images.shape[1], samples=1, images=images, valid=valid, labels=labels, **spec)
    return Part(data, source_of(data), [0], px).sample(0)


@pytest.mark.parametrize("px", [2, 3, 6, 8])
def test_a_constant_image_stays_constant_when_it_is_resized(px):
    images = np.broadcast_to(np.array([0.1, 0.4, 0.2, 0.5], np.float32), (1, 4, 4, 4))
    image, valid, label = resized(px, images)
    assert (image.shape, valid.shape, label.shape) == ((2, px, px, 2), (2, px, px), (px, px))
    np.testing.assert_allclose(image, np.broadcast_to([[[[0.1, 0.4]]], [[[0.2, 0.5]]]], image.shape), rtol=1e-6)
    assert valid.all()
    assert label.dtype == np.int32


@pytest.mark.parametrize("px", [4, 16])
def test_an_invalid_half_stays_invalid_and_does_not_darken_the_rest(px):
    images = np.full((1, 8, 8, 4), 0.3, np.float32)
    valid = np.ones(images.shape, bool)
    valid[0, :, :4, :2] = False  # the left half of the first date
    images[~valid] = 99.0
    image, there, label = resized(px, images, valid, np.ones((1, 8, 8), np.int16))
    right = np.arange(px) >= px // 2
    np.testing.assert_array_equal(there[0], np.broadcast_to(right, (px, px)))
    assert there[1].all()
    np.testing.assert_allclose(image[there], 0.3, rtol=1e-5)
    assert (image[~there] == 0).all()
    assert (label == 1).all()


def test_labels_of_pixels_are_resized_to_the_nearest_and_those_of_images_stay():
    images = np.zeros((1, 4, 4, 4), np.float32)
    codes = np.arange(16, dtype=np.int16).reshape(1, 4, 4) - 1
    codes[0, 0, 1] = -1
    classes = dict(codes=tuple((i,) for i in range(1, 16)))
    bigger = resized(8, images, labels=codes, **classes)[2]
    np.testing.assert_array_equal(bigger, codes[0].repeat(2, axis=0).repeat(2, axis=1))
    smaller = resized(2, images, labels=codes, **classes)[2]
    # Centres fall on the corners of four pixels: each gets one of them.
    for row in range(2):
        for column in range(2):
            assert smaller[row, column] in codes[0, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
    measured = np.stack([codes, -codes], axis=-1).astype(np.float32)
    measured[0, 3, 3, 1] = np.nan
    found = resized(8, images, labels=measured, kind="pixel_regression", codes=(), targets=("a", "b"))[2]
    np.testing.assert_array_equal(found, measured[0].repeat(2, axis=0).repeat(2, axis=1))
    for labels, spec in (
        (np.array([1]), dict(kind="classification")),
        (np.array([[True, False]]), dict(kind="multilabel", codes=((1,), (2,)))),
        (np.array([[1.5, np.nan]], np.float32), dict(kind="image_regression", codes=(), targets=("a", "b"))),
    ):
        np.testing.assert_array_equal(resized(8, images, labels=labels, **spec)[2], labels[0])


def test_a_resized_pixel_without_data_is_ignored_too():
    images = np.full((1, 4, 4, 4), 0.3, np.float32)
    valid = np.ones(images.shape, bool)
    valid[0, ::2, :] = valid[0, :, ::2] = False  # one pixel of each four is seen
    _, there, label = resized(2, images, valid, np.ones((1, 4, 4), np.int16))
    assert not there.any()
    np.testing.assert_array_equal(label, np.full((2, 2), -1))
    valid[0] = True
    valid[0, :, :2] = False
    _, there, label = resized(5, images, valid, np.ones((1, 4, 4), np.int16))
    assert (label[~there.any(axis=0)] == -1).all()


def test_samples_of_several_sizes_are_refused_until_they_are_resized():
    images = tuple(np.full((size, 3, 4), size, np.float32) for size in (2, 4))
    valid, labels = (
        tuple(x) for x in zip(*((np.ones(x.shape, bool), np.zeros(x.shape[:2], int)) for x in images), strict=True)
    )
    data = dataclasses.replace(task(channels(0)), images=images, valid=valid, labels=labels)
    source = source_of(data)
    sentence = r"got \(2, 3\) and \(4, 3\) px; resize them by --config.data.resize_px"
    with pytest.raises(ValueError, match=sentence):
        Part(data, source, [0, 1]).batch([0, 1], 2)
    batch = Part(data, source, [0, 1], 6).batch([0, 1], 2)
    assert (batch.images.shape, batch.labels.shape) == ((2, 1, 6, 6, 4), (2, 6, 6))
    np.testing.assert_allclose(batch.images[:, 0, 0, 0, 0], [2, 4], rtol=1e-6)
