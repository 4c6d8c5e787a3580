"""Sentinel-2 L2A from miniature SAFEs of another hand, of both kinds of baseline."""

import numpy as np
import pytest
from made import delivered
from made import delivered_sentinel2 as safe

from spectral_jax.ingest.downloaded.recognise import open_product

WHOLE = slice(0, 12), slice(0, 12)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return safe.write(tmp_path_factory.mktemp("safe"))


def repeated(pixels, times):
    return np.kron(pixels, np.ones((times, times), pixels.dtype))


@pytest.mark.parametrize("way", ["SAFE", "metadata", "image", "folder", "ZIP"])
def test_a_product_is_opened_by_whatever_is_given_of_it(folder, tmp_path, way):
    given = {
        "SAFE": folder, "metadata": folder / "MTD_MSIL2A.xml", "image": next(folder.rglob("*_B04_10m.jp2")),
        "folder": folder.parent,
    }  # fmt: skip
    path = given[way] if way in given else delivered.zipped(folder, tmp_path / "product.zip")
    with open_product(path) as product:
        assert (product.kind, product.name, product.shape) == ("Sentinel-2 L2A", safe.NAME, (12, 12))
        np.testing.assert_array_equal(product.read(*WHOLE, bands=[3])[0], safe.image(3, 10))


def test_bands_of_20_and_60_m_are_repeated_and_none_is_mixed(folder):
    with open_product(folder) as product:
        expected = [repeated(safe.image(k, pixel), pixel // 10) for k, (_, _, _, pixel) in enumerate(safe.BANDS)]
        np.testing.assert_array_equal(product.read(*WHOLE), expected)
        # A window that begins inside a pixel of 60 m.
        np.testing.assert_array_equal(product.read(slice(5, 8), slice(4, 9)), np.array(expected)[:, 5:8, 4:9])


def test_the_offset_of_the_metadata_is_taken_off_and_low_numbers_stay_negative(folder):
    with open_product(folder) as product:
        assert (product.packings[0].scale, product.packings[0].missing) == (1e-4, (0.0, 65535.0))
        # B02: numbers 1600 + k, so 600 + k in a store, and 0.06 + k / 10000.
        assert product.stored(*WHOLE).pixels[1, 0, :3].tolist() == [-32768, 601, 602]
        np.testing.assert_allclose(product.physical(*WHOLE, bands=[1])[0, 0, 1:3], [0.0601, 0.0602], rtol=1e-6)
        assert product.provenance["baseline"] == "05.10"
        assert product.provenance["offset"] == pytest.approx(-1000.0)


def test_dark_water_below_the_offset_keeps_its_sign(tmp_path):
    with open_product(safe.write(tmp_path, xml=safe.product_xml(offsets=(-1700,) * 13))) as product:
        assert product.stored(*WHOLE).pixels[1, 0, 1:3].tolist() == [1601 - 1700, 1602 - 1700]


def test_a_product_of_a_baseline_before_04_00_has_no_offset(tmp_path):
    folder = safe.write(tmp_path, name=safe.OLD, xml=safe.product_xml(baseline="02.11", offsets=None))
    # The miniature has the wavelengths of unit B; those of A differ by less than half a band.
    with open_product(folder) as product:
        assert product.spec.name == "sentinel2a_l2a"
        assert product.stored(*WHOLE).pixels[1, 0, 1:3].tolist() == [1601, 1602]
        assert any("B12 is at 2185.7 nm, and sentinel2a_l2a has it at 2202.37 nm" in note for note in product.notes)


def test_centres_and_widths_are_those_of_the_metadata(folder):
    with open_product(folder) as product:
        assert [b.centre_nm for b in product.bands] == [nm for _, _, nm, _ in safe.BANDS]
        assert {b.fwhm_nm for b in product.bands} == {30.0}  # of the miniature's responses
        assert any("widths differ from sentinel2b_l2a" in note for note in product.notes)


def test_place_time_and_flags(folder):
    with open_product(folder) as product:
        assert product.geotransform == (600_000.0, 10.0, 0.0, 5_800_020.0, 0.0, -10.0)
        assert product.crs.to_epsg() == 32632
        assert product.time == np.datetime64("2024-01-31T10:11:09.024")
        assert product.provenance["cloud_percent"] == "12.5"
        dropped = np.isin(safe.scl(), [0, 1, 3, 8, 9, 10])
        np.testing.assert_array_equal(product.clear(*WHOLE), ~repeated(dropped, 2))
        assert [flag for flag, where in product.flagged(slice(0, 1), slice(4, 5)).items() if where.all()] == ["shadow"]


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        ({"leave_out": ("MTD_MSIL2A.xml",)}, r"expected MTD_MSIL2A.xml beside the other files"),
        ({"leave_out": ("MTD_TL.xml",)}, r"expected MTD_TL.xml beside"),
        ({"leave_out": ("SCL",)}, r"expected T32UQD_..._SCL_20m.jp2 beside"),
        ({"leave_out": ("B8A",)}, r"expected T32UQD_..._B8A_20m.jp2 beside"),
        ({"xml": safe.product_xml(offsets=None)}, r"baseline 05.10 states BOA_ADD_OFFSET .* this metadata states none"),
        ({"xml": safe.product_xml(offsets=(-1000,) * 4)}, r"a BOA_ADD_OFFSET for every band, and band_id 4 has none"),
        ({"xml": safe.product_xml(offsets=(-1000,) * 12 + (0,))}, r"one BOA_ADD_OFFSET for all bands, got -1000, 0"),
        ({"xml": safe.product_xml(offsets=("a",) * 13)}, r"BOA_ADD_OFFSET: expected a number, got 'a'"),
        ({"xml": safe.product_xml(baseline="05.11")}, r"PROCESSING_BASELINE is 05.11, and the product's name says N0510"),
        ({"xml": safe.product_xml(quantity=1000)}, r"BOA_QUANTIFICATION_VALUE: expected the scale 0.0001 .* has 0.001"),
        ({"xml": safe.product_xml(saturated=20000)}, r"the special value SATURATED to be 65535, got 20000; it could be data"),
        (
            {"xml": safe.product_xml(leave_out=("B11",))},
            r"a Spectral_Information for every band, and B11 \(bandId 11\) has none",
        ),
        ({"xml": safe.product_xml(centres={"B05": 740.0})}, r"B05 is at 740 nm, .* more than half of its width"),
        ({"tile": safe.tile_xml(left=699_960)}, r"Geoposition and HORIZONTAL_CS_CODE say .*699960.* lies at .*600000"),
        ({"tile": safe.tile_xml(code="EPSG:32633")}, r"say .*EPSG:32633.* lies at .*EPSG:32632"),
        ({"shift": 100.0}, r"B05_20m.tif: expected the grid of T32UQD_.*B02_10m.tif"),
    ],
    ids=lambda x: "" if isinstance(x, str) else next(iter(x)),
)
def test_a_damaged_or_contradictory_product_is_refused_in_a_sentence(tmp_path, made, sentence):
    folder = safe.write(tmp_path, end="tif", **made)
    with pytest.raises((ValueError, FileNotFoundError), match=sentence):
        open_product(folder)


@pytest.mark.parametrize(
    ("name", "baseline", "offsets", "sentence"),
    [
        (safe.NAME.replace("N0510", "N9999"), "99.99", (-1000,) * 13, r"from 02.00 to 05.99, got 99.99; what its numbers mean"),
        (safe.NAME.replace("N0510", "N0211"), "02.11", (-1000,) * 13, r"baseline 02.11 has no BOA_ADD_OFFSET .* states one"),
        (
            safe.NAME.replace("MSIL2A", "MSIL1C"),
            "05.10",
            (-1000,) * 13,
            r"expected Sentinel-2 L2A, and S2B_MSIL1C.* of level L1C",
        ),
    ],
)
def test_an_unknown_baseline_and_another_level_are_refused(tmp_path, name, baseline, offsets, sentence):
    folder = safe.write(tmp_path, name=name, xml=safe.product_xml(baseline=baseline, offsets=offsets), end="tif")
    with pytest.raises(ValueError, match=sentence):
        open_product(folder)


def test_cogs_in_a_folder_of_the_name_that_planetary_computer_gives_are_read(tmp_path):
    """Its names have no baseline, and its assets lie in no SAFE."""
    flat = tmp_path / safe.NAME.replace("_N0510", "")
    flat.mkdir()
    for file in safe.write(tmp_path, end="tif").rglob("*.*"):
        if file.is_file():
            file.rename(flat / file.name)
    with open_product(flat) as product:
        assert (product.name, product.provenance["baseline"]) == (flat.name, "05.10")
        np.testing.assert_array_equal(product.read(*WHOLE, bands=[3])[0], safe.image(3, 10))


def test_the_spec_of_another_satellite_is_refused(folder):
    with pytest.raises(ValueError, match=r"is of sentinel2b_l2a, and sentinel2a_l2a is asked for"):
        open_product(folder, sensor="sentinel2a_l2a")
