"""PACE swaths and maps as xarray Datasets."""

import numpy as np
import pytest

from spectral_jax.ingest.pace.read import Granule, MappedGrid

pytest.importorskip("xarray", reason="needs the extra spectral-jax[xarray]")
SHARED = dict(
    time=np.datetime64("2024-08-22T18:00:00"), granule="PACE_OCI.nc", product="aop", version="3.1", near_real_time=False,
    source="PACE_OCI.nc",
)  # fmt: skip
NM = np.array([412.0, 443.0, 665.0])


def test_a_swath_has_the_place_of_every_pixel():
    rng = np.random.default_rng(0)
    rrs, lat, lon = rng.uniform(size=(4, 5, 3)), rng.uniform(41, 42, (4, 5)), rng.uniform(-83, -82, (4, 5))
    flags = np.full((4, 5), 2, np.int32)
    found = Granule(rrs, "Rrs", "sr^-1", NM, lat, lon, flags, {"LAND": 1, "CLDICE": 9}, **SHARED).to_xarray()
    assert found.Rrs.dims == ("line", "pixel", "wavelength")
    np.testing.assert_array_equal(found.Rrs, rrs)
    np.testing.assert_array_equal(found.wavelength, NM)
    np.testing.assert_array_equal(found.longitude, lon)
    assert found.wavelength.attrs["units"] == "nm"
    assert (found.l2_flags.attrs["flag_meanings"], list(found.l2_flags.attrs["flag_masks"])) == ("LAND CLDICE", [2, 512])
    assert found.attrs["processing_version"] == "3.1"


def test_a_map_has_its_axes_in_degrees():
    lat, lon, rrs = np.array([42.0, 41.5]), np.array([-83.0, -82.5, -82.0]), np.zeros((2, 3, 3), np.float32)
    found = MappedGrid(rrs, NM, lat, lon, unit="sr^-1", **SHARED).to_xarray()
    assert found.Rrs.dims == ("lat", "lon", "wavelength")
    np.testing.assert_array_equal(found.lat, lat)
    assert found.Rrs.attrs["units"] == "sr^-1"
