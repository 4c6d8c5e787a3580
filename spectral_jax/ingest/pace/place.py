"""Where pixels lie: the cut of a scene that holds a region, the pixel nearest to a place, and the edges of a regular grid."""

import numpy as np

from spectral_jax.ingest.raster.earth import EARTH_RADIUS_KM, regular_step


class OutsideRegionError(ValueError):
    """No pixel of a file lies in the region asked for."""


def cut(lat: np.ndarray, lon: np.ndarray, region: tuple[float, float, float, float] | None, where: str) -> tuple[slice, slice]:
    """The smallest rectangle of [L P] positions with every pixel of a region (west, south, east, north, degrees).

    Raises:
      ValueError: the region is not in that order.
      OutsideRegionError: no pixel lies in it.
    """
    if region is None:
        return slice(0, lat.shape[0]), slice(0, lat.shape[1])
    west, south, east, north = region
    if not (west < east and south < north):
        raise ValueError(f"region: expected west, south, east, north in degrees, got {region}.")
    inside = (lat >= south) & (lat <= north) & (lon >= west) & (lon <= east)
    if not inside.any():
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
