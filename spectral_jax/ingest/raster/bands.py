"""Which band of a file is which band of a spec: by wavelength or by name, one to one; by position only where a file is mute."""

import re

import numpy as np

from spectral_jax.sensors import CENTRE_TOLERANCE_NM, SensorSpec


def wavelengths(dataset, path) -> tuple[np.ndarray, np.ndarray] | None:
    """Centres and widths of a file's bands from its tags, nm [C] and [C]; None where no band has a wavelength.

    Read are the tags `wavelength`, `fwhm` and `wavelength_units` of ENVI headers, and GDAL's `CENTRAL_WAVELENGTH_UM` and
    `FWHM_UM`. A width that is not given is NaN.

    Raises:
      ValueError: some bands have a wavelength and others none.
    """
    rows = [_wavelength(dataset, i + 1) for i in range(dataset.count)]
    missing = [i + 1 for i, row in enumerate(rows) if row is None]
    if len(missing) == len(rows):
        return None
    if missing:
        raise ValueError(
            f"{path}: expected a tag 'wavelength' in every band, and {len(missing)} of {len(rows)} have none (the first is "
            f"band {missing[0]}); write the tags again."
        )
    centre, width = np.array(rows).T
    return centre, width


def by_wavelength(centre_nm: np.ndarray, fwhm_nm: np.ndarray, spec: SensorSpec, path) -> tuple[tuple[int, ...], float]:
    """The file's band for every band of the spec, found by wavelength.

    The match is one to one and the best over all bands together. Where two detectors overlap, neighbours are closer to each
    other than the drift between two scenes; the widths then tell them apart.

    Args:
      centre_nm: centres of the file's bands [C].
      fwhm_nm: widths of the file's bands [C], NaN where unknown.
      spec: the sensor; it has C bands too.
      path: for the sentences.

    Returns:
      Bands of the file counted from 1, in the order of `spec.bands`; and the largest distance of two centres, nm.

    Raises:
      ValueError: a band of the spec has none within CENTRE_TOLERANCE_NM.
    """
    from scipy.optimize import linear_sum_assignment

    ours = np.array([b.centre_nm for b in spec.bands])
    widths = np.array([b.fwhm_nm for b in spec.bands])
    distance = np.abs(ours[:, None] - centre_nm[None, :])
    cost = distance + np.nan_to_num(np.abs(widths[:, None] - fwhm_nm[None, :]))
    # A pair out of tolerance is never worth a better width elsewhere.
    _, picked = linear_sum_assignment(cost + np.where(distance > CENTRE_TOLERANCE_NM, 1e6, 0.0))
    off = distance[np.arange(len(ours)), picked]
    if off.max() > CENTRE_TOLERANCE_NM:
        i = int(off.argmax())
        raise ValueError(
            f"{path}: expected a band near {ours[i]:g} nm ({spec.name}, {spec.bands[i].name}), and the nearest that is left is "
            f"at {centre_nm[picked[i]]:g} nm; bands match within {CENTRE_TOLERANCE_NM:g} nm. Is this file of another sensor?"
        )
    return tuple(int(i) + 1 for i in picked), float(off.max())


def by_name(descriptions: tuple[str | None, ...], spec: SensorSpec, path) -> tuple[int, ...] | None:
    """The file's band for every band of the spec, found by name (B02, B2, VV); None where the file names no band.

    Raises:
      ValueError: some bands are named and others not, or two have one name.
    """
    known = {alias: b.name for b in spec.bands for alias in (b.name, re.sub(r"^B0", "B", b.name), b.polarisation) if alias}
    band_of: dict[str, int] = {}
    for i, text in enumerate(descriptions):
        tokens = re.split(r"[^A-Z0-9]+", (text or "").upper())
        names = sorted({known[t] for t in tokens if t in known})
        if len(names) == 1:
            if names[0] in band_of:
                raise ValueError(
                    f"{path}: bands {band_of[names[0]]} and {i + 1} are both called {names[0]}; correct the descriptions."
                )
            band_of[names[0]] = i + 1
    if not band_of:
        return None
    missing = [b.name for b in spec.bands if b.name not in band_of]
    if missing:
        raise ValueError(
            f"{path}: expected bands {', '.join(b.name for b in spec.bands)}, and no band is called {missing[0]}; correct the "
            "descriptions, or remove them all if the bands are in the product's order."
        )
    return tuple(band_of[b.name] for b in spec.bands)


def _wavelength(dataset, band: int) -> tuple[float, float] | None:
    tags = {k.lower(): v for k, v in dataset.tags(band).items()}
    if "wavelength" in tags:
        micro = tags.get("wavelength_units", "").strip().lower().startswith(("micro", "um", "µm"))
        scale = 1000.0 if micro else 1.0
        return float(tags["wavelength"]) * scale, float(tags.get("fwhm", "nan")) * scale
    imagery = dataset.tags(band, ns="IMAGERY")
    if "CENTRAL_WAVELENGTH_UM" in imagery:
        return float(imagery["CENTRAL_WAVELENGTH_UM"]) * 1000.0, float(imagery.get("FWHM_UM", "nan")) * 1000.0
    return None
