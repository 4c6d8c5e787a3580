"""What people's GeoTIFFs do to a store: the right number, or a sentence."""

import numpy as np
import pytest
from made.tiny_geotiffs import (
    BY_DETECTOR,
    build_into,
    enmap_tags,
    pixels_of,
    rasterio,
    write_enmap,
    write_s1,
    write_s2,
    write_tif,
)  # fmt: skip

from spectral_jax.ingest.patches.products import product, table
from spectral_jax.sensors import SensorSpec

S2 = SensorSpec.load("sentinel2a_l2a")
NAMES = [band.name for band in S2.bands]
ENMAP_TILES = table.ProductFolder("enmap", "tiles").read()
S2_CHIPS = table.ProductFolder("sentinel2", "chips", {"offset": "0"}).read()
SIDE = 8


def reflectance(seed=0, bands=224):
    """Land, [C H W], float64, in whole ten-thousandths."""
    spectrum = np.random.default_rng(seed).uniform(0.02, 0.45, (bands, SIDE, SIDE))
    return np.round(spectrum, 4)


def enmap_stored(path, **more):
    chip = product.look(ENMAP_TILES, path)
    return product.stored(chip, (0, 0, SIDE)).pixels


def write(path, truth, **more):
    """An EnMAP tile of numbers [C H W] in the order of the spec."""
    return write_enmap(path, pixels=truth[BY_DETECTOR], **more)


def test_a_background_that_nothing_declares_is_missing_where_the_product_has_it(tmp_path):
    numbers = (reflectance() * 1e4).round().astype(np.int16)
    numbers[:, :, :2] = -32768
    write(tmp_path / "t.tif", numbers)
    np.testing.assert_array_equal(enmap_stored(tmp_path / "t.tif"), numbers)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda x: np.where(np.arange(SIDE) < 2, -9999.0, x),
            "exactly -0.9999, .* a fill value that the file does not declare",
        ),
        (lambda x: np.where(np.arange(SIDE * SIDE).reshape(SIDE, SIDE) == 5, 2.4, x), "they are at most 0.00024: fractions"),
        (lambda x: x * 100, "are at most 4.*, where 10000 stands for 1: they are percent"),
        (lambda x: x * 1e6, r"the median .* they look like percent"),
    ],
    ids=["undeclared -9999", "one glint", "percent", "a hundred times too large"],
)
def test_floats_that_are_no_reflectance_times_ten_thousand_are_refused(tmp_path, change, sentence):
    write(tmp_path / "t.tif", change(reflectance()).astype(np.float32))
    with pytest.raises(ValueError, match=rf"t.tif: expected surface reflectance, and .*{sentence}.*reflectance \* 10000"):
        product.look(ENMAP_TILES, tmp_path / "t.tif")


def test_a_scale_that_was_applied_already_is_refused(tmp_path):
    write(tmp_path / "t.tif", reflectance().astype(np.float32), scales=(1e-4,) * 224)
    with pytest.raises(ValueError, match="t.tif: .* at most 4.*e-05: fractions .* or a scale was applied twice"):
        product.look(ENMAP_TILES, tmp_path / "t.tif")


def test_whole_numbers_in_percent_are_refused_at_their_first_patch(tmp_path):
    write(tmp_path / "tiles" / "t.tif", (reflectance() * 100).round().astype(np.int16))
    with pytest.raises(ValueError, match=r"t.tif, rows 0 to 8, columns 0 to 8: expected surface reflectance, and"):
        product.stored(product.look(ENMAP_TILES, tmp_path / "tiles" / "t.tif"), (0, 0, SIDE))


COMMON = ["coastal", "blue", "green", "red", "rededge1", "rededge2", "rededge3", "nir", "nir08", "nir09", "swir16", "swir22"]
TERRAMESH = [
    "COASTAL_AEROSOL", "BLUE", "GREEN", "RED", "RED_EDGE_1", "RED_EDGE_2", "RED_EDGE_3", "NIR_BROAD", "NIR_NARROW",
    "WATER_VAPOR", "SWIR_1", "SWIR_2",
]  # fmt: skip
EARTH_ENGINE = ["B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B11", "B12"]
SEN2COR = [f"{name}_{20 if name == 'B8A' else 10}m" for name in NAMES]
GDAL = [f"{name}, central wavelength {round(b.centre_nm)} nm" for name, b in zip(EARTH_ENGINE, S2.bands, strict=True)]
STAC_2 = [
    name.replace("rededge1", "rededge071").replace("rededge2", "rededge075").replace("edge3", "edge078") for name in COMMON
]


@pytest.mark.parametrize("names", [COMMON, TERRAMESH, EARTH_ENGINE, SEN2COR, GDAL, STAC_2])
def test_bands_are_known_by_what_catalogues_and_platforms_call_them(tmp_path, names):
    order = np.random.default_rng(1).permutation(12)
    numbers = np.random.default_rng(0).integers(300, 4000, (12, SIDE, SIDE)).astype(np.int16)
    write_s2(tmp_path / "x.tif", pixels=numbers[order], descriptions=[names[i] for i in order])
    chip = product.look(S2_CHIPS, tmp_path / "x.tif")
    assert chip.matched == "by name"
    np.testing.assert_array_equal(product.stored(chip, (0, 0, SIDE)).pixels, numbers)


@pytest.mark.parametrize(
    ("descriptions", "sentence"),
    [
        (["ozone", *NAMES[1:]], "no band is called B01 .*band 1 is described as 'ozone'"),
        ([f"layer {i}" for i in range(12, 0, -1)], "count the bands in another order than they stand in"),
        (["spring"] + ["autumn"] * 11, "no band is called B01 or 11 others .*'spring'"),
        (["rededge", *NAMES[:11]], "no band is called B12"),
    ],
)
def test_descriptions_that_are_not_understood_are_never_read_by_position(tmp_path, descriptions, sentence):
    write_s2(tmp_path / "x.tif", descriptions=descriptions)
    with pytest.raises(ValueError, match=sentence):
        product.look(S2_CHIPS, tmp_path / "x.tif")


@pytest.mark.parametrize("descriptions", [[None] * 12, [f"Band {i + 1}" for i in range(12)], ["S2L2A"] * 12])
def test_only_a_file_that_says_nothing_of_its_bands_is_read_by_position(tmp_path, descriptions):
    numbers = write_s2(tmp_path / "x.tif", descriptions=descriptions)
    chip = product.look(S2_CHIPS, tmp_path / "x.tif")
    assert chip.matched.startswith("by position, as the files name none: B01, B02")
    np.testing.assert_array_equal(product.stored(chip, (0, 0, 12)).pixels, numbers)


def radar(tmp_path, **more):
    numbers = np.round(np.random.default_rng(0).normal(-12.0, 4.0, (2, 40, 40)), 2)
    return numbers, table.ProductFolder("sentinel1", str(tmp_path), {"kind": "rtc"})


def test_a_border_of_zeros_in_both_polarisations_is_missing(tmp_path):
    numbers, source = radar(tmp_path)
    numbers[:, :, :10] = 0.0
    numbers[0, 0, 30] = 0.0  # one echo of exactly 0 dB beside one that is not
    write_s1(tmp_path / "t.tif", pixels=numbers)
    stored = product.stored(product.look(source.read(), tmp_path / "t.tif"), (0, 0, 40)).pixels
    expected = np.rint(numbers * 100).astype(np.int16)
    expected[:, :, :10] = -32768
    np.testing.assert_array_equal(stored, expected)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda x: 10 ** (x / 10), "they look like linear power"),
        (lambda x: np.where(np.arange(40) < 4, -9999.0, 10 ** (x / 10)), "they look like linear power"),
        (lambda x: np.where(np.arange(1600).reshape(40, 40) == 7, -4e-4, 10 ** (x / 10)), "they look like linear power"),
        (lambda x: np.rint(x * 100).astype(np.int16), r"they look like dB \* 100"),
        (lambda x: np.where(np.arange(40) < 4, -9999.0, x), "exactly -9999, .* does not declare"),
        (lambda x: 10 ** (x / 20) * 1000, "the median of the numbers is"),
    ],
    ids=["power", "power with a border", "power with one negative number", "dB * 100", "dB with a border", "amplitude"],
)
def test_radar_that_is_not_in_decibels_is_refused_before_anything_is_written(tmp_path, change, sentence):
    numbers, source = radar(tmp_path)
    write_s1(tmp_path / "t.tif", pixels=change(numbers))
    with pytest.raises(ValueError, match=rf"t.tif: expected backscatter gamma0 in dB, and .*{sentence}"):
        product.look(source.read(), tmp_path / "t.tif")


def test_a_chip_of_the_other_kind_of_radar_is_named(tmp_path):
    numbers, _ = radar(tmp_path)
    write_s1(tmp_path / "a.tif", pixels=numbers, tags={"processing": "Gamma0 RTC"})
    write_s1(tmp_path / "b.tif", pixels=numbers, tags={"processing": "sigma0"})
    found = table.ProductFolder("sentinel1", str(tmp_path)).read()
    product.look(found, tmp_path / "a.tif")
    with pytest.raises(
        ValueError, match=r"b.tif: its tags say that it is GRD, and the chips are taken as RTC \(from the tags of a.tif"
    ):
        product.look(found, tmp_path / "b.tif")


@pytest.mark.parametrize("carrier", ["inside", "beside", "alpha"])
def test_masks_of_every_kind_are_heeded(tmp_path, carrier):
    numbers = (reflectance(bands=12) * 1e4).round().astype(np.uint16)
    there = np.ones((SIDE, SIDE), bool)
    there[2:4] = False
    path = tmp_path / "x.tif"
    if carrier == "alpha":
        alpha = np.where(there, 65535, 0).astype(np.uint16)[None]
        write_tif(path, np.concatenate([numbers, alpha]), 10.0, descriptions=[*NAMES, "alpha"])
        with rasterio.open(path, "r+") as file:
            file.colorinterp = [rasterio.enums.ColorInterp.undefined] * 12 + [rasterio.enums.ColorInterp.alpha]
    else:
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=carrier == "inside"):
            write_tif(path, numbers, 10.0)
            with rasterio.open(path, "r+") as file:
                file.write_mask(there)
        assert (tmp_path / "x.tif.msk").exists() == (carrier == "beside")
    stored = product.stored(product.look(S2_CHIPS, path), (0, 0, SIDE)).pixels
    np.testing.assert_array_equal(stored, np.where(there, numbers.astype(np.int32), -32768))


@pytest.mark.parametrize(
    ("tags", "band_tags", "sentence"),
    [
        ({}, enmap_tags(order=BY_DETECTOR, scale=1e-3), "by wavelength (wavelengths of 0.41824 to 2.44553 without a unit"),
        ({"wavelength_units": "Micrometers"}, enmap_tags(scale=1e-3), "by wavelength"),
        ({}, enmap_tags(scale=1e-3, wavelength_units="\u03bcm"), "by wavelength"),
        ({}, enmap_tags(scale=1e-3, wavelength_units="\u00b5m"), "by wavelength"),
        ({}, [t | {"wavelength": f"{t['wavelength']} nm"} for t in enmap_tags()], "by wavelength"),
        ({}, [t | {"wavelength": t["wavelength"].replace(".", ",")} for t in enmap_tags()], "by wavelength"),
    ],
    ids=["bare micrometres", "unit of the file", "Greek mu", "micro sign", "unit behind the number", "decimal comma"],
)
def test_wavelengths_are_understood_however_they_are_written(tmp_path, tags, band_tags, sentence):
    numbers = (reflectance() * 1e4).round().astype(np.int16)
    write(tmp_path / "t.tif", numbers, band_tags=band_tags, tags={"start_time": "2022-07-24T12:00:00"} | tags)
    chip = product.look(ENMAP_TILES, tmp_path / "t.tif")
    assert chip.matched.startswith(sentence)
    np.testing.assert_array_equal(product.stored(chip, (0, 0, SIDE)).pixels, numbers)


@pytest.mark.parametrize(
    ("tag", "text", "sentence"),
    [
        ("wavelength", "nan", "band 1: expected a length such as 418.24 in the tag 'wavelength', got 'nan'"),
        ("wavelength", "blue", "band 1: expected a length .* got 'blue'"),
        ("wavelength", "-418.2", "band 1: expected a wavelength above 0, got -418.2"),
        ("wavelength_units", "furlongs", "band 1: the unit of the tag 'wavelength' is 'furlongs', which is not known here"),
        ("wavelength", "0.418 um", "band 1: the tag 'wavelength' reads '0.418 um', and wavelength_units says 'nm'"),
    ],
)
def test_wavelengths_that_are_none_are_named_with_file_and_band(tmp_path, tag, text, sentence):
    tags = enmap_tags(wavelength_units="nm")
    write_enmap(tmp_path / "t.tif", band_tags=[tags[0] | {tag: text}, *tags[1:]])
    with pytest.raises(ValueError, match=f"t.tif: {sentence}"):
        product.look(ENMAP_TILES, tmp_path / "t.tif")


def test_a_stated_unit_is_compared(tmp_path):
    write_s2(tmp_path / "ok.tif", units=("reflectance * 10000",) * 12)
    product.look(S2_CHIPS, tmp_path / "ok.tif")
    for name, unit, sentence in (
        ("radiance", "W/m2/sr/um", "band 1: the unit 'W/m2/sr/um' is not known here"),
        ("percent", "%", r"band 1: the unit is '%', and numbers in the unit 1 \(a fraction\) are expected"),
    ):
        write_s2(tmp_path / f"{name}.tif", units=(unit,) * 12)
        with pytest.raises(ValueError, match=f"{name}.tif: {sentence}"):
            product.look(S2_CHIPS, tmp_path / f"{name}.tif")


def test_clipped_numbers_are_counted_and_told_and_many_are_refused(tmp_path):
    numbers = np.full((12, 40, 40), 2000, np.uint16)
    numbers[0, 0, :30] = 33000 + 200 * np.arange(30)  # below a hundredth of the numbers
    write_s2(tmp_path / "s2" / "x.tif", pixels=numbers)
    done = build_into(tmp_path / "out.zarr", f"sentinel2:{tmp_path / 's2'},offset=0", footprint_m=400.0)
    assert done.clipped == 30
    assert "30 numbers lay outside the range of the store's type and were clipped" in done.text()
    assert pixels_of(done.store, "s2", "S2")[0, 0, :31].tolist() == [32767] * 30 + [2000]
    numbers[0] = np.random.default_rng(0).integers(33000, 50000, (40, 40))
    write_s2(tmp_path / "many.tif", pixels=numbers)
    with pytest.raises(ValueError, match="many.tif, rows 0 to 40, columns 0 to 40: .*of the numbers"):
        product.stored(product.look(S2_CHIPS, tmp_path / "many.tif"), (0, 0, 40))


@pytest.mark.parametrize(
    ("time", "days"), [("2022-07-24T12:00:00+02:00", 8240 + 10 / 24), ("2022-07-24 10:00:00", 8240 + 10 / 24)]
)
def test_a_time_zone_is_heeded(tmp_path, time, days):
    write_s2(tmp_path / "x.tif", tags={"datetime": time})
    assert product.look(S2_CHIPS, tmp_path / "x.tif").time_days == pytest.approx(days, abs=1e-9)


@pytest.mark.parametrize("time", ["NaT", "2022", "1900-01-01T00:00:00", "2999-01-01T00:00:00", "24/07/2022"])
def test_what_is_no_time_of_a_satellite_is_refused(tmp_path, time):
    write_s2(tmp_path / "x.tif", tags={"datetime": time})
    with pytest.raises(ValueError, match=f"x.tif: expected a time .*in the tag datetime, got '{time}'"):
        product.look(S2_CHIPS, tmp_path / "x.tif")


def test_a_store_in_which_nothing_is_valid_is_refused_and_an_empty_band_is_told(tmp_path):
    numbers = np.full((12, 12, 12), 2000, np.int16)
    numbers[3] = 0  # no pixel holds data in every band
    write_s2(tmp_path / "s2" / "x.tif", pixels=numbers)
    with pytest.raises(ValueError, match="of all 1 patches that were written no pixel holds data .*S2: 1 bands are empty"):
        build_into(tmp_path / "out.zarr", f"sentinel2:{tmp_path / 's2'},offset=0")
    write_enmap(tmp_path / "enmap" / "x.tif")
    done = build_into(tmp_path / "both.zarr", f"enmap:{tmp_path / 'enmap'}", f"sentinel2:{tmp_path / 's2'},offset=0")
    assert done.void == {"S2": ("B04",)}
    assert "S2: B04 hold no data in any patch, so a model sees no pixel of S2" in done.text()
