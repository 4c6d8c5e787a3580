"""PACE files as other tools leave them: the right numbers, or a sentence that says what is wrong."""

import datetime

import numpy as np
import pytest
from made.pace_files import FILL, WATER, h5netcdf, name, packed, positions, write_l2, write_l3m

from spectral_jax.ingest.pace import read, start

h5py = pytest.importorskip("h5py")

RRS, LAT, LON, FLAGS = (
    "geophysical_data/Rrs",
    "navigation_data/latitude",
    "navigation_data/longitude",
    "geophysical_data/l2_flags",
)


def changed(path, variable, numbers=None, **attrs):
    """Writes a variable of a file anew: its numbers, and attributes; None takes one away."""
    with h5py.File(path, "r+") as stored:
        old = stored[variable]
        said = {k: v for k, v in old.attrs.items() if k not in ("DIMENSION_LIST", "_Netcdf4Coordinates", "_Netcdf4Dimid")}
        scales = [dimension[0] for dimension in old.dims]
        values = old[...] if numbers is None else np.asarray(numbers)
        del stored[variable]
        new = stored.create_dataset(variable, data=values)
        for i, scale in enumerate(scales):
            if scale.shape[0] == values.shape[i]:
                new.dims[i].attach_scale(scale)
        for k, v in (said | attrs).items():
            if v is not None:
                new.attrs[k] = v
    return path


def raw_with(number, at=(0, 0, 0)):
    raw = packed(np.broadcast_to(WATER, (5, 6, 10))).copy()
    raw[at] = number
    return raw


@pytest.mark.parametrize(
    ("number", "attrs"),
    [
        (FILL, {"_FillValue": np.float32(1e20)}),
        (FILL, {"_FillValue": None}),
        (FILL, {"_FillValue": np.float32(np.nan)}),
        (FILL, {"_FillValue": None, "missing_value": np.array([-30000], np.int16)}),
        (-30000, {"_FillValue": None, "missing_value": np.array([-32767, -30000], np.int16)}),
        (-30000, {"_FillValue": np.array([-30000], np.int16)}),
        (-32768, {}),
        (-30000, {"valid_min": np.int16(-29999)}),
        (-30000, {"valid_min": np.float32(-0.009)}),
    ],
)
def test_every_carrier_of_missing_numbers_holds(tmp_path, number, attrs):
    path = changed(write_l2(tmp_path), RRS, raw_with(number), **attrs)
    rrs = read.read(path).rrs
    assert np.isnan(rrs[0, 0, 0])
    assert np.isnan(rrs).sum() == 1
    np.testing.assert_allclose(rrs[1:], np.broadcast_to(WATER, (4, 6, 10)), atol=1e-6)


def test_what_the_packing_clipped_stays_beside_the_valid_range_of_the_product(tmp_path):
    path = changed(write_l2(tmp_path), RRS, raw_with(-32766), valid_min=np.int16(-30000), valid_max=np.int16(25000))
    assert read.read(path).rrs[0, 0, 0] == pytest.approx(-0.015532, abs=1e-7)


def test_floats_are_read_as_they_are_and_their_fill_is_known(tmp_path):
    raw = np.broadcast_to(WATER, (5, 6, 10)).astype(np.float32).copy()
    raw[0, 0, 0], raw[1, 1, 1] = -32767.0, 9.96921e36
    path = changed(write_l2(tmp_path), RRS, raw, _FillValue=None, scale_factor=None, add_offset=None)
    assert np.isnan(read.read(path).rrs).sum() == 2


WATERS = np.broadcast_to(WATER, (5, 6, 10)).astype(np.float32)


@pytest.mark.parametrize(
    ("raw", "attrs", "sentence"),
    [
        (WATERS, {}, "Rrs is of type float32 with numbers such as .* beside scale_factor 2e-06 .* unpacked already"),
        (np.zeros((5, 6, 10), np.int16), {}, "stored numbers are at most 0, so that all stand for 0.05"),
        (WATERS * 1e-3, {"scale_factor": None, "add_offset": None}, "they are at most .* a scale was applied twice"),
        (WATERS * 100, {"scale_factor": None, "add_offset": None}, "looks like (percent|surface)"),
        (WATERS[:2, :2] * 100, {"scale_factor": None, "add_offset": None}, "Rrs: expected remote-sensing reflectance in sr.-1"),
        (WATERS * np.pi, {"scale_factor": None, "add_offset": None}, "looks like surface reflectance rhos"),
        (WATERS * 0, {"scale_factor": None, "add_offset": None}, "exactly 0, which files are filled up with|at most 0"),
        (
            np.where(np.arange(300).reshape(5, 6, 10) < 10, np.float32(-999), WATERS),
            {"scale_factor": None, "add_offset": None, "_FillValue": None}, "10 of 300 numbers are exactly -999",
        ),
        (raw_with(5), {"scale_factor": "two"}, "attribute scale_factor: expected a number, got 'two'"),
        (raw_with(5), {"scale_factor": np.float32(0)}, "expected a scale_factor above or below 0"),
    ],
)  # fmt: skip
def test_numbers_that_cannot_be_are_refused(tmp_path, raw, attrs, sentence):
    path = changed(write_l2(tmp_path, place=positions(*raw.shape[:2])), RRS, raw, **attrs)
    with pytest.raises(ValueError, match=sentence) as error:
        read.read(path)
    assert path.name in str(error.value)


def test_dimensions_in_another_order_are_turned_by_their_names(tmp_path):
    straight = read.read(write_l2(tmp_path / "a", raw=raw_with(-20000, (1, 2, 3))))
    path = write_l2(tmp_path / "b")
    raw = raw_with(-20000, (1, 2, 3))
    with h5py.File(path, "r+") as stored:
        own = stored[RRS]
        scales = [own.dims[i][0] for i in (2, 0, 1)]
        said = {k: own.attrs[k] for k in ("_FillValue", "scale_factor", "add_offset", "units")}
        del stored[RRS]
        turned = stored.create_dataset(RRS, data=np.transpose(raw, (2, 0, 1)))
        turned.attrs.update(said)
        for dimension, scale in zip(turned.dims, scales, strict=True):
            dimension.attach_scale(scale)
    np.testing.assert_array_equal(read.read(path).rrs, straight.rrs)
    cut = read.read(path, region=(-83.375, 41.775, -83.35, 41.791))
    np.testing.assert_array_equal(cut.rrs, straight.rrs[1:3, 2:4])


@pytest.mark.parametrize(
    ("variable", "change", "sentence"),
    [
        (LAT, lambda x: x * 0 + 95, "navigation_data/latitude: expected degrees within -90 to 90, got 95 in 30 of 30 pixels"),
        (LON, lambda x: x * 0 + 400, "navigation_data/longitude: expected degrees within -180 to 360, got 400"),
        (LAT, lambda x: x * np.nan, "expected the latitude of pixels, and all 30 are missing"),
        (LAT, lambda x: x * 0 - 32767, "expected the latitude of pixels, and all 30 are missing"),
    ],
)
def test_positions_that_are_none_are_refused(tmp_path, variable, change, sentence):
    path = write_l2(tmp_path)
    lat, lon = (x.astype(np.float32) for x in positions(5, 6))
    with pytest.raises(ValueError, match=sentence):
        read.read(changed(path, variable, change(lat if variable == LAT else lon)))


def test_positions_with_undeclared_fills_and_of_0_to_360_degrees_are_understood(tmp_path):
    lat, lon = (x.astype(np.float32) for x in positions(5, 6))
    lon = lon + np.float32(360)
    lat[0, 0] = lon[0, 0] = -999
    path = changed(changed(write_l2(tmp_path), LAT, lat, _FillValue=None), LON, lon, _FillValue=None)
    scene = read.read(path, region=(-83.5, 41.7, -83.3, 41.9))
    assert np.isnan(scene.lat).sum() == np.isnan(scene.lon).sum() == 1
    np.testing.assert_allclose(scene.lon[1], positions(5, 6)[1][1], atol=1e-4)


def test_exchanged_positions_and_a_lost_sign_are_refused(tmp_path):
    lat, lon = positions(5, 6)
    region = (-83.5, 41.7, -83.3, 41.9)
    with pytest.raises(ValueError, match="no pixel lies in the region .* with latitude and longitude exchanged some do"):
        read.read(write_l2(tmp_path, place=(lon, lat)), region=region)
    with pytest.raises(ValueError, match="with the other sign of longitude some do"):
        read.read(write_l2(tmp_path, place=(lat, -lon)), region=region)
    with pytest.raises(ValueError, match="latitude: the attribute 'units' is 'degrees_east', degrees east"):
        read.read(changed(write_l2(tmp_path), LAT, units="degrees_east"))
    with pytest.raises(ValueError, match="'units' is 'radian'; expected degrees_north"):
        read.read(changed(write_l2(tmp_path), LAT, units="radian"))


@pytest.mark.parametrize("kind", ["uint32", "int64", "float64"])
def test_flags_of_another_type_keep_their_bits(tmp_path, kind):
    flags = np.zeros((5, 6), np.int64)
    flags[0, 0], flags[1, 1] = 2**31 + 2**9, 2**30 + 1
    scene = read.read(changed(write_l2(tmp_path), FLAGS, flags.astype(kind)))
    np.testing.assert_array_equal(scene.flags.view(np.uint32), flags)


def test_missing_flags_are_every_flag_and_lost_bits_are_refused(tmp_path):
    flags = np.zeros((5, 6))
    flags[2, 3] = np.nan
    scene = read.read(changed(write_l2(tmp_path), FLAGS, flags))
    assert scene.flags[2, 3] == -1
    assert (scene.flags == 0).sum() == 29
    with pytest.raises(ValueError, match="l2_flags is of type float32, which has lost bits"):
        read.read(changed(write_l2(tmp_path), FLAGS, np.full((5, 6), 2**25 + 0.0, np.float32)))
    with pytest.raises(ValueError, match="l2_flags is of type int16; expected flags of 32 bits"):
        read.read(changed(write_l2(tmp_path), FLAGS, np.zeros((5, 6), np.int16)))


@pytest.mark.parametrize(
    ("said", "utc"),
    [
        ("2024-07-08T19:51:00+02:00", "2024-07-08T17:51:00"), ("2024-07-08T17:51:00.9875Z", "2024-07-08T17:51:00"),
        ("2024-07-08 17:51:00", "2024-07-08T17:51:00"), ("2024-07-08T12:51:00-0500", "2024-07-08T17:51:00"),
    ],
)  # fmt: skip
def test_times_in_every_zone_are_utc(said, utc):
    assert start.of(said, name(), "x.nc") == np.datetime64(utc)


NEXT_YEAR = f"{datetime.date.today().year + 1}-07-08T17:51:00Z"


@pytest.mark.parametrize(
    ("said", "granule", "sentence"),
    [
        (
            "2024-07-11T17:51:00Z",
            name(),
            "is '2024-07-11T17:51:00Z', and the name .* says 2024-07-08T17:51",
        ),
        (NEXT_YEAR, "x.nc", "after the launch of PACE .* not in the future, got"),
        ("2004-07-08T17:51:00Z", "x.nc", "got 2004-07-08T17:51:00"),
        ("NaT", "x.nc", "'time_coverage_start', got 'NaT'"),
        ("now", "x.nc", "'time_coverage_start', got 'now'"),
        ("1720461060", "x.nc", "'time_coverage_start', got '1720461060'"),
    ],
)
def test_times_that_nobody_can_have_seen_are_refused(said, granule, sentence):
    with pytest.raises(ValueError, match=sentence):
        start.of(said, granule, "x.nc")


@pytest.mark.parametrize(
    ("attrs", "sentence"),
    [
        ({"instrument": "HARP2"}, "expected a file of PACE OCI, and its attributes .* 'HARP2'"),
        ({"instrument": "MODIS", "platform": "Aqua"}, "say 'MODIS' .* platform 'Aqua'"),
        ({"platform": "SeaHawk1"}, "its platform 'SeaHawk1'"),
    ],
)
def test_other_sensors_are_refused_whatever_the_name_says(tmp_path, attrs, sentence):
    with pytest.raises(ValueError, match=sentence):
        read.read(write_l2(tmp_path, attrs=attrs))


@pytest.mark.parametrize(
    ("title", "sentence"),
    [
        ("PACE OCI Level-1B Data", "It is a Level-1 file, of light at the top"),
        ("PACE OCI Level-1C Data", "It is a Level-1C file"),
        ("OCI Level-3 Binned Data", "It is a Level-3 binned file"),
    ],
)
def test_other_levels_are_named(tmp_path, title, sentence):
    path = write_l2(tmp_path, attrs={"title": title})
    with h5py.File(path, "r+") as stored:
        del stored[RRS]
    with pytest.raises(ValueError, match=sentence):
        read.read(path)


def test_several_variables_of_the_spectra_are_counted_and_refused(tmp_path):
    path = write_l2(tmp_path)
    with h5netcdf.File(path, "r+") as stored:
        dims = stored[RRS].dimensions
        for own in ("Rrs_v2", "Rrs_unc"):
            stored["geophysical_data"].create_variable(own, dims, data=np.zeros((5, 6, 10), np.int16))
    with pytest.raises(ValueError, match="one variable of Rrs, and the file has 2: .*data/Rrs, .*data/Rrs_v2"):
        read.read(path)


def test_a_map_of_0_to_360_degrees_has_the_same_places(tmp_path):
    grid = read.read(write_l3m(tmp_path, lon=np.array([276.5, 276.6])))
    np.testing.assert_allclose(grid.lon, [-83.5, -83.4], atol=1e-4)
    with pytest.raises(ValueError, match="expected numbers that rise or fall from one to the next"):
        read.read(write_l3m(tmp_path, lon=np.array([179.9, 180.1])))
