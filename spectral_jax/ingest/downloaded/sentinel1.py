"""Sentinel-1 RTC of Planetary Computer, ASF HyP3 and OPERA: gamma0 in linear power, told apart by their names."""

import contextlib
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from spectral_jax.ingest.downloaded import agreement
from spectral_jax.ingest.downloaded.files import rasters
from spectral_jax.ingest.downloaded.files.archive import Files
from spectral_jax.ingest.downloaded.files.rasters import Raster, Window
from spectral_jax.ingest.downloaded.product import DownloadedProduct, Pixels
from spectral_jax.ingest.facts import facts
from spectral_jax.ingest.packing import Packing
from spectral_jax.ingest.raster import geotiff
from spectral_jax.sensors import Band

KIND = "Sentinel-1 RTC"
_STAMP = r"(?P<time{}>\d{{8}}T\d{{6}})"
# Planetary Computer keeps the name of the GRD; HyP3's letters tell quantity, unit, mask, filter, area and matching.
_COMPUTER = rf"S1[A-D]_IW_GRD\w_\w{{4}}_{_STAMP.format(1)}_\d{{8}}T\d{{6}}_(?P<orbit>\d{{6}})_\w{{6}}(?:_\w{{4}})?_rtc"
_HYP3 = rf"S1[A-D]_IW_{_STAMP.format(2)}_[DS][VH]\w_RTC\d\d_\w_(?P<quantity>[gs])(?P<unit>[pda])[uw][nf][ec][dm]_\w{{4}}"
_OPERA = rf"OPERA_L2_RTC-S1_[\w-]+?_{_STAMP.format(3)}Z_\d{{8}}T\d{{6}}Z_S1[A-D]_\d\d_v[\d.]+\d"
NAME = re.compile(rf"(?P<computer>{_COMPUTER})|(?P<hyp3>{_HYP3})|(?P<opera>{_OPERA})")
_PRODUCERS = {"computer": "Planetary Computer", "hyp3": "ASF HyP3", "opera": "OPERA"}
_UNITS = {"p": "linear power", "d": "dB", "a": "amplitude"}
# Pixels of the middle that are judged before a product is taken.
_LOOKED_AT = 256


class _Said(NamedTuple):
    """What a name says: who made it, what its numbers are, when it was seen."""

    producer: str
    unit: str
    time: str


def opened(files: Files, name: str, stack: contextlib.ExitStack, sensor: str | None = None) -> DownloadedProduct:
    """Opens a product with VV and VH, on its own grid of 10, 20 or 30 m.

    Args:
      files: its own, and perhaps others.
      name: of the product.
      stack: closes what is opened.
      sensor: the spec of a store; there is one only, and another is refused.

    Raises:
      FileNotFoundError: a polarisation is missing.
      ValueError: it is sigma0 or an amplitude, its numbers are in dB where they should be power or the reverse, or its files do
        not belong together.
    """
    about, said = facts("sentinel1_rtc"), _said(files, name)
    spec = agreement.spec_of(about["sensor"], sensor, name, str(files.given))
    images = []
    for band in spec.bands:
        end = rf"(?:{re.escape(name)}_|iw-)?{band.polarisation}(?:\.rtc)?\.tiff?"
        images.append(Raster(files, files.one(end, f"the polarisation {band.polarisation} of {name}"), stack))
    first = images[0]
    rasters.check_metric(first, KIND)
    for other in images[1:]:
        rasters.check_grid(first, other)
    packings = tuple(_packing(image, said, about) for image in images)
    _refuse_other_unit(images, packings, said)

    def numbers(chosen: Sequence[int], window: Window) -> np.ndarray:
        return np.stack([images[i].layer(window) for i in chosen])

    transform = rasters.geotransform(first)
    notes = [f"{files.given}: RTC has no quality layer beside its missing pixels."]
    if transform[1] != spec.gsd_m:
        notes.append(f"{files.given}: its pixels are of {transform[1]:g} m, and those of {spec.name} of {spec.gsd_m:g} m.")
    return DownloadedProduct(
        kind=f"{KIND} of {said.producer}", name=name, spec=spec,
        bands=tuple(Band(b.name, polarisation=b.polarisation) for b in spec.bands), packings=packings, unit=said.unit,
        crs=first.dataset.crs, geotransform=transform, shape=first.shape,
        outline=rasters.corners(first.dataset.crs, transform, first.shape),
        time=geotiff.moment(said.time, str(files.given), "name"), flags={}, dropped=(),
        provenance={"product": name, "producer": said.producer, "tags": _orbit(first)}, notes=tuple(notes),
        source=Pixels(numbers, lambda window: {}), closing=stack,
    )  # fmt: skip


def _said(files: Files, name: str) -> _Said:
    parts = NAME.fullmatch(name)
    assert parts is not None  # it was recognised by this expression
    producer = next(words for key, words in _PRODUCERS.items() if parts[key])
    unit = _UNITS[parts["unit"] or "p"]
    if parts["quantity"] == "s":
        raise ValueError(
            f"{files.given}: expected gamma0, and {name} is sigma0 (letter s after the resolution), another quantity; order it "
            "with radiometry gamma0."
        )
    if unit == "amplitude":
        raise ValueError(
            f"{files.given}: expected power or dB, and {name} is an amplitude (letter a); order it with scale power."
        )
    stamp = next(parts[f"time{k}"] for k in (1, 2, 3) if parts[f"time{k}"])
    return _Said(producer, unit, f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:11]}:{stamp[11:13]}:{stamp[13:]}")


def _packing(image: Raster, said: _Said, about: dict) -> Packing:
    """What is missing: the producer's fill, the file's own, NaN, and of power all that is no echo."""
    declared = [x for x in rasters.declared(image) if x is not None and not np.isnan(x)]
    lowest = about["lowest"] if said.unit == "linear power" else -np.inf
    could_be = [x for x in declared if (x >= lowest if said.unit == "linear power" else -60.0 <= x < 0.0)]
    if could_be:
        raise ValueError(
            f"{image.path}: it declares {could_be[0]:g} as no data, which {said.unit} can have; expected NaN, "
            f"{' or '.join(str(x) for fills in about['fills'].values() for x in fills)} (gdal_edit.py -a_nodata)."
        )
    missing = dict.fromkeys(map(float, (*declared, *about["fills"][said.producer])))
    return Packing(missing=tuple(missing), low=lowest)


def _refuse_other_unit(images: list[Raster], packings: tuple[Packing, ...], said: _Said) -> None:
    """Looks at the middle of each file: the median of power is above 0, that of dB below."""
    for image, packing in zip(images, packings, strict=True):
        height, width = image.shape
        top, left = max(0, (height - _LOOKED_AT) // 2), max(0, (width - _LOOKED_AT) // 2)
        window = slice(top, min(height, top + _LOOKED_AT)), slice(left, min(width, left + _LOOKED_AT))
        values = image.layer(window)
        values = values[np.isfinite(values) & ~np.isin(values, packing.missing)]
        if not values.size:
            continue
        median = float(np.median(values))
        if (median < 0) == (said.unit == "linear power") and median != 0:
            looks, word = ("dB", "linear power") if median < 0 else ("linear power", "dB")
            raise ValueError(
                f"{image.path}: expected {word}, and the median of its numbers is {median:.4g}: they look like {looks}; a tool "
                "converted them, or it was renamed. Fetch it again."
            )


def _orbit(image: Raster) -> dict[str, str]:
    """What the file's tags say of the orbit."""
    return {key: value for key, value in image.dataset.tags().items() if "ORBIT" in key.upper()}
