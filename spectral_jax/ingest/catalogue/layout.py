"""Which assets of an item make a product that a reader takes, and under which names they are laid out.

Files keep the names that their agency gave them where the catalogue does, and get them back where it does not: Earth Search
calls a band of Sentinel-2 `B04.tif` and its asset `red`. Nothing is fetched that the readers do not read.
"""

import re
import urllib.parse
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import NamedTuple

from spectral_jax.ingest.catalogue.item import Item
from spectral_jax.ingest.downloaded import recognise
from spectral_jax.ingest.facts import facts

# Band of Sentinel-2 -> its asset at Earth Search (Element 84, earth-search v1).
_EARTH_SEARCH = {
    "B01": "coastal", "B02": "blue", "B03": "green", "B04": "red", "B05": "rededge1", "B06": "rededge2", "B07": "rededge3",
    "B08": "nir", "B8A": "nir08", "B09": "nir09", "B11": "swir16", "B12": "swir22",
}  # fmt: skip
_RASTER = r"\.(?:tiff?|geotiff|jp2|bsq|bil|bip)"


class Part(NamedTuple):
    """A file of a product.

    Attributes:
      what: it is, for sentences.
      file: regular expression of its name.
      keys: of the asset, where its file has another name.
      target: the name it gets then, without its ending; empty: such a file is not taken.
      needed: whether there is no product without it.
    """

    what: str
    file: str
    keys: tuple[str, ...] = ()
    target: str = ""
    needed: bool = True


class Product(NamedTuple):
    """What an item is.

    Attributes:
      name: of the product, as its agency gave it.
      room: folder for the products of one sensor.
      same: what products of one scene have in common.
      newness: of those, the largest is the newest.
      parts: its files.
    """

    name: str
    room: str
    same: tuple[str, ...]
    newness: tuple[str, ...]
    parts: tuple[Part, ...]


def product(scene: Item) -> Product:
    """Which product an item is of, told by the names that it and its files have.

    Raises:
      ValueError: of none that has a reader, or of one whose numbers are not known; the sentence names the item.
    """
    said = scene.properties
    texts = [str(said.get("s2:product_uri", "")), str(said.get("landsat:product_id", "")), scene.name]
    texts += [part for link in scene.assets.values() for part in reversed(PurePosixPath(_path(link)).parts)]
    readers = [reader for reader in recognise.READERS if _kind(reader) in _PARTS]
    found = next(((r, match) for text in texts for r in readers if (match := r.NAME.match(text))), None)
    if found is None:
        kinds = ", ".join(reader.KIND for reader in readers)
        raise ValueError(
            f"item {scene.name} of {scene.collection or 'the catalogue'}: neither it nor its files have the name of a product "
            f"that is read here ({kinds}); take another --collection."
        )
    reader, match = found
    kind, name = _kind(reader), match[0]
    if kind == "sentinel2" and said.get("earthsearch:boa_offset_applied"):
        raise ValueError(
            f"item {scene.name}, property earthsearch:boa_offset_applied: 1000 is said to be taken off its numbers already, "
            "which is wrong for a part of that collection; take it from sentinel-2-c1-l2a, whose numbers are ESA's."
        )
    made = _PARTS[kind](name, match.groupdict())
    same, newness = _versions(kind, name, said, match.groupdict())
    mission = name[2].lower() if kind == "sentinel2" else name[3] if kind == "landsat" else ""
    return Product(name, f"{kind}{mission}", (kind, *same), newness, made)


def files(scene: Item, wanted: Product) -> dict[str, str]:
    """Asset key -> the name of its file in the product's folder.

    Raises:
      ValueError: a file that the product needs is no asset of the item; the sentence names both.
    """
    names = {key: PurePosixPath(_path(link)).name for key, link in scene.assets.items()}
    out: dict[str, str] = {}
    for part in wanted.parts:
        key = next((k for k, name in names.items() if re.fullmatch(part.file, name, re.IGNORECASE)), None)
        if key is not None:
            out[key] = names[key]
            continue
        key = next((k for k in part.keys if k in names), None) if part.target else None
        if key is not None:
            out[key] = f"{part.target}{PurePosixPath(names[key]).suffix.lower()}"
        elif part.needed:
            raise ValueError(
                f"item {scene.name} has no asset {part.what}, without which the product cannot be read; it has "
                f"{', '.join(sorted(names)[:12]) or 'none'}."
            )
    return out


def _kind(reader) -> str:
    return reader.__name__.rpartition(".")[2]


def _path(link: str) -> str:
    return urllib.parse.unquote(urllib.parse.urlsplit(link).path) if "://" in link else link


def _versions(kind: str, name: str, said: Mapping, parts: Mapping[str, str | None]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What products of one scene have in common, and what tells the newer: baseline or version, then when it was made."""
    stamp = name.rpartition("_")[2] if kind in ("sentinel2", "enmap") else ""
    changed = str(said.get("updated") or said.get("created") or "")
    if kind == "sentinel2":
        baseline = (parts["baseline"] or str(said.get("s2:processing_baseline", ""))).replace(".", "").zfill(4)
        return (name[:3], str(parts["time"]), str(parts["tile"])), (baseline, stamp, changed)
    if kind == "landsat":
        mission, level, place, acquired, made, _, tier = name.split("_")
        return (mission, level, place, acquired), (made, tier, changed)
    version = re.search(r"[-_]V(\d{4,6})", name)
    if kind in ("enmap", "desis") and version:
        return (name[: version.start()],), (version[1], stamp, changed)
    if kind == "emit":
        return (str(parts["scene"]),), (str(parts["version"]), changed)
    return (name,), (changed,)


def _enmap(name: str, _) -> tuple[Part, ...]:
    layers = ["QL_QUALITY_CLASSES", *(layer for layer, _ in facts("enmap_l2a")["layers"].values())]
    rasters = [Part(kind, rf"{re.escape(name)}-{kind}(?:_COG)?{_RASTER}") for kind in ("SPECTRAL_IMAGE", *layers)]
    return (*rasters, Part("METADATA", rf"{re.escape(name)}-METADATA\.XML"))


def _desis(name: str, _) -> tuple[Part, ...]:
    rasters = [Part(kind, rf"{re.escape(name)}-{kind}(?:_COG)?{_RASTER}") for kind in ("SPECTRAL_IMAGE", "QL_QUALITY-2")]
    return (*rasters, Part("METADATA", rf"{re.escape(name)}-METADATA\.XML"))


def _sentinel2(_, parts: Mapping[str, str]) -> tuple[Part, ...]:
    pixels = {band: pixel for band, (_, pixel) in facts("sentinel2_l2a")["bands"].items() if band in _EARTH_SEARCH} | {
        "SCL": 20
    }
    out = []
    for band, pixel in pixels.items():
        stem = f"T{parts['tile']}_{parts['time']}_{band}_{pixel}m"
        keys = (f"{band}_{pixel}m", band, _EARTH_SEARCH.get(band, band.lower()))
        out.append(Part(band, rf"T{parts['tile']}_\d{{8}}T\d{{6}}_{band}_{pixel}m{_RASTER}", keys, stem))
    for stem, key in (("MTD_MSIL2A", "product_metadata"), ("MTD_TL", "granule_metadata")):
        out.append(Part(key, rf"{stem}\.xml", (key, key.replace("_", "-")), stem))
    return tuple(out)


def _landsat(name: str, _) -> tuple[Part, ...]:
    start = re.escape(name)
    optical = [*(f"SR_B{i}" for i in range(1, 8)), "QA_PIXEL", "QA_RADSAT"]
    rasters = [Part(kind, rf"{start}_{kind}{_RASTER}") for kind in optical]
    return (*rasters, Part("ST_B10", rf"{start}_ST_B10{_RASTER}", needed=False), Part("MTL", rf"{start}_MTL\.(?:json|txt|xml)"))


def _sentinel1(name: str, _) -> tuple[Part, ...]:
    return tuple(Part(p, rf"(?:{re.escape(name)}_|iw-)?{p}(?:\.rtc)?\.tiff?") for p in ("vv", "vh"))


def _emit(name: str, parts: Mapping[str, str]) -> tuple[Part, ...]:
    return Part("reflectance", rf"{re.escape(name)}\.nc"), Part("mask", rf"EMIT_L2A_MASK_\d{{3}}_{parts['scene']}\.nc")


def _prisma(name: str, _) -> tuple[Part, ...]:
    return (Part("product", rf"{re.escape(name)}\.he5"),)


_PARTS = {
    "enmap": _enmap, "sentinel2": _sentinel2, "landsat": _landsat, "emit": _emit, "prisma": _prisma, "desis": _desis,
    "sentinel1": _sentinel1,
}  # fmt: skip
