"""The readers beside two of other authors, hyperproc and xarray-enmap, on the same miniature files.

Both are optional (`pip install hyperproc xarray-enmap`); hyperproc 0.1.2 needs Python 3.12, though it does not say so.
"""

import sys

import numpy as np
import pytest

pytest.importorskip("h5py")
from made import delivered, delivered_hdf5

import spectral_jax

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def hyperproc():
    if sys.version_info < (3, 12):
        pytest.skip("hyperproc 0.1.2 needs Python 3.12")
    return pytest.importorskip("hyperproc", reason="an optional oracle: pip install hyperproc")


MADE = {
    "EnMAP": lambda folder: next(delivered.write_enmap(folder).glob("*SPECTRAL_IMAGE.TIF")),
    "DESIS": lambda folder: next(delivered.write_desis(folder).glob("*SPECTRAL_IMAGE.tif")),
    "EMIT": lambda folder: delivered_hdf5.write_emit(folder, version=1),
    "PRISMA": lambda folder: delivered_hdf5.write_prisma(folder, vnir=(0.1, 0.9)),
}
# What hyperproc calls a flag, and what it is called here.
FLAGS = {
    "EnMAP": {"cloud": "cloud", "cloudshadow": "cloud_shadow", "cirrus": "cirrus", "haze": "haze", "snow": "snow"},
    "DESIS": {"shadow": "shadow", "cloud_land": "cloud_land", "cloud_water": "cloud_water", "water": "water"},
    "EMIT": {"cloud": "cloud", "cirrus": "cirrus", "dilated_cloud": "dilated_cloud", "spacecraft": "spacecraft"},
    "PRISMA": {},
}
MORE = {"EMIT": {"good_bands_only": True}, "PRISMA": {"join_priority": "vnir"}}


@pytest.mark.parametrize("sensor", list(MADE))
def test_numbers_wavelengths_grid_and_flags_are_those_of_hyperproc(hyperproc, tmp_path, sensor):
    path = MADE[sensor](tmp_path)
    theirs = hyperproc.open(path, sensor=sensor, level="L2D" if sensor == "PRISMA" else "L2A", **MORE.get(sensor, {}))
    with spectral_jax.open_product(path) as product:
        window = tuple(slice(0, side) for side in product.shape)
        nm = theirs["wavelength"].values
        if sensor == "PRISMA":  # hyperproc leaves one cube out where both see; there each band is found again
            kept = [int(np.abs(product.wavelength_nm - x).argmin()) for x in nm]
        else:
            kept = list(range(len(product.bands)))
        np.testing.assert_allclose(product.wavelength_nm[kept], nm)
        np.testing.assert_allclose([product.bands[i].fwhm_nm for i in kept], theirs["fwhm"].values, rtol=1e-6)
        found = product.physical(*window, bands=kept)
        np.testing.assert_allclose(found, theirs["reflectance"].values.transpose(2, 0, 1), rtol=1e-6)
        np.testing.assert_allclose(product.geotransform, theirs.attrs["transform"])
        flags = product.flagged(*window)
        for their_name, ours in FLAGS[sensor].items():
            np.testing.assert_array_equal(flags[ours], theirs[their_name].values)


def test_enmap_is_what_xarray_enmap_reads(tmp_path):
    oracle = pytest.importorskip("xarray_enmap.xarray_enmap", reason="an optional oracle: pip install xarray-enmap")
    layers = {"QL_QUALITY_TESTFLAGS": np.zeros((6, 6), np.uint8), "QL_PIXELMASK": np.zeros((6, 6), np.uint8)}
    folder = delivered.write_enmap(tmp_path, layers=layers)
    theirs = oracle.set_wavelengths_as_dimensions(_cube(oracle, folder), folder)
    with spectral_jax.open_product(folder) as product:
        np.testing.assert_allclose(theirs["wavelength"].values, product.wavelength_nm)
        found = product.physical(slice(0, 6), slice(0, 6))
        np.testing.assert_allclose(theirs["reflectance"].values / 10000.0, np.nan_to_num(found, nan=-3.2768), rtol=1e-6)


def _cube(oracle, folder):
    """The cube as it opens it, with its own library; the rest of its reading wants files that a miniature has not."""
    return oracle.xr.Dataset({"reflectance": oracle.rioxarray.open_rasterio(oracle.find_datafiles(folder)["reflectance"])})
