"""Sensor files: counts, groups, responses, digests, and every sentence of the validator."""

import dataclasses
import json
import tomllib

import numpy as np
import pytest

from spectral_jax.sensors import Band, SensorSpec, differences, names, response
from spectral_jax.spec_files import folder

EXPECTED = {
    "enmap_l2a", "emit_l2a", "desis_l2a", "prisma_l2d", "pace_oci_rrs_v3", "pace_oci_sfrefl", "sentinel2a_l2a",
    "sentinel2b_l2a", "sentinel2c_l2a", "landsat8_oli", "landsat9_oli", "landsat_st", "sentinel1_grd", "sentinel1_rtc",
    "hyperview", "planetscope_sr", "planetscope_visual", "gaofen2_pms", "maxar_rgb", "gaofen5_wuhan", "samson", "nirsoil",
}  # fmt: skip
# Number of bands in the file, and of bands a model sees (SpectralEarth-FM, arXiv 2605.21075, its data; PACE, PRISMA and
# HYPERVIEW: their products; Gaofen-5 over Wuhan: the public code of its group).
COUNTS = {
    "enmap_l2a": (224, 202), "emit_l2a": (285, 244), "desis_l2a": (235, 215), "prisma_l2d": (234, 234),
    "pace_oci_rrs_v3": (172, 172), "pace_oci_sfrefl": (122, 122), "sentinel2a_l2a": (12, 12), "landsat8_oli": (7, 7),
    "landsat_st": (1, 1), "sentinel1_rtc": (2, 2), "hyperview": (150, 150), "planetscope_sr": (4, 4),
    "planetscope_visual": (3, 3), "gaofen2_pms": (4, 4), "maxar_rgb": (3, 3), "gaofen5_wuhan": (116, 116),
    "samson": (156, 156), "nirsoil": (700, 700),
}  # fmt: skip
# First and last used band of every group: tokenizers in the code of SpectralEarth-FM.
GROUPS = {
    "enmap_l2a": [
        (0, 19), (20, 37), (38, 52), (53, 66), (67, 78), (79, 100), (101, 109), (110, 117), (118, 125), (126, 134),
        (135, 144), (145, 157), (158, 171), (172, 185), (186, 201),
    ],
    "desis_l2a": [
        (0, 20), (21, 42), (43, 64), (65, 85), (86, 107), (108, 128), (129, 150), (151, 171), (172, 193), (194, 214),
    ],
    "emit_l2a": [
        (0, 13), (14, 27), (28, 41), (42, 56), (57, 70), (71, 84), (85, 98), (99, 112), (113, 126), (127, 148), (149, 171),
        (172, 189), (190, 207), (208, 225), (226, 243),
    ],
}  # fmt: skip


def small(**changes) -> SensorSpec:
    fields = dict(
        name="small", kind="optical", quantity="surface reflectance", unit="1", gsd_m=30.0, dtype="int16",
        bands=(Band("red", 665.0, 30.0), Band("nir", 842.0, 100.0), Band("swir", 1610.0, 90.0)), scale=1e-4, nodata=-32768,
    )  # fmt: skip
    return SensorSpec(**(fields | changes))


def test_the_sensors_are_these():
    assert set(names()) == EXPECTED


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_every_file_loads_under_its_own_name_with_sources(name):
    spec = SensorSpec.load(name)
    assert spec.name == name
    data = tomllib.loads((folder("sensors") / f"{name}.toml").read_text())
    assert data["title"]
    assert {"bands", "gsd_m", "packing", "normalisation"} <= set(data["sources"])
    for field in ("bad_intervals_nm", "token_edges_nm", "srf_file", "valid_range"):
        assert (field in data) == (field in data["sources"]), f"{field} and its source must come together"
    assert all(len(text) > 10 and "/home" not in text for text in data["sources"].values())


@pytest.mark.parametrize("name", sorted(COUNTS))
def test_band_counts_are_the_products(name):
    spec = SensorSpec.load(name)
    assert (len(spec.bands), len(spec.used)) == COUNTS[name]


@pytest.mark.parametrize("name", sorted(GROUPS))
def test_token_groups_are_the_published_index_lists(name):
    group = SensorSpec.load(name).token_group
    ranges = [(int(i.min()), int(i.max())) for i in (np.flatnonzero(group == g) for g in range(group.max() + 1))]
    assert ranges == GROUPS[name]
    assert np.all(np.diff(group) >= 0)


def test_enmap_drops_bands_127_to_141_and_161_to_167():
    expected = [*range(1, 127), *range(142, 161), *range(168, 225)]
    assert [i + 1 for i in SensorSpec.load("enmap_l2a").used_index] == expected


def test_enmap_is_ordered_by_wavelength_with_the_detector_named():
    spec = SensorSpec.load("enmap_l2a")
    centre = np.array([b.centre_nm for b in spec.bands])
    assert np.all(np.diff(centre) > 0)
    vnir = np.array([b.detector == "VNIR" for b in spec.bands])
    assert vnir.sum() == 91
    assert centre[vnir].max() == pytest.approx(993.083)
    assert centre[~vnir].min() == pytest.approx(902.257)


def test_emit_keeps_the_good_wavelengths_and_desis_drops_ten_at_each_end():
    emit = SensorSpec.load("emit_l2a").used_index
    assert emit == (*range(0, 127), *range(142, 187), *range(213, 285))
    assert SensorSpec.load("desis_l2a").used_index == tuple(range(10, 225))


def test_bad_bands_stay_the_same_when_centres_drift_by_a_nanometre():
    for name in GROUPS:
        spec = SensorSpec.load(name)
        for drift in (-0.9, 0.9):
            bands = tuple(dataclasses.replace(b, centre_nm=b.centre_nm + drift) for b in spec.bands)
            assert dataclasses.replace(spec, bands=bands).used_index == spec.used_index


def test_prisma_keeps_product_order_with_the_detector_named():
    bands = SensorSpec.load("prisma_l2d").bands
    centre = np.array([b.centre_nm for b in bands])
    assert np.flatnonzero(np.diff(centre) < 0).tolist() == [62]
    assert [b.detector for b in bands] == ["VNIR"] * 63 + ["SWIR"] * 171


def test_units_and_quantities_keep_products_apart():
    rrs, rhos = SensorSpec.load("pace_oci_rrs_v3"), SensorSpec.load("pace_oci_sfrefl")
    assert (rrs.unit, rrs.quantity, rhos.unit) == ("sr^-1", "remote-sensing reflectance", "1")
    grd, rtc = SensorSpec.load("sentinel1_grd"), SensorSpec.load("sentinel1_rtc")
    assert (grd.quantity, rtc.quantity) == ("backscatter sigma0", "backscatter gamma0")
    assert differences(grd, rtc)[0] == "quantity 'backscatter sigma0' against 'backscatter gamma0'"


def test_rrs_packing_holds_the_floor_of_the_product():
    spec = SensorSpec.load("pace_oci_rrs_v3")
    assert -32766 * spec.scale + spec.offset == pytest.approx(-0.015532, abs=1e-9)


def test_landsat_normalisation_is_the_papers():
    spec = SensorSpec.load("landsat8_oli")
    dn = np.array([7273.0, 20000.0, 43636.0])
    np.testing.assert_allclose(dn * spec.scale + spec.offset, (0.275 * dn - 2000.0) / 10000.0, atol=1e-9)
    temperature = SensorSpec.load("landsat_st")
    assert (temperature.low, temperature.high, temperature.kind) == (250.0, 350.0, "thermal")


def test_emit_normalisation_is_the_papers():
    spec = SensorSpec.load("emit_l2a")
    assert 32767 * spec.scale + spec.offset == pytest.approx(1.0)
    assert (spec.low, spec.high) == (0.0, 1.0)


@pytest.mark.parametrize("name", ["sentinel2a_l2a", "sentinel2c_l2a", "landsat9_oli", "enmap_l2a", "hyperview"])
def test_response_rows_sum_to_one(name):
    spec = SensorSpec.load(name)
    weights = response(spec, np.arange(380.0, 2500.0, 0.5))
    assert weights.shape == (len(spec.used), 4240)
    assert weights.min() >= 0.0
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, rtol=1e-12)


def test_sampled_responses_have_the_published_centroids():
    grid = np.arange(400.0, 2400.0, 0.5)
    spec = SensorSpec.load("sentinel2a_l2a")
    centroid = response(spec, grid) @ grid
    red = [b.name for b in spec.used].index("B04")
    assert abs(centroid[red] - 664.62) < 0.5
    np.testing.assert_allclose(centroid, spec.centre_nm, atol=0.5)
    other = SensorSpec.load("sentinel2b_l2a")
    assert centroid[-1] - (response(other, grid) @ grid)[-1] == pytest.approx(16.66, abs=0.5)


def test_gaussian_response_has_the_bands_centre_and_width():
    grid = np.arange(500.0, 900.0, 0.1)
    row = response(small(bands=(Band("x", 700.0, 20.0),)), grid)[0]
    half = grid[row >= row.max() / 2]
    assert row @ grid == pytest.approx(700.0, abs=1e-6)
    assert half[-1] - half[0] == pytest.approx(20.0, abs=0.2)


def test_response_outside_the_grid_names_the_band():
    with pytest.raises(ValueError, match=r"small: band swir at 1610.0 nm has no response on a grid from 400 to 1000 nm"):
        response(small(), np.arange(400.0, 1001.0, 1.0))


CHANGES = {
    "name": "other", "kind": "thermal", "quantity": "radiance", "unit": "%", "gsd_m": 60.0, "dtype": "int32",
    "bands": (Band("red", 665.0, 30.0), Band("nir", 842.0, 100.0), Band("swir", 1610.5, 90.0)), "scale": 1e-3, "offset": 0.1,
    "nodata": 0.0, "valid_range": (0.0, 1.0), "low": -1.0, "high": 2.0, "mean": (0.1, 0.2, 0.3), "std": (1.0, 2.0, 3.0),
    "bad_intervals_nm": ((1600.0, 1700.0),), "token_edges_nm": (700.0,), "srf_file": "srf/x.csv",
}  # fmt: skip


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(SensorSpec)])
def test_digest_changes_with_any_field(field):
    assert small(**{field: CHANGES[field]}).digest != small().digest


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(Band)])
def test_digest_changes_with_any_field_of_a_band(field):
    changed = {"name": "r", "centre_nm": 666.0, "fwhm_nm": 31.0, "detector": "VNIR", "polarisation": "VV"}[field]
    first, *rest = small().bands
    bands = (dataclasses.replace(first, **{field: changed}), *rest)
    assert small(bands=bands).digest != small().digest


def test_digest_and_hash_do_not_see_whether_a_number_was_written_as_integer():
    assert small(gsd_m=30, nodata=-32768, low=0) == small(gsd_m=30.0, nodata=-32768.0, low=0.0)
    assert small(gsd_m=30).digest == small(gsd_m=30.0).digest
    assert hash(small(nodata=-32768)) == hash(small(nodata=-32768.0))


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_to_dict_round_trip_through_json_keeps_the_digest(name):
    spec = SensorSpec.load(name)
    again = SensorSpec.from_dict(json.loads(json.dumps(spec.to_dict())))
    assert again == spec
    assert again.digest == spec.digest


def test_without_bad_bands_keeps_the_used_ones():
    spec = small(bad_intervals_nm=((800.0, 900.0),))
    assert [b.name for b in spec.without_bad_bands().bands] == ["red", "swir"]
    assert differences(spec, spec.without_bad_bands()) == []


def test_differences_name_band_count_order_unit_and_wavelengths():
    spec = small()
    assert differences(spec, small()) == []
    assert differences(spec, small(bands=spec.bands[:2])) == ["3 used bands against 2"]
    assert differences(spec, small(unit="%", scale=1e-2)) == ["unit '1' against '%'", "scale 0.0001 against 0.01"]
    (order,) = differences(spec, small(bands=spec.bands[::-1]))
    assert order == "the order of bands: 2 of 3 bands, the first being band red at 665 nm against swir at 1610 nm"
    moved = (*spec.bands[:2], Band("swir", 1657.0, 90.0))
    (shift,) = differences(spec, small(bands=moved))
    assert shift == "wavelengths: 1 of 3 bands, the first being band swir at 1610 nm against swir at 1657 nm"


def test_differences_tell_sentinel_2_units_and_polarisations_apart():
    (text,) = differences(SensorSpec.load("sentinel2a_l2a"), SensorSpec.load("sentinel2b_l2a"))
    assert text.startswith("wavelengths: ")
    radar = SensorSpec.load("sentinel1_grd")
    swapped = dataclasses.replace(radar, bands=radar.bands[::-1])
    assert differences(radar, swapped) == ["polarisations ('VV', 'VH') against ('VH', 'VV')"]


REFUSED = {
    "kind": (dict(kind="lidar"), "sensor small: kind is 'lidar'; expected one of optical, thermal, radar"),
    "dtype": (dict(dtype="float16"), "dtype is 'float16'; expected one of int8, uint8, int16"),
    "no bands": (dict(bands=()), "it has no bands; list at least one"),
    "same name": (dict(bands=(Band("a", 500.0, 9.0), Band("a", 600.0, 9.0))), "two bands have the same name"),
    "gsd": (dict(gsd_m=0.0), "gsd_m 0.0 must be above 0"),
    "scale": (dict(scale=0.0), "scale 0.0 not 0"),
    "high": (dict(low=1.0, high=1.0), "high 1.0 above low 1.0"),
    "polarisation": (dict(kind="radar"), "radar band red has no polarisation; give VV, VH, HH or HV"),
    "width": (dict(bands=(Band("a", 500.0),)), "band a lacks centre_nm or fwhm_nm"),
    "micrometres": (dict(bands=(Band("a", 0.665, 0.03),)), "probably in micrometres: multiply by 1000"),
    "nodata": (dict(dtype="uint16"), "nodata -32768.0 is not a number that dtype uint16 can hold"),
    "range": (dict(valid_range=(1.0, 0.0)), "valid_range \\(1.0, 0.0\\) must be \\(low, high\\)"),
    "interval": (dict(bad_intervals_nm=((900.0, 800.0),)), "must be pairs \\(low, high\\)"),
    "edges": (dict(token_edges_nm=(900.0, 800.0)), "token_edges_nm must increase"),
    "all bad": (dict(bad_intervals_nm=((100.0, 9000.0),)), "bad_intervals_nm removes every band"),
    "mean": (dict(mean=(0.1, 0.2)), "mean has 2 numbers for 3 used bands"),
    "std": (dict(std=(0.1,)), "std has 1 numbers for 3 used bands"),
}


@pytest.mark.parametrize("rule", sorted(REFUSED))
def test_validator_refuses_with_a_sentence(rule):
    changes, sentence = REFUSED[rule]
    with pytest.raises(ValueError, match=sentence):
        small(**changes)


def test_unknown_sensor_names_the_nearest():
    with pytest.raises(ValueError, match=r"no sensor is called 'enmap_l2'; the names are, closest first: enmap_l2a, "):
        SensorSpec.load("enmap_l2")
    with pytest.raises(FileNotFoundError, match="sensor: expected a file of a sensor, and nowhere/my.toml does not exist"):
        SensorSpec.load("nowhere/my.toml")


def test_a_file_of_ones_own_loads_and_unknown_fields_are_named(tmp_path):
    (tmp_path / "bands.csv").write_text("# mine\nname,centre_nm,fwhm_nm\na,500,10\nb,600,10\n")
    text = (
        'name = "mine"\nkind = "optical"\nquantity = "radiance"\nunit = "1"\ngsd_m = 5\ndtype = "uint16"\n'
        'bands = "bands.csv"\n[normalisation]\nhigh = 4\n'
    )
    path = tmp_path / "mine.toml"
    path.write_text(text)
    spec = SensorSpec.load(str(path))
    assert spec.bands == (Band("a", 500.0, 10.0), Band("b", 600.0, 10.0))
    assert spec.high == 4.0
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("gsd = 5\n" + text)
    with pytest.raises(ValueError, match="no field of a sensor is called 'gsd'; the names are, closest first: gsd_m, "):
        SensorSpec.load(str(wrong))
    (tmp_path / "bands.csv").write_text("name,centre_nm,fwhm_nm\na,blue,10\n")
    other = tmp_path / "other.toml"
    other.write_text(text)
    with pytest.raises(ValueError, match="is not a band"):
        SensorSpec.load(str(other))
