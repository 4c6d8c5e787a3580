"""DESIS L2A from miniature products of another hand."""

import numpy as np
import pytest
from made import delivered

from spectral_jax.ingest.downloaded.recognise import open_product
from spectral_jax.sensors import SensorSpec

WHOLE = slice(0, 5), slice(0, 5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return delivered.write_desis(tmp_path_factory.mktemp("desis"))


def test_numbers_wavelengths_place_and_time_are_those_of_the_product(folder):
    with open_product(folder) as product:
        assert (product.kind, product.name, product.shape) == ("DESIS L2A", delivered.DESIS_NAME, (5, 5))
        np.testing.assert_array_equal(product.read(*WHOLE), delivered.desis_pixels())
        np.testing.assert_array_equal(product.stored(*WHOLE).pixels, delivered.desis_pixels())
        # `band` under interiorOrientation is no band of the cube.
        np.testing.assert_allclose(product.wavelength_nm, [b.centre_nm + 0.2 for b in SensorSpec.load("desis_l2a").bands])
        np.testing.assert_allclose(product.physical(slice(1, 2), slice(0, 1), bands=[10]), [[[0.0555]]], rtol=1e-6)
        assert product.time == np.datetime64("2020-08-14T09:44:33.123")
        assert product.provenance["scene"] == {"percentageClouds": "3"}


def test_eight_bands_of_quality_are_flags_and_the_swath_is_told_by_the_fill(folder):
    with open_product(folder) as product:
        found = product.flagged(*WHOLE)
        order = ("shadow", "land", "snow", "haze_land", "haze_water", "cloud_land", "cloud_water", "water")
        assert [int(np.flatnonzero(found[flag])[0]) for flag in order] == list(range(8))
        assert [int(found[flag].sum()) for flag in order] == [1] * 8
        expected = np.ones(25, bool)
        expected[[0, 5, 6, 20, 21, 22, 23, 24]] = False
        np.testing.assert_array_equal(product.clear(*WHOLE).ravel(), expected)


def test_the_fill_of_the_metadata_stands_for_that_of_the_file(tmp_path):
    with open_product(delivered.write_desis(tmp_path, nodata=None)) as product:
        assert not product.good(*WHOLE)[:, -1].any()


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        ({"leave_out": ("METADATA",)}, r"expected DESIS.*-METADATA.xml beside"),
        ({"leave_out": ("QL_QUALITY-2",)}, r"expected DESIS.*-QL_QUALITY-2.tif beside"),
        ({"name": delivered.DESIS_NAME.replace("L2A", "L1C")}, r"expected DESIS L2A, and DESIS-HSI-L1C.* is of level L1C"),
        (
            {"xml": delivered.desis_xml(gain="0.0002")},
            r"gainOfBand .* expected the scale 0.0001 of DESIS L2A, and B1 has 0.0002",
        ),
        ({"xml": delivered.desis_xml(background="0")}, r"expected -32768 in backgroundValue, got 0, which data can have"),
        ({"xml": delivered.desis_xml(drift=1.9)}, r"more than half of its width of"),
        ({"xml": delivered.desis_xml(leave_out=("startTime",))}, r"expected the element startTime, and it is missing or empty"),
        (
            {"xml": delivered.desis_xml().replace("<band>", "<other>", 3)},
            r"METADATA.xml: expected the product's metadata, and it is no whole XML",
        ),
        ({"pixels": delivered.desis_pixels()[:-1]}, r"a band in bandCharacterisation for each of the 234 bands of .* got 235"),
        ({"nodata": 500}, r"declares 500, which is a number that data can have"),
        ({"quality": delivered.desis_quality()[:8]}, r"QL_QUALITY-2.tif: expected 10 bands, got 8"),
    ],
)
def test_a_damaged_or_wrong_product_is_refused_in_a_sentence(tmp_path, made, sentence):
    folder = delivered.write_desis(tmp_path, **made)
    with pytest.raises((ValueError, FileNotFoundError), match=sentence):
        open_product(folder)
