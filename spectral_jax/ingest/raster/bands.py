"""Which band of a file is which band of a spec: by wavelength or by name, one to one; by position only where a file is mute."""

import dataclasses

import numpy as np

from spectral_jax.ingest.raster import band_names, numbers, wavelengths
from spectral_jax.sensors import CENTRE_TOLERANCE_NM, SensorSpec


@dataclasses.dataclass(frozen=True)
class Found:
    """The bands of a file that a spec's bands are.

    Attributes:
      index: counted from 1, in the order of the spec's bands.
      how: they were found, in words.
      off_nm: largest distance of two centres, nm; 0 where they were not found by wavelength.
    """

    index: tuple[int, ...]
    how: str
    off_nm: float = 0.0


def find(dataset, spec: SensorSpec, path, by_position: bool = False, only_used: bool = False) -> Found:
    """The bands of an open file that a sensor has.

    By wavelength where the file's bands have one, else by their descriptions. A file may hold more bands than the sensor, such
    as masks and an alpha band, where they are found by name or wavelength.

    Args:
      dataset: an open `rasterio` dataset.
      spec: the sensor.
      path: for the sentences.
      by_position: whether bands of a file that says nothing of them are taken in the order of the spec, if they are as many.
      only_used: whether the bands of the spec's bad intervals may be left out of the file; only the used bands are then found.

    Raises:
      ValueError: the file says nothing of its bands and `by_position` is False, their number is another, or a band is missing;
        the sentence names file and band.
    """
    wanted = spec.without_bad_bands() if only_used else spec
    held = numbers.data_bands(dataset, len(spec.bands))
    told = wavelengths.of_dataset(dataset, path, held) if spec.kind != "radar" else None
    if told is None:
        descriptions = dataset.descriptions
        named = band_names.positions([descriptions[band - 1] for band in held], wanted, path)
        if named is not None:
            return Found(tuple(held[i - 1] for i in named), "by name")
    if len(held) != len(spec.bands) and (told is None or len(held) < len(wanted.bands)):
        raise ValueError(
            f"{path}: expected the {len(spec.bands)} bands of {spec.name}, got {len(held)}. Is this file of another sensor or "
            "level?"
        )
    if told is not None:
        index, off_nm = by_wavelength(told.centre_nm, told.fwhm_nm, wanted, path)
        note = f" ({told.note})" if told.note else ""
        return Found(tuple(held[i - 1] for i in index), f"by wavelength{note}", off_nm)
    if not by_position:
        raise ValueError(
            f"{path}: expected bands with wavelengths (tag wavelength) or names, and the file says neither; write the tags, as "
            "bands are never taken by position."
        )
    return Found(held, f"by position, as the files name none: {', '.join(b.name for b in spec.bands)}")


def bands_of(dataset, spec: SensorSpec) -> list[int]:
    """The bands of a file that a model of a sensor sees, for `dataset.read`: found by wavelength or by name, never by position.

    Args:
      dataset: an open `rasterio` dataset.
      spec: the sensor, such as `cfg.sensor("ENMAP").spec`.

    Returns:
      Bands counted from 1, in the order of `spec.used`.

    Raises:
      ValueError: a band is missing, or further than the tolerance from where the spec has it; the sentence names it.
    """
    return list(find(dataset, spec, dataset.name, only_used=True).index)


def by_wavelength(centre_nm: np.ndarray, fwhm_nm: np.ndarray, spec: SensorSpec, path) -> tuple[tuple[int, ...], float]:
    """The file's band for every band of the spec, found by wavelength.

    The match is one to one and the best over all bands together. Where two detectors overlap, neighbours are closer to each
    other than the drift between two scenes; the widths then tell them apart.

    Args:
      centre_nm: centres of the file's bands [C].
      fwhm_nm: widths of the file's bands [C], NaN where unknown.
      spec: the sensor; it has at most C bands.
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
    if len(centre_nm) > len(ours):
        _refuse_doubles(centre_nm, fwhm_nm, picked, spec, path)
    if off.max() > CENTRE_TOLERANCE_NM:
        i = int(off.argmax())
        raise ValueError(
            f"{path}: expected a band near {ours[i]:g} nm ({spec.name}, {spec.bands[i].name}), and the nearest that is left is "
            f"at {centre_nm[picked[i]]:g} nm; bands match within {CENTRE_TOLERANCE_NM:g} nm. Is this file of another sensor?"
        )
    return tuple(int(i) + 1 for i in picked), float(off.max())


def _refuse_doubles(centre_nm: np.ndarray, fwhm_nm: np.ndarray, picked: np.ndarray, spec: SensorSpec, path) -> None:
    """Of more bands than a sensor has, none may be what another one is taken for."""
    for left in sorted(set(range(len(centre_nm))) - set(picked.tolist())):
        same = (np.abs(centre_nm[picked] - centre_nm[left]) < 1e-3) & ~(np.abs(fwhm_nm[picked] - fwhm_nm[left]) > 1e-3)
        if same.any():
            twin = int(picked[same.argmax()])
            raise ValueError(
                f"{path}: bands {min(twin, left) + 1} and {max(twin, left) + 1} are both at {centre_nm[left]:g} nm, and "
                f"{spec.name} has one band there; take out what is there twice."
            )
