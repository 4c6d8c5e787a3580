"""Does a Sentinel-2 L2A chip carry the +1000 of processing baseline 04.00? The most reported radiometric bug of the field.

Since baseline 04.00 (25 January 2022, and in older scenes that were processed again) reflectance is (DN - 1000) / 10000, before
it was DN / 10000, and the pixels of a chip do not say which (ESA, Sentinel-2 L2A product metadata BOA_ADD_OFFSET). In order of
trust: what the user gives; the file's metadata; the pixels, where they leave no doubt.
"""

import dataclasses
import json
import xml.etree.ElementTree
from pathlib import Path

import numpy as np

from spectral_jax.ingest.raster import geotiff

OPTION = "option offset of --product=sentinel2"
_IN_XML = ("BOA_ADD_OFFSET", "PROCESSING_BASELINE")
PERCENTILE = 1.0
SAMPLE = 1098  # rows and columns looked at; a whole granule has 10980
OFFSET = 1000.0
# With the offset a 1st percentile below this would mean a reflectance below -0.03 in a hundredth of the chip.
DARK = 700.0
# Without the offset the darkest band's 1st percentile is above 1000 only over bright ground; with it, above this, the darkest
# band would reflect more than 0.05 everywhere. Both leave doubt, so pixels prove the offset only between 1000 and this.
BRIGHT = 1500.0


@dataclasses.dataclass(frozen=True)
class Decision:
    """The number to subtract from a chip, and why."""

    offset: float
    reason: str


def given(option: str | None) -> float | dict[str, float] | None:
    """Reads the option `offset`: a number, or a JSON file with chip names and numbers.

    Raises:
      FileNotFoundError, ValueError: it is neither.
    """
    if option is None or option == "":
        return None
    try:
        return float(option)
    except ValueError:
        pass
    path = Path(option)
    if not path.is_file():
        raise FileNotFoundError(f"{OPTION}: expected a number or a JSON file, and {option!r} is neither.")
    try:
        table = json.loads(path.read_text())
        return {str(name): float(number) for name, number in table.items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise ValueError(
            f'{OPTION}: expected {path} to hold chip names and numbers, such as {{"chip_1": 1000}}; got something '
            f"else ({error})."
        ) from error


def decide(dataset, path: Path, flag: float | dict[str, float] | None) -> Decision:
    """What to subtract from the numbers of one chip.

    Args:
      dataset: the open chip; its pixels are read unless the user gave a number.
      path: the chip; an XML with its name, or MTD_MSIL2A.xml, may lie beside it.
      flag: what `given` returned.

    Raises:
      ValueError: the chip is not in the table; metadata and pixels contradict each other; or there is no metadata and the
        pixels leave doubt.
    """
    if isinstance(flag, dict):
        if path.stem not in flag:
            some = ", ".join(sorted(flag)[:5])
            raise ValueError(f"{OPTION}: the table has no entry for {path.stem}; it has {some}. Add it (0 or 1000).")
        return Decision(flag[path.stem], "given with the option offset")
    if flag is not None:
        return Decision(flag, "given with the option offset")
    lowest = _low_percentiles(dataset, path)
    stated = _from_tags(dataset) or _from_xml(path)
    if stated is not None:
        if stated.offset >= OFFSET and lowest.size and lowest.min() < DARK:
            raise ValueError(
                f"{path}: its metadata names an offset of {stated.offset:g} ({stated.reason}), but {_evidence(lowest)}, which "
                f"an offset cannot leave; it was probably removed already. Give the {OPTION}: 0, or a JSON file of chips."
            )
        return stated
    return _from_pixels(lowest, path)


def _from_pixels(lowest: np.ndarray, path: Path) -> Decision:
    if lowest.size and lowest.min() < DARK:
        return Decision(0.0, f"from the pixels: {_evidence(lowest)}, which an offset cannot leave")
    if lowest.size and OFFSET <= lowest.min() <= BRIGHT:
        return Decision(OFFSET, f"from the pixels: {_evidence(lowest)}, which fits dark ground with the offset")
    evidence = _evidence(lowest) if lowest.size else "every pixel is missing"
    raise ValueError(
        f"{path}: does it carry the +1000 of processing baseline 04.00? Its metadata does not say, and its pixels leave doubt "
        f"({evidence}). Give the {OPTION}: 0 or 1000, or a JSON file that maps chip names to numbers."
    )


def _evidence(lowest: np.ndarray) -> str:
    return f"the lowest 1st percentile of a band is {lowest.min():g} (band {int(lowest.argmin()) + 1})"


def _low_percentiles(dataset, path: Path) -> np.ndarray:
    """The 1st percentile of every band over the pixels that hold data (0 is the product's missing value) [C]."""
    bands = tuple(range(1, dataset.count + 1))
    pixels = geotiff.read(dataset, path, bands, most=SAMPLE).astype(np.float64).reshape(dataset.count, -1)
    missing = ~np.isfinite(pixels) | (pixels == 0)
    if dataset.nodata is not None:
        missing |= pixels == dataset.nodata
    good = [band[~gap] for band, gap in zip(pixels, missing, strict=True) if not gap.all()]
    return np.array([np.percentile(band, PERCENTILE) for band in good])


def _from_tags(dataset) -> Decision | None:
    tags = {k.upper(): v for k, v in dataset.tags().items()}
    if "BOA_ADD_OFFSET" in tags:
        return Decision(-float(tags["BOA_ADD_OFFSET"]), "tag BOA_ADD_OFFSET")
    if any(dataset.offsets):
        offsets = {round(-offset / scale, 6) for offset, scale in zip(dataset.offsets, dataset.scales, strict=True)}
        if len(offsets) == 1:
            return Decision(offsets.pop(), "scale and offset of the file's bands")
    if "PROCESSING_BASELINE" in tags:
        return _from_baseline(tags["PROCESSING_BASELINE"], "tag PROCESSING_BASELINE")
    return None


def _from_xml(path: Path) -> Decision | None:
    for beside in (path.with_suffix(".xml"), path.parent / "MTD_MSIL2A.xml"):
        if not beside.is_file():
            continue
        try:
            nodes = list(xml.etree.ElementTree.parse(beside).iter())
        except xml.etree.ElementTree.ParseError as error:
            raise ValueError(f"{beside}: expected the metadata of a Sentinel-2 product, and it is no XML ({error}).") from error
        texts = {name: [n.text or "" for n in nodes if n.tag.rpartition("}")[2] == name] for name in _IN_XML}
        offsets = {float(text) for text in texts["BOA_ADD_OFFSET"]}
        if len(offsets) > 1:
            raise ValueError(f"{beside}: expected one BOA_ADD_OFFSET for all bands, got {sorted(offsets)}; give the {OPTION}.")
        if offsets:
            return Decision(-offsets.pop(), f"BOA_ADD_OFFSET of {beside.name}")
        if texts["PROCESSING_BASELINE"]:
            return _from_baseline(texts["PROCESSING_BASELINE"][0], f"processing baseline of {beside.name}")
    return None


def _from_baseline(text: str, where: str) -> Decision:
    return Decision(OFFSET if float(text.upper().lstrip("N")) >= 4.0 else 0.0, f"{where}, {text}")
