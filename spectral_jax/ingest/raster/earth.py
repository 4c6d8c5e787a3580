"""Places on the Earth in degrees: its radius, distances, UTM zones, and the step of a regular grid."""

import numpy as np

EARTH_RADIUS_KM = 6371.0088  # mean radius of the ellipsoid GRS 80 (Moritz 2000, Geodetic Reference System 1980)
# The ellipsoid WGS 84 (NIMA TR8350.2, 2000): half of its long axis, and its flattening.
LONG_AXIS_M, FLATTENING = 6378137.0, 1.0 / 298.257223563
# A length in a projection may differ by this part from the ground: UTM and UPS stay within 0.7 % where they are meant for.
SCALE_TOLERANCE = 0.02
# Centres count as equally spaced within this part of a step; float32 degrees are well inside it.
STEP_TOLERANCE = 0.02


def distance_m(here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Metres on the ground between places, across the poles and the 180th meridian too.

    The straight line through the ellipsoid, bent to the mean radius: within 0.1 % of the geodesic up to 1000 km.

    Args:
      here: longitude and latitude, degrees [... 2].
      there: see `here`.

    Returns:
      Metres [...].
    """
    line = np.linalg.norm(_cartesian(np.asarray(here)) - _cartesian(np.asarray(there)), axis=-1)
    diameter = 2000.0 * EARTH_RADIUS_KM
    return diameter * np.arcsin(np.minimum(line / diameter, 1.0))


def _cartesian(lonlat: np.ndarray) -> np.ndarray:
    """Geocentric metres [... 3] of longitude and latitude, degrees, on the ellipsoid."""
    lon, lat = np.deg2rad(lonlat[..., 0]), np.deg2rad(lonlat[..., 1])
    squeezed = FLATTENING * (2.0 - FLATTENING)  # the eccentricity, squared
    normal = LONG_AXIS_M / np.sqrt(1.0 - squeezed * np.sin(lat) ** 2)
    return np.stack(
        [normal * np.cos(lat) * np.cos(lon), normal * np.cos(lat) * np.sin(lon), normal * (1.0 - squeezed) * np.sin(lat)],
        axis=-1,
    )


def utm_zone(longitude: float) -> int:
    """Zone of a longitude in degrees east, -180 to 180, 1 to 60; the exceptions of Norway and Svalbard are left out."""
    return min(int((longitude + 180.0) // 6.0) + 1, 60)


def utm_epsg(longitude: float, latitude: float) -> int:
    """EPSG code of the UTM zone (WGS 84) of a place, degrees east and north: 326zz in the north, 327zz in the south."""
    return (32600 if latitude >= 0 else 32700) + utm_zone(longitude)


def is_utm(epsg: int) -> bool:
    """Whether a code is that of a UTM zone (WGS 84), which is in metres."""
    return epsg // 100 in (326, 327) and 1 <= epsg % 100 <= 60


def metric_epsg(longitude: float, latitude: float) -> int:
    """EPSG code of a system with the lengths of the ground at a place: UTM, beyond 84 N and 80 S a polar one (UPS)."""
    if latitude > 84.0:
        return 32661
    return 32761 if latitude < -80.0 else utm_epsg((longitude + 180.0) % 360.0 - 180.0, latitude)


def regular_step(centres: np.ndarray, where: str, otherwise: str = "") -> float:
    """Spacing of the rows or columns of a regular grid, degrees; negative where they decrease.

    Args:
      centres: of rows or columns [N], degrees.
      where: they stand, for the sentences.
      otherwise: what else one may do than resample them, for the sentence about uneven ones.

    Raises:
      ValueError: fewer than two, numbers that are not finite or do not go one way, or uneven spacing.
    """
    if len(centres) < 2:
        raise ValueError(f"{where} has {len(centres)} centre; expected at least two, to know the spacing.")
    steps = np.diff(centres)
    mean = (centres[-1] - centres[0]) / (len(centres) - 1)
    if mean == 0 or not np.isfinite(centres).all() or (np.sign(steps) != np.sign(mean)).any():
        raise ValueError(f"{where} must be finite and go one way from pixel to pixel; sort it with its pixels.")
    off = np.abs(centres - np.linspace(centres[0], centres[-1], len(centres)))
    if off.max() > STEP_TOLERANCE * abs(mean):
        raise ValueError(
            f"{where} is no regular grid: steps run from {np.abs(steps).min():.4g} to {np.abs(steps).max():.4g} degrees; "
            f"resample it to equal steps{otherwise}."
        )
    return float(mean)
