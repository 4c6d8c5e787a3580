"""Places on the Earth in degrees: its radius, UTM zones, and the step of a regular grid."""

import numpy as np

EARTH_RADIUS_KM = 6371.0088  # mean radius of the ellipsoid GRS 80 (Moritz 2000, Geodetic Reference System 1980)
# Centres count as equally spaced within this part of a step; float32 degrees are well inside it.
STEP_TOLERANCE = 0.02


def utm_zone(longitude: float) -> int:
    """Zone of a longitude in degrees east, -180 to 180, 1 to 60; the exceptions of Norway and Svalbard are left out."""
    return min(int((longitude + 180.0) // 6.0) + 1, 60)


def utm_epsg(longitude: float, latitude: float) -> int:
    """EPSG code of the UTM zone (WGS 84) of a place, degrees east and north: 326zz in the north, 327zz in the south."""
    return (32600 if latitude >= 0 else 32700) + utm_zone(longitude)


def is_utm(epsg: int) -> bool:
    """Whether a code is that of a UTM zone (WGS 84), which is in metres."""
    return epsg // 100 in (326, 327) and 1 <= epsg % 100 <= 60


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
