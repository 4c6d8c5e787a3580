"""Which pixels of a scene are cloud, by SpecTf, and the reflectance at the top of the atmosphere that it takes."""

import dataclasses
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from spectral_jax import plausible
from spectral_jax.model.published import spectf
from spectral_jax.model.published.spectf import SpecTfConfig
from spectral_jax.sensors import SensorSpec

# Bands that the published weights never saw, nm, of EMIT alone (emit-sds/SpecTf, commit 2f7f05b: 268 of 285 are left; its
# programs keep all bands of other sensors).
DROPPED_NM = {"emit": ((0.0, 405.0), (1275.0, 1321.0), (2455.0, 9999.0))}
# Pixels that one call of the program takes; what it computes at once is `spectf.AT_ONCE`. Choice.
SHARE = 512
# The Earth's distance from the Sun, astronomical units: perihelion to aphelion is 0.9833 to 1.0167.
DISTANCE_AU = (0.98, 1.02)
# Pixels of a scene whose numbers are judged, evenly picked. Choice.
JUDGED = 4096
QUANTITY = "top-of-atmosphere reflectance"


class Clouds(NamedTuple):
    """What is cloud in a scene.

    Attributes:
      probability: float32 [H W], NaN where not `valid`.
      cloud: bool [H W], where the probability is at least the release's threshold.
      valid: bool [H W], where every band had a number.
    """

    probability: np.ndarray
    cloud: np.ndarray
    valid: np.ndarray


def toa_reflectance(
    radiance: np.ndarray, irradiance: np.ndarray, sun_zenith_deg: float | np.ndarray, distance_au: float
) -> np.ndarray:
    """Reflectance at the top of the atmosphere: pi L d^2 / (E cos(sun zenith)), as SpecTf was trained with.

    Args:
      radiance: L [... C], per steradian and wavelength, such as EMIT's uW cm-2 sr-1 nm-1.
      irradiance: E [C], of the Sun at one astronomical unit, in the same units without the steradian.
      sun_zenith_deg: one angle, or [...], degrees.
      distance_au: d, from the Earth to the Sun, astronomical units.

    Returns:
      Float64 [... C], fractions; NaN where the radiance is NaN.

    Raises:
      ValueError: shapes that do not fit, irradiance that is not positive, a Sun below the horizon, or no such distance.
    """
    radiance, irradiance, zenith = (np.asarray(x, np.float64) for x in (radiance, irradiance, sun_zenith_deg))
    if radiance.ndim < 1 or irradiance.shape != radiance.shape[-1:]:
        raise ValueError(
            f"irradiance: expected one number for each band of the radiance {radiance.shape}, got shape "
            f"{irradiance.shape}; resample the Sun's spectrum to the bands."
        )
    if not (np.isfinite(irradiance) & (irradiance > 0)).all():
        raise ValueError(f"irradiance: expected positive numbers, and the least is {irradiance.min():g}; leave such bands out.")
    if zenith.ndim and zenith.shape != radiance.shape[:-1]:
        raise ValueError(
            f"sun_zenith_deg: expected one angle, or one for each of the pixels {radiance.shape[:-1]}, got shape "
            f"{zenith.shape}."
        )
    low = (zenith < 0) | (zenith >= 90)
    if low.any():
        raise ValueError(
            f"sun_zenith_deg: expected degrees from 0 to below 90, and {zenith[low].flat[0]:g} is none; "
            "a Sun at or below the horizon lights nothing, and its elevation is 90 minus the zenith."
        )
    if not DISTANCE_AU[0] <= distance_au <= DISTANCE_AU[1]:
        raise ValueError(
            f"distance_au: expected {DISTANCE_AU[0]} to {DISTANCE_AU[1]} astronomical units, got {distance_au:g}; it "
            "is not in km."
        )
    return np.pi * radiance * distance_au**2 / (irradiance * np.cos(np.radians(zenith))[..., None])


def of_scene(
    params: dict, reflectance: np.ndarray, sensor: SensorSpec, cfg: SpecTfConfig, valid: np.ndarray | None = None
) -> Clouds:
    """Cloud of a scene of EMIT, EnMAP or another imaging spectrometer, a share of the pixels after another.

    The published weights were trained on reflectance at the **top of the atmosphere** of EMIT. Surface reflectance (L2A) is out
    of their domain, and so, less far, is every other sensor: what comes out of it is no measured accuracy.

    Args:
      params: of `interop.load` or `interop.spectf.read`.
      reflectance: [H W C] at the top of the atmosphere, fractions, with all bands of `sensor`, or with its used ones, in its
        order; NaN where a number is missing.
      sensor: tells the wavelengths; its name tells EMIT, whose bands in `DROPPED_NM` are left out.
      cfg: of the parameters; its release has the threshold.
      valid: bool [H W], pixels that count; None: all.

    Returns:
      `Clouds`. A pixel that lacks a band is invalid, and not cloud.

    Raises:
      ValueError: shapes that do not fit, a band without wavelength or without any number, or numbers that are no reflectance.
    """
    bands = _bands(reflectance, sensor)
    dropped = next((found for name, found in DROPPED_NM.items() if sensor.name.startswith(name)), ())
    kept = [i for i, (_, nm) in enumerate(bands) if not any(low <= nm <= high for low, high in dropped)]
    centre_nm = np.array([bands[i][1] for i in kept])
    spectf.check_centres(centre_nm, len(kept))
    if valid is not None and (valid.shape != reflectance.shape[:2] or valid.dtype != bool):
        raise ValueError(
            f"valid: expected bool of shape {reflectance.shape[:2]}, got {valid.dtype} of shape {valid.shape}; give [H W]."
        )
    good, there = _whole(reflectance, kept, valid)
    if there.any() and not there.all():
        name, nm = bands[kept[int(np.argmin(there))]]
        raise ValueError(
            f"reflectance: expected numbers in every band, and {name} ({nm:g} nm) has none in any pixel, so that no pixel is "
            "whole; leave such bands out of the array and of the sensor."
        )
    spectra, index = reflectance.reshape(-1, len(bands)), np.flatnonzero(good)
    judged = spectra[index[:: max(1, len(index) // JUDGED)]][:, kept]
    top = dataclasses.replace(sensor, quantity=QUANTITY, unit="1")
    plausible.check(judged, np.ones(judged.shape, bool), top, "reflectance", advice="convert the numbers to fractions")
    probability = np.full(good.size, np.nan, np.float32)
    for start in range(0, len(index), SHARE):
        share = index[start : start + SHARE]
        # The last share is filled up, so that one program does for all.
        filled = np.zeros((SHARE, len(kept)), np.float32)
        filled[: len(share)] = spectra[share][:, kept]
        probability[share] = np.asarray(_of_share(params, filled, jnp.asarray(centre_nm, jnp.float32), cfg))[: len(share)]
    scene = probability.reshape(good.shape)
    return Clouds(scene, good & (np.nan_to_num(scene) >= cfg.threshold), good)


def _whole(reflectance, kept, valid) -> tuple[np.ndarray, np.ndarray]:
    """Pixels [H W] with a number in every band, and bands [S] with a number in some pixel; row by row, without copies."""
    good, there = np.zeros(reflectance.shape[:2], bool), np.zeros(len(kept), bool)
    for i, row in enumerate(reflectance):
        numbers = np.isfinite(row[:, kept])
        if valid is not None:
            numbers &= valid[i, :, None]
        good[i], there = numbers.all(axis=1), there | numbers.any(axis=0)
    return good, there


def _bands(reflectance, sensor) -> list[tuple[str, float]]:
    """Name and centre, nm, of each band of the array."""
    counts = {len(sensor.used): sensor.used, len(sensor.bands): sensor.bands}
    if reflectance.ndim != 3 or reflectance.shape[2] not in counts:
        raise ValueError(
            f"reflectance: expected [H W C] with the C = {len(sensor.bands)} bands of {sensor.name}, or its {len(sensor.used)} "
            f"used ones, got shape {reflectance.shape}; give the sensor of the array."
        )
    if not np.issubdtype(reflectance.dtype, np.floating):
        raise ValueError(
            f"reflectance: expected fractions as floats, got {reflectance.dtype}; apply the scale and offset of the file."
        )
    found = [(band.name, band.centre_nm) for band in counts[reflectance.shape[2]]]
    missing = [name for name, nm in found if nm is None]
    if missing:
        raise ValueError(
            f"{sensor.name}: expected a wavelength for every band, and {missing[0]} has none; take another sensor."
        )
    return [(name, float(nm)) for name, nm in found if nm is not None]


@partial(jax.jit, static_argnames="cfg")
def _of_share(params, spectra, centre_nm, cfg):
    with jax.default_matmul_precision("highest"):
        return spectf.cloud_probability(spectf.by_shares(params, spectra, centre_nm, cfg)[1])
