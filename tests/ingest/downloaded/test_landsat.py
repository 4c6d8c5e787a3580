"""Landsat Collection 2 Level 2 from miniature products of another hand, reflectance and temperature."""

import tarfile

import numpy as np
import pytest
from made import delivered_landsat as landsat

from spectral_jax.ingest.downloaded.recognise import open_product

WHOLE = slice(0, 5), slice(0, 5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return landsat.write(tmp_path_factory.mktemp("landsat"))


@pytest.mark.parametrize("way", ["folder", "metadata", "image", "tar", "tar.gz"])
def test_a_product_is_opened_by_whatever_is_given_of_it(folder, tmp_path, way):
    given = {"folder": folder, "metadata": next(folder.glob("*MTL.json")), "image": next(folder.glob("*SR_B4.TIF"))}
    if way.startswith("tar"):
        given[way] = tmp_path / f"{landsat.NAME}.{way}"
        with tarfile.open(given[way], "w:gz" if way == "tar.gz" else "w") as archive:
            for file in sorted(folder.iterdir()):
                archive.add(file, arcname=file.name)
    with open_product(given[way]) as product:
        assert (product.kind, product.name) == ("Landsat Collection 2 Level 2, surface reflectance", landsat.NAME)
        np.testing.assert_array_equal(product.read(*WHOLE), [landsat.reflectance(k) for k in range(1, 8)])


def test_a_store_gets_the_numbers_of_the_files_and_physics_the_scale_of_level_2(folder):
    with open_product(folder) as product:
        stored = product.stored(*WHOLE)
        assert (stored.pixels.dtype, stored.clipped) == (np.uint16, 0)
        np.testing.assert_array_equal(stored.pixels, [landsat.reflectance(k) for k in range(1, 8)])
        # 8101 * 2.75e-5 - 0.2, not Level 1's 2e-5 and -0.1 that stand under the same keys.
        found = product.physical(*WHOLE, bands=[0])[0, 0, :2]
        np.testing.assert_allclose(found, [np.nan, 0.0227775], rtol=1e-5)


def test_temperature_is_given_on_request(folder):
    with open_product(folder, sensor="landsat_st") as product:
        assert (product.unit, [b.name for b in product.bands]) == ("K", ["B10"])
        # 44001 * 0.00341802 + 149
        np.testing.assert_allclose(product.physical(*WHOLE)[0, 0, :2], [np.nan, 299.396298], rtol=1e-7)
        np.testing.assert_array_equal(product.stored(*WHOLE).pixels, [landsat.temperature()])


def test_bits_of_quality_are_flags(folder):
    with open_product(folder) as product:
        rows = product.flagged(slice(0, 2), slice(0, 5))
        seen = [[[flag for flag, where in rows.items() if where[r, c]] for c in range(5)] for r in range(2)]
        assert seen[0] == [["fill"], ["dilated_cloud"], ["cirrus"], ["cloud"], ["cloud_shadow"]]
        assert seen[1] == [["snow"], ["water"], [], [], []]
        assert product.clear(*WHOLE).sum(axis=1).tolist() == [0, 5, 5, 5, 5]


def test_a_saturated_band_is_missing_and_its_neighbours_are_not(tmp_path):
    saturated = np.zeros((5, 5), np.uint16)
    saturated[2, 3] = 1 << 3  # band 4
    with open_product(landsat.write(tmp_path, saturated=saturated)) as product:
        assert product.good(*WHOLE)[:, 2, 3].tolist() == [True, True, True, False, True, True, True]
        assert product.stored(*WHOLE).pixels[3, 2, 3] == 0


def test_time_place_and_where_the_wavelengths_are_from(folder):
    with open_product(folder) as product:
        assert product.time == np.datetime64("2022-07-24T10:09:41.123456")
        assert product.geotransform == (300_000.0, 30.0, 0.0, 5_700_000.0, 0.0, -30.0)
        assert product.provenance["scene"]["cloud_cover"] == "12.34"
        assert "it names no wavelengths; those of landsat8_oli stand for the bands' numbers" in product.notes[0]


@pytest.mark.parametrize("end", ["txt", "xml"])
def test_the_metadata_may_be_text_or_xml(tmp_path, end):
    with open_product(landsat.write(tmp_path, end=end)) as product:
        assert (product.packings[6].scale, product.packings[6].offset) == (2.75e-5, -0.2)


def test_an_undeclared_fill_is_told_by_the_pixels_that_quality_calls_fill(tmp_path):
    with open_product(landsat.write(tmp_path, nodata=None)) as product:
        assert not product.good(*WHOLE)[:, 0, 0].any()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("made", "sensor", "sentence"),
    [
        ({"leave_out": ("MTL",)}, None, r"expected LC08.*_MTL.json, .txt or .xml, and there is none"),
        ({"leave_out": ("SR_B5",)}, None, r"expected LC08.*_SR_B5.TIF beside"),
        ({"leave_out": ("QA_PIXEL",)}, None, r"expected LC08.*_QA_PIXEL.TIF beside"),
        ({"leave_out": ("ST_B10",)}, "landsat_st", r"expected LC08.*_ST_B10.TIF beside"),
        ({"name": landsat.NAME.replace("L2SP", "L2SR")}, "landsat_st", r"surface temperature is asked for, and .* has none"),
        ({"name": landsat.NAME.replace("_02_", "_01_")}, None, r"expected Landsat Collection 2.* is of Collection 1"),
        ({"name": landsat.NAME.replace("L2SP", "L1TP")}, None, r"is of level L1TP; fetch its Level 2"),
        ({"name": landsat.NAME.replace("LC08", "LE07")}, None, r"expected LC08 or .* is of LE07, which has no spec"),
        ({}, "landsat9_oli", r"is of landsat8_oli, and landsat9_oli is asked for"),
        ({"sections": landsat.mtl(mult="2.9e-05")}, None, r"expected the scale 2.75e-05 .* and B1 has 2.9e-05"),
        ({"sections": landsat.mtl(add="0")}, None, r"expected the offset -0.2 .* and B1 has 0; is it of another level"),
        ({"sections": landsat.mtl(leave_out=("LEVEL2_SURFACE_REFLECTANCE_PARAMETERS",))}, None,
         r"expected REFLECTANCE_MULT_BAND_1 in LEVEL2_SURFACE_REFLECTANCE_PARAMETERS"),
        ({"sections": landsat.mtl(name=landsat.NAME.replace("0724", "0825"))}, None, r"LANDSAT_PRODUCT_ID is LC08.*20220825"),
        ({"nodata": 9000}, None, r"SR_B1.TIF: expected 0 as no data.*declares 9000, which is a number that data can have"),
        ({"shift": 30.0}, None, r"SR_B2.TIF: expected the grid of"),
    ],
)  # fmt: skip
def test_a_damaged_or_wrong_product_is_refused_in_a_sentence(tmp_path, made, sensor, sentence):
    folder = landsat.write(tmp_path, **made)
    with pytest.raises((ValueError, FileNotFoundError), match=sentence):
        open_product(folder, sensor=sensor)


def test_metadata_that_is_no_json_is_refused(tmp_path):
    folder = landsat.write(tmp_path)
    next(folder.glob("*MTL.json")).write_text("{")
    with pytest.raises(ValueError, match=r"MTL.json: expected JSON with LANDSAT_METADATA_FILE"):
        open_product(folder)
