"""One GeoTIFF: which band is which, what its numbers and its time mean, and every refusal."""

import numpy as np
import pytest
from made.tiny_geotiffs import ENMAP, build_into, enmap_tags, pixels_of, rasterio, write_enmap, write_s1, write_s2, write_tif

from spectral_jax.ingest.patches.products import product, table
from spectral_jax.ingest.raster import band_names, bands
from spectral_jax.sensors import SensorSpec

S2 = SensorSpec.load("sentinel2a_l2a")
ENMAP_TILES = table.ProductFolder("enmap", "tiles").read()
S2_CHIPS = table.ProductFolder("sentinel2", "chips", {"offset": "0"}).read()


def test_enmap_bands_are_matched_by_wavelength_not_position(tmp_path):
    write_enmap(tmp_path / "e" / "tile.tif")
    done = build_into(tmp_path / "out.zarr", f"enmap:{tmp_path / 'e'}")
    stored = pixels_of(done.store, "enmap", "ENMAP")
    assert stored.dtype == np.int16
    expected = 1000 + 10 * np.arange(224)[:, None, None] + np.arange(16).reshape(4, 4)
    np.testing.assert_array_equal(stored, expected)


@pytest.mark.parametrize("drift", [-0.9, 0.9])
def test_drifting_wavelengths_still_match_one_to_one(drift):
    order = np.random.default_rng(0).permutation(224)
    centre = np.array([ENMAP.bands[i].centre_nm for i in order]) + drift
    width = np.array([ENMAP.bands[i].fwhm_nm for i in order])
    index, off = bands.by_wavelength(centre, width, ENMAP, "x.tif")
    np.testing.assert_array_equal(order[np.array(index) - 1], np.arange(224))
    assert off == pytest.approx(0.9)


def test_wavelengths_in_micrometres_are_converted(tmp_path):
    tags = enmap_tags(scale=1e-3, wavelength_units="Micrometers")
    write_enmap(tmp_path / "e" / "tile.tif", band_tags=tags)
    done = build_into(tmp_path / "out.zarr", f"enmap:{tmp_path / 'e'}")
    assert pixels_of(done.store, "enmap", "ENMAP")[7, 0, 0] == 1070


def test_bands_of_another_instrument_are_refused(tmp_path):
    write_enmap(tmp_path / "tile.tif", band_tags=enmap_tags(drift=-2.5))
    with pytest.raises(ValueError, match=r"tile.tif: expected a band near .* nm \(enmap_l2a, B.*within 2 nm"):
        product.look(ENMAP_TILES, tmp_path / "tile.tif")


def test_missing_wavelength_tags_are_refused(tmp_path):
    write_enmap(tmp_path / "none.tif", band_tags=[])
    with pytest.raises(ValueError, match="none.tif: expected bands with wavelengths .*never taken by position"):
        product.look(ENMAP_TILES, tmp_path / "none.tif")
    write_enmap(tmp_path / "some.tif", band_tags=enmap_tags()[:100])
    with pytest.raises(ValueError, match=r"some.tif: .*124 of 224 have none \(the first is band 101\)"):
        product.look(ENMAP_TILES, tmp_path / "some.tif")


def test_wrong_band_count_is_refused(tmp_path):
    write_tif(tmp_path / "s2.tif", np.full((13, 12, 12), 500, np.int16), 10.0)
    with pytest.raises(ValueError, match="s2.tif: expected the 12 bands of sentinel2a_l2a, got 13"):
        product.look(S2_CHIPS, tmp_path / "s2.tif")


def test_named_bands_are_found_whatever_their_order(tmp_path):
    names = [b.name for b in S2.bands]
    raw = write_s2(tmp_path / "x.tif", descriptions=names[::-1])
    chip = product.look(S2_CHIPS, tmp_path / "x.tif")
    np.testing.assert_array_equal(product.stored(chip, (0, 0, 12)).pixels, raw[::-1])
    assert band_names.positions(("B1 coastal", "B2", *names[2:]), S2, "x.tif") == tuple(range(1, 13))
    assert band_names.positions((None,) * 12, S2, "x.tif") is None
    with pytest.raises(ValueError, match="bands 1 and 2 are both called B02"):
        band_names.positions(("B02", "B2", *names[2:]), S2, "x.tif")
    with pytest.raises(ValueError, match="no band is called B01"):
        band_names.positions(("?", *names[1:]), S2, "x.tif")


def test_missing_numbers_become_the_specs_nodata(tmp_path):
    pixels = np.full((224, 4, 4), 500.0, np.float32)
    pixels[:, 0, 0] = np.nan
    pixels[3, 1, 1] = -9999.0
    write_enmap(tmp_path / "e" / "tile.tif", pixels=pixels, nodata=-9999.0)
    done = build_into(tmp_path / "out.zarr", f"enmap:{tmp_path / 'e'}")
    stored = pixels_of(done.store, "enmap", "ENMAP")
    assert (stored == -32768).sum() == 224 + 1
    assert (stored[:, 0, 0] == -32768).all()
    assert done.valid["ENMAP"] == pytest.approx(14 / 16)


def test_a_files_scale_is_used_and_fractions_without_one_are_refused(tmp_path):
    fractions = np.full((224, 4, 4), 0.25, np.float32)
    write_enmap(tmp_path / "bad.tif", pixels=fractions)
    with pytest.raises(
        ValueError,
        match=r"bad.tif: expected surface reflectance, and they are at most 2.5e-05: fractions .* reflectance \* 10000",
    ):
        product.look(ENMAP_TILES, tmp_path / "bad.tif")
    write_enmap(tmp_path / "ok.tif", pixels=np.full((224, 4, 4), 50, np.uint8), scales=(0.01,) * 224, offsets=(-0.1,) * 224)
    chip = product.look(ENMAP_TILES, tmp_path / "ok.tif")
    np.testing.assert_array_equal(product.stored(chip, (0, 0, 4)).pixels, np.full((224, 4, 4), 4000))
    write_enmap(tmp_path / "mix.tif", scales=(0.01,) * 223 + (0.1,))
    with pytest.raises(ValueError, match="mix.tif: expected one scale and one offset for all bands, got 2 and 1"):
        product.look(ENMAP_TILES, tmp_path / "mix.tif")


def test_radar_is_stored_in_hundredths_of_a_decibel_and_linear_power_is_refused(tmp_path):
    raw = write_s1(tmp_path / "RTC" / "a.tif")
    done = build_into(tmp_path / "out.zarr", f"sentinel1:{tmp_path / 'RTC'}")
    np.testing.assert_array_equal(pixels_of(done.store, "s1", "S1"), np.rint(raw * 100))
    write_s1(tmp_path / "linear_rtc" / "a.tif", pixels=10 ** (raw / 10))
    with pytest.raises(ValueError, match=r"a.tif: .* in dB, .*they look like linear power, 10 \* log10"):
        build_into(tmp_path / "no.zarr", f"sentinel1:{tmp_path / 'linear_rtc'}")


def radar(tmp_path):
    """The product of a folder of RTC chips."""
    write_s1(tmp_path / "S1RTC" / "any.tif")
    return table.ProductFolder("sentinel1", str(tmp_path / "S1RTC")).read()


def test_times_come_from_tags_or_the_name_and_nonsense_is_refused(tmp_path):
    s1 = radar(tmp_path)
    for name, tags, days in (
        ("a", {"datetime": "2000-01-02T12:00:00.000000000"}, 1.5),
        ("b", {"start_time": "2022-07-24T10:45:26Z"}, 8240 + (10 * 3600 + 45 * 60 + 26) / 86400),
        ("S1A_20000103T060000_x", {"none": ""}, 2.25),
        ("c", {"none": ""}, None),
    ):
        write_s1(tmp_path / f"{name}.tif", tags=tags)
        seen = product.look(s1, tmp_path / f"{name}.tif").time_days
        assert seen == (None if days is None else pytest.approx(days, abs=1e-9))
    write_s1(tmp_path / "bad.tif", tags={"datetime": "yesterday"})
    with pytest.raises(ValueError, match="bad.tif: expected a time such as .* in the tag datetime, got 'yesterday'"):
        product.look(s1, tmp_path / "bad.tif")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (dict(crs="EPSG:4326"), "x.tif: expected coordinates in metres, got EPSG:4326 in degrees; reproject it"),
        (dict(crs="EPSG:2263"), "x.tif: expected coordinates in metres, got EPSG:2263 in .*foot"),
        (dict(crs=None), "x.tif: expected a coordinate system, and the file has none"),
        (
            dict(transform=(20.0, 0.0, 5e5, 0.0, -20.0, 58e5)),
            r"x.tif: expected pixels of 10 m, got 20 m; resample it \(gdalwarp",
        ),
        (dict(transform=(10.0, 1.0, 5e5, 1.0, -10.0, 58e5)), "x.tif: expected square north-up pixels, got the transform"),
    ],
)
def test_grids_that_do_not_fit_are_refused(tmp_path, change, sentence):
    if "transform" in change:
        change = {"transform": rasterio.Affine(*change["transform"])}
    write_s1(tmp_path / "x.tif", **change)
    with pytest.raises(ValueError, match=sentence):
        product.look(radar(tmp_path), tmp_path / "x.tif")
