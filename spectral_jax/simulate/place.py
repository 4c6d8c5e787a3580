"""Where on Earth a simulated patch lies: its UTM zone and the affine of its square."""

import numpy as np

from spectral_jax.ingest.raster.earth import utm_zone


def square(longitude: float, latitude: float, footprint_m: float) -> tuple[int, tuple[float, ...]]:
    """EPSG code of the UTM zone (north) and affine of the patch around a centre.

    Transverse Mercator by Snyder (1987), equations 8-9 and 8-10.

    Args:
      longitude: of the centre, degrees.
      latitude: degrees, north of the equator.
      footprint_m: side of the patch, metres.

    Returns:
      EPSG code; a, b, c, d, e, f in the order of rasterio, from the unit square to metres.
    """
    zone = utm_zone(longitude)
    phi, lam = np.deg2rad(latitude), np.deg2rad(longitude - (zone * 6.0 - 183.0))
    a, e2, k0 = 6_378_137.0, 0.00669437999014, 0.9996  # WGS 84
    ep2 = e2 / (1.0 - e2)
    nu, t, c = a / np.sqrt(1.0 - e2 * np.sin(phi) ** 2), np.tan(phi) ** 2, ep2 * np.cos(phi) ** 2
    x = np.cos(phi) * lam
    arc = a * (
        (1.0 - e2 / 4.0 - 3.0 * e2**2 / 64.0 - 5.0 * e2**3 / 256.0) * phi
        - (3.0 * e2 / 8.0 + 3.0 * e2**2 / 32.0 + 45.0 * e2**3 / 1024.0) * np.sin(2.0 * phi)
        + (15.0 * e2**2 / 256.0 + 45.0 * e2**3 / 1024.0) * np.sin(4.0 * phi)
        - 35.0 * e2**3 / 3072.0 * np.sin(6.0 * phi)
    )
    east = 500_000.0 + k0 * nu * (x + (1.0 - t + c) * x**3 / 6.0)
    north = k0 * (arc + nu * np.tan(phi) * (x**2 / 2.0 + (5.0 - t + 9.0 * c + 4.0 * c**2) * x**4 / 24.0))
    half = footprint_m / 2.0
    return 32600 + zone, (footprint_m, 0.0, float(east - half), 0.0, -footprint_m, float(north + half))
