"""Remote-sensing reflectance of water from its absorption and backscattering, in the bands of a sensor.

Below the surface rrs = g1 u + g2 u^2 with u = bb / (a + bb), g1 0.0949 and g2 0.0794 1/sr (Gordon et al. 1988); above it
Rrs = 0.52 rrs / (1 - 1.7 rrs) (Lee et al. 2002). Chlorophyll fluorescence is added above the surface. What a correction of the
atmosphere does to the result is in `lake.correction`.
"""

import dataclasses
import functools

import numpy as np

from spectral_jax.sensors import SensorSpec, response
from spectral_jax.simulate.lake import optics
from spectral_jax.simulate.lake.optics import GRID_NM, RANGE_NM, Water

_G1, _G2 = np.float32(0.0949), np.float32(0.0794)
_SUN_683 = 1480.0  # solar irradiance at 683 nm, W m-2 um-1 (Thuillier et al. 2003, rounded)
# Line of chlorophyll fluorescence: centre 685 nm, full width 25 nm (Gower et al. 2004).
_LINE_NM, _LINE_SIGMA_NM = 685.0, 10.6


def reflectance(water: Water, grid_nm: np.ndarray) -> np.ndarray:
    """Rrs above the surface, sr^-1, float32 [... G], at the wavelengths `grid_nm` [G], with fluorescence.

    Raises:
      ValueError: a wavelength is outside the tables.
    """
    absorbed, scattered = optics.inherent(water, grid_nm)
    u = scattered / (absorbed + scattered)
    below = u * (_G1 + _G2 * u)
    above = np.float32(0.52) * below / (1.0 - np.float32(1.7) * below)
    return above + fluorescence(water, grid_nm)


def fluorescence(water: Water, grid_nm: np.ndarray) -> np.ndarray:
    """Chlorophyll fluorescence as Rrs, sr^-1, float32 [... G].

    Its height is 0.15 chl / (1 + 0.2 chl) W m-2 sr-1 um-1 over the eukaryotes' chlorophyll in ug/L (Gower & King 2007, of
    coastal waters), divided by the sun's irradiance, times `Water.fluorescence_yield`. Cyanobacteria keep most chlorophyll in
    photosystem I, which hardly fluoresces; a tenth of theirs counts (a choice).
    """
    chlorophyll = water.chlorophyll_ug_l * (1.0 - 0.9 * water.cyanobacteria_share)
    height = np.asarray(water.fluorescence_yield * 0.15 * chlorophyll / (1.0 + 0.2 * chlorophyll) / _SUN_683)
    line = np.exp(-0.5 * ((np.asarray(grid_nm) - _LINE_NM) / _LINE_SIGMA_NM) ** 2)
    return (height.astype(np.float32)[..., None] * line.astype(np.float32)).astype(np.float32)


def in_bands(water: Water, spec: SensorSpec) -> np.ndarray:
    """Rrs in the used bands of a sensor, without any error, sr^-1, float32 [... C].

    Raises:
      ValueError: the sensor is not optical, or a used band lies outside 340-900 nm.
    """
    grid, weights = _bands(check(spec))
    shape, spectra = water.shape, reflectance(water, grid)
    return (np.broadcast_to(spectra, (*shape, len(grid))).reshape(-1, len(grid)) @ weights).reshape(*shape, -1)


def every_band(spec: SensorSpec) -> SensorSpec:
    """The same sensor with all its bands in use: what a store holds."""
    return dataclasses.replace(spec, bad_intervals_nm=(), mean=(), std=()) if spec.bad_intervals_nm else spec


def check(spec: SensorSpec) -> SensorSpec:
    """The spec itself, when this water can be seen by it.

    Raises:
      ValueError: the sensor is not optical, or a used band lies outside 340-900 nm.
    """
    if spec.kind != "optical":
        raise ValueError(f"simulated water: expected an optical sensor, and {spec.name} is {spec.kind}; take one with bands.")
    low, high = RANGE_NM
    outside = (spec.centre_nm < low) | (spec.centre_nm > high)
    if outside.any():
        band = spec.used[int(np.argmax(outside))]
        raise ValueError(
            f"simulated water: band {band.name} of {spec.name} is at {band.centre_nm:g} nm, and the optics of water hold for "
            f"{low:g}-{high:g} nm ({int(outside.sum())} bands lie outside); put those into bad_intervals_nm or leave them out."
        )
    return spec


@functools.lru_cache(maxsize=8)
def _bands(spec: SensorSpec) -> tuple[np.ndarray, np.ndarray]:
    """The part of the grid that a sensor sees [G], and the weights [G C]."""
    weights = response(spec, GRID_NM)
    seen = np.flatnonzero((weights > 1e-6).any(0))
    part = slice(seen[0], seen[-1] + 1)
    kept = weights[:, part] / weights[:, part].sum(1, keepdims=True)
    return GRID_NM[part], np.ascontiguousarray(kept.T, np.float32)
