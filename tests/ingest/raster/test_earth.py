"""Places in degrees: UTM zones and regular grids."""

import numpy as np
import pytest

from spectral_jax.ingest.raster import earth


@pytest.mark.parametrize(
    ("longitude", "latitude", "epsg"),
    [
        (-83.3, 41.7, 32617),  # Lake Erie
        (13.07, 52.4, 32633),  # Potsdam
        (-70.6, -33.4, 32719),  # Santiago de Chile
        (-180.0, 0.0, 32601),
        (-174.0, 10.0, 32602),  # a border belongs to the zone in the east
        (180.0, 10.0, 32660),
    ],
)
def test_a_place_has_its_utm_zone(longitude, latitude, epsg):
    assert earth.utm_epsg(longitude, latitude) == epsg
    assert earth.utm_zone(longitude) == epsg % 100


def test_the_step_of_a_regular_grid_has_a_sign_and_float32_degrees_are_regular():
    assert earth.regular_step(np.array([42.0, 41.5, 41.0]), "lat") == -0.5
    third = np.arange(-180, 180, 1 / 24).astype(np.float32)
    assert earth.regular_step(third, "lon") == pytest.approx(1 / 24, rel=1e-6)


@pytest.mark.parametrize(
    ("centres", "sentence"),
    [
        ([1.0], "x: lat has 1 centre; expected at least two, to know the spacing."),
        ([1.0, 2.0, 2.0, 3.0], "x: lat must be finite and go one way from pixel to pixel; sort it with its pixels."),
        ([1.0, np.nan, 3.0], "x: lat must be finite and go one way from pixel to pixel; sort it with its pixels."),
        (
            [1.0, 2.0, 3.05],
            "x: lat is no regular grid: steps run from 1 to 1.05 degrees; resample it to equal steps, or cut it.",
        ),
    ],
)
def test_what_is_no_regular_grid_is_told_in_a_sentence(centres, sentence):
    with pytest.raises(ValueError) as told:  # noqa: PT011 the whole sentence is compared below
        earth.regular_step(np.array(centres), "x: lat", ", or cut it")
    assert str(told.value) == sentence


@pytest.mark.parametrize(
    ("epsg", "expected"),
    [(32601, True), (32660, True), (32733, True), (32600, False), (32661, False), (25832, False), (4326, False)],
)
def test_utm_zones_are_known_by_their_codes(epsg, expected):
    assert earth.is_utm(epsg) is expected
