"""What a product says of its bands and numbers, beside what the sensor's spec says: a sentence where the two differ."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from spectral_jax.ingest.packing import Packing
from spectral_jax.ingest.raster import bands
from spectral_jax.sensors import CENTRE_TOLERANCE_NM, Band, SensorSpec

# A scale may differ from the spec's by this part. Choice: another level, and a tool that packed anew, differ by far more.
SCALE_TOLERANCE = 0.01
# A width may differ from the spec's by this part or by 1 nm before it is told: tables are rounded to 0.1 nm, and widths drift
# with a detector's temperature. Choice.
FWHM_TOLERANCE, FWHM_TOLERANCE_NM = 0.2, 1.0


def spec_of(own: str, asked: str | None, name: str, where: str) -> SensorSpec:
    """The spec of a product that is of one sensor.

    Args:
      own: the sensor's name.
      asked: what the user asks for; None: nothing else.
      name: of the product.
      where: it lies, for the sentence.

    Raises:
      ValueError: another sensor is asked for.
    """
    if asked not in (None, own):
        raise ValueError(f"{where}: {name} is of {own}, and {asked} is asked for; leave `sensor` out, or open another product.")
    return SensorSpec.load(own)


def expect_level(level: str, expected: Sequence[str], what: str, name: str, where: str, fetch: str) -> None:
    """Refuses a product of another level.

    Args:
      level: that its name tells.
      expected: those that are read.
      what: kind of product, for the sentence.
      name: of the product.
      where: it lies.
      fetch: what to fetch instead: "L2A product".

    Raises:
      ValueError: it is of another.
    """
    if level not in expected:
        raise ValueError(f"{where}: expected {what}, and {name} is of level {level}; fetch its {fetch}.")


def positions(found: Sequence[Band], spec: SensorSpec, where: str) -> tuple[int, ...]:
    """Which of a product's bands is which band of the spec, by wavelength.

    Args:
      found: bands of the product, with its own wavelengths and, where it tells them, detectors.
      spec: the sensor.
      where: file and field of the wavelengths, for the sentences.

    Returns:
      For every band of the spec the position in `found`.

    Raises:
      ValueError: another number of bands, wavelengths that are no lengths, one twice without a detector that tells them apart,
        one off by more than the tolerance of specs or by more than half a band, or too few bands of a detector.
    """
    if len(found) < len(spec.bands):
        raise ValueError(
            f"{where}: expected {len(spec.bands)} bands of {spec.name}, got {len(found)}; is this of another sensor or level?"
        )
    centre, width = (np.array([getattr(band, name) or np.nan for band in found]) for name in ("centre_nm", "fwhm_nm"))
    if not (np.isfinite(centre) & (centre > 0)).all():
        i = int(np.argmin(np.isfinite(centre) & (centre > 0)))
        raise ValueError(f"{where}: expected a wavelength in nm for every band, and {found[i].name} has {centre[i]:g}.")
    seen: dict[tuple, Band] = {}
    for band in found:
        twin = seen.setdefault((round(band.centre_nm or 0.0, 3), band.detector), band)
        if twin is not band:
            told = f"detector {band.detector}" if band.detector else "no detector tells them apart"
            raise ValueError(
                f"{where}: {twin.name} and {band.name} are both at {band.centre_nm:g} nm, and {told}; it is damaged."
            )
    order = _matched(found, centre, width, spec, where)
    for ours, i in zip(spec.bands, order, strict=True):
        _refuse_half_a_band(abs(_nm(found[i]) - _nm(ours)), found[i], ours, spec, where)
    return order


def _matched(found: Sequence[Band], centre: np.ndarray, width: np.ndarray, spec: SensorSpec, where: str) -> tuple[int, ...]:
    """Positions by wavelength, detector by detector where both sides tell them: in their overlap two bands can be alike."""
    detectors = list(dict.fromkeys(band.detector for band in spec.bands))
    if not all(band.detector for band in (*found, *spec.bands)):
        return tuple(i - 1 for i in bands.by_wavelength(centre, width, spec, where)[0])
    order = [0] * len(spec.bands)
    for detector in detectors:
        ours = [i for i, band in enumerate(spec.bands) if band.detector == detector]
        theirs = np.array([i for i, band in enumerate(found) if band.detector == detector], int)
        if len(theirs) < len(ours):
            raise ValueError(
                f"{where}: expected {len(ours)} bands of detector {detector}, as {spec.name} has, got {len(theirs)}; the lists "
                "of channels are damaged, or it is of another level."
            )
        part = dataclasses.replace(spec, bands=tuple(spec.bands[i] for i in ours), mean=(), std=())
        index, _ = bands.by_wavelength(centre[theirs], width[theirs], part, f"{where}, detector {detector}")
        for i, k in zip(ours, index, strict=True):
            order[i] = int(theirs[k - 1])
    return tuple(order)


def named(found: Sequence[Band], spec: SensorSpec, where: str) -> tuple[str, ...]:
    """Compares the wavelengths of bands that their names tell, in the order of the spec, with the spec's.

    Returns:
      A sentence where some differ by more than tables of one instrument do, and less than half of a band; else none.

    Raises:
      ValueError: one is off by more than half of its width.
    """
    off = [(abs(_nm(theirs) - _nm(ours)), theirs, ours) for theirs, ours in zip(found, spec.bands, strict=True)]
    for distance, theirs, ours in off:
        _refuse_half_a_band(distance, theirs, ours, spec, where)
    most = max(off, key=lambda x: x[0])
    if most[0] <= CENTRE_TOLERANCE_NM:
        return ()
    _, theirs, ours = most
    return (f"{where}: {theirs.name} is at {_nm(theirs):g} nm, and {spec.name} has it at {_nm(ours):g} nm.",)


def widths(found: Sequence[Band], spec: SensorSpec, where: str) -> tuple[str, ...]:
    """A sentence where widths of bands, in the order of the spec, differ from the spec's; else none."""
    pairs = zip(found, spec.bands, strict=True)
    off = [(abs(a.fwhm_nm - b.fwhm_nm), b.fwhm_nm, a, b) for a, b in pairs if a.fwhm_nm is not None and b.fwhm_nm is not None]
    wide = [x for x in off if x[0] > max(FWHM_TOLERANCE * x[1], FWHM_TOLERANCE_NM)]
    if not wide:
        return ()
    _, _, theirs, ours = max(wide, key=lambda x: x[0])
    return (
        f"{where}: {len(wide)} widths differ from {spec.name}, most in {theirs.name}: {theirs.fwhm_nm:g} nm against "
        f"{ours.fwhm_nm:g} nm.",
    )


def packings(
    found: Sequence[Packing], names: Sequence[str], expected: tuple[float, float], where: str, product: str
) -> tuple[Packing, ...]:
    """The scales and offsets of a product, once they are those that it is known for.

    Args:
      found: of its bands.
      names: of its bands.
      expected: scale and offset.
      where: file and field, for the sentences.
      product: what it should be, such as "EnMAP L2A".

    Raises:
      ValueError: a scale differs by more than `SCALE_TOLERANCE`, an offset by more than that or by a step, or a number that
        means "no data" could be data.
    """
    scale, offset = expected
    for one, name in zip(found, names, strict=True):
        if not abs(one.scale - scale) <= SCALE_TOLERANCE * abs(scale):
            raise ValueError(
                f"{where}: expected the scale {scale:g} of {product}, and {name} has {one.scale:g}; is it of another level?"
            )
        if not abs(one.offset - offset) <= SCALE_TOLERANCE * abs(offset) + abs(scale):
            raise ValueError(
                f"{where}: expected the offset {offset:g} of {product}, and {name} has {one.offset:g}; is it of another level?"
            )
    return tuple(found)


def fill(declared: Sequence[float | None], expected: float, where: str, product: str, what_else: str = "") -> float:
    """The number that means "no data", once a file declares the one that its product is known for.

    Args:
      declared: by each band of the file; None where it declares none.
      expected: the product's.
      where: file and field, for the sentences.
      product: what it should be.
      what_else: may be done where none is declared, for the sentence.

    Raises:
      ValueError: none is declared, or another one, which could be data.
    """
    others = {x for x in declared if x != expected}
    if not others:
        return expected
    if None in others:
        raise ValueError(
            f"{where}: expected {expected:g} declared as no data in every band, as {product} has it, and a band declares none"
            f"{what_else}; set it (gdal_edit.py -a_nodata {expected:g})."
        )
    other = sorted(x for x in others if x is not None)[0]
    raise ValueError(
        f"{where}: expected {expected:g} as no data, as {product} has it, and the file declares {other:g}, which is a number "
        f"that data can have; correct it (gdal_edit.py -a_nodata {expected:g})."
    )


def _nm(band: Band) -> float:
    return np.nan if band.centre_nm is None else band.centre_nm


def _refuse_half_a_band(distance: float, theirs: Band, ours: Band, spec: SensorSpec, where: str) -> None:
    if not distance <= (ours.fwhm_nm or 0.0) / 2:
        raise ValueError(
            f"{where}: {theirs.name} is at {_nm(theirs):g} nm, and {spec.name} has {ours.name} at {_nm(ours):g} nm, more than "
            f"half of its width of {ours.fwhm_nm:g} nm away; is this of another sensor?"
        )
