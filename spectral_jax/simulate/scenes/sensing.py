"""How a sensor sees the ground: bands, pixels, noise, striping, and packing into integers.

What is left of the atmosphere is in `scenes.correction`; the sizes of noise are by sensor, in `INSTRUMENTS`.
"""

import dataclasses
import functools

import numpy as np

from spectral_jax import sensors
from spectral_jax.sensors import SensorSpec
from spectral_jax.simulate.scenes import correction, layout
from spectral_jax.simulate.scenes.leaf import GRID_NM


@dataclasses.dataclass(frozen=True)
class Instrument:
    """What distinguishes a sensor's images beside its bands.

    Attributes:
      noise: standard deviation of a pixel, reflectance (K for temperature).
      relative_noise: part of the signal.
      stripe: gain error of a detector column, for push-broom spectrometers.
      blur_px: width of the Gaussian that blurs a pixel, in pixels.
      geolocation_px: standard deviation of its position, in pixels.
      dark_object: how much of the darkest signal the atmospheric correction takes for haze, 0 to 1.
      water_mode: pixels of water have a correction of their own, see `scenes.correction.water_mode`.
      absent: chance that a location has no data at all.
      missing: chance that one date is missing.
    """

    noise: float = 0.002
    relative_noise: float = 0.008
    stripe: float = 0.0
    blur_px: float = 0.5
    geolocation_px: float = 0.15
    dark_object: float = 0.2
    water_mode: bool = False
    absent: float = 0.02
    missing: float = 0.35


# Noise from the published signal-to-noise ratios (EnMAP: 500 at 495 nm and 150 at 2200 nm; DESIS: 195 at 550 nm; EMIT: above
# 500; S2 MSI: 90 to 170; OLI: 220 to 340). EnMAP's land processing leaves dark land near zero, as dark-object subtraction does
# (Chavez 1988); EMIT's optimal estimation does not. Geolocation: EnMAP 0.3 px to its Sentinel-2 reference. Absent and missing:
# about 2.2 of 4 dates remain over all sensors, as in SpectralEarth-MM.
INSTRUMENTS = {
    "ENMAP": Instrument(0.0004, 0.008, 0.006, 0.9, 0.35, 1.0, True, 0.02, 0.40),
    "EMIT": Instrument(0.0005, 0.006, 0.004, 0.7, 0.35, 0.1, False, 0.02, 0.40),
    "DESIS": Instrument(0.0015, 0.012, 0.008, 0.8, 0.45, 0.3, False, 0.02, 0.45),
    "S2": Instrument(0.0015, 0.008, 0.0, 0.6, 0.15, 0.4, False, 0.0, 0.15),
    "LO": Instrument(0.0010, 0.005, 0.0, 0.6, 0.15, 0.3, False, 0.02, 0.25),
    "LT": Instrument(0.5, 0.0, 0.0, 3.3, 0.2, 0.0, False, 0.08, 0.35),  # native 100 m, stored at 30 m
    "S1": Instrument(0.0, 0.0, 0.0, 1.0, 0.2, 0.0, False, 0.05, 0.15),
}
_LOOKS = 4.4  # equivalent number of looks, Sentinel-1 IW GRD


def instrument(key: str) -> Instrument:
    """The instrument behind a sensor key; a plain one where the key is not known."""
    return INSTRUMENTS.get(key, Instrument())


@dataclasses.dataclass(frozen=True)
class Optics:
    """Of an optical sensor, over all its bands: response [C G], vapour and oxygen depth [C], coordinates, nodata bands."""

    response: np.ndarray
    vapour: np.ndarray
    oxygen: np.ndarray
    centre_nm: np.ndarray
    detector: np.ndarray
    dead: np.ndarray


@functools.lru_cache(maxsize=32)
def optics(spec: SensorSpec) -> Optics:
    """Response of all bands of `spec`, bad ones included, to reflectance on `GRID_NM`, and where gases absorb."""
    whole = dataclasses.replace(spec, bad_intervals_nm=(), mean=(), std=())
    fine = np.arange(GRID_NM[0] - 60.0, GRID_NM[-1] + 61.0)
    # Straight lines between the grid's points, so that bands narrower than the grid's step are weighted right.
    hat = np.maximum(0.0, 1.0 - np.abs(np.clip(fine, GRID_NM[0], GRID_NM[-1])[:, None] - GRID_NM) / (GRID_NM[1] - GRID_NM[0]))
    response = (sensors.response(whole, fine) @ hat).astype(np.float32)
    centre = whole.centre_nm
    names = [b.detector for b in whole.bands]
    return Optics(
        response, *correction.gas_depths(centre, whole.fwhm_nm), centre, np.unique(names, return_inverse=True)[1],
        (centre > 1325.0) & (centre < 1395.0) & ~np.isin(np.arange(len(centre)), spec.used_index),
    )  # fmt: skip


def in_bands(spectra: np.ndarray, spec: SensorSpec) -> np.ndarray:
    """Spectra on `GRID_NM` [... G] as all bands of `spec` see them, bad ones included [... C]."""
    response = optics(spec).response
    return (spectra.reshape(-1, spectra.shape[-1]) @ response.T).reshape(*spectra.shape[:-1], len(response))


def pixel_grid(rng, ground: np.ndarray, spec: SensorSpec, seen_by: Instrument) -> np.ndarray:
    """Ground cells [side side E] as one image of the sensor covers them: blurred, displaced, averaged, [h w E]."""
    shift = rng.normal(0.0, seen_by.geolocation_px, 2) * spec.gsd_m
    rows, columns = (layout.sampling_weights(len(ground), spec.gsd_m, seen_by.blur_px * spec.gsd_m, float(s)) for s in shift)
    return layout.resample(ground, rows, columns)


def reflectance(rng, ground: np.ndarray, slope: np.ndarray, bands: np.ndarray, key: str, spec: SensorSpec) -> np.ndarray:
    """One image of an optical sensor, in reflectance.

    Args:
      rng: source of randomness.
      ground: endmember fractions, [side side E].
      slope: brightness of every ground cell under the sun of this date, around 1 [side side].
      bands: endmembers of this date in all bands of `spec` [E C], see `in_bands`.
      key: sensor key, for its `Instrument`.
      spec: its bands.

    Returns:
      float32 [h w C] over all bands of `spec`.
    """
    seen_by, lens = instrument(key), optics(spec)
    cover = pixel_grid(rng, ground * slope[..., None], spec, seen_by)
    image = correction.residual(rng, cover, bands, lens, seen_by)
    noise = rng.standard_normal(image.shape, np.float32)
    edge = (
        1.0 + 2.0 * np.exp(-(lens.centre_nm - lens.centre_nm.min()) / 30.0) + np.clip((lens.centre_nm - 2300) / 150.0, 0, None)
    )
    # A processor that sets a band to zero sets its noise to zero as well.
    image += (image != 0.0) * noise * (seen_by.noise * edge + seen_by.relative_noise * np.abs(image)).astype(np.float32)
    if seen_by.stripe:
        image *= 1.0 + seen_by.stripe * rng.standard_normal((1, image.shape[1], image.shape[2]), np.float32)
    return np.maximum(image, 0.0) if seen_by.dark_object > 0.5 else image


def backscatter_db(rng, ground: np.ndarray, power: np.ndarray, key: str, spec: SensorSpec) -> np.ndarray:
    """One image of a radar, dB [h w C]; speckle of 4.4 looks, calibration of 0.4 dB.

    Args:
      rng: source of randomness.
      ground: endmember fractions, [side side E].
      power: of the endmembers at VV and VH on this date [E 2].
      key: sensor key.
      spec: its polarisations; HH and HV are taken as VV and VH.
    """
    channel = [0 if band.polarisation in ("VV", "HH") else 1 for band in spec.bands]
    clean = pixel_grid(rng, ground, spec, instrument(key)) @ power[:, channel]
    speckle = rng.standard_gamma(_LOOKS, clean.shape, np.float32) / _LOOKS
    calibration = rng.normal(0.0, 0.4)
    return 10.0 * np.log10(np.maximum(clean * speckle, 1e-5)) + calibration


def surface_temperature_k(rng, ground: np.ndarray, kelvin: np.ndarray, key: str, spec: SensorSpec) -> np.ndarray:
    """One image of surface temperature, K [h w C]; noise of the sensor and 1.5 K of atmosphere.

    Args:
      rng: source of randomness.
      ground: endmember fractions, [side side E].
      kelvin: of the endmembers on this date [E].
      key: sensor key.
      spec: its channels, which all show the same temperature.
    """
    seen_by = instrument(key)
    image = (pixel_grid(rng, ground, spec, seen_by) @ kelvin)[..., None] + rng.normal(0.0, 1.5)
    return np.repeat(image, len(spec.bands), -1) + seen_by.noise * rng.standard_normal((*image.shape[:2], len(spec.bands)))


def pack(rng, values: np.ndarray, spec: SensorSpec, dead: np.ndarray | None = None) -> np.ndarray:
    """Physical values [h w C] to stored numbers [C h w], with clouds cut from corners and lost lines as nodata.

    Args:
      rng: source of randomness.
      values: in `spec.unit`.
      spec: its type, scale, offset and nodata.
      dead: bands without data [C]; None: none.
    """
    stored = np.ascontiguousarray(np.moveaxis((values - spec.offset) / spec.scale, -1, 0), np.float32)
    if np.issubdtype(np.dtype(spec.dtype), np.integer):
        limits = np.iinfo(spec.dtype)
        low = limits.min + (spec.nodata == limits.min)  # nodata itself must not come out of data
        np.rint(stored, out=stored)
        stored = np.clip(stored, low, float(min(limits.max, 2**24)), out=stored)
    stored = stored.astype(spec.dtype)
    if spec.nodata is None:
        return stored
    height, width = stored.shape[1:]
    if spec.kind != "radar" and rng.random() < 0.12:
        y, x = np.mgrid[:height, :width]
        corner = rng.integers(0, 2, 2) * (np.array([height, width]) - 1)
        reach = rng.uniform(0.1, 0.4) * min(height, width)
        stored[:, (y - corner[0]) ** 2 + (x - corner[1]) ** 2 < reach**2] = spec.nodata
    if rng.random() < 0.05:
        stored[:, :, rng.integers(width)] = spec.nodata
    if dead is not None:
        stored[dead] = spec.nodata
    return stored
