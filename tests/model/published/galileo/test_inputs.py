import re

import numpy as np
import pytest

from spectral_jax.model.published.galileo.channels import complete, statistics
from spectral_jax.model.published.galileo.inputs import build
from spectral_jax.model.published.monthly.observations import SENTINEL2

SHAPE = (2, 4, 4, 3)


@pytest.fixture
def data(rng):
    """Reflectance and dB of two places in three months, and terrain, weather and people."""
    made = {name: rng.uniform(0.02, 0.4, SHAPE) for name in (*SENTINEL2, "B01")}
    made |= {"VV": rng.normal(-11, 2, SHAPE), "VH": rng.normal(-18, 2, SHAPE)}
    made |= {"elevation": rng.uniform(0, 900, SHAPE[:3]), "slope": rng.uniform(0, 20, SHAPE[:3])}
    made |= {"temperature": rng.uniform(270, 300, (2, 3)), "precipitation": rng.uniform(0, 0.2, (2, 3))}
    return made | {"population": np.array([0.0, 4000.0])}


def test_numbers_are_normalised_and_what_is_absent_is_masked(data):
    found = build(data, np.array([10, 0]), np.array([[0.0, 90.0], [90.0, 0.0]]))
    np.testing.assert_array_equal(found.months, [[10, 11, 0], [0, 1, 2]])
    # (x - shift) / divisor, of digital numbers 1e4 times the reflectance.
    np.testing.assert_allclose(found.space_time[..., 2], (1e4 * data["B02"] + 440.067415) / 3670.81658, rtol=1e-6)
    np.testing.assert_allclose(found.space_time[..., 0], (data["VV"] + 21.5030159) / 19.5485831, rtol=1e-5, atol=1e-6)
    ndvi = (data["B08"] - data["B04"]) / (data["B08"] + data["B04"])
    np.testing.assert_allclose(found.space_time[..., 12], ndvi, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(found.space[..., 0], (data["elevation"] + 1293.12418) / 3932.27892, rtol=1e-6)
    np.testing.assert_allclose(found.static[:, 0], [2120 / 4618, 6120 / 4618], rtol=1e-6)
    np.testing.assert_allclose(found.static[:, 1:4], [[0, 1, 0], [0, 0, 1]], atol=1e-7)
    assert not found.space_time_mask.any()
    np.testing.assert_array_equal(found.space_mask[0, 0, 0], [0, 1, 1])
    np.testing.assert_array_equal(found.time_mask[0, 0], [0, 1, 1])
    np.testing.assert_array_equal(found.static_mask, [[0, 0, 1, 1]] * 2)


def test_minus_12_db_is_what_the_released_weights_expect():
    """A trap of the published helper, which gives -1.48."""
    shift, divisor = statistics(("VV",))
    assert (-12 - shift) / divisor == pytest.approx(0.486, abs=5e-4)


def test_a_missing_number_masks_its_group_there_and_counts_as_0(data):
    data["B06"][1, 2, 3, 0] = np.nan
    data["temperature"][0, 1] = np.nan
    found = build(data, 5)
    assert found.space_time_mask[1, 2, 3, 0].tolist() == [0, 0, 1, 0, 0, 0, 0]
    assert found.space_time_mask.sum() == 1
    assert not found.space_time[1, 2, 3, 0, 5:8].any()
    assert found.time_mask[0, 1].tolist() == [1, 1, 1]
    assert found.static_mask[0].tolist() == [0, 1, 1, 1]


def test_a_patch_with_a_missing_number_is_masked_whole_where_patches_are_told(data):
    data["B08"][0, 1, 3, 2] = np.nan
    data["slope"][1, 0, 1] = np.nan
    found = build(data, 5, patch=2)
    hidden = np.zeros((2, 4, 4, 3), bool)
    hidden[0, 0:2, 2:4, 2] = True
    np.testing.assert_array_equal(found.space_time_mask[..., 3], hidden)
    np.testing.assert_array_equal(found.space_time_mask[..., 6], hidden)
    assert found.space_time_mask[..., [0, 1, 2, 4, 5]].sum() == 0
    assert np.argwhere(found.space_mask[..., 0]).tolist() == [[1, 0, 0], [1, 0, 1], [1, 1, 0], [1, 1, 1]]
    with pytest.raises(ValueError, match="^images: expected H and W multiples of the patch of 3 px, got 4 x 4 px; crop or pad"):
        build(data, 5, patch=3)


def test_only_groups_that_are_asked_for_are_shown(data):
    found = build(data, 5, groups=("S2_RGB", "SRTM"))
    assert (found.space_time_mask == 0).sum() == found.space_time_mask[..., 1].size
    assert found.static_mask.all()
    assert found.time_mask.all()


def test_dark_pixels_have_an_ndvi_of_0():
    bands = {"B04": np.array([[[[-0.1, 0.0, 0.1]]]]), "B08": np.array([[[[0.1, 0.0, 0.3]]]]), "VV": np.full((1, 1, 1, 3), -9.0)}
    rest = {name: np.full((1, 1, 1, 3), 0.1) for name in ("B02", "B03")} | {"VH": np.full((1, 1, 1, 3), -19.0)}
    np.testing.assert_allclose(build(bands | rest, 0).space_time[0, 0, 0, :, 12], [0, 0, 0.5], atol=1e-6)


def test_groups_of_some_bands():
    assert complete(("B02", "B03", "B04", "B05", "B8A", "VV", "VH")) == ("S1", "S2_RGB", "S2_NIR_20m")


@pytest.mark.parametrize(
    ("changes", "options", "sentence"),
    [
        (
            {},
            dict(months=np.array([1, 12])),
            "months: expected months from 0 (January) to 11 (December), got 12; subtract 1, as 12 says that they count from 1.",
        ),
        ({}, dict(months=np.array([-3, 1])), "got -3; give the month of the year of each step."),
        (
            {},
            dict(months=np.zeros((2, 4))),
            "months: expected one month, the first month of each sample [2] or the month of each step [2 3], got shape [2, 4].",
        ),
        (
            {"VV": np.full(SHAPE, 0.08)},
            {},
            "VV: expected backscatter in dB, which is below 0 almost everywhere, and all 96 numbers "
            "are 0 or more (median 0.08), as linear power is; take 10 log10 of it.",
        ),
        (
            {"B03": np.full(SHAPE, 1200.0)},
            {},
            "B03: expected reflectance from 0 to about 1, got a median of 1200, as digital "
            "numbers have; remove the product's offset and divide by 10000.",
        ),
        (
            {"temperature": np.full((2, 3), 18.0)},
            {},
            "temperature: expected kelvin, got a median of 18, as Celsius has; add 273.15.",
        ),
        ({"slope": np.full(SHAPE[:3], 120.0)}, {}, "slope: expected degrees from 0 to 90, got 120 to 120; convert it."),
        ({"VH": np.full(SHAPE, -np.inf)}, {}, "VH: 96 numbers are infinite; set what is missing to NaN."),
        ({"B13": np.zeros(SHAPE)}, {}, "data: no channel of Galileo is called 'B13'; the names are, closest first: "),
        ({"B08": np.zeros((2, 4, 3, 3))}, {}, "B08: expected W = 4 as of VV, got 3; bring them to one grid."),
        ({"elevation": np.zeros(SHAPE)}, {}, "elevation: expected [B H W], got shape [2, 4, 4, 3]; give it these axes."),
        (
            {},
            dict(groups=("S2_RGB", "location")),
            "latlon: the group location is asked for, and no coordinates came; give latitude "
            "and longitude of each sample, in degrees.",
        ),
        (
            {},
            dict(latlon=np.array([[40.0, 5.0], [91.0, 5.0]])),
            "latlon: expected a latitude from -90 to 90 degrees, got 91 for "
            "sample 1; latitude comes first; give degrees of WGS 84.",
        ),
        (
            {},
            dict(latlon=np.array([[40.0, 5.0], [np.nan, 5.0]])),
            "latlon: expected a latitude from -90 to 90 degrees, got nan",
        ),
        (
            {},
            dict(latlon=np.array([[40.0, 361.0], [1.0, 5.0]])),
            "latlon: expected a longitude from -180 to 180 degrees, got 361",
        ),
        ({}, dict(latlon=np.zeros(2)), "latlon: expected latitude and longitude of each sample [2 2], got shape [2]."),
        ({}, dict(groups=("DW",)), "data: the group DW is seen as a whole and needs water, trees, grass"),
        ({}, dict(groups=("sentinel2",)), "groups: no group of Galileo is called 'sentinel2'; the names are, closest first: "),
    ],
)
def test_observations_of_another_kind_are_refused(data, changes, options, sentence):
    options = {"months": 5} | options
    with pytest.raises(ValueError, match=re.escape(sentence)):
        build(data | changes, **options)


def test_some_bands_of_a_group_are_refused(data):
    del data["B06"]
    sentence = (
        "data: the group S2_Red_Edge is seen as a whole and needs B05, B06, B07; got B05, B07. Give B06 too, or leave the group"
    )
    with pytest.raises(ValueError, match=f"^{sentence} out.$"):
        build(data, 5)
    # B05 and B07 may stay where the group is not asked for.
    assert build(data, 5, groups=("S2_RGB",)).space_time_mask[..., 2].all()


def test_series_longer_than_the_table_and_data_without_pixels_are_refused():
    long = {name: np.full((1, 1, 1, 25), -12.0) for name in ("VV", "VH")}
    with pytest.raises(ValueError, match="^months: expected a series of 1 to 24 steps, .*, got 25; cut it into parts"):
        build(long, 0)
    with pytest.raises(
        ValueError, match="^data: expected a channel with pixels, such as B02 or VV, got temperature, precipitation.$"
    ):
        build({"temperature": np.full((1, 2), 280.0), "precipitation": np.zeros((1, 2))}, 0)
