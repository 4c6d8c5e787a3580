"""Which channels the pixels of a comparison are, for encoders that know the bands of Sentinel-2 and Sentinel-1 by name."""

import numpy as np

from spectral_jax.adapt.encoders.encoder import Bands
from spectral_jax.sensors import CENTRE_TOLERANCE_NM, Band, SensorSpec

# The satellites differ in band 12 by 16 nm.
OPTICAL = ("sentinel2a_l2a", "sentinel2b_l2a", "sentinel2c_l2a")
POLARISATIONS = ("VV", "VH")


def channels(encoder: str, bands: Bands) -> tuple[str, ...]:
    """Names of the channels that an encoder sees, such as "B02" or "VV", in the order of the pixels.

    Args:
      encoder: its name, for the sentence.
      bands: the target's kept ones where something is projected, else those of the source, by wavelength or polarisation.

    Raises:
      ValueError: a band is none of Sentinel-2's, or a polarisation none of Sentinel-1's.
    """
    spec = bands.target if bands.kept else bands.source
    used = tuple(spec.used[i] for i in bands.kept) if bands.kept else spec.used
    if spec.kind == "radar":
        found = tuple(band.polarisation for band in used)
        if set(found) <= set(POLARISATIONS):
            return found
        what = f"polarisations {', '.join(found)}"
    else:
        options = [_names(SensorSpec.load(name).used, used) for name in OPTICAL]
        named = next((names for names in options if names is not None), None)
        if named is not None:
            return named
        what = f"{len(used)} bands of which some are not Sentinel-2's"
    advice = "take a target of Sentinel-2" if bands.kept else f"project it to Sentinel-2, such as by {encoder}/srf"
    raise ValueError(
        f"{encoder}: {spec.name} has {what}; {encoder} knows the bands of Sentinel-2, and VV and VH of Sentinel-1; {advice}."
    )


def _names(known: tuple[Band, ...], used: tuple[Band, ...]) -> tuple[str, ...] | None:
    """The name of the band of Sentinel-2 at each band's centre; None where one is at none."""
    centres = np.array([band.centre_nm for band in known], float)
    found = []
    for band in used:
        away = np.abs(centres - (np.nan if band.centre_nm is None else band.centre_nm))
        if not away.min() <= CENTRE_TOLERANCE_NM:
            return None
        found.append(known[int(away.argmin())].name)
    return tuple(found) if len(set(found)) == len(found) else None
