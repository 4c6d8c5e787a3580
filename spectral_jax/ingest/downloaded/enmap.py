"""EnMAP L2A as DLR delivers it: a cube by wavelength, its METADATA.XML, and quality rasters beside it."""

import contextlib
import re
from collections.abc import Sequence

import numpy as np

from spectral_jax.ingest.downloaded import agreement
from spectral_jax.ingest.downloaded.files import markup, rasters
from spectral_jax.ingest.downloaded.files.archive import Files
from spectral_jax.ingest.downloaded.files.rasters import Raster, Window
from spectral_jax.ingest.downloaded.product import DownloadedProduct, Pixels
from spectral_jax.ingest.facts import facts
from spectral_jax.ingest.packing import Packing
from spectral_jax.ingest.raster import geotiff
from spectral_jax.sensors import Band

KIND = "EnMAP L2A"
# A product, and its file types; DLR's catalogue links copies that end in _COG, and tests of older software .GEOTIFF.
NAME = re.compile(r"ENMAP01-_*(?P<level>L\w\w)-DT\d{10}_(?P<time>\d{8}T\d{6})Z_\d{3}_V\d{6}_\d{8}T\d{6}Z(?:-Y\d+_X\d+)?", re.I)
_ENDS = r"\.(TIFF?|GEOTIFF|BSQ|BIL|BIP)"
_CORNERS = ("upper_left", "upper_right", "lower_right", "lower_left")


def opened(files: Files, name: str, stack: contextlib.ExitStack, sensor: str | None = None) -> DownloadedProduct:
    """Opens a product.

    Args:
      files: its own, and perhaps others.
      name: of the product.
      stack: closes what is opened.
      sensor: the spec of a store; there is one only, and another is refused.

    Raises:
      FileNotFoundError: a file of the product is missing.
      ValueError: it is of another level, its files do not belong together, or they say something else than an L2A product does.
    """
    about = facts("enmap_l2a")
    spec = agreement.spec_of(about["sensor"], sensor, name, str(files.given))
    level = NAME.fullmatch(name)["level"].upper()  # type: ignore[index]
    agreement.expect_level(level, ("L2A",), KIND, name, str(files.given), "L2A product")
    xml = markup.read(files, files.one(rf"{re.escape(name)}-METADATA\.XML", f"{name}-METADATA.XML"))
    cube = _raster(files, name, "SPECTRAL_IMAGE", stack)
    rasters.check_metric(cube, KIND)
    layers = {}
    for kind in ("QL_QUALITY_CLASSES", *(kind for kind, _ in about["layers"].values())):
        layers[kind] = _raster(files, name, kind, stack)
        rasters.check_grid(cube, layers[kind])
    found, packed = _bands(xml, cube, layers["QL_QUALITY_CLASSES"], about)
    order = agreement.positions(found, spec, f"{xml.where}, bandCharacterisation")
    bands, packings = tuple(found[i] for i in order), tuple(packed[i] for i in order)
    place = tuple(i + 1 for i in order)

    def numbers(chosen: Sequence[int], window: Window) -> np.ndarray:
        return cube.read([place[i] for i in chosen], window)

    def flags(window: Window) -> dict[str, np.ndarray]:
        classes = layers["QL_QUALITY_CLASSES"].layer(window)
        of_classes = {flag: classes == number for flag, (number, _) in about["classes"].items()}
        return of_classes | {flag: layers[kind].layer(window) > 0 for flag, (kind, _) in about["layers"].items()}

    transform = rasters.geotransform(cube)
    meanings = {flag: words for flag, (_, words) in (about["classes"] | about["layers"]).items()}
    return DownloadedProduct(
        kind=KIND, name=name, spec=spec, bands=bands, packings=packings, unit=spec.unit, crs=cube.dataset.crs,
        geotransform=transform, shape=cube.shape, outline=_outline(xml, cube, transform),
        time=geotiff.moment(xml.text("base/temporalCoverage/startTime"), xml.where, "element startTime"), flags=meanings,
        dropped=tuple(about["quality"]["dropped"]), provenance=_provenance(xml, name),
        notes=agreement.widths(bands, spec, xml.where), source=Pixels(numbers, flags), closing=stack,
    )  # fmt: skip


def _raster(files: Files, name: str, kind: str, stack: contextlib.ExitStack) -> Raster:
    """The file of a type; where both copies are there, which hold the same, the plain one."""
    copies = [copy for copy in ("", "_COG") if files.like(f"{re.escape(name)}-{kind}{copy}{_ENDS}")]
    copy = copies[0] if copies else ""
    return Raster(files, files.one(f"{re.escape(name)}-{kind}{copy}{_ENDS}", f"{name}-{kind}.TIF"), stack)


def _bands(xml: markup.Markup, cube: Raster, classes: Raster, about: dict) -> tuple[list[Band], list[Packing]]:
    """The bands in the order of the cube, and how each is packed."""
    rows = xml.all("specific/bandCharacterisation/bandID")
    if len(rows) != cube.dataset.count:
        raise ValueError(
            f"{xml.where}: expected a bandID in bandCharacterisation for each of the {cube.dataset.count} bands of "
            f"{cube.path.name}, got {len(rows)}; these are files of two products."
        )
    detectors = _detectors(xml, len(rows))
    fill = _fill(cube, classes, about)
    bands, packed = [], []
    for number, row in enumerate(rows, 1):
        label = row.attribute("number") or str(number)
        bands.append(
            Band(f"B{label}", row.number("wavelengthCenterOfBand"), row.number("FWHMOfBand"), detectors.get(int(label), ""))
        )
        packed.append(Packing(row.number("GainOfBand"), row.number("OffsetOfBand"), (fill,), stated=True))
    names = [band.name for band in bands]
    where = f"{xml.where}, GainOfBand and OffsetOfBand"
    return bands, list(agreement.packings(packed, names, (about["scale"], about["offset"]), where, KIND))


def _detectors(xml: markup.Markup, count: int) -> dict[int, str]:
    """Number of a band, from 1, to its detector, for those that the metadata tells."""
    found: dict[int, str] = {}
    for detector in ("VNIR", "SWIR"):
        path = f"specific/{detector.lower()}ProductQuality/expectedChannelsList"
        for number in markup.as_integers(xml.maybe(path), f"{xml.where}: element {path}"):
            if number in found or not 1 <= number <= count:
                told = "stands in both lists" if number in found else f"is none of the {count} bands"
                raise ValueError(f"{xml.where}: channel {number} of {path} {told}; the metadata is damaged.")
            found[number] = detector
    return found


def _fill(cube: Raster, classes: Raster, about: dict) -> float:
    """The cube's no data. Where the file declares none, the pixels outside the swath tell whether it is the documented one."""
    fill, declared = float(about["fill"]), rasters.declared(cube)
    if set(declared) == {None}:
        everything = slice(0, cube.shape[0]), slice(0, cube.shape[1])
        outside = classes.layer(everything) == about["classes"]["background"][0]
        if outside.any() and (cube.layer(everything)[outside] == fill).all():
            return fill
    return agreement.fill(declared, fill, str(cube.path), KIND, ", nor do all pixels outside the swath hold it")


def _outline(xml: markup.Markup, cube: Raster, transform: tuple[float, ...]) -> np.ndarray:
    """Corners of the swath, which lies askew in the raster."""
    corners = {}
    for point in xml.all("base/spatialCoverage/boundingPolygon/point"):
        corners[point.text("frame")] = (point.number("longitude"), point.number("latitude"))
    if not set(_CORNERS) <= set(corners):
        return rasters.corners(cube.dataset.crs, transform, cube.shape)
    return np.array([corners[name] for name in _CORNERS])


def _provenance(xml: markup.Markup, name: str) -> dict[str, object]:
    # Land or water mode of the atmospheric correction stands below `processing`, under names that changed between versions.
    processing = {child.tag: child.own for node in xml.all("processing") for child in node.children() if child.own}
    covers = ("cloudCover", "cloudShadow", "hazeCover", "cirrusCover", "snowCover", "waterCover", "sunElevationAngle/center")
    said = {path: nodes[0].own for path in covers if (nodes := xml.all(f".//{path}"))}
    return {"product": name, "level": "L2A", "version": name.split("_V")[1][:6], "processing": processing, "scene": said}
