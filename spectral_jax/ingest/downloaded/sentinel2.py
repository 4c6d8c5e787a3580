"""Sentinel-2 L2A as ESA delivers it: JPEG 2000 files of a SAFE, with the offset of its own metadata."""

import contextlib
import re
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np

from spectral_jax.ingest.downloaded import agreement
from spectral_jax.ingest.downloaded.files import markup, rasters
from spectral_jax.ingest.downloaded.files.archive import Files
from spectral_jax.ingest.downloaded.files.rasters import Raster, Window
from spectral_jax.ingest.downloaded.product import DownloadedProduct, Pixels
from spectral_jax.ingest.facts import facts
from spectral_jax.ingest.packing import Packing
from spectral_jax.ingest.raster import geotiff
from spectral_jax.sensors import Band, SensorSpec

KIND = "Sentinel-2 L2A"
NAME = re.compile(
    r"S2(?P<unit>[ABC])_MSI(?P<level>L\w\w)_(?P<time>\d{8}T\d{6})(?:_N(?P<baseline>\d{4}))?_R\d{3}_T(?P<tile>\w{5})_\d{8}T\d{6}"
)
_IMAGE = "General_Info/Product_Image_Characteristics"
_INFO = "General_Info/Product_Info"
_PIXEL = 10  # of the grid that all bands are given on, m


def opened(files: Files, name: str, stack: contextlib.ExitStack, sensor: str | None = None) -> DownloadedProduct:
    """Opens a product on its 10 m grid; pixels of 20 and 60 m are repeated, which mixes none.

    Args:
      files: its own.
      name: of the product.
      stack: closes what is opened.
      sensor: the spec of a store; it has to be that of the satellite.

    Raises:
      FileNotFoundError: a file of the product is missing.
      ValueError: it is of another level, of a baseline that is not known, nothing states its offset, its bands have several, or
        its files do not belong together.
    """
    about, parts = facts("sentinel2_l2a"), NAME.fullmatch(name)
    assert parts is not None  # it was recognised by this expression
    agreement.expect_level(parts["level"], ("L2A",), KIND, name, str(files.given), "L2A product")
    spec = SensorSpec.load(f"sentinel2{parts['unit'].lower()}_l2a")
    if sensor not in (None, spec.name):
        raise ValueError(
            f"{files.given}: {name} is of {spec.name}, and {sensor} is asked for; satellites differ in their bands."
        )
    xml = markup.read(files, files.one(r"MTD_MSIL2A\.xml", "MTD_MSIL2A.xml"))
    baseline = _baseline(xml, parts["baseline"], about)
    packing = _packing(xml, baseline, spec, about)
    bands, told = _bands(xml, spec, about)
    images = [_image(files, parts["tile"], band.name, pixel, stack) for band, (_, pixel) in _pixels(spec, about)]
    times = [pixel // _PIXEL for _, (_, pixel) in _pixels(spec, about)]
    first = images[times.index(1)]
    classes = _image(files, parts["tile"], "SCL", 20, stack)
    for image, size in (*zip(images, times, strict=True), (classes, 2)):
        rasters.check_grid(first, image, size)
    tile = markup.read(files, files.one(r"MTD_TL\.xml", "MTD_TL.xml"))
    _check_place(tile, first)

    def numbers(chosen: Sequence[int], window: Window) -> np.ndarray:
        return np.stack([images[i].enlarged(window, times[i]) for i in chosen])

    def flags(window: Window) -> dict[str, np.ndarray]:
        found = classes.enlarged(window, 2)
        return {flag: found == number for flag, (number, _) in about["classes"].items()}

    transform = rasters.geotransform(first)
    start = xml.maybe(f"{_INFO}/PRODUCT_START_TIME") or _iso(parts["time"])
    cloud = tile.maybe(".//CLOUDY_PIXEL_PERCENTAGE")
    provenance = {"product": name, "level": "L2A", "baseline": baseline, "offset": packing.offset / packing.scale}
    return DownloadedProduct(
        kind=KIND, name=name, spec=spec, bands=bands, packings=(packing,) * len(bands), unit=spec.unit, crs=first.dataset.crs,
        geotransform=transform, shape=first.shape, outline=rasters.corners(first.dataset.crs, transform, first.shape),
        time=geotiff.moment(start, xml.where, "element PRODUCT_START_TIME"),
        flags={flag: words for flag, (_, words) in about["classes"].items()}, dropped=tuple(about["quality"]["dropped"]),
        provenance=provenance | ({"cloud_percent": cloud} if cloud else {}), notes=told, source=Pixels(numbers, flags),
        closing=stack,
    )  # fmt: skip


def _baseline(xml: markup.Markup, of_name: str | None, about: dict) -> str:
    """The processing baseline, such as 05.11, once it is known, and the one of the name, which some catalogues leave out."""
    text = xml.text(f"{_INFO}/PROCESSING_BASELINE")
    if of_name and text.replace(".", "") != of_name:
        raise ValueError(
            f"{xml.where}: PROCESSING_BASELINE is {text}, and the product's name says N{of_name}; these are of two products."
        )
    known = about["baselines"]
    if not re.fullmatch(r"\d\d\.\d\d", text) or int(text[:2]) not in known:
        raise ValueError(
            f"{xml.where}: expected a PROCESSING_BASELINE from {known[0]:02d}.00 to {known[-1]:02d}.99, got {text}; what its "
            "numbers mean is not known here."
        )
    return text


def _packing(xml: markup.Markup, baseline: str, spec: SensorSpec, about: dict) -> Packing:
    """How all bands are packed: reflectance is (number + BOA_ADD_OFFSET) / BOA_QUANTIFICATION_VALUE."""
    quantity = xml.number(f"{_IMAGE}/QUANTIFICATION_VALUES_LIST/BOA_QUANTIFICATION_VALUE")
    rows = xml.all(f"{_IMAGE}/BOA_ADD_OFFSET_VALUES_LIST/BOA_ADD_OFFSET")
    since = int(baseline[:2]) >= about["offset_since"]
    if bool(rows) != since:
        raise ValueError(
            f"{xml.where}: baseline {baseline} {'states' if since else 'has no'} BOA_ADD_OFFSET in every product, and this "
            f"metadata {'states none' if since else 'states one'}; whether 1000 is to be taken off is not known; fetch it anew."
        )
    of_band = {row.attribute("band_id"): markup.as_number(row.own, f"{xml.where}: BOA_ADD_OFFSET") for row in rows}
    wanted = [str(number) for number, _ in about["bands"].values()]
    if since and not set(wanted) <= set(of_band):
        missing = next(number for number in wanted if number not in of_band)
        raise ValueError(
            f"{xml.where}: expected a BOA_ADD_OFFSET for every band, and band_id {missing} has none; fetch it again."
        )
    offsets = {of_band[number] for number in wanted} if since else {0.0}
    if len(offsets) > 1:
        raise ValueError(
            f"{xml.where}: expected one BOA_ADD_OFFSET for all bands, got {', '.join(f'{x:g}' for x in sorted(offsets))}; a "
            "tool changed the metadata: fetch the product again."
        )
    special = {row.text("SPECIAL_VALUE_TEXT"): row.number("SPECIAL_VALUE_INDEX") for row in xml.all(f"{_IMAGE}/Special_Values")}
    for word, number in special.items():
        if word in about["special"] and number != about["special"][word]:
            raise ValueError(
                f"{xml.where}: expected the special value {word} to be {about['special'][word]}, got {number:g}; it could be "
                "data."
            )
    one = Packing(1.0 / quantity, offsets.pop() / quantity, tuple(map(float, about["special"].values())), stated=True)
    where = f"{xml.where}, BOA_QUANTIFICATION_VALUE"
    return agreement.packings([one], ["every band"], (spec.scale, one.offset), where, KIND)[0]


def _bands(xml: markup.Markup, spec: SensorSpec, about: dict) -> tuple[tuple[Band, ...], tuple[str, ...]]:
    """The bands of the metadata in the order of the spec, and what differs."""
    rows = {row.attribute("bandId"): row for row in xml.all(f"{_IMAGE}/Spectral_Information_List/Spectral_Information")}
    out = []
    for ours, (number, _) in _pixels(spec, about):
        row = rows.get(str(number))
        if row is None:
            raise ValueError(
                f"{xml.where}: expected a Spectral_Information for every band, and {ours.name} (bandId {number}) has none; "
                "fetch it again."
            )
        out.append(Band(ours.name, row.number("Wavelength/CENTRAL"), _width(row) or ours.fwhm_nm))
    where = f"{xml.where}, Spectral_Information"
    return tuple(out), (*agreement.named(out, spec, where), *agreement.widths(out, spec, where))


def _width(row: markup.Markup) -> float | None:
    """Full width at half maximum of the sampled response, nm; None where there is none, and the spec's has to do."""
    values = [float(x) for x in row.maybe("Spectral_Response/VALUES").split()]
    if not values:
        return None
    step, response = row.number("Spectral_Response/STEP"), np.array(values)
    above = np.flatnonzero(response >= response.max() / 2)
    ends = []
    for i, beside in ((above[0], above[0] - 1), (above[-1], above[-1] + 1)):
        if not 0 <= beside < len(response):
            ends.append(float(i))
            continue
        part = (response[i] - response.max() / 2) / (response[i] - response[beside])
        ends.append(i + part * (beside - i))
    return float((ends[1] - ends[0]) * step)


def _pixels(spec: SensorSpec, about: dict):
    return [(band, about["bands"][band.name]) for band in spec.bands]


def _image(files: Files, tile: str, band: str, pixel: int, stack: contextlib.ExitStack) -> Raster:
    pattern = rf"T{tile}_\d{{8}}T\d{{6}}_{band}_{pixel}m\.(jp2|tiff?)"
    return Raster(files, files.one(pattern, f"T{tile}_..._{band}_{pixel}m.jp2"), stack)


def _check_place(tile: markup.Markup, first: Raster) -> None:
    """Compares the grid of the tile's metadata with that of its 10 m images."""
    code = tile.text("Geometric_Info/Tile_Geocoding/HORIZONTAL_CS_CODE")
    for place in tile.all("Geometric_Info/Tile_Geocoding/Geoposition"):
        if place.attribute("resolution") != str(_PIXEL):
            continue
        said = (place.number("ULX"), place.number("ULY"), code)
        left, _, _, top, _, _ = rasters.geotransform(first)
        found = (left, top, f"EPSG:{first.dataset.crs.to_epsg()}")
        if said != found:
            raise ValueError(
                f"{tile.where}: Geoposition and HORIZONTAL_CS_CODE say {said}, and {PurePosixPath(first.path).name} lies at "
                f"{found}; these are files of two products."
            )


def _iso(stamp: str) -> str:
    return f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:11]}:{stamp[11:13]}:{stamp[13:]}"
