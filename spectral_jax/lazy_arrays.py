"""Arrays that xarray reads when they are asked for, and not before; a group of a store as a Dataset of them."""

from typing import Any

import numpy as np

from spectral_jax.sentences import needs

EXTRA = "xarray"
EPOCH = np.datetime64("2000-01-01T00:00:00", "ms")


def library(what: str) -> Any:
    """The module xarray.

    Args:
      what: the caller wanted to do, for the sentence.

    Raises:
      ImportError: it is not installed.
    """
    with needs("xarray", EXTRA, what):
        import xarray
    return xarray


def variable(dims: tuple[str, ...], array: Any, attributes: dict) -> Any:
    """An `xarray.Variable` of an array that is read by slices and whole numbers when values are asked for.

    Args:
      dims: names of its axes.
      array: anything with `shape`, `dtype` and `array[index]`, which gives a NumPy array.
      attributes: of the variable.
    """
    xarray = library("opening arrays lazily")
    indexing = xarray.core.indexing

    class Backend(xarray.backends.BackendArray):  # type: ignore[name-defined]
        """The array behind xarray's own kinds of indices."""

        shape, dtype = tuple(array.shape), array.dtype

        def __getitem__(self, key):
            return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, lambda at: array[at])

    return xarray.Variable(dims, indexing.LazilyIndexedArray(Backend()), attributes)


def of_group(group: Any) -> Any:
    """A group of a store as an `xarray.Dataset`, in physical units, NaN where missing; pixels are read when asked for.

    Of each sensor KEY it has pixels [location date band_KEY y_KEY x_KEY], with the coordinates `wavelength_KEY` (nm),
    `time_KEY` and `valid_KEY` [location date]; of the locations their names, longitudes, latitudes and EPSG codes.

    Args:
      group: a `data.store_group.Group`.

    Raises:
      ImportError: xarray is not installed.
    """
    xarray = library("a store as a Dataset")
    place, lonlat = ("location",), group.centres()
    coordinates: dict = {
        "location": (place, group.ids()), "longitude": (place, lonlat[:, 0], {"units": "degrees_east"}),
        "latitude": (place, lonlat[:, 1], {"units": "degrees_north"}), "epsg": (place, group.epsg()),
    }  # fmt: skip
    variables = {}
    for key, spec in group.sensors.items():
        kind, valid = np.dtype(spec.dtype), group.valid(key)
        about = {"units": spec.unit, "long_name": spec.quantity, "sensor": spec.name}
        if kind.kind in "iu":
            about |= {"scale_factor": spec.scale, "add_offset": spec.offset}
        if spec.nodata is not None:
            about["_FillValue"] = kind.type(spec.nodata)
        bands, dates = (f"band_{key}",), ("location", "date")
        variables[key] = variable((*dates, *bands, f"y_{key}", f"x_{key}"), _Pixels(group, key), about)
        centres = [np.nan if band.centre_nm is None else band.centre_nm for band in spec.bands]
        coordinates |= {
            f"band_{key}": (bands, [band.name for band in spec.bands]),
            f"wavelength_{key}": (bands, centres, {"units": "nm"}),
            f"time_{key}": (dates, _moments(group.times(key), valid)),
            f"valid_{key}": (dates, valid),
        }
    return xarray.decode_cf(xarray.Dataset(variables), decode_times=False).assign_coords(coordinates)


class _Pixels:
    """The pixels of a sensor, read where they are indexed."""

    def __init__(self, group: Any, key: str):
        self._group, self._key = group, key
        pixels = group.pixels(key)
        self.shape, self.dtype = tuple(pixels.shape), pixels.dtype.numpy_dtype

    def __getitem__(self, index) -> np.ndarray:
        try:
            return np.asarray(self._group.pixels(self._key)[index].read().result())
        except ValueError as error:
            rows = np.atleast_1d(np.arange(self.shape[0])[index[0]]).tolist()
            raise self._group.corrupt(self._key, rows, error) from error


def _moments(days: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Days since 2000-01-01 as times; NaT where there is no date."""
    at = EPOCH + np.rint(days * 86400e3).astype("timedelta64[ms]")
    return np.where(valid, at, np.datetime64("NaT", "ms"))
