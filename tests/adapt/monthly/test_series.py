"""From a task's samples to what Presto takes, in its units, and what cannot be a series."""

import dataclasses

import numpy as np
import pytest
from made import tiny_monthly
from made.tiny_tasks import in_memory

from spectral_jax.adapt.monthly import series
from spectral_jax.tasks.read import read


@pytest.fixture
def data(tmp_path):
    tiny_monthly.write(tmp_path)
    return read("fuel_moisture", tmp_path)


def test_channels_are_in_the_units_that_encoders_take(data, tmp_path):
    found = series.of_task(data)
    stored = np.load(tmp_path / "s1_s2_era5_srtm.npy")
    assert len(found) == 48
    np.testing.assert_allclose(found.channels["VH"], stored[..., 1], rtol=1e-6)
    np.testing.assert_allclose(found.channels["B04"], stored[..., 4] / 1e4, rtol=1e-6)
    np.testing.assert_allclose(found.channels["temperature"], stored[..., 13], rtol=1e-6)
    assert set(found.channels) & {"NDVI", "class", "temperature_2m"} == set()
    np.testing.assert_array_equal(found.months, np.load(tmp_path / "month.npy"))
    np.testing.assert_allclose(found.latlon, np.load(tmp_path / "latlon.npy"))
    np.testing.assert_array_equal(found.cover, np.load(tmp_path / "dynamic_world.npy"))


def test_raw_numbers_are_the_published_columns(data, tmp_path):
    raw = series.raw_table(series.of_task(data))
    stored = np.load(tmp_path / "s1_s2_era5_srtm.npy")
    assert raw.shape == (48, 3 * 17 + 3 + 3 + 2)
    second = raw[:, 17:34]
    np.testing.assert_allclose(second[:, 0], (stored[:, 1, 0] + 25) / 25, atol=1e-6)
    ndvi = (stored[:, 1, 8] - stored[:, 1, 4]) / (stored[:, 1, 8] + stored[:, 1, 4])
    np.testing.assert_allclose(second[:, 16], ndvi, atol=1e-6)
    np.testing.assert_array_equal(raw[:, 51:54], np.load(tmp_path / "dynamic_world.npy"))
    np.testing.assert_array_equal(raw[:, 54:57], np.load(tmp_path / "month.npy"))
    np.testing.assert_allclose(raw[:, 57:], np.load(tmp_path / "latlon.npy"))


def test_linear_power_is_not_taken_for_db(tmp_path):
    cube = tiny_monthly.write(tmp_path)["s1_s2_era5_srtm"]
    cube[..., :2] = 10 ** (cube[..., :2] / 10)
    tiny_monthly.write(tmp_path, s1_s2_era5_srtm=cube)
    with pytest.raises(ValueError, match="VV: expected backscatter in dB.* as linear power is; take 10 log10 of it"):
        series.presto_inputs(series.of_task(read("fuel_moisture", tmp_path)))


def test_a_point_without_coordinates_is_refused_by_presto(data):
    nowhere = series.of_task(dataclasses.replace(data, georeference=()))
    assert nowhere.latlon is None
    with pytest.raises(ValueError, match="latlon: Presto's first token is the place.* no coordinates came; give latitude"):
        series.presto_inputs(nowhere)


def test_a_series_longer_than_the_table_of_steps_is_refused(data):
    found = series.of_task(data)
    twice = lambda x: np.tile(x, (1, 9))  # noqa: E731
    longer = series.Series({k: twice(v) for k, v in found.channels.items()}, twice(found.months), found.latlon, None)
    with pytest.raises(ValueError, match="expected a series of 1 to 24 steps.* got 27; cut it into parts"):
        series.presto_inputs(longer)


def test_what_is_missing_has_no_place_among_raw_numbers(data):
    found = series.of_task(data)
    found.channels["B04"][3, 1] = np.nan
    with pytest.raises(ValueError, match="raw numbers: 2 of 2448 are missing"):  # B04 and the NDVI of it
        series.raw_table(found)


def test_images_are_no_series():
    data = in_memory(np.zeros((4, 2, 2), np.int16))
    with pytest.raises(ValueError, match="expected points with the month of each date, and its samples are of .* px, without"):
        series.of_task(data)


def test_places_of_another_coordinate_system_are_refused(data):
    other = tuple(dataclasses.replace(place, epsg=32633) for place in data.georeference)
    with pytest.raises(ValueError, match=r"expected places in degrees of WGS 84 \(EPSG:4326\)"):
        series.of_task(dataclasses.replace(data, georeference=other))
