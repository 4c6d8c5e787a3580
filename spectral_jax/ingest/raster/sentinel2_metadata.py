"""What is written of a Sentinel-2 chip's +1000: by agencies (tags, XML), catalogues (STAC) and tools (GDAL's scale and offset).

Every statement is collected, so that two which contradict one another are seen. A product name in a tag or in the file's name
says the baseline too. Sources: ESA, Sentinel-2 L2A product metadata (BOA_ADD_OFFSET, PROCESSING_BASELINE, absent before 04.00)
and product names; STAC extensions sentinel-2 (`s2:processing_baseline`), raster (`raster:bands` offset and scale) and Earth
Search (`earthsearch:boa_offset_applied`); Google Earth Engine (`S2_SR_HARMONIZED` has the offset taken off).
"""

import dataclasses
import json
import re
import xml.etree.ElementTree
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spectral_jax.ingest.raster import numbers

OFFSET = 1000.0
# Products made before have no offset, whenever they were sensed (ESA: deployment of baseline 04.00).
DEPLOYED = np.datetime64("2022-01-25")
PRODUCT = re.compile(r"S2[ABC]_MSI(L1C|L2A)_(\d{8}T\d{6})_N(\d{4})_R\d{3}_T\w{5}_(\d{8}T\d{6})")
_OFFSETS = re.compile(r"^(BOA|RADIO)_ADD_OFFSET(_[A-Z0-9]+)*$")
_TAKEN = ("BOA_OFFSET_APPLIED", "HARMONIZED", "HARMONISED", "HARMONIZEVALUES", "HARMONIZE_VALUES")
_MADE = ("GENERATION_TIME", "PROCESSING_DATE", "PROCESSING_TIME", "PROCESSING_DATETIME")


@dataclasses.dataclass(frozen=True)
class Statement:
    """What somebody says of a chip: the number to subtract, and where that stands."""

    offset: float
    reason: str


class _Said(NamedTuple):
    """A statement, and what it is of: the "file" as it is, what a tool has "taken" off, or the "product" that it came from."""

    of: str
    what: Statement


def statements(dataset, path: Path) -> list[Statement]:
    """All that tags, names and files beside a chip say, the most direct first.

    Where a tool says that it took the offset off, what the product's metadata says of it is of the past and left out.

    Args:
      dataset: the open chip.
      path: of it; an XML or JSON of its name, MTD_MSIL2A.xml in its folder or above it in a SAFE, may lie there.

    Raises:
      ValueError: something is stated that cannot be understood, or the product is of level 1C.
    """
    tags = dict(dataset.tags())
    found = [*_from_tags(tags, f"{path}", "tag"), *_from_packing(dataset, path)]
    for beside in _xml_beside(path):
        found += _from_xml(beside, path)
    for beside in (path.with_suffix(".json"), path.with_name(f"{path.stem}_stac.json"), path.with_suffix(".stac.json")):
        if beside.is_file():
            found += _from_stac(beside)
    names = [path.stem, *(p.name for p in path.parents if p.suffix == ".SAFE"), *map(str, tags.values())]
    found += _from_names(names, path)
    taken = any(one.of == "taken" for one in found)
    return [one.what for one in found if not (taken and one.of == "product")]


def _from_tags(tags: Mapping[str, object], where: str, what: str) -> list[_Said]:
    """Statements of names and values, in whatever spelling: `s2:processing_baseline`, `PROCESSING_BASELINE`."""
    offsets: dict[str, float] = {}
    taken, baseline, made = [], [], []
    for tag, value in map(_rejoined, tags.items()):
        name, text = tag.rpartition(":")[2].upper().replace("-", "_").replace(" ", "_"), str(value).strip()
        label = f"{what} {tag}"
        if _OFFSETS.match(name):
            offsets[tag] = -_number(text, where, label)
        elif name in _TAKEN:
            # "No" alone does not say that there ever was one.
            if _yes(text, where, label):
                taken.append(_Said("taken", Statement(0.0, f"{label}, {text}")))
        elif name.endswith("PROCESSING_BASELINE") or name in ("PROCESSINGBASELINE", "BASELINE"):
            baseline.append(_Said("product", Statement(of_baseline(text, where, label), f"{label}, {text}")))
        elif name in _MADE:
            made += _from_processing(text, where, label)
        elif "S2_SR_HARMONIZED" in text.upper():
            taken.append(_Said("taken", Statement(0.0, f"{label}, {text}")))
    if len(set(offsets.values())) > 1:
        raise ValueError(
            f"{where}: expected one BOA_ADD_OFFSET for all bands, got {sorted(set(offsets.values()))}; subtract them band by "
            "band, and give the offset as 0."
        )
    first = [_Said("product", Statement(next(iter(offsets.values())), f"{what} {next(iter(offsets))}"))] if offsets else []
    return [*first, *taken, *baseline, *made]


def _rejoined(item: tuple[str, object]) -> tuple[str, object]:
    """A tag and its text, where GDAL took the first colon of `s2:processing_baseline=02.14` for the end of its name."""
    tag, value = item
    match = re.fullmatch(r"([\w:.-]+)=(.*)", value, re.DOTALL) if isinstance(value, str) else None
    return (f"{tag}:{match[1]}", match[2]) if match else item


def _from_packing(dataset, path: Path) -> list[_Said]:
    """The offset that the file's bands state themselves; a scale alone does not say that there is none."""
    offsets = {round(-one.offset / one.scale, 6) for one in numbers.packings(dataset, path)}
    if offsets == {0.0}:
        return []
    if len(offsets) > 1:
        raise ValueError(f"{path}: expected one scale and one offset for all bands, got {len(offsets)} offsets; rewrite them.")
    return [_Said("file", Statement(offsets.pop(), "scale and offset of the file's bands"))]


def _xml_beside(path: Path) -> Iterable[Path]:
    """Metadata of the chip's own name, of its folder, and of the SAFE that it lies in."""
    places = [path.with_suffix(".xml"), path.parent / "MTD_MSIL2A.xml"]
    places += [folder / "MTD_MSIL2A.xml" for folder in path.parents if folder.suffix == ".SAFE"]
    return [place for place in dict.fromkeys(places) if place.is_file()]


def _from_xml(beside: Path, path: Path) -> list[_Said]:
    try:
        nodes = list(xml.etree.ElementTree.parse(beside).iter())
    except xml.etree.ElementTree.ParseError as error:
        raise ValueError(f"{beside}: expected the metadata of a Sentinel-2 product, and it is no XML ({error}).") from error
    texts: dict[str, list[str]] = {}
    for node in nodes:
        texts.setdefault(node.tag.rpartition("}")[2], []).append((node.text or "").strip())
    if _of_another(texts.get("PRODUCT_URI", [""])[0], path):
        return []
    offsets = {_number(text, str(beside), "BOA_ADD_OFFSET") for text in texts.get("BOA_ADD_OFFSET", [])}
    if len(offsets) > 1:
        raise ValueError(
            f"{beside}: expected one BOA_ADD_OFFSET for all bands, got {sorted(offsets)}; give the option offset of "
            "--product=sentinel2."
        )
    out = [_Said("product", Statement(-offsets.pop(), f"BOA_ADD_OFFSET of {beside.name}"))] if offsets else []
    for text in texts.get("PROCESSING_BASELINE", [])[:1]:
        reason = f"processing baseline of {beside.name}, {text}"
        out.append(_Said("product", Statement(of_baseline(text, str(beside), "PROCESSING_BASELINE"), reason)))
    return out


def _of_another(product: str, path: Path) -> bool:
    """Whether metadata in a chip's folder is of another product than the chip's name says."""
    theirs, ours = PRODUCT.search(product), PRODUCT.search(path.stem)
    return bool(theirs and ours and theirs.group(0) != ours.group(0))


def _from_stac(beside: Path) -> list[_Said]:
    try:
        item = json.loads(beside.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{beside}: expected the STAC item of the chip beside it, and it is no JSON ({error}).") from error
    if not isinstance(item, dict):
        return []
    properties = item.get("properties")
    found = _from_tags(properties if isinstance(properties, dict) else item, str(beside), f"{beside.name},")
    assets = item.get("assets")
    stated = set()
    for asset in assets.values() if isinstance(assets, dict) else ():
        bands = (asset.get("raster:bands") or asset.get("bands") or [{}]) if isinstance(asset, dict) else [{}]
        for band in bands:
            offset = band.get("offset", band.get("raster:offset")) if isinstance(band, dict) else None
            scale = band.get("scale", band.get("raster:scale")) if isinstance(band, dict) else None
            # Layers of water vapour and classes have no offset, or one of their own scale.
            if offset is not None and scale and abs(float(scale) - 1e-4) < 1e-9:
                stated.add(round(-float(offset) / float(scale), 6))
    if len(stated) > 1:
        raise ValueError(f"{beside}: expected one offset in raster:bands of all reflectances, got {sorted(stated)}.")
    of_bands = [_Said("file", Statement(offset, f"raster:bands of {beside.name}")) for offset in stated]
    return [*of_bands, *found]


def _from_names(names: Iterable[str], path: Path) -> list[_Said]:
    out = []
    for name in names:
        product = PRODUCT.search(name)
        if product is None:
            continue
        level, _, baseline, made = product.groups()
        if level != "L2A":
            raise ValueError(
                f"{path}: expected Sentinel-2 L2A, and {product.group(0)} is of level {level}; take its L2A product."
            )
        reason = f"product {product.group(0)}"
        out.append(_Said("product", Statement(of_baseline(baseline, str(path), "product name"), reason)))
        out += _from_processing(f"{made[:4]}-{made[4:6]}-{made[6:8]}", str(path), f"product {product.group(0)}")
    return out


def _from_processing(text: str, where: str, label: str) -> list[_Said]:
    """A product made before the deployment has no offset; of a later one the day does not say which baseline made it."""
    day = re.match(r"\s*(\d{4})-?(\d\d)-?(\d\d)", text)
    try:
        made = np.datetime64("-".join(day.groups() if day else ()), "D")
    except ValueError as error:
        raise ValueError(f"{where}: expected a day such as 2021-07-24 in the {label}, got {text!r}; correct it.") from error
    before = _Said("product", Statement(0.0, f"{label}, made on {made}, before baseline 04.00"))
    return [before] if made < DEPLOYED else []


def of_baseline(text: str, where: str, label: str) -> float:
    """The offset of a processing baseline, written 05.10, N0510 or 5.1.

    Raises:
      ValueError: it is written otherwise.
    """
    found = re.fullmatch(r"[Nn]?(\d{1,2})(?:[._](\d{1,2})|(\d\d))?", text.strip())
    if found is None:
        raise ValueError(
            f"{where}: expected a processing baseline such as 05.10 in the {label}, got {text!r}; correct it, or give the "
            "option offset of --product=sentinel2."
        )
    return OFFSET if int(found[1]) >= 4 else 0.0


def _number(text: str, where: str, label: str) -> float:
    try:
        number = float(text)
    except ValueError as error:
        raise ValueError(f"{where}: expected a number such as -1000 in the {label}, got {text!r}; correct it.") from error
    if not -10 * OFFSET <= number <= 0:
        raise ValueError(f"{where}: expected 0 or a number such as -1000 in the {label}, got {text!r}; correct it.")
    return number


def _yes(text: str, where: str, label: str) -> bool:
    if text.lower() in ("true", "yes", "1"):
        return True
    if text.lower() in ("false", "no", "0", "none", ""):
        return False
    raise ValueError(f"{where}: expected true or false in the {label}, got {text!r}; correct it.")
