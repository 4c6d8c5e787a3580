"""Reading PACE OCI: every layout gives the same numbers, and every wrong file a sentence."""

import numpy as np
import pytest
from made.pace_files import FILL, NM, OFFSET, SCALE, WATER, name, packed, positions, write_l2, write_l3m

from spectral_jax.ingest.pace import file, layout, place, read


@pytest.mark.parametrize("version", ["2.0", "3.0", "3.1", "3.2"])
def test_every_version_of_aop_gives_the_same_spectra(tmp_path, version):
    scene = read.read(write_l2(tmp_path, version))
    assert scene.reflectance.dtype == np.float32
    np.testing.assert_allclose(scene.rrs, np.broadcast_to(WATER, (5, 6, 10)), atol=1e-6)
    np.testing.assert_array_equal(scene.wavelength_nm, NM)
    np.testing.assert_allclose(scene.lat[:, 0], 41.80 - 0.011 * np.arange(5), atol=1e-5)
    assert (scene.quantity, scene.unit, scene.product, scene.version) == ("Rrs", "sr^-1", "aop", version)
    assert scene.time == np.datetime64("2024-07-08T17:51:00")
    assert scene.granule == name(version)
    assert not scene.near_real_time


@pytest.mark.parametrize(("version", "bands"), [("2.0", 184), ("3.0", 172), ("3.2", 172)])
def test_wavelengths_come_from_the_file_and_not_from_the_286_bands_beside_them(tmp_path, version, bands):
    nm = np.linspace(339.0, 719.0, bands)
    raw = np.broadcast_to(packed(0.001 + 1e-6 * np.arange(bands) * 2), (2, 2, bands))
    scene = read.read(write_l2(tmp_path, version, raw=raw, nm=nm, place=positions(2, 2)))
    expected = nm if version == "3.2" else np.round(nm)
    np.testing.assert_allclose(scene.wavelength_nm, expected, atol=1e-4)
    np.testing.assert_allclose(scene.rrs[1, 1], 0.001 + 2e-6 * np.arange(bands), atol=1.1e-6)


def test_packing_fill_and_floor(tmp_path):
    raw = np.full((2, 2, 10), -17500, np.int16)
    raw[0, 0, 0], raw[0, 0, 1], raw[0, 0, 2] = FILL, -32766, -25500
    scene = read.read(write_l2(tmp_path, raw=raw, place=positions(2, 2), nm=np.linspace(600, 700, 10)), region=None)
    assert np.isnan(scene.rrs[0, 0, 0])
    np.testing.assert_allclose(scene.rrs[0, 0, 1:4], [-0.015532, -0.001, 0.015], atol=1e-7)
    assert np.isnan(scene.rrs).sum() == 1


def test_float_rrs_is_read_as_it_is(tmp_path):
    raw = np.broadcast_to(WATER, (5, 6, 10)).astype(np.float32).copy()
    raw[0, 0, 0] = FILL
    scene = read.read(write_l2(tmp_path, raw=raw))
    assert np.isnan(scene.rrs[0, 0, 0])
    np.testing.assert_array_equal(scene.rrs[1], raw[1])


def test_large_files_are_unpacked_in_blocks(tmp_path, monkeypatch):
    raw = packed(WATER + 1e-4 * np.arange(30).reshape(5, 6, 1))
    path = write_l2(tmp_path, raw=raw)
    monkeypatch.setattr(file, "_BLOCK", 130)  # two lines of 6 x 10 numbers
    np.testing.assert_allclose(read.read(path).rrs, raw * SCALE + OFFSET, atol=1e-7)


def test_a_region_gives_the_smallest_cut(tmp_path):
    raw = packed(WATER + 1e-4 * np.arange(30).reshape(5, 6, 1))
    path = write_l2(tmp_path, raw=raw, flags=np.arange(30, dtype=np.int32).reshape(5, 6))
    scene = read.read(path, region=(-83.375, 41.775, -83.35, 41.791))  # lines 1 and 2, pixels 2 and 3
    np.testing.assert_allclose(scene.rrs, raw[1:3, 2:4] * SCALE + OFFSET, atol=1e-7)
    np.testing.assert_array_equal(scene.flags, [[8, 9], [14, 15]])
    assert scene.lat.shape == (2, 2)
    with pytest.raises(place.OutsideRegionError, match=r"V3_0.nc: no pixel lies in the region 10..11 E, 0..1 N"):
        read.read(path, region=(10.0, 0.0, 11.0, 1.0))
    with pytest.raises(ValueError, match="region: expected west, south, east, north"):
        read.read(path, region=(11.0, 0.0, 10.0, 1.0))


def test_missing_positions_are_nan(tmp_path):
    lat, lon = positions(2, 2)
    lat[0, 0] = -32767.0
    scene = read.read(write_l2(tmp_path, place=(lat, lon)))
    assert np.isnan(scene.lat[0, 0])
    assert np.isfinite(scene.lat).sum() == 3


@pytest.mark.parametrize("version", ["2.0", "3.1"])
def test_surface_reflectance_is_never_given_as_rrs(tmp_path, version):
    nm = np.append(NM, [1038.0, 2258.0])
    raw = np.broadcast_to(packed(np.append(np.pi * WATER, [0.02, 0.01])), (5, 6, 12))
    scene = read.read(write_l2(tmp_path, version, product="sfrefl", raw=raw, nm=nm))
    assert (scene.product, scene.quantity, scene.unit) == ("sfrefl", "rhos", "1")
    np.testing.assert_allclose(scene.rhos[0, 0, 4], np.pi * 0.017, atol=1e-6)
    with pytest.raises(ValueError, match=r"SFREFL.V\d_\d.nc: expected Rrs, and the file holds rhos; .* read the AOP product"):
        _ = scene.rrs
    with pytest.raises(ValueError, match=r"OC_AOP.V3_0.nc: expected rhos, and the file holds Rrs; read the SFREFL product"):
        _ = read.read(write_l2(tmp_path)).rhos


@pytest.mark.parametrize(("version", "suite"), [("3.1", "RRS"), ("3.2", "AOP")])
def test_a_level_3_map(tmp_path, version, suite):
    rrs = WATER + 1e-4 * np.arange(6).reshape(3, 2, 1)
    rrs[2, 1] = np.nan
    grid = read.read(write_l3m(tmp_path, version, rrs=rrs, suite=suite))
    np.testing.assert_allclose(grid.rrs, rrs, atol=1.1e-6)
    np.testing.assert_allclose(grid.geotransform, [-83.55, 0.1, 0.0, 42.05, 0.0, -0.1], atol=1e-4)
    assert (grid.product, grid.version, grid.unit) == ("l3m", version, "sr^-1")
    assert grid.time == np.datetime64("2024-07-01T00:00:00")
    cut = read.read(write_l3m(tmp_path, version, rrs=rrs), region=(-83.45, 41.85, -83.3, 42.05))
    np.testing.assert_allclose(cut.rrs, rrs[:2, 1:], atol=1.1e-6)
    np.testing.assert_allclose(cut.lon, [-83.4], atol=1e-5)


def test_a_map_that_runs_north_is_turned_over(tmp_path):
    rrs = WATER + 1e-4 * np.arange(6).reshape(3, 2, 1)
    grid = read.read(write_l3m(tmp_path, rrs=rrs, lat=np.array([41.8, 41.9, 42.0])))
    np.testing.assert_allclose(grid.lat, [42.0, 41.9, 41.8], atol=1e-5)
    np.testing.assert_allclose(grid.rrs, rrs[::-1], atol=1.1e-6)


def test_a_map_without_an_even_grid_has_no_geotransform(tmp_path):
    with pytest.raises(
        ValueError, match="'lat' is no regular grid: steps run from 0.1 to 0.2 degrees; resample it to equal steps."
    ):
        _ = read.read(write_l3m(tmp_path, lat=np.array([42.0, 41.9, 41.7]))).geotransform
    with pytest.raises(ValueError, match="'lon' has 1 centre; expected at least two"):
        _ = read.read(write_l3m(tmp_path, lon=np.array([-83.0]))).geotransform


def test_time_and_version_come_from_the_name_where_attributes_are_silent(tmp_path):
    path = write_l2(tmp_path, "3.0", nrt=True, attrs={"processing_version": None, "time_coverage_start": None})
    who = read.identify(path)
    assert (who.version, who.time, who.near_real_time) == ("3.0", np.datetime64("2024-07-08T17:51:00"), True)


def test_a_renamed_file_keeps_the_name_in_its_attributes(tmp_path):
    path = write_l2(tmp_path, called="copy.nc", attrs={"product_name": name()})
    assert read.identify(path).granule == name()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"version": "1.0"}, r"V1_0.nc: expected PACE processing version 2.x or 3.x, got 1.0 \(attribute 'processing_version'"),
        ({"version": "4.0"}, r"got 4.0 .* This version came after these readers"),
        (
            {"called": "x.nc", "attrs": {"processing_version": "Unspecified", "product_name": "x"}},
            "x.nc: expected the attribute 'processing_version' or a name with .V3_0., got 'Unspecified'",
        ),
        (
            {"called": "x.nc", "attrs": {"instrument": "MODIS", "title": "MODISA Level-2 Data", "product_name": "A.nc"}},
            "x.nc: expected a file of PACE OCI, .* say 'MODIS' and 'MODISA Level-2 Data'",
        ),
        ({"attrs": {"time_coverage_start": "noon"}}, "in the attribute 'time_coverage_start', got 'noon'"),
        (
            {"called": "x.nc", "attrs": {"time_coverage_start": None, "product_name": "x"}},
            "expected the attribute 'time_coverage_start', or a name such as",
        ),
        (
            {"called": name(stamp="20241399T175100"), "attrs": {"time_coverage_start": None}},
            "expected a date in the name, got 'PACE_OCI.20241399T175100",
        ),
        (
            {"leave_out": ("wavelength_3d",)},
            "Rrs has 10 bands, and no wavelengths .* found none of them. Bands are never known",
        ),
        (
            {"version": "3.2", "leave_out": ("wavelength", "wavelength_3d")},
            "Rrs has 10 bands, and no wavelengths for them: looked for geophysical_data/wavelength",
        ),
        ({"version": "3.2", "nm": NM / 1000}, "field 'wavelength' runs from 0.4 to 0.709, which looks like micrometres"),
        ({"nm": NM[::-1]}, "field 'wavelength' must be finite and increase"),
        ({"leave_out": ("l2_flags",)}, "expected the variable geophysical_data/l2_flags, and the file has none"),
        ({"leave_out": ("latitude",)}, "expected the variable navigation_data/latitude, and the file has none"),
        ({"version": "2.0", "nav_pixels": 3}, r"navigation_data/latitude has shape \(5, 3\), and the data have \(5, 6\)"),
        ({"scale": False}, "Rrs is of type int16 without the attribute 'scale_factor': packed integers whose meaning is lost"),
        ({"raw": np.full((5, 6, 10), 900, np.float32)}, "V3_0.nc: field 'rrs' has a median of 900 .* packed integers"),
        ({"raw": np.full((5, 6, 10), 1.7, np.float32)}, "field 'rrs' has a median of 1.7 .* It looks like percent"),
        ({"raw": np.full((5, 6, 10), 0.08, np.float32)}, "It looks like surface reflectance rhos"),
        ({"units": "%"}, "the attribute 'units' of geophysical_data/Rrs is '%'; expected 'sr.-1'"),
        ({"product": "sfrefl", "raw": np.full((5, 6, 10), 9.0, np.float32)}, "rhos has a median of 9 .* looks like percent"),
        ({"product": "sfrefl", "raw": np.full((5, 6, 10), 900.0, np.float32)}, "rhos has a median of 900 .* packed integers"),
        ({"flag_attrs": False}, "V3_0.nc: geophysical_data/l2_flags has no attribute 'flag_meanings'"),
    ],
)
def test_a_wrong_file_is_a_sentence(tmp_path, changes, sentence):
    path = write_l2(tmp_path, **changes)
    with pytest.raises(ValueError, match=sentence) as error:
        read.read(path)
    assert path.name in str(error.value)


def test_a_few_bright_pixels_are_no_wrong_unit(tmp_path):
    raw = np.full((5, 6, 10), np.nan, np.float32)
    raw[0, :4] = 0.08  # the edge of a cloud
    assert np.isfinite(read.read(write_l2(tmp_path, raw=raw)).rrs).sum() == 40


def test_other_products_and_other_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"expected PACE OCI Level-2 AOP .* title is 'OCI Level-3 .* it holds Kd, lat, lon"):
        read.read(write_l3m(tmp_path, suite="KD", variable="Kd"))
    (tmp_path / "text.nc").write_text("no")
    with pytest.raises(ValueError, match=r"text.nc: expected a whole NetCDF-4 file, and it cannot be opened"):
        read.read(tmp_path / "text.nc")
    whole = write_l2(tmp_path).read_bytes()
    (tmp_path / "half.nc").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"half.nc: expected a whole NetCDF-4 file"):
        read.read(tmp_path / "half.nc")
    with pytest.raises(FileNotFoundError, match="none.nc does not exist"):
        read.read(tmp_path / "none.nc")


def test_more_than_fits_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(layout, "MOST_BYTES", 1000)
    with pytest.raises(ValueError, match="5 x 6 x 10 numbers are .* GiB; give a region"):
        read.read(write_l2(tmp_path))


def test_an_absent_library_is_named(tmp_path, monkeypatch):
    path = write_l2(tmp_path)
    monkeypatch.setitem(__import__("sys").modules, "h5netcdf", None)
    with pytest.raises(ImportError, match=r"h5netcdf, and it is not installed; install the extra pace: .*\[pace\]"):
        read.read(path)


def test_nearest_pixel_and_distance():
    # One degree of latitude is 2 pi 6371.0088 / 360 km.
    assert place.distance_km(41.0, -83.0, 42.0, -83.0) == pytest.approx(111.195, abs=1e-3)
    assert place.distance_km(0.0, 179.9, 0.0, -179.9) == pytest.approx(22.239, abs=1e-3)
    lat, lon = positions(4, 4)
    lat[2, 1] = np.nan
    assert place.nearest(lat, lon, 41.789, -83.3854)[:2] == (1, 1)
    assert place.nearest(lat, lon, 41.778, -83.3854)[:2] != (2, 1)
    assert place.nearest(np.full((2, 2), np.nan), lon[:2, :2], 41.0, -83.0)[2] == np.inf
