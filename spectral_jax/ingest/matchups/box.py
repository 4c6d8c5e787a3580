"""The box of pixels at a station: cut, masked, and judged by the rules of a mask."""

import numpy as np

from spectral_jax.ingest.pace import place
from spectral_jax.ingest.pace.flags import Mask
from spectral_jax.ingest.pace.read import Granule

# Wavelengths over which NASA's match-up rule judges a box.
_JUDGED_NM = (405.0, 570.0)
FEW = "pairs: too few valid pixels"
EMPTY = "pairs: no valid pixel"
UNEVEN = "pairs: spectra vary too much"


def cut(granule: Granule, flagged: np.ndarray, line: int, pixel: int, size: int) -> np.ndarray:
    """Rrs around a pixel, float32 [K K C]; NaN where flagged, and beyond the edge of the granule."""
    half = size // 2
    out = np.full((size, size, granule.rrs.shape[2]), np.nan, np.float32)
    lines, pixels = (slice(max(0, at - half), at + half + 1) for at in (line, pixel))
    patch = np.where(flagged[lines, pixels, None], np.nan, granule.rrs[lines, pixels])
    row, column = lines.start - (line - half), pixels.start - (pixel - half)
    out[row : row + patch.shape[0], column : column + patch.shape[1]] = patch
    return out


def at(granule: Granule, flagged: np.ndarray, lat: float, lon: float, size: int, most_km: float) -> np.ndarray | None:
    """The box [K K C] around the pixel nearest to a place; None where that is further than `most_km`."""
    line, pixel, away = place.nearest(granule.lat, granule.lon, lat, lon)
    return cut(granule, flagged, line, pixel, size) if away <= most_km else None


def judged(patch: np.ndarray, wavelength_nm: np.ndarray, mask: Mask) -> tuple[np.ndarray, str]:
    """The box after the rules of a mask, and why it does not do; empty where it does.

    Rules in this order, as in NASA's match-ups after Bailey & Werdell (2006): at least one pixel and `least_valid` of all are
    valid; pixels beyond `most_sd` standard deviations from the mean in any band become NaN; the coefficient of variation
    (standard deviation over the size of the mean, median over 405-570 nm) is at most `most_cv`. A pixel is valid when it has a
    number in any band.
    """
    valid = np.isfinite(patch).any(axis=-1)
    if not valid.any():
        return patch, EMPTY
    if valid.mean() < mask.least_valid:
        return patch, FEW
    if mask.most_sd is not None:
        mean, sd = _mean_sd(patch)
        # Whoever is on the limit stays: two pixels are one standard deviation from their mean, whatever the rounding.
        far = (np.abs(patch - mean) > mask.most_sd * sd * (1 + 1e-6)).any(axis=-1)
        patch = np.where(far[..., None], np.float32(np.nan), patch)
        if far[valid].all():
            return patch, UNEVEN
    if mask.most_cv is not None:
        mean, sd = _mean_sd(patch)
        bands = (wavelength_nm >= _JUDGED_NM[0]) & (wavelength_nm <= _JUDGED_NM[1]) & np.isfinite(mean)
        with np.errstate(divide="ignore", invalid="ignore"):
            variation = sd[bands] / np.abs(mean[bands])
        if not variation.size or not np.median(variation) <= mask.most_cv:
            return patch, UNEVEN
    return patch, ""


def _mean_sd(patch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation over pixels [C], float64, skipping NaN; NaN where a band has none."""
    good = np.isfinite(patch)
    count = np.maximum(good.sum(axis=(0, 1)), 1)
    empty = ~good.any(axis=(0, 1))
    mean = np.where(good, patch, 0.0).sum(axis=(0, 1), dtype=np.float64) / count
    sd = np.sqrt((np.where(good, patch - mean, 0.0) ** 2).sum(axis=(0, 1)) / count)
    return np.where(empty, np.nan, mean), np.where(empty, np.nan, sd)
