"""What was read of a PACE file as an xarray Dataset, with its wavelengths, positions and flags."""

from typing import Any

import numpy as np

from spectral_jax import lazy_arrays

WHAT = "a PACE file as a Dataset"
# Names and units of CF.
LONG = {"Rrs": "remote-sensing reflectance", "rhos": "surface reflectance"}


def swath(granule: Any) -> Any:
    """A `Granule`: its reflectance [line pixel wavelength], flags [line pixel], and longitude and latitude of each pixel."""
    xarray = lazy_arrays.library(WHAT)
    place, spectrum = ("line", "pixel"), ("line", "pixel", "wavelength")
    flags = {
        "flag_masks": [np.int64(1 << bit) for bit in granule.flag_bits.values()],
        "flag_meanings": " ".join(granule.flag_bits),
    }
    return xarray.Dataset(
        {
            granule.quantity: (spectrum, granule.reflectance, {"units": granule.unit, "long_name": LONG[granule.quantity]}),
            "l2_flags": (place, granule.flags, flags),
        },
        {
            "wavelength": ("wavelength", granule.wavelength_nm, {"units": "nm"}),
            "longitude": (place, granule.lon, {"units": "degrees_east"}),
            "latitude": (place, granule.lat, {"units": "degrees_north"}),
            "time": granule.time,
        },
        _about(granule),
    )


def mapped(grid: Any) -> Any:
    """A `MappedGrid`: Rrs [lat lon wavelength] in degrees."""
    xarray = lazy_arrays.library(WHAT)
    return xarray.Dataset(
        {"Rrs": (("lat", "lon", "wavelength"), grid.rrs, {"units": grid.unit, "long_name": LONG["Rrs"]})},
        {
            "wavelength": ("wavelength", grid.wavelength_nm, {"units": "nm"}),
            "lon": ("lon", grid.lon, {"units": "degrees_east"}),
            "lat": ("lat", grid.lat, {"units": "degrees_north"}),
            "time": grid.time,
        },
        _about(grid),
    )


def _about(read: Any) -> dict:
    return {
        "source": read.source, "granule": read.granule, "product": read.product, "processing_version": read.version,
        "near_real_time": str(read.near_real_time).lower(),
    }  # fmt: skip
