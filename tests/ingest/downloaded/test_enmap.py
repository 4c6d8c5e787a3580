"""EnMAP L2A from miniature products of another hand: numbers, places, flags, and what is refused."""

import tarfile

import numpy as np
import pytest
from made import delivered

from spectral_jax.ingest.downloaded.recognise import open_product
from spectral_jax.sensors import Band, SensorSpec

WHOLE = slice(0, 6), slice(0, 6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return delivered.write_enmap(tmp_path_factory.mktemp("enmap"))


@pytest.fixture(scope="module")
def packed(folder, tmp_path_factory):
    """The product as DLR's order form delivers it: a tar.gz of ZIPs."""
    out = tmp_path_factory.mktemp("order")
    inner = delivered.zipped(folder, out / f"{delivered.ENMAP_NAME}.ZIP")
    with tarfile.open(out / "order.tar.gz", "w:gz") as archive:
        archive.add(inner, arcname=f"dims_op_oc/{inner.name}")
    return out


@pytest.mark.parametrize("way", ["inner folder", "outer folder", "metadata", "image", "ZIP", "folder of ZIPs", "tar.gz"])
def test_a_product_is_opened_by_whatever_is_given_of_it(folder, packed, way):
    given = {
        "inner folder": folder, "outer folder": folder.parent, "metadata": next(folder.glob("*METADATA.XML")),
        "image": next(folder.glob("*SPECTRAL_IMAGE.TIF")), "ZIP": next(packed.glob("*.ZIP")), "folder of ZIPs": packed,
        "tar.gz": packed / "order.tar.gz",
    }[way]  # fmt: skip
    with open_product(given) as product:
        assert (product.kind, product.name, product.shape) == ("EnMAP L2A", delivered.ENMAP_NAME, (6, 6))
        np.testing.assert_array_equal(product.read(*WHOLE), delivered.enmap_pixels())


def test_what_was_unpacked_goes_when_the_product_is_closed(packed):
    product = open_product(packed / "order.tar.gz")
    product.close()
    with pytest.raises(ValueError, match=r"cannot be read"):
        product.read(*WHOLE)


def test_where_when_and_what_are_those_of_the_metadata(folder):
    with open_product(folder) as product:
        assert product.crs.to_epsg() == 32633
        assert product.geotransform == (500_000.0, 30.0, 0.0, 5_800_000.0, 0.0, -30.0)
        assert product.time == np.datetime64("2025-11-29T11:20:21.123456")
        # The corners of the swath, clockwise, not those of the raster.
        expected = [(15.001, 52.349), (15.0035, 52.3488), (15.0033, 52.3472), (15.0008, 52.3474)]
        np.testing.assert_array_equal(product.outline, expected)
        assert product.provenance["processing"] == {"correctionType": "Land_Mode"}
        assert product.provenance["scene"] == {"cloudCover": "7", "sunElevationAngle/center": "16.5"}
        assert (product.unit, product.notes) == ("1", ())


def test_wavelengths_and_detectors_are_those_of_the_metadata(folder):
    with open_product(folder) as product:
        spec = SensorSpec.load("enmap_l2a")
        np.testing.assert_allclose(product.wavelength_nm, [b.centre_nm + 0.3 for b in spec.bands])
        assert [b.detector for b in product.bands] == [b.detector for b in spec.bands]
        assert product.at([550.0, 865.0]) == [int(np.abs(product.wavelength_nm - nm).argmin()) for nm in (550.0, 865.0)]
        with pytest.raises(ValueError, match=r"no band is at 3000 nm; the nearest is B224"):
            product.at([3000.0])


def test_bands_that_come_detector_by_detector_are_put_in_the_order_of_the_spec(tmp_path):
    spec = SensorSpec.load("enmap_l2a")
    order = [i for d in ("VNIR", "SWIR") for i, b in enumerate(spec.bands) if b.detector == d]
    assert order != sorted(order)
    xml = delivered.enmap_xml(bands=[spec.bands[i] for i in order])
    with open_product(delivered.write_enmap(tmp_path, pixels=delivered.enmap_pixels()[order], xml=xml)) as product:
        np.testing.assert_array_equal(product.read(*WHOLE), delivered.enmap_pixels())


def test_the_fill_is_missing_before_anything_is_scaled(folder):
    with open_product(folder) as product:
        values = product.physical(slice(1, 3), slice(4, 6), bands=[0, 130])
        # Band 0 at row 1, column 4: 1000 + 6 + 4; band 130 holds no data anywhere.
        expected = [[[0.1010, np.nan], [0.1016, np.nan]], [[np.nan] * 2] * 2]
        np.testing.assert_allclose(values, expected, rtol=1e-6)
        assert product.good(slice(1, 3), slice(4, 6), bands=[0]).tolist() == [[[True, False], [True, False]]]


def test_a_store_gets_the_numbers_of_the_file(folder):
    with open_product(folder) as product:
        stored = product.stored(*WHOLE)
        assert (stored.pixels.dtype, stored.clipped) == (np.int16, 0)
        np.testing.assert_array_equal(stored.pixels, delivered.enmap_pixels())


def test_another_gain_within_the_tolerance_is_applied_to_what_a_store_gets(tmp_path):
    with open_product(delivered.write_enmap(tmp_path, xml=delivered.enmap_xml(gain="0.0001005", offset="0.0001"))) as product:
        # round(1000 * 1.005 + 1), round(1224 * 1.005 + 1): 1006 and 1231.12.
        pixels = product.stored(*WHOLE).pixels
        assert (pixels[0, 0, 0], pixels[22, 0, 4], pixels[0, 0, 5]) == (1006, 1231, -32768)


def test_the_quality_rasters_are_flags_and_only_some_of_them_make_a_pixel_unclear(folder):
    with open_product(folder) as product:
        found = product.flagged(slice(0, 1), slice(0, 6))
        alone = {flag: np.flatnonzero(where[0]).tolist() for flag, where in found.items()}
        assert alone == {
            "cloud": [0], "cloud_shadow": [1], "cirrus": [2], "haze": [3], "snow": [4], "background": [5],
            "land": [0, 1, 2, 3, 4], "water": [],
        }  # fmt: skip
        assert product.clear(slice(0, 1), slice(0, 6)).tolist() == [[False, False, False, True, True, False]]
        assert product.clear(slice(0, 1), slice(0, 6), drop=["haze"]).tolist() == [[True, True, True, False, True, True]]
        with pytest.raises(ValueError, match=r"no flag is called 'smoke'; it has .*cloud_shadow"):
            product.clear(*WHOLE, drop=["smoke"])


def test_a_flag_that_a_model_found_works_as_the_products_own(folder):
    with open_product(folder) as product:
        more = product.with_flag("model_cloud", "by a model", lambda window: np.ones((1, 6), bool))
        assert not more.clear(slice(0, 1), slice(0, 6)).any()
        assert product.clear(slice(0, 1), slice(0, 6)).any()
        with pytest.raises(ValueError, match=r"it has a flag 'cloud' already"):
            product.with_flag("cloud", "", lambda window: np.ones((1, 6), bool))


def test_cogs_of_the_catalogue_are_read_and_a_missing_fill_is_told_by_the_pixels_outside(tmp_path):
    with open_product(delivered.write_enmap(tmp_path, copy="_COG", nodata=None)) as product:
        assert product.packings[0].missing == (-32768.0,)
        assert product.good(*WHOLE)[0].sum() == 30


@pytest.mark.parametrize("window", [(slice(0, 7), slice(0, 6)), (slice(2, 2), slice(0, 6)), (slice(None, 3), slice(0, 6))])
def test_a_window_that_is_not_inside_is_refused(folder, window):
    with open_product(folder) as product, pytest.raises(ValueError, match=r"expected rows inside 0 to 6, got"):
        product.read(*window)


def test_a_band_that_is_not_there_is_refused(folder):
    with open_product(folder) as product, pytest.raises(ValueError, match=r"expected bands from 0 to 223, got \[224\]"):
        product.read(*WHOLE, bands=[224])


BANDS = SensorSpec.load("enmap_l2a").bands
TWICE = [*BANDS[:100], Band("x", BANDS[99].centre_nm, BANDS[99].fwhm_nm, BANDS[99].detector), *BANDS[101:]]
FAR = [*BANDS[:100], Band("x", BANDS[100].centre_nm + 5.0, BANDS[100].fwhm_nm, BANDS[100].detector), *BANDS[101:]]
NO_DATA = np.where(np.arange(6) == 5, -32767, delivered.enmap_pixels()).astype(np.int16)


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        ({"leave_out": ("METADATA",)}, r"expected ENMAP.*-METADATA.XML beside the other files .* there is none"),
        ({"leave_out": ("QL_QUALITY_CLOUD",)}, r"expected ENMAP.*-QL_QUALITY_CLOUD.TIF beside"),
        ({"xml": "<level_X><base>"}, r"METADATA.XML: expected the product's metadata, and it is no whole XML"),
        ({"xml": delivered.enmap_xml(bands=BANDS[:-1])}, r"a bandID in bandCharacterisation for each of the 224 .* got 223"),
        ({"xml": delivered.enmap_xml(bands=FAR)}, r"bandCharacterisation.*expected a band near .* nm .*another sensor"),
        ({"xml": delivered.enmap_xml(bands=TWICE)}, r"B100 and B101 are both at 9\d\d\.\d+ nm, and detector"),
        ({"xml": delivered.enmap_xml(drift=20.0)}, r"expected a band near"),
        ({"xml": delivered.enmap_xml(gain="0.00012")}, r"GainOfBand .* expected the scale 0.0001 .*, and B1 has 0.00012"),
        ({"xml": delivered.enmap_xml(offset="-0.1")}, r"expected the offset 0 of EnMAP L2A, and B1 has -0.1"),
        ({"xml": delivered.enmap_xml(gain="ten")}, r"element GainOfBand: expected a number, got 'ten'"),
        ({"xml": delivered.enmap_xml(startTime="begin")}, r"expected the element base/temporalCoverage/startTime"),
        ({"xml": delivered.enmap_xml().replace(">1,2,3", ">1,1,3")}, r"channel 1 of specific/vnir.* in both lists"),
        ({"xml": delivered.enmap_xml().replace(">1,2,3", ">1,225,3")}, r"channel 225 of .* is none of the 224 bands"),
        ({"nodata": 0}, r"SPECTRAL_IMAGE.TIF: expected -32768 as no data.*declares 0, which is a number that data can have"),
        ({"nodata": None, "pixels": NO_DATA}, r"a band declares none, nor do all pixels outside the swath hold it"),
        ({"crs": "EPSG:4326", "pixel": 0.001, "left": 15.0, "top": 52.0}, r"expected coordinates in metres"),
        ({"layers": {"QL_QUALITY_SNOW": np.zeros((4, 4), np.uint8)}}, r"QUALITY_SNOW.TIF: expected 6 x 6 pixels .* got 4 x 4"),
    ],
    ids=lambda x: "" if isinstance(x, str) else next(iter(x)),
)  # fmt: skip
def test_a_damaged_or_wrong_product_is_refused_in_a_sentence(tmp_path, made, sentence):
    folder = delivered.write_enmap(tmp_path, **made)
    with pytest.raises((ValueError, FileNotFoundError), match=sentence):
        open_product(folder)


def test_duplicated_wavelengths_without_detectors_are_refused(tmp_path):
    folder = delivered.write_enmap(tmp_path, xml=delivered.enmap_xml(bands=TWICE, leave_out=("channels",)))
    with pytest.raises(ValueError, match=r"and no detector tells them apart"):
        open_product(folder)


def test_a_level_1_product_is_refused_by_its_name_and_a_renamed_one_by_its_gains(tmp_path):
    name = delivered.ENMAP_NAME.replace("L2A", "L1C")
    with pytest.raises(ValueError, match=r"expected EnMAP L2A, and ENMAP01-____L1C.* is of level L1C"):
        open_product(delivered.write_enmap(tmp_path, name=name))
    renamed = delivered.write_enmap(tmp_path / "renamed", xml=delivered.enmap_xml(gain="0.0063", offset="-0.27"))
    with pytest.raises(ValueError, match=r"expected the scale 0.0001 of EnMAP L2A, and B1 has 0.0063; is it of another level"):
        open_product(renamed)


def test_a_real_tile_in_the_form_of_a_product_gives_the_numbers_of_the_tile(real_data, tmp_path):
    """Real spectra, in the order of the tile (VNIR before SWIR), with a METADATA.XML made of its tags."""
    rasterio = pytest.importorskip("rasterio")
    tile = sorted((real_data / "enmap_potsdam" / "images").glob("*.tif"))[0]
    with rasterio.open(tile) as file:
        pixels, crs, transform = file.read().astype(np.int16), file.crs, file.transform
        tags = [file.tags(band) for band in file.indexes]
    centre = np.array([float(tag["wavelength"]) for tag in tags])
    bands = [
        Band(f"B{i}", nm, float(tag["fwhm"]), "VNIR" if i < 91 else "SWIR")
        for i, (nm, tag) in enumerate(zip(centre, tags, strict=True))
    ]
    made = {"pixels": pixels, "crs": crs, "left": transform.c, "top": transform.f}
    folder = delivered.write_enmap(tmp_path, xml=delivered.enmap_xml(drift=0.0, bands=bands), **made)
    with open_product(folder) as product:
        # Of each band where its wavelength stands in the tile; no two bands share one.
        order = [int(np.flatnonzero(centre == nm)[0]) for nm in product.wavelength_nm]
        assert sorted(order) == list(range(224))
        np.testing.assert_array_equal(product.stored(slice(0, 32), slice(0, 32)).pixels, pixels[order])


def test_widths_that_differ_are_told_and_not_refused(tmp_path):
    wide = [Band(b.name, b.centre_nm, b.fwhm_nm * (1.5 if i == 7 else 1.0), b.detector) for i, b in enumerate(BANDS)]
    with open_product(delivered.write_enmap(tmp_path, xml=delivered.enmap_xml(bands=wide))) as product:
        assert len(product.notes) == 1
        assert "1 widths differ from enmap_l2a, most in B8: 8.97453 nm against 5.98302 nm" in product.notes[0]
