"""Leaves and canopies of the simulated scenes: pigments, water and dry matter, then a two-stream canopy over soil.

The absorption tables are coarse readings (about 25 points each, joined by straight lines) of published curves: chlorophyll,
carotenoids, brown pigments and dry matter after PROSPECT-5 (Feret et al. 2008).
They carry the positions and relative depths of the features, not the third digit.
"""

import functools

import numpy as np

from spectral_jax.simulate.liquid_water import ABSORPTION_PER_CM

GRID_NM = np.arange(350.0, 2501.0, 5.0)  # G: every spectrum of a scene is computed on this grid

# Specific absorption of chlorophyll a+b in leaves, cm2/ug: Soret shoulder, 550 nm window, 677 nm peak, red edge.
_CHLOROPHYLL = (
    (350, 0.035), (400, 0.045), (420, 0.058), (440, 0.062), (460, 0.055), (480, 0.043), (500, 0.029), (520, 0.0165),
    (540, 0.0115), (550, 0.0108), (560, 0.0117), (580, 0.0175), (600, 0.0225), (620, 0.0285), (640, 0.033), (650, 0.038),
    (660, 0.049), (670, 0.060), (677, 0.062), (685, 0.050), (690, 0.038), (700, 0.0225), (710, 0.0105), (720, 0.0049),
    (730, 0.0023), (740, 0.0010), (750, 0.0004), (780, 0.0),
)  # fmt: skip
# Specific absorption of carotenoids, cm2/ug.
_CAROTENOID = (
    (350, 0.04),
    (400, 0.06),
    (430, 0.085),
    (450, 0.093),
    (480, 0.085),
    (500, 0.06),
    (520, 0.02),
    (540, 0.004),
    (560, 0.0),
)
# Specific absorption of dry matter, cm2/g: cellulose and lignin at 1730, 2100 and 2310 nm.
_DRY_MATTER = (
    (350, 30.0), (400, 18.0), (500, 9.0), (600, 5.0), (700, 3.0), (800, 2.0), (900, 2.0), (1000, 2.3), (1100, 2.6), (1200, 4.6),
    (1250, 4.0), (1300, 4.4), (1400, 6.5), (1500, 11.0), (1550, 11.0), (1650, 10.0), (1700, 14.0), (1730, 16.0), (1800, 13.0),
    (1900, 15.0), (2000, 20.0), (2060, 23.0), (2100, 25.0), (2150, 23.0), (2200, 22.0), (2250, 25.0), (2310, 31.0),
    (2350, 30.0), (2400, 31.0), (2500, 36.0),
)  # fmt: skip
# Refractive index of leaf material (PROSPECT-5, coarse).
_REFRACTIVE = ((350, 1.50), (500, 1.48), (800, 1.44), (1300, 1.40), (1900, 1.34), (2500, 1.30))


@functools.cache
def table(points: tuple[tuple[float, float], ...]) -> np.ndarray:
    """A coarse table on `GRID_NM`, float32 [G], by straight lines; the end values hold outside."""
    x, y = np.array(points, float).T
    return np.interp(GRID_NM, x, y).astype(np.float32)


@functools.cache
def bump(centre_nm: float, sigma_nm: float) -> np.ndarray:
    """A Gaussian of height 1 on `GRID_NM`, float32 [G]."""
    return np.exp(-0.5 * ((GRID_NM - centre_nm) / sigma_nm) ** 2).astype(np.float32)


def leaf(chlorophyll, carotenoid, water_cm, dry_matter, brown, structure) -> tuple[np.ndarray, np.ndarray]:
    """Reflectance and transmittance of a leaf by the generalised plate model (Allen et al. 1970; PROSPECT).

    The transmission of one plate for diffuse light, `(1-k) exp(-k) + k^2 E1(k)`, is replaced by the fit
    `exp(-2k / (1 + 0.28 k))`, within 0.02 of it. Arguments broadcast to any shape [...].

    Args:
      chlorophyll: chlorophyll a+b, ug/cm2.
      carotenoid: ug/cm2.
      water_cm: equivalent water thickness, cm.
      dry_matter: g/cm2.
      brown: brown pigments, 0 to about 1.
      structure: number of plates N, above 1 (1.3 to 2.5).

    Returns:
      Reflectance and transmittance, float32 [... G].
    """
    cab, car, water, dry, brown, n_plates = (
        np.asarray(x, np.float32)[..., None] for x in (chlorophyll, carotenoid, water_cm, dry_matter, brown, structure)
    )
    brown_curve = (0.55 * np.exp(-(GRID_NM - 400.0) / 170.0)).astype(np.float32)
    absorption = cab * table(_CHLOROPHYLL) + car * table(_CAROTENOID) + brown * brown_curve
    absorption = (absorption + water * table(ABSORPTION_PER_CM) + dry * table(_DRY_MATTER)) / n_plates + 1e-5
    theta = np.exp(-2.0 * absorption / (1.0 + 0.28 * absorption))
    n = table(_REFRACTIVE)
    r12 = 0.0666 + 0.148 * (n - 1.33)  # reflection of diffuse light from outside; fit to Stern (1964)
    r_top = 1.1 * ((n - 1.0) / (n + 1.0)) ** 2  # of a beam within 40 degrees of the normal
    t21 = (1.0 - r12) / n**2
    r21 = 1.0 - t21
    many = theta / (1.0 - (r21 * theta) ** 2)
    t_first, t = (1.0 - r_top) * t21 * many, (1.0 - r12) * t21 * many
    r_first, r = r_top + r21 * theta * t_first, r12 + r21 * theta * t
    # Stokes's solution for the other N - 1 plates.
    delta = np.sqrt(np.maximum((1 + r + t) * (1 + r - t) * (1 - r + t) * (1 - r - t), 1e-12))
    a = (1 + r**2 - t**2 + delta) / (2 * r)
    b = ((1 - r**2 + t**2 + delta) / (2 * t)) ** (n_plates - 1.0)
    r_rest = a * (b**2 - 1) / (a**2 * b**2 - 1)
    t_rest = b * (a**2 - 1) / (a**2 * b**2 - 1)
    between = 1.0 - r_rest * r
    return (r_first + t_first * r_rest * t / between).astype(np.float32), (t_first * t_rest / between).astype(np.float32)


def canopy(leaf_reflectance, leaf_transmittance, lai, ground, sun_zenith_deg, shadow) -> np.ndarray:
    """Reflectance of a canopy seen from above: two-stream turbid medium of Goudriaan (1977), with crown shadow.

    Args:
      leaf_reflectance: [... G].
      leaf_transmittance: [... G].
      lai: leaf area index, m2/m2 [...].
      ground: reflectance below [... G].
      sun_zenith_deg: [...].
      shadow: fraction of what is seen that is shaded, lit only by 12 % diffuse light [...].

    Returns:
      Reflectance, float32 [... G].
    """
    lai, sun, shadow = (np.asarray(x, np.float32)[..., None] for x in (lai, sun_zenith_deg, shadow))
    root = np.sqrt(np.maximum(1.0 - leaf_reflectance - leaf_transmittance, 1e-4))
    beam = 0.5 / np.cos(np.deg2rad(sun))  # extinction of the sun's beam, spherical leaf angles
    deep = (1.0 - root) / (1.0 + root) * 2.0 * beam / (beam + 0.8)  # a canopy without end; 0.8: extinction of diffuse light
    below = (ground - deep) / (1.0 - deep * ground) * np.exp(-2.0 * 0.7 * root * lai)  # 0.7: between beam and nadir view
    return ((deep + below) / (1.0 + deep * below) * (1.0 - 0.88 * shadow)).astype(np.float32)
