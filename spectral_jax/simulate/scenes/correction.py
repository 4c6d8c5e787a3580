"""What a correction of the atmosphere leaves: surroundings, haze, calibration of the path, and what it does to water.

Sizes, all per patch and date:
- light and view (BRDF, sun, slope): gain with a standard deviation of 12 %; MODIS-type kernels give 10-25 % over a season.
- spectral slope and curvature of 4 % and 2 % (L2A validations report 5-15 % in the visible), haze of either sign with a
  standard deviation of 0.0045 at 550 nm, growing towards the blue.
- water vapour and oxygen: error of the column of some 12 %, so features at 720, 820, 940, 1130 and 760 nm remain.
- calibration: 1 % a band, 2 % between detectors.

Over dark water most of the light is the air's and the shores', so errors that land hides are as large as the signal. In the
one real image at hand EnMAP's pixels of water went through a processor of their own: the darkest water is zero at some
wavelengths, nothing is left beyond 867 nm, and bright lines stand where gases absorb. `water_mode` gives that result the form
of dark-spectrum fitting (Vanhellemont & Ruddick 2018). Fitted to that image's tuning tiles (`measure.scene_realism`), not
published: the constants `_WATER_...`, and within published ranges the haze, the share of the surroundings and its exponent,
the part of calibration that meets the path, and the width of gas lines.
"""

import numpy as np

from spectral_jax.sensors import nearest_bands
from spectral_jax.simulate.scenes import layout

# Bands of water vapour at 2 g/cm2, and of oxygen and carbon dioxide: centre nm, half width (sigma) nm, optical depth in the
# centre. Positions are those of HITRAN; depths are rounded from transmissions at some 8 nm.
_VAPOUR = (
    (592.0, 4.0, 0.02), (650.0, 3.0, 0.015), (723.5, 4.0, 0.14), (818.5, 5.0, 0.15), (937.0, 14.0, 0.9), (1130.0, 9.0, 1.3),
    (1378.0, 30.0, 5.0), (1880.0, 45.0, 5.0), (2480.0, 40.0, 0.5),
)  # fmt: skip
_OXYGEN = ((763.0, 1.5, 1.5), (688.0, 1.5, 0.12), (2008.0, 8.0, 0.5), (2060.0, 8.0, 0.2))
_LAND_KNOTS_NM = (445.0, 660.0, 870.0, 1600.0, 2200.0)
_WATER_KNOTS_NM = (445.0, 640.0, 665.0, 705.0, 845.0)
_WATER_DARK_SHARE = 0.25  # of the water pixels in a patch
_WATER_EXCESS = 0.0012  # subtracted besides, mean reflectance
_WATER_END_NM = 867.0
_WATER_ABOVE = (0.012, 0.6)  # light scattered above the gases: reflectance at 760 nm, and part of the water's signal
_WATER_DEPTHS = (6.8, 1.7)  # of what is divided by too small a transmission, in depths of `_VAPOUR` and `_OXYGEN`
_WATER_O4 = 0.018  # collisions of oxygen at 578 nm that are left, part of the path's light


def gas_depths(centre_nm: np.ndarray, fwhm_nm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Optical depth of water vapour and of oxygen left in bands of Gaussian response, two of [C].

    Lines are spread by 0.6 of the band's width: a correction knows the band's own width, and what it misses is narrower.
    """

    def depth(lines):
        total = np.zeros(len(centre_nm))
        for at, sigma, peak in lines:
            wide = np.hypot(sigma, 0.6 * fwhm_nm / 2.355)
            total += peak * sigma / wide * np.exp(-0.5 * ((centre_nm - at) / wide) ** 2)
        return total

    return depth(_VAPOUR), depth(_OXYGEN)


def path_reflectance(centre_nm: np.ndarray, aerosol) -> np.ndarray:
    """Reflectance of a clear atmosphere over black ground, [C].

    Molecules: optical depth 0.0088 um^4.05 (Hansen & Travis 1974), a third of it scattered into a nadir view under a high sun.
    Aerosol: optical depth `aerosol` at 550 nm, Angstrom exponent 1.2, phase function and albedo that make 0.08 of it.
    """
    um = centre_nm / 1000.0
    return 0.0088 * um**-4.05 / 3.0 + 0.08 * aerosol * (um / 0.55) ** -1.2


def residual(rng, cover: np.ndarray, bands: np.ndarray, lens, seen_by) -> np.ndarray:
    """Reflectance of an image after the correction of its atmosphere, without noise, float32 [h w C].

    Args:
      rng: source of randomness.
      cover: of every pixel by every endmember, [h w E].
      bands: endmembers in all bands [E C].
      lens: `scenes.sensing.Optics`.
      seen_by: `scenes.sensing.Instrument`.
    """
    nm = lens.centre_nm
    # Light scattered in from the surroundings, which reach beyond the patch, to land. The diffuse share of the way up is some
    # 0.2 at 450 nm and 0.06 to 0.1 at 800 nm (6S, Vermote et al. 1997); a part of it is corrected.
    scattered = rng.uniform(0.03, 0.25) * (np.maximum(nm, 400.0) / 450.0) ** -0.8
    image = cover @ (bands * (1.0 - scattered)).astype(np.float32)
    mean = cover.mean((0, 1))
    land = mean * (layout.CLASS_OF != 3)
    surroundings = (0.5 * mean + 0.5 * land / land.sum()) @ bands * scattered

    octave = np.log2(nm / 800.0)
    detectors = int(lens.detector.max()) + 1
    light = rng.normal(0.0, 0.12) + rng.normal(0.0, 0.04) * octave + rng.normal(0.0, 0.02) * (octave**2 - 0.5)
    calibration = rng.normal(0.0, 0.02, detectors)[lens.detector] + rng.normal(0.0, 0.01, len(octave))
    # Vapour is rather overcorrected (retrievals come out wet), oxygen goes either way with the smile of the spectrometer.
    vapour, oxygen = rng.normal(0.10, 0.06), rng.normal(-0.08, 0.12)
    log_gain = light + calibration + np.clip(vapour * lens.vapour, -0.5, 0.5) + oxygen * lens.oxygen
    path = path_reflectance(nm, rng.gamma(2.0, 0.07))
    # Errors of calibration are parts of all the light, in the blue mostly the path's.
    haze = rng.normal(0.0, 0.0045) * (nm / 550.0) ** -1.6 + path * np.expm1(calibration) * 0.4
    image = image * np.exp(log_gain).astype(np.float32) + (surroundings + haze).astype(np.float32)
    ground = image - (seen_by.dark_object * _darkest(image, nm, _LAND_KNOTS_NM, 0.01)).astype(np.float32)
    return water_mode(rng, image, ground, path, lens) if seen_by.water_mode else ground


def water_mode(rng, image: np.ndarray, ground: np.ndarray, path: np.ndarray, lens) -> np.ndarray:
    """Puts a water processor's result in place of land's where a pixel is taken for water.

    Args:
      rng: source of randomness.
      image: before dark objects were subtracted [h w C].
      ground: land's result [h w C]; changed in place.
      path: `path_reflectance` [C].
      lens: `scenes.sensing.Optics`.

    Returns:
      `ground`.
    """
    nm = lens.centre_nm
    (infrared, shortwave), _ = nearest_bands(nm, np.array([865.0, 1600.0]))
    # Dark at 865 nm and at 1600 nm, as ATCOR masks water; the two limits are ours.
    wet = (ground[..., infrared] < 0.05) & (ground[..., shortwave] < 0.03)
    if not wet.any():
        return ground
    lake = image[wet] - _darkest(image[wet], nm, _WATER_KNOTS_NM, _WATER_DARK_SHARE) - rng.gamma(6.0, _WATER_EXCESS / 6.0)
    # Light that was scattered above the gases is divided by their transmission all the same: bright lines over dark pixels.
    constant, part = _WATER_ABOVE
    above = rng.gamma(14.0, constant / 14.0) * (nm / 760.0) ** -2.0 + part * np.maximum(lake, 0.0)
    vapour, oxygen = _WATER_DEPTHS
    lines = above * (np.expm1(np.minimum(vapour * lens.vapour, 1.5)) + np.expm1(oxygen * lens.oxygen))
    collisions = _WATER_O4 * path * np.exp(-0.5 * ((nm - 578.0) / 6.0) ** 2)
    ground[wet] = np.where(nm < _WATER_END_NM, lake + lines - collisions, 0.0)
    return ground


def _darkest(pixels: np.ndarray, centre_nm: np.ndarray, knots_nm: tuple[float, ...], share: float) -> np.ndarray:
    """Signal of the darkest `share` of pixels [... C] at the knots, at most 0.03, smooth in between [C]."""
    knots = np.array(knots_nm)
    near, _ = nearest_bands(centre_nm, knots)
    flat = pixels[..., near].reshape(-1, len(knots))
    rank = int(share * (len(flat) - 1))
    dark = np.clip(np.partition(flat, rank, axis=0)[rank], 1e-4, 0.03)
    return np.exp(np.interp(np.log(centre_nm), np.log(knots), np.log(dark)))
