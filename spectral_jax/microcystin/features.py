"""What the linear experts look at: spectra in three forms, and bio-optical indices on log-like scales.

Only wavelengths of 400 nm and more are used: below, the reflectance of turbid lakes is mostly an error of the atmospheric
correction. Of PACE OCI's pixels (version 3) on western Lake Erie 64 % are negative at 346 nm, 27 % at 400 nm, 2 % at 490 nm.
Nothing negative is ever logged.
"""

from collections.abc import Callable

import numpy as np

from spectral_jax.sensors import nearest_bands
from spectral_jax.spectral import indices

SHORTEST_NM = 400.0


def used_bands(centre_nm: np.ndarray) -> np.ndarray:
    """Bands that the experts see, bool [C].

    Raises:
      ValueError: the wavelengths do not reach from 450 to 710 nm.
    """
    used = centre_nm >= SHORTEST_NM
    if used.sum() < 8 or centre_nm[used].min() > 450 or centre_nm.max() < 709 - indices.TOLERANCE_NM:
        raise ValueError(
            f"wavelength: expected bands from 450 nm or less to 709 nm or more, got {centre_nm.min():g} to {centre_nm.max():g} "
            "nm; microcystin is read off the phycocyanin, chlorophyll and red-edge bands."
        )
    return used


def spectrum(rrs: np.ndarray, centre_nm: np.ndarray) -> np.ndarray:
    """Rrs, sr^-1, [N C] to [N F]."""
    return rrs[:, used_bands(centre_nm)]


def shape(rrs: np.ndarray, centre_nm: np.ndarray) -> np.ndarray:
    """Each spectrum less its mean, over its deviation: brightness is gone. [N C] to [N F]."""
    x = spectrum(rrs, centre_nm)
    return (x - x.mean(1, keepdims=True)) / np.maximum(x.std(1, keepdims=True), 1e-9)


def slope(rrs: np.ndarray, centre_nm: np.ndarray) -> np.ndarray:
    """First derivative, sr^-1 nm^-1, [N C] to [N F - 1]."""
    used = used_bands(centre_nm)
    return np.diff(rrs[:, used], axis=1) / np.diff(centre_nm[used])


def bio_optical(rrs: np.ndarray, centre_nm: np.ndarray) -> np.ndarray:
    """Eight bio-optical indices of spectra, sr^-1, [N C] to [N 8].

    The heights CI, SS665 and PCI go through arcsinh, which is linear near 0 and a log beyond; ratios and reflectances through
    a log, held at a floor. The scales 2e-4 and 5e-4 sr^-1 are choices near the heights' size in Lake Erie: of 292 PACE OCI
    patch means the median CI is 1.6e-4 sr^-1, and nine of ten lie between -6e-4 and 2.2e-3.
    """

    def height(name, scale):
        return np.arcsinh(np.asarray(indices.index(name, rrs, centre_nm)) / scale)

    def band(nm):
        (at,), _ = nearest_bands(centre_nm, np.array([nm]))
        return rrs[:, at]

    def ratio(a, b, floor):
        below = np.maximum(band(b), 1e-4)  # sr^-1; a darker band is noise
        return np.log(np.maximum(band(a) / below, floor))

    return np.stack(
        [
            height("ci", 2e-4), height("ss665", 2e-4), height("pci", 5e-4),
            ratio(709, 665, 0.2), ratio(650, 620, 0.3), ratio(490, 555, 0.1),
            np.log(np.maximum(band(555), 1e-3)), np.log(np.maximum(band(665), 5e-4)),
        ],
        axis=1,
    )  # fmt: skip


def all_indices(rrs: np.ndarray, centre_nm: np.ndarray) -> np.ndarray:
    """`bio_optical` and three published ratios, NDCI, R650/R625 and R709/R620, [N C] to [N 11].

    A ratio is 0 where its denominator is not positive.
    """

    def ratio(name):
        values = np.asarray(indices.index(name, rrs, centre_nm))
        return np.where(np.isfinite(values), values, 0.0)

    return np.column_stack([bio_optical(rrs, centre_nm), ratio("ndci"), ratio("pc_schalles"), ratio("pc_simis")])


# Expert -> what it looks at, and whether its non-detects are treated as censored. Full spectra with censoring overfit: the
# latent value of a non-detect then follows the noise (out-of-week R2 0.54 against 0.71 on Lake Erie).
EXPERTS: dict[str, tuple[Callable[[np.ndarray, np.ndarray], np.ndarray], bool]] = {
    "spectrum": (spectrum, False),
    "shape": (shape, False),
    "slope": (slope, False),
    "indices": (bio_optical, True),
    "all indices": (all_indices, True),
}
# A forecast sees the indices beside the season and no whole spectrum: 170 bands say more about 130 samples than about the week
# after (ridge on them: R2 -0.14 on left-out weeks of 130 match-ups of Lake Erie).
# Among sets tried, those of least error on left-out weeks inside the training rows; the report shows all that were tried.
EXPERTS_OF = {"now": ("spectrum", "shape", "all indices"), "ahead": ("indices",)}


def filled(rrs: np.ndarray) -> np.ndarray:
    """Spectra [N C] with missing bands interpolated from their neighbours; rows without any band stay NaN."""
    out = rrs.copy()
    place = np.arange(rrs.shape[1])
    for row in np.flatnonzero(np.isnan(rrs).any(1) & np.isfinite(rrs).any(1)):
        good = np.isfinite(rrs[row])
        out[row] = np.interp(place, place[good], rrs[row, good])
    return out
