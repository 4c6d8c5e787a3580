"""What a correction of the atmosphere leaves in Rrs over a turbid lake, the noise of the bands, and the packing.

Over bright water a correction takes too much away, most in the blue and ultraviolet: 64 % of PACE OCI's match-up spectra of
western Lake Erie are negative at 346 nm, 27 % at 400, 2 % at 490, none from 555 nm on. The sizes here are choices that give
those shares and the residuals that stay after a smooth curve is taken off the real spectra; only such overall numbers of the
spectra, without labels, were looked at.
"""

import numpy as np

from spectral_jax.sensors import SensorSpec

# Error at 400 nm, sr^-1: mean and scale over scenes, and standard deviation of a scene's places about its own. Scenes follow
# Student's t with 4 degrees of freedom: a few corrections fail altogether and reach the packing's floor up to 440 nm.
_HAZE_MEAN, _HAZE_SCENE, _HAZE_PLACE = -0.0021, 0.0036, 0.0013
_HAZE_FREEDOM = 4
_HAZE_EXPONENT = (3.0, 5.5)  # of the power law; molecules alone would have 4
_FLAT = 0.00025  # of an offset at all wavelengths: glint, stray light
_GAIN = 0.03  # of the whole spectrum
_CALIBRATION = 0.004  # of each band, the same in every scene
_NOISE_400, _NOISE_EXPONENT = 0.00016, 1.0  # of a pixel's band, sr^-1
# Left by gases: centre nm, sigma nm, mean and standard deviation of what is missing, part of the signal. Oxygen's gamma
# and B bands and water vapour; positions are those of HITRAN.
_GASES = ((629.0, 2.5, 0.010, 0.004), (688.0, 3.0, 0.040, 0.015), (718.0, 3.0, 0.030, 0.020))
_CALIBRATION_SEED = 20240209


def scene_error(rng: np.random.Generator, scenes: int, places: int, centre_nm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Errors of a correction that are smooth in wavelength, to be used as `rrs * gain + offset`.

    Args:
      rng: source of randomness.
      scenes: images, each with its own haze.
      places: places in each image, whose errors are alike.
      centre_nm: [C].

    Returns:
      gain and offset (sr^-1), float32 [scenes places C].
    """
    nm = np.asarray(centre_nm, np.float32)
    one = (scenes, 1, 1)
    haze = _HAZE_MEAN + _HAZE_SCENE * rng.standard_t(_HAZE_FREEDOM, one)
    haze = haze + _HAZE_PLACE * rng.standard_normal((scenes, places, 1))
    exponent = rng.uniform(*_HAZE_EXPONENT, one)
    offset = haze * (nm / 400.0) ** -exponent + _FLAT * rng.standard_normal((scenes, places, 1))
    own = np.random.default_rng(_CALIBRATION_SEED).standard_normal(len(nm))  # one instrument, one calibration
    gain = (1.0 + _GAIN * rng.standard_normal((scenes, places, 1))) * (1.0 + _CALIBRATION * own)
    for at, sigma, mean, spread in _GASES:
        left = mean + spread * rng.standard_normal((scenes, places, 1))
        gain = gain * (1.0 - left * np.exp(-0.5 * ((nm - at) / sigma) ** 2))
    return gain.astype(np.float32), offset.astype(np.float32)


def noise(rng: np.random.Generator, shape: tuple[int, ...], centre_nm: np.ndarray) -> np.ndarray:
    """Noise of single pixels, independent from band to band, sr^-1, float32 [*shape C]."""
    size = _NOISE_400 * (np.asarray(centre_nm) / 400.0) ** -_NOISE_EXPONENT
    return rng.standard_normal((*shape, len(centre_nm)), np.float32) * size.astype(np.float32)


def pack(rrs: np.ndarray, spec: SensorSpec) -> np.ndarray:
    """Rrs, sr^-1 [...], as the numbers that a product stores; NaN becomes nodata.

    What the packing cannot hold is clipped, which gives PACE OCI's floor of -0.015532 sr^-1 (int16, scale 2e-6, offset 0.05,
    nodata -32767). In a product of surface reflectance (unit 1) the numbers are pi Rrs.

    Returns:
      [...] in `spec.dtype`.

    Raises:
      ValueError: the spec has neither sr^-1 nor 1 as its unit, or NaN has no number to become.
    """
    values = (np.asarray(rrs, np.float32) * _unit(spec) - np.float32(spec.offset)) / np.float32(spec.scale)
    missing = np.isnan(values)
    if missing.any() and spec.nodata is None:
        raise ValueError(f"pack: {spec.name} has no nodata, and {int(missing.sum())} numbers are missing; give it one.")
    if np.issubdtype(np.dtype(spec.dtype), np.integer):
        low, high = _limits(spec)
        values = np.clip(np.rint(values), low, high)
    if missing.any():
        values = np.where(missing, np.float32(spec.nodata), values)
    return values.astype(spec.dtype)


def unpack(stored: np.ndarray, spec: SensorSpec) -> np.ndarray:
    """Stored numbers [...] to Rrs, sr^-1, float32, NaN where nodata."""
    values = (stored * np.float64(spec.scale) + spec.offset) / _unit(spec)
    return np.where(stored == spec.nodata, np.nan, values).astype(np.float32)


def _unit(spec: SensorSpec) -> float:
    if spec.unit not in ("sr^-1", "1"):
        raise ValueError(f"simulated water: {spec.name} is in {spec.unit!r}; expected Rrs in sr^-1 or reflectance in 1.")
    return np.pi if spec.unit == "1" else 1.0


def _limits(spec: SensorSpec) -> tuple[float, float]:
    limits = np.iinfo(spec.dtype)
    low, high = limits.min, min(limits.max, 2**24)
    if spec.nodata is not None and spec.nodata < low + 16:  # nodata and what is below it must not come out of data
        low = int(spec.nodata) + 1
    return float(low), float(high)
