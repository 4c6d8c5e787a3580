"""DESIS L2A as DLR delivers it: a cube, its METADATA.xml, and quality rasters beside it."""

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

KIND = "DESIS L2A"
NAME = re.compile(r"DESIS-HSI-(?P<level>L\w\w)-DT\d+_\d+-\d{8}T\d{6}-V\d{4}")
_ENDS = r"(_COG)?\.TIFF?"


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
    about, parts = facts("desis_l2a"), NAME.fullmatch(name)
    assert parts is not None  # it was recognised by this expression
    agreement.expect_level(parts["level"], ("L2A",), KIND, name, str(files.given), "L2A product")
    spec = agreement.spec_of(about["sensor"], sensor, name, str(files.given))
    xml = markup.read(files, files.one(rf"{name}-METADATA\.XML", f"{name}-METADATA.xml"))
    cube = Raster(files, files.one(rf"{name}-SPECTRAL_IMAGE{_ENDS}", f"{name}-SPECTRAL_IMAGE.tif"), stack)
    quality = Raster(files, files.one(rf"{name}-QL_QUALITY-2{_ENDS}", f"{name}-QL_QUALITY-2.tif"), stack)
    rasters.check_metric(cube, KIND)
    rasters.check_grid(cube, quality)
    if quality.dataset.count != about["quality"]["bands"]:
        raise ValueError(
            f"{quality.path}: expected {about['quality']['bands']} bands, got {quality.dataset.count}; which of them says "
            "cloud is not known."
        )
    found, packed = _bands(xml, cube, about)
    order = agreement.positions(found, spec, f"{xml.where}, bandCharacterisation")
    bands, packings = tuple(found[i] for i in order), tuple(packed[i] for i in order)

    def numbers(chosen: Sequence[int], window: Window) -> np.ndarray:
        return cube.read([order[i] + 1 for i in chosen], window)

    # A band in the middle of the spectrum tells what lies outside the swath.
    middle = order[len(order) // 2] + 1

    def flags(window: Window) -> dict[str, np.ndarray]:
        layers = quality.read([band for band, _ in about["layers"].values()], window)
        outside = cube.layer(window, middle) == packings[0].missing[0]
        return {"outside": outside} | {flag: layer > 0 for flag, layer in zip(about["layers"], layers, strict=True)}

    transform = rasters.geotransform(cube)
    covers = ("percentageClouds", "percentageCloudShadow", "sunZenithAngle")
    said = {key: text for key in covers if (text := _first(xml, key))}
    return DownloadedProduct(
        kind=KIND, name=name, spec=spec, bands=bands, packings=packings, unit=spec.unit, crs=cube.dataset.crs,
        geotransform=transform, shape=cube.shape, outline=rasters.corners(cube.dataset.crs, transform, cube.shape),
        time=geotiff.moment(_needed(xml, "startTime"), xml.where, "element startTime"),
        flags={"outside": "outside the swath"} | {flag: words for flag, (_, words) in about["layers"].items()},
        dropped=tuple(about["quality"]["dropped"]), provenance={"product": name, "level": "L2A", "scene": said},
        notes=agreement.widths(bands, spec, xml.where), source=Pixels(numbers, flags), closing=stack,
    )  # fmt: skip


def _bands(xml: markup.Markup, cube: Raster, about: dict) -> tuple[list[Band], list[Packing]]:
    """The bands in the order of the cube; `band` stands below another element too, which is not meant."""
    rows = xml.all(".//bandCharacterisation/band")
    if len(rows) != cube.dataset.count:
        raise ValueError(
            f"{xml.where}: expected a band in bandCharacterisation for each of the {cube.dataset.count} bands of "
            f"{cube.path.name}, got {len(rows)}; these are files of two products."
        )
    background = markup.as_number(_needed(xml, "backgroundValue"), f"{xml.where}: element backgroundValue")
    if background != about["fill"]:
        raise ValueError(f"{xml.where}: expected {about['fill']} in backgroundValue, got {background:g}, which data can have.")
    declared = [x for x in rasters.declared(cube) if x is not None] or [background]  # the metadata tells it for the file
    fill = agreement.fill(declared, background, str(cube.path), KIND)
    bands, packed = [], []
    for number, row in enumerate(rows, 1):
        label = row.maybe("bandNumber") or str(number)
        bands.append(Band(f"B{label}", row.number("wavelengthCenterOfBand"), row.number("wavelengthWidthOfBand")))
        packed.append(Packing(row.number("gainOfBand"), row.number("offsetOfBand"), (fill,), stated=True))
    where = f"{xml.where}, gainOfBand and offsetOfBand"
    return bands, list(agreement.packings(packed, [b.name for b in bands], (about["scale"], about["offset"]), where, KIND))


def _first(xml: markup.Markup, tag: str) -> str:
    """The text of the first element of a name, wherever it stands; empty where there is none."""
    return next((node.own for node in xml.all(f".//{tag}") if node.own), "")


def _needed(xml: markup.Markup, tag: str) -> str:
    found = _first(xml, tag)
    if not found:
        raise ValueError(f"{xml.where}: expected the element {tag}, and it is missing or empty; fetch the product again.")
    return found
