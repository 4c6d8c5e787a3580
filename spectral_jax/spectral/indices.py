"""Bio-optical indices of water spectra, each with its formula, unit and source, found by wavelength.

Formulas take remote-sensing reflectance (sr^-1) or surface reflectance (1); a height has the unit of its input.
NASA's cyanobacteria products use rhos, which is about pi * Rrs: multiply by pi before using their thresholds.
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from spectral_jax.sensors import nearest_bands
from spectral_jax.sentences import unknown

# A band stands for a wavelength this near: OCSSW's limit for the fluorescence line (fluorescence.c).
TOLERANCE_NM = 2.5


@dataclasses.dataclass(frozen=True)
class Index:
    """One index.

    Attributes:
      wavelengths_nm: of the bands that `formula` takes, in its order.
      formula: those bands [...] and their true centres, nm, to the index [...].
      unit: "input" for the unit of the reflectance given.
      source: where the formula comes from.
    """

    wavelengths_nm: tuple[float, ...]
    formula: Callable[..., jax.Array]
    unit: str
    source: str


def height(low, middle, high, nm) -> jax.Array:
    """Height of the middle band above the line between the outer ones, at their centres `nm`: SS(middle; low, high)."""
    return middle - low - (high - low) * (nm[1] - nm[0]) / (nm[2] - nm[0])


def _depth(low, middle, high, nm):
    return -height(low, middle, high, nm)


def _ratio(above, below) -> jax.Array:
    """NaN where the denominator is not positive: such a ratio of reflectances means nothing."""
    return jnp.where(below > 0, above / jnp.where(below > 0, below, 1.0), jnp.nan)


def _power(base, exponent) -> jax.Array:
    return jnp.where(base > 0, jnp.where(base > 0, base, 1.0) ** exponent, jnp.nan)


def _ci_cyano(r620, r665, r681, r709, nm):
    ci = -height(r665, r681, r709, nm[1:])
    return jnp.where(height(r620, r665, r681, nm[:3]) >= 0, jnp.maximum(ci, 0.0), 0.0)


def _normalised_difference(above, below):
    return _ratio(above - below, above + below)


def _mph(r664, r681, r709, r753, r885, nm):
    peaks = jnp.stack([r681, r709, r753])
    share = jnp.asarray([(x - nm[0]) / (nm[4] - nm[0]) for x in nm[1:4]], peaks.dtype)
    at = jnp.argmax(peaks, axis=0)
    return jnp.max(peaks, axis=0) - r664 - (r885 - r664) * share[at]


def _ndci_chlorophyll(r665, r708, nm):
    x = _normalised_difference(r708, r665)
    return 14.039 + 86.115 * x + 194.325 * x**2


def _gurlin(r665, r708, nm):
    x = _ratio(r708, r665)
    return 25.28 * x**2 + 14.85 * x - 15.18


_HABS = "OCSSW get_habs.c"
_MATTHEWS = "Matthews and Odermatt 2015; OCSSW get_habs.c"
INDICES: dict[str, Index] = {
    "ss681": Index((665, 681, 709), height, "input", "Gower et al. 1999; OCSSW fluorescence.c"),
    "ci": Index((665, 681, 709), _depth, "input", "Wynne et al. 2008; OCSSW get_habs.c"),
    "ss665": Index((620, 665, 681), height, "input", _HABS),
    "ci_cyano": Index((620, 665, 681, 709), _ci_cyano, "input", _HABS + "; CI where SS665 >= 0, else 0; never below 0"),
    "sicf": Index((664, 681, 709), height, "input", _MATTHEWS),
    "sipf": Index((619, 664, 681), height, "input", _MATTHEWS),
    "bair": Index((664, 709, 885), height, "input", _MATTHEWS),
    "mph": Index((664, 681, 709, 753, 885), _mph, "input", _MATTHEWS),
    "mci": Index((681, 709, 754), height, "input", "Gower et al. 2005"),
    "ndci": Index((665, 708), lambda a, b, nm: _normalised_difference(b, a), "1", "Mishra and Mishra 2012"),
    "chlorophyll_ndci": Index((665, 708), _ndci_chlorophyll, "mg m-3", "Mishra and Mishra 2012"),
    "chlorophyll_gurlin": Index((665, 708), _gurlin, "mg m-3", "Gurlin et al. 2011, two bands"),
    "chlorophyll_gilerson": Index(
        (665, 708), lambda a, b, nm: _power(35.75 * _ratio(b, a) - 19.30, 1.124), "mg m-3", "Gilerson et al. 2010, two bands"
    ),
    "chlorophyll_moses": Index(
        (665, 708, 753),
        lambda a, b, c, nm: 232.329 * (_ratio(c, a) - _ratio(c, b)) + 23.174,
        "mg m-3",
        "Moses et al. 2009, three bands",
    ),
    "pc_schalles": Index((625, 650), lambda a, b, nm: _ratio(b, a), "1", "Schalles and Yacobi 2000"),
    "pc_simis": Index((620, 709), lambda a, b, nm: _ratio(b, a), "1", "ratio of Simis et al. 2005"),
    "pc_mishra09": Index((600, 700), lambda a, b, nm: _ratio(b, a), "1", "Mishra et al. 2009"),
    "pc_hunter": Index((600, 615, 725), lambda a, b, c, nm: _ratio(c, b) - _ratio(c, a), "1", "Hunter et al. 2010"),
    "pc_mishra14": Index((629, 659, 724), lambda a, b, c, nm: _ratio(c, a) - _ratio(c, b), "1", "Mishra et al. 2014"),
    "pci": Index((560, 620, 665), _depth, "input", "Qi et al. 2014"),
}


def index(name: str, reflectance: jax.Array, centre_nm: np.ndarray) -> jax.Array:
    """One index of spectra.

    Args:
      name: of `INDICES`.
      reflectance: [... C], NaN where missing; negative numbers are kept as they are.
      centre_nm: [C], in any order.

    Returns:
      [...], NaN where a band is NaN or a ratio has no positive denominator.

    Raises:
      ValueError: there is no such index, the product lacks a band, or the wavelengths do not fit the spectra.
    """
    if name not in INDICES:
        raise unknown("indices", "index", name, INDICES, most=len(INDICES))
    centre = np.asarray(centre_nm, float)
    if centre.shape != reflectance.shape[-1:]:
        raise ValueError(f"index {name}: expected one wavelength a band, got {centre.shape} for spectra {reflectance.shape}.")
    wanted_nm = INDICES[name].wavelengths_nm
    at, away_nm = nearest_bands(centre, np.asarray(wanted_nm))
    for nm, i, away in zip(wanted_nm, at, away_nm, strict=True):
        if away > TOLERANCE_NM:
            raise ValueError(
                f"index {name} needs a band within {TOLERANCE_NM:g} nm of {nm:g} nm, and the nearest of this product is at "
                f"{centre[i]:g} nm; these can be computed: {', '.join(available(centre))}."
            )
    return INDICES[name].formula(*(reflectance[..., i] for i in at), tuple(float(centre[i]) for i in at))


def available(centre_nm: np.ndarray) -> list[str]:
    """Names of the indices whose bands a product has."""
    centre = np.asarray(centre_nm, float)
    return [
        name
        for name, entry in INDICES.items()
        if (nearest_bands(centre, np.asarray(entry.wavelengths_nm))[1] <= TOLERANCE_NM).all()
    ]
