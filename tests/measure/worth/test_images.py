import dataclasses

import numpy as np
import pytest
from made import tiny_run

from spectral_jax.data.loader import Loader
from spectral_jax.measure.worth import images

VALUES = np.array([[[0.1, 0.0], [0.3, 0.4], [9.0, 9.0]]], np.float32)  # one place, three pixels, two bands


def test_moments_are_of_valid_pixels_and_logarithms_have_a_floor():
    found = images.of_pixels(VALUES, np.array([[True, True, False]]))
    np.testing.assert_allclose(found.mean, [[0.2, 0.2]], rtol=1e-6)
    np.testing.assert_allclose(found.deviation, [[0.1, 0.2]], rtol=1e-6)
    np.testing.assert_allclose(found.log_mean, [[np.log(0.03) / 2, np.log(0.4e-3) / 2]], rtol=1e-5)
    np.testing.assert_allclose(found.log_deviation, [[np.log(3) / 2, np.log(400) / 2]], rtol=1e-5)
    np.testing.assert_array_equal(found.pixels, VALUES)


def test_a_place_without_valid_pixels_holds_zeros():
    found = images.of_pixels(VALUES, np.zeros((1, 3), bool))
    assert not found.mean.any()
    assert not found.log_deviation.any()


def test_of_many_pixels_some_are_kept_evenly():
    values = np.arange(1000, dtype=np.float32).reshape(1, 1000, 1)
    kept = images.of_pixels(values, np.ones((1, 1000), bool)).pixels[0, :, 0]
    assert len(kept) == images.MOST_PIXELS
    assert kept[0] == 0
    assert kept[-1] == 999
    assert np.diff(kept).max() <= 16


@pytest.fixture
def store(tmp_path):
    cfg = tiny_run.config()
    return cfg, tiny_run.write_store(tmp_path / "store.zarr", cfg, locations=20)


def test_two_dates_of_a_training_store_are_read_place_by_place(store):
    cfg, path = store
    first, second = images.of_training(cfg, path, "HSI")
    group = Loader(cfg, path).store.groups["all"]
    for date, found in enumerate((first, second)):
        stored = np.stack([group.read("HSI", row, date) for row in range(20)])
        np.testing.assert_allclose(found.mean, stored.mean((2, 3)) * 1e-4, rtol=1e-5)


def test_too_few_places_with_two_dates_and_a_sensor_that_no_group_has_are_told(store, tmp_path):
    cfg, _ = store
    few = tiny_run.write_store(tmp_path / "few.zarr", cfg, locations=8)
    with pytest.raises(
        ValueError, match="8 places have two valid dates of HSI, and rivals that know two dates need 16 or more"
    ):
        images.of_training(cfg, few, "HSI")
    with pytest.raises(ValueError, match="no group that the run 'tiny' uses has LT; rivals cannot be fitted to it"):
        images.of_training(dataclasses.replace(cfg, name="tiny"), few, "LT")
