"""Centres and widths of a file's bands, from its tags, in whatever unit and writing they stand."""

import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

# What one of a unit is in nanometres; names in small letters, of ENVI headers, GDAL and people.
UNITS_NM = {
    **dict.fromkeys(("nm", "nanometer", "nanometers", "nanometre", "nanometres"), 1.0),
    # The micro sign, the Greek letter, and the letter u in its place.
    **dict.fromkeys(("um", "\u00b5m", "\u03bcm", "micrometer", "micrometers", "micrometre", "micrometres"), 1e3),
    **dict.fromkeys(("micron", "microns"), 1e3),
    **dict.fromkeys(("mm", "millimeter", "millimeters", "millimetre", "millimetres"), 1e6),
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), 1e9),
    **dict.fromkeys(("angstrom", "angstroms", "\u00e5"), 0.1),
}
UNSTATED = ("", "unknown", "none")
# Optical sensors see 200 to 15,000 nm, which is 0.2 to 15 micrometres: without a unit, numbers tell which.
MICROMETRES_BELOW, NANOMETRES_ABOVE = 50.0, 150.0
CENTRES, WIDTHS = ("wavelength", "wavelengths", "center_wavelength", "central_wavelength"), ("fwhm", "bandwidth")
UNIT_TAGS = ("wavelength_units", "wavelength_unit", "wavelengths_units")
_NUMBER = re.compile(r"^([+-]?\d+(?:[.,]\d+)?(?:[eE][+-]?\d+)?)\s*(\D*)$")


class Wavelengths(NamedTuple):
    """Of C bands.

    Attributes:
      centre_nm: [C].
      fwhm_nm: [C], NaN where not given.
      note: how their unit was found where the file does not state one; empty where it does.
    """

    centre_nm: np.ndarray
    fwhm_nm: np.ndarray
    note: str = ""


def of_dataset(dataset, path, bands: tuple[int, ...] = ()) -> Wavelengths | None:
    """Centres and widths of some bands of an open file; None where none of them has a wavelength.

    Read are band tags `wavelength` and `fwhm` with `wavelength_units` in the band's or the file's tags, the lists of ENVI
    headers (GDAL's domain ENVI), and GDAL's `CENTRAL_WAVELENGTH_UM` and `FWHM_UM`. A unit may stand behind the number; a
    decimal comma is understood. Without a unit, numbers up to 50 are micrometres and those from 150 on nanometres.

    Args:
      dataset: an open `rasterio` dataset.
      path: for the sentences.
      bands: wanted, counted from 1; empty: all.

    Raises:
      ValueError: some bands have a wavelength and others none, or what stands there is no wavelength; the sentence names file
        and band.
    """
    bands = bands or tuple(dataset.indexes)
    file_tags = _lower(dataset.tags())
    header = _lower(dataset.tags(ns="ENVI"))
    lists = {name: _listed(header[name]) for name in (*CENTRES, *WIDTHS) if name in header}
    rows = [_texts(dataset, band, file_tags, header, lists) for band in bands]
    missing = [band for band, row in zip(bands, rows, strict=True) if row is None]
    if len(missing) == len(rows):
        return None
    if missing:
        raise ValueError(
            f"{path}: expected a tag 'wavelength' in every band, and {len(missing)} of {len(rows)} have none (the first is "
            f"band {missing[0]}); write the tags again."
        )
    told = [row for row in rows if row is not None]
    centres = [_length(text, unit, path, band, "wavelength") for band, (text, _, unit) in zip(bands, told, strict=True)]
    widths = [_length(text, unit, path, band, "fwhm") for band, (_, text, unit) in zip(bands, told, strict=True)]
    return in_nm(centres, widths, f"{path}: band", bands)


def in_nm(centres, widths, where: str, bands: tuple[int, ...]) -> Wavelengths:
    """Lengths with their units, [(number, nanometres of its unit or None)], as nanometres.

    Args:
      centres: of C bands.
      widths: of C bands, NaN where not given.
      where: before the number of a band, for the sentences.
      bands: their numbers [C].

    Raises:
      ValueError: a centre is not above 0 and finite, or the numbers without a unit are neither micrometres nor nanometres.
    """
    for band, (number, _) in zip(bands, centres, strict=True):
        if not (np.isfinite(number) and number > 0):
            raise ValueError(f"{where} {band}: expected a wavelength above 0, got {number:g}; write the tag again.")
    bare = [number for number, unit in centres if unit is None]
    note, factor = "", 1.0
    if bare:
        if max(bare) < MICROMETRES_BELOW:
            note, factor = f"wavelengths of {min(bare):g} to {max(bare):g} without a unit were taken as micrometres", 1e3
        elif min(bare) < NANOMETRES_ABOVE:
            raise ValueError(
                f"{where}s with wavelengths of {min(bare):g} to {max(bare):g} without a unit: neither nanometres nor "
                "micrometres; write the tag wavelength_units."
            )
    nm = lambda pair: pair[0] * (factor if pair[1] is None else pair[1])  # noqa: E731
    return Wavelengths(np.array([nm(c) for c in centres]), np.array([nm(w) for w in widths]), note)


def _texts(dataset, band: int, file_tags: Mapping, header: Mapping, lists: Mapping) -> tuple[str, str, str] | None:
    """What stands for a band's centre, its width and their unit; None where nothing does."""
    tags = _lower(dataset.tags(band))
    unit = next((t[name] for t in (tags, file_tags, header) for name in UNIT_TAGS if t.get(name, "").strip()), "")
    centre, width = (next((tags[n] for n in names if tags.get(n, "").strip()), "") for names in (CENTRES, WIDTHS))
    if lists:
        centre = centre or _of_list(lists, CENTRES, band, dataset.count)
        width = width or _of_list(lists, WIDTHS, band, dataset.count)
    if centre:
        return centre, width, unit
    imagery = dataset.tags(band, ns="IMAGERY")
    if "CENTRAL_WAVELENGTH_UM" in imagery:
        return imagery["CENTRAL_WAVELENGTH_UM"], imagery.get("FWHM_UM", ""), "um"
    return None


def _of_list(lists: Mapping[str, list[str]], names: tuple[str, ...], band: int, count: int) -> str:
    return next((lists[name][band - 1] for name in names if len(lists.get(name, ())) == count), "")


def _length(text: str, unit: str, path, band: int, tag: str) -> tuple[float, float | None]:
    """A number and how many nanometres one of its unit is, None where no unit is stated."""
    text = text.strip()
    if not text and tag == "fwhm":
        return float("nan"), 1.0
    match = _NUMBER.match(text)
    if match is None:
        if tag == "fwhm" and text.lower() in ("nan", "n/a", "none", "unknown"):
            return float("nan"), 1.0
        raise ValueError(
            f"{path}: band {band}: expected a length such as 418.24 in the tag {tag!r}, got {text!r}; write the tag again."
        )
    return float(match[1].replace(",", ".")), _unit_nm(match[2], unit, text, f"{path}: band {band}", tag)


def _unit_nm(behind: str, stated: str, text: str, where: str, tag: str) -> float | None:
    """What one of the unit behind a number, or in wavelength_units, is in nanometres; None where neither states one."""
    own, stated = (one.strip().lower().rstrip(".") for one in (behind, stated))
    if not own and stated in UNITS_NM:
        return UNITS_NM[stated]
    for one in (own, stated):
        if one not in UNSTATED and one not in UNITS_NM:
            raise ValueError(
                f"{where}: the unit of the tag {tag!r} is {one!r}, which is not known here; write it in nanometres."
            )
    units = {UNITS_NM[one] for one in (own, stated) if one not in UNSTATED}
    if len(units) > 1:
        raise ValueError(f"{where}: the tag {tag!r} reads {text!r}, and wavelength_units says {stated!r}; correct one of them.")
    return units.pop() if units else None


def _listed(text: str) -> list[str]:
    """The members of a list of an ENVI header, `{418.2, 424.0}`."""
    return [part.strip() for part in text.strip().strip("{}").split(",")]


def _lower(tags: Mapping[str, str]) -> dict[str, str]:
    return {name.lower().replace(" ", "_"): text for name, text in tags.items()}
