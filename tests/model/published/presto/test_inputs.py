import re

import numpy as np
import pytest

from spectral_jax.model.published.presto.inputs import CHANNELS, SENTINEL2, build

PLACES = np.array([[50.0, 8.0], [-3.0, -60.0]])


@pytest.fixture
def data(rng):
    """Two pixels in three months."""
    made = {name: rng.uniform(0.02, 0.4, (2, 3)) for name in (*SENTINEL2, "B09")}
    made |= {"VV": rng.normal(-11, 2, (2, 3)), "VH": rng.normal(-18, 2, (2, 3))}
    made |= {"temperature": np.full((2, 3), 290.15), "precipitation": np.full((2, 3), 0.003)}
    return made | {"elevation": np.full((2, 3), 500.0), "slope": np.full((2, 3), 5.0)}


def test_numbers_are_scaled_by_constants(data):
    found = build(data, 11, PLACES, np.array([[0, 8, 9]] * 2))
    wanted = {"VV": (data["VV"] + 25) / 25, "B05": data["B05"], "temperature": 18 / 35, "precipitation": 0.1, "elevation": 0.25,
              "slope": 0.1, "NDVI": (data["B08"] - data["B04"]) / (data["B08"] + data["B04"])}  # fmt: skip
    for name, value in wanted.items():
        np.testing.assert_allclose(found.x[..., CHANNELS.index(name)], np.broadcast_to(value, (2, 3)), rtol=1e-5, atol=1e-6)
    assert not found.mask.any()
    np.testing.assert_array_equal(found.months, [[11, 0, 1]] * 2)
    np.testing.assert_array_equal(found.dynamic_world, [[0, 8, 9]] * 2)
    latitude, longitude = np.deg2rad(PLACES).T
    x, y = np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude)
    np.testing.assert_allclose(found.place, np.stack([x, y, np.sin(latitude)], 1), atol=1e-7)


def test_what_is_missing_is_masked_and_so_is_ndvi_without_its_bands(data):
    data["B04"][1, 2] = np.nan
    found = build({name: data[name] for name in ("B04", "B08", "VV")}, 0, PLACES)
    seen = [CHANNELS[i] for i in range(17) if not found.mask[0, 0, i]]
    assert seen == ["VV", "B04", "B08", "NDVI"]
    assert [CHANNELS[i] for i in range(17) if not found.mask[1, 2, i]] == ["VV", "B08"]
    assert not found.x[found.mask > 0].any()
    assert (found.dynamic_world == 9).all()


@pytest.mark.parametrize(
    ("changes", "options", "sentence"),
    [
        ({}, dict(months=12), "months: expected months from 0 (January) to 11 (December), got 12; subtract 1"),
        (
            {},
            dict(latlon=None),
            "latlon: Presto's first token is the place, and it is never masked, and no coordinates came; give "
            "latitude and longitude of each sample, in degrees.",
        ),
        ({}, dict(latlon=PLACES[:, ::-1] * 3), "latlon: expected a latitude from -90 to 90 degrees, got -180 for sample 1"),
        (
            {},
            dict(dynamic_world=np.full((2, 3), 11)),
            "dynamic_world: expected a class from 0 (water) to 8 (snow and ice), or 9 "
            "where it is not known, of each step [2, 3], got class 11.",
        ),
        ({}, dict(dynamic_world=np.zeros((2, 2), int)), "of each step [2, 3], got shape [2, 2]."),
        (
            {"VV": np.full((2, 3), 0.1)},
            {},
            "VV: expected backscatter in dB, which is below 0 almost everywhere, and all 6 numbers "
            "are 0 or more (median 0.1), as linear power is; take 10 log10 of it.",
        ),
        (
            {"B02": np.full((2, 3), 812.0)},
            {},
            "B02: expected reflectance from 0 to about 1, got a median of 812, as digital numbers",
        ),
        ({"B02": np.zeros((2, 4))}, {}, "B02: expected [B T] as of VV, [2, 3], got shape [2, 4]; one row a pixel."),
        ({"blue": np.zeros((2, 3))}, {}, "data: no channel of Presto is called 'blue'; the names are, closest first: "),
        ({"NDVI": np.zeros((2, 3))}, {}, "data: no channel of Presto is called 'NDVI'"),
    ],
)
def test_observations_of_another_kind_are_refused(data, changes, options, sentence):
    options = {"months": 5, "latlon": PLACES} | options
    data = {"VV": data["VV"]} | data
    with pytest.raises(ValueError, match=re.escape(sentence)):
        build(data | changes, **options)


def test_nothing_and_too_much_are_refused():
    with pytest.raises(ValueError, match="^data: expected at least one of VV, VH, .*, slope, got none.$"):
        build({}, 0, PLACES)
    with pytest.raises(ValueError, match="^months: expected a series of 1 to 24 steps, .*, got 30; cut it into parts"):
        build({"VV": np.full((2, 30), -9.0)}, 0, PLACES)
