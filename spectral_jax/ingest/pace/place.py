"""Where pixels lie: positions in degrees, the cut of a scene that holds a region, the nearest pixel, the edges of a grid."""

import numpy as np

from spectral_jax.ingest.raster.earth import EARTH_RADIUS_KM, regular_step

# What NetCDF leaves where no float was written.
_UNWRITTEN = (np.float32(9.969209968386869e36), 9.969209968386869e36)


class OutsideRegionError(ValueError):
    """No pixel of a file lies in the region asked for."""


def degrees(values: np.ndarray, name: str, units: str, fills: tuple[float, ...], where: str) -> np.ndarray:
    """Latitudes or longitudes in range, NaN where unknown; longitudes of 180 to 360 degrees become negative.

    Args:
      values: of any shape, NaN where the file says that they are missing.
      name: `latitude` or `longitude`.
      units: the attribute of the variable; empty where it has none.
      fills: numbers that stand for an unknown position, declared or not.
      where: file and variable, for the sentences.

    Raises:
      ValueError: units of another thing, no position at all, or numbers that are no degrees.
    """
    east = name == "longitude"
    if units.strip() and not units.strip().lower().startswith("deg"):
        raise ValueError(f"{where}: the attribute 'units' is {units!r}; expected degrees_{'east' if east else 'north'}.")
    if (other := "north" if east else "east") in units.lower():
        raise ValueError(
            f"{where}: the attribute 'units' is {units!r}, degrees {other}, under the name of the {name}; latitude and "
            "longitude are exchanged, fetch the file anew."
        )
    most = 360.0 if east else 90.0
    beyond = ~((values >= -min(most, 180.0)) & (values <= most))
    if beyond.any():
        values = np.where(
            beyond & np.isin(values, np.array([*fills, *_UNWRITTEN], np.float64)), values.dtype.type(np.nan), values
        )
    wrong = values[np.isfinite(values) & beyond]
    if wrong.size or np.isinf(values).any():
        shown = f"{wrong[0]:g} in {wrong.size} of {values.size} pixels" if wrong.size else "infinite numbers"
        swapped = "" if east else "; latitude and longitude may be exchanged"
        raise ValueError(f"{where}: expected degrees within {-min(most, 180.0):g} to {most:g}, got {shown}{swapped}.")
    if not np.isfinite(values).any():
        raise ValueError(f"{where}: expected the {name} of pixels, and all {values.size} are missing; fetch the file anew.")
    if east and np.nanmax(values) > 180.0:
        values = np.where(values > 180.0, values - values.dtype.type(360.0), values)
    return values


def cut(lat: np.ndarray, lon: np.ndarray, region: tuple[float, float, float, float] | None, where: str) -> tuple[slice, slice]:
    """The smallest rectangle of [L P] positions with every pixel of a region (west, south, east, north, degrees).

    Raises:
      ValueError: the region is not in that order, or pixels lie in it only with latitude and longitude exchanged, or with the
        other sign of longitude.
      OutsideRegionError: no pixel lies in it.
    """
    if region is None:
        return slice(0, lat.shape[0]), slice(0, lat.shape[1])
    west, south, east, north = region
    if not (west < east and south < north):
        raise ValueError(f"region: expected west, south, east, north in degrees, got {region}.")
    inside = (lat >= south) & (lat <= north) & (lon >= west) & (lon <= east)
    if not inside.any():
        for what, y, x in (("latitude and longitude exchanged", lon, lat), ("the other sign of longitude", lat, -lon)):
            if ((y >= south) & (y <= north) & (x >= west) & (x <= east)).any():
                raise ValueError(
                    f"{where}: no pixel lies in the region {west:g}..{east:g} E, {south:g}..{north:g} N, and with {what} some "
                    "do; the positions of the file, or the region, are wrong: mend them."
                )
        raise OutsideRegionError(f"{where}: no pixel lies in the region {west:g}..{east:g} E, {south:g}..{north:g} N.")
    lines, pixels = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    return slice(int(lines[0]), int(lines[-1]) + 1), slice(int(pixels[0]), int(pixels[-1]) + 1)


def distance_km(lat: np.ndarray, lon: np.ndarray, to_lat: float | np.ndarray, to_lon: float | np.ndarray) -> np.ndarray:
    """Great-circle distance (haversine) on a sphere; arguments broadcast, degrees."""
    a, b, c, d = (np.deg2rad(np.asarray(x, np.float64)) for x in (lat, lon, to_lat, to_lon))
    half = np.sin((c - a) / 2) ** 2 + np.cos(a) * np.cos(c) * np.sin((d - b) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.minimum(half, 1.0)))


def nearest(lat: np.ndarray, lon: np.ndarray, to_lat: float, to_lon: float) -> tuple[int, int, float]:
    """Line and pixel of the [L P] position nearest to a place, and its distance, km; infinite where no position is known."""
    away = distance_km(lat, lon, to_lat, to_lon)
    away = np.where(np.isfinite(away), away, np.inf)
    line, pixel = np.unravel_index(int(np.argmin(away)), away.shape)
    return int(line), int(pixel), float(away[line, pixel])


def geotransform(lat: np.ndarray, lon: np.ndarray, where: str) -> tuple[float, float, float, float, float, float]:
    """Left, column width, 0, top, 0, minus row height, of centres [R] from north to south and [K] from west to east, degrees.

    Raises:
      ValueError: fewer than two rows or columns, or uneven spacing (`raster.earth.regular_step`).
    """
    down, across = (regular_step(centres, f"{where}: '{name}'") for name, centres in (("lat", lat), ("lon", lon)))
    return float(lon[0]) - across / 2, across, 0.0, float(lat[0]) - down / 2, 0.0, down
