"""Landsat 8 and 9, Collection 2 Level 2, as USGS delivers it: surface reflectance, or surface temperature on request."""

import contextlib
import json
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
from spectral_jax.sensors import Band, SensorSpec

KIND = "Landsat Collection 2 Level 2"
NAME = re.compile(
    r"(?P<mission>L[A-Z]0\d)_(?P<level>L\w{3})_\d{6}_(?P<time>\d{8})_\d{8}_(?P<collection>\d\d)_(?:T1|T2|RT|A1|A2)", re.I
)
_TIF = r"\.TIFF?"


def opened(files: Files, name: str, stack: contextlib.ExitStack, sensor: str | None = None) -> DownloadedProduct:
    """Opens a product.

    Args:
      files: its own, and perhaps others.
      name: of the product.
      stack: closes what is opened.
      sensor: `landsat_st` for the surface temperature; else that of the satellite.

    Raises:
      FileNotFoundError: a file of the product is missing.
      ValueError: it is of another collection, level or satellite, has no surface temperature where that is asked for, or its
        files do not belong together.
    """
    about = facts("landsat_c2_l2")
    spec = _spec(files, name, sensor, about)
    thermal = spec.name == about["thermal"]
    mtl = _Mtl(files, name)
    mtl.check("PRODUCT_CONTENTS", "LANDSAT_PRODUCT_ID", name)
    kinds = [f"{'ST' if thermal else 'SR'}_{band.name}" for band in spec.bands]
    images = [Raster(files, files.one(rf"{name}_{kind}{_TIF}", f"{name}_{kind}.TIF"), stack) for kind in kinds]
    first = images[0]
    rasters.check_metric(first, KIND)
    quality, saturated = (
        Raster(files, files.one(rf"{name}_{kind}{_TIF}", f"{name}_{kind}.TIF"), stack) for kind in ("QA_PIXEL", "QA_RADSAT")
    )
    for other in (*images[1:], quality, saturated):
        rasters.check_grid(first, other)
    packings = _packings(mtl, images, quality, spec, about)

    def numbers(chosen: Sequence[int], window: Window) -> np.ndarray:
        return np.stack([images[i].layer(window) for i in chosen])

    def flags(window: Window) -> dict[str, np.ndarray]:
        found = quality.layer(window)
        return {flag: (found >> bit & 1).astype(bool) for flag, (bit, _) in about["bits"].items()}

    def trusted(chosen: Sequence[int], window: Window) -> np.ndarray:
        found = saturated.layer(window)
        return np.stack([found >> about["saturated"][spec.bands[i].name] & 1 == 0 for i in chosen])

    transform = rasters.geotransform(first)
    start = f"{mtl.text('IMAGE_ATTRIBUTES', 'DATE_ACQUIRED')}T{mtl.text('IMAGE_ATTRIBUTES', 'SCENE_CENTER_TIME')}"
    said = {key.lower(): mtl.maybe("IMAGE_ATTRIBUTES", key) for key in ("CLOUD_COVER", "CLOUD_COVER_LAND", "SUN_ELEVATION")}
    return DownloadedProduct(
        kind=f"{KIND}, {spec.quantity}", name=name, spec=spec,
        bands=tuple(Band(b.name, b.centre_nm, b.fwhm_nm) for b in spec.bands), packings=packings, unit=spec.unit,
        crs=first.dataset.crs, geotransform=transform, shape=first.shape,
        outline=rasters.corners(first.dataset.crs, transform, first.shape),
        time=geotiff.moment(start, mtl.where, "SCENE_CENTER_TIME"),
        flags={flag: words for flag, (_, words) in about["bits"].items()}, dropped=tuple(about["quality"]["dropped"]),
        provenance={"product": name, "level": name[5:9], "collection": 2, "scene": said},
        notes=(f"{mtl.where}: it names no wavelengths; those of {spec.name} stand for the bands' numbers.",),
        source=Pixels(numbers, flags, None if thermal else trusted), closing=stack,
    )  # fmt: skip


def _spec(files: Files, name: str, sensor: str | None, about: dict) -> SensorSpec:
    parts = NAME.fullmatch(name)
    assert parts is not None  # it was recognised by this expression
    level, mission = parts["level"].upper(), parts["mission"].upper()
    if parts["collection"] != "02":
        raise ValueError(
            f"{files.given}: expected {KIND}, and {name} is of Collection {int(parts['collection'])}; fetch it anew."
        )
    agreement.expect_level(level, ("L2SP", "L2SR"), KIND, name, str(files.given), "Level 2")
    if mission not in about["optical"]:
        raise ValueError(
            f"{files.given}: expected {' or '.join(about['optical'])}, and {name} is of {mission}, which has no spec."
        )
    if sensor == about["thermal"] and (level == "L2SR" or mission.startswith("LO")):
        raise ValueError(
            f"{files.given}: the surface temperature is asked for, and {name} ({level} of {mission}) has none; take a product "
            "L2SP of LC08 or LC09."
        )
    if sensor not in (None, about["thermal"], about["optical"][mission]):
        raise ValueError(f"{files.given}: {name} is of {about['optical'][mission]}, and {sensor} is asked for.")
    return SensorSpec.load(sensor or about["optical"][mission])


class _Mtl:
    """The metadata of a product, from its JSON, text or XML: sections of keys."""

    def __init__(self, files: Files, name: str):
        found = next((x for end in ("json", "txt", "xml") for x in files.like(rf"{name}_MTL\.{end}")), None)
        if found is None:
            raise FileNotFoundError(
                f"{files.given}: expected {name}_MTL.json, .txt or .xml, and there is none; fetch it beside."
            )
        self.where = f"{files.given}, {found.rpartition('/')[2]}"
        if found.lower().endswith("xml"):
            tree = markup.read(files, found)
            self._said = {section.tag: {key.tag: key.own for key in section.children()} for section in tree.children()}
            return
        text = files.bytes(found).decode("utf-8", "replace")
        if found.lower().endswith("txt"):
            self._said = _groups(text)
            return
        try:
            self._said = json.loads(text)["LANDSAT_METADATA_FILE"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{self.where}: expected JSON with LANDSAT_METADATA_FILE, got something else; fetch it again."
            ) from error

    def maybe(self, section: str, key: str) -> str:
        """A value; empty where it is missing."""
        return str(self._said.get(section, {}).get(key, ""))

    def text(self, section: str, key: str) -> str:
        """A value.

        Raises:
          ValueError: it is missing.
        """
        found = self.maybe(section, key)
        if not found:
            raise ValueError(f"{self.where}: expected {key} in {section}, and it is missing; fetch the metadata again.")
        return found

    def check(self, section: str, key: str, expected: str) -> None:
        """Refuses another value than the expected one.

        Raises:
          ValueError: it is another, or missing.
        """
        found = self.text(section, key)
        if found.upper() != expected.upper():
            raise ValueError(f"{self.where}: {key} is {found}, and the files are of {expected}; these are of two products.")


def _groups(text: str) -> dict[str, dict[str, str]]:
    """The sections of an MTL text: lines `KEY = VALUE` between `GROUP = NAME` and `END_GROUP`."""
    said: dict[str, dict[str, str]] = {}
    section = ""
    for line in text.splitlines():
        key, _, value = (part.strip() for part in line.partition("="))
        if key == "GROUP":
            section = value
        elif value and key != "END_GROUP":
            said.setdefault(section, {})[key] = value.strip('"')
    return said


def _packings(mtl: _Mtl, images: list[Raster], quality: Raster, spec: SensorSpec, about: dict) -> tuple[Packing, ...]:
    """Scale and offset of each band, which Level 1 has under the same keys in another section."""
    thermal = spec.name == about["thermal"]
    section = f"LEVEL2_SURFACE_{'TEMPERATURE' if thermal else 'REFLECTANCE'}_PARAMETERS"
    found = []
    for band, image in zip(spec.bands, images, strict=True):
        ends = ("TEMPERATURE", f"BAND_ST_{band.name}") if thermal else ("REFLECTANCE", f"BAND_{band.name[1:]}")
        keys = [f"{ends[0]}_{what}_{ends[1]}" for what in ("MULT", "ADD")]
        scale, offset = (markup.as_number(mtl.text(section, key), f"{mtl.where}: {section}/{key}") for key in keys)
        found.append(Packing(scale, offset, (_fill(image, quality, about),), stated=True))
    names = [band.name for band in spec.bands]
    return agreement.packings(found, names, (spec.scale, spec.offset), f"{mtl.where}, {section}", KIND)


def _fill(image: Raster, quality: Raster, about: dict) -> float:
    """A band's no data; where the file declares none, pixels that QA_PIXEL calls fill tell whether it is the documented one."""
    fill, declared = float(about["fill"]), rasters.declared(image)
    if declared == (None,):
        everything = slice(0, image.shape[0]), slice(0, image.shape[1])
        outside = quality.layer(everything) & 1 == 1
        if outside.any() and (image.layer(everything)[outside] == fill).all():
            return fill
    return agreement.fill(declared, fill, str(image.path), KIND, ", nor do all pixels that QA_PIXEL calls fill hold it")
