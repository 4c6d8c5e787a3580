"""What a product is, and what all products have in common: a file looked at, and its numbers as they are stored."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spectral_jax.ingest.raster import bands, geotiff
from spectral_jax.ingest.raster.sentinel2_offset import Decision
from spectral_jax.sensors import SensorSpec


class Option(NamedTuple):
    """What a user may say about a folder of a product.

    Attributes:
      what: it means, for the help.
      default: where it is not given.
      values: all there are; empty: any text, which the product reads itself.
    """

    what: str
    default: str | None = None
    values: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Product:
    """The files of one folder: which sensor they are of, and how they are read.

    Attributes:
      key: sensor key in the store.
      spec: what is stored.
      by_wavelength: bands are found by the files' wavelengths; else by their names, or their order where files name none.
      scale: from a file's number to `spec.unit`, where the file gives no scale.
      missing: a number that means "no data" in the product even where a file does not say so.
      told: a line about what was found out of the folder or its options; empty: nothing.
      subtracted: (open file, its path, what an earlier run decided or None) to what is subtracted from the file's numbers, and
        why; it raises ValueError for a file that does not fit. None: nothing is ever subtracted.
    """

    key: str
    spec: SensorSpec
    by_wavelength: bool
    scale: float
    missing: float | None = None
    told: str = ""
    subtracted: Callable[[object, Path, Decision | None], Decision] | None = None


class Reader(NamedTuple):
    """A row of the table of products.

    Attributes:
      what: the files that a folder holds, for the help.
      product: (folder, option -> value) to the product of a folder.
      options: name -> what a user may say.
    """

    what: str
    product: Callable[[Path, Mapping[str, str | None]], Product]
    options: Mapping[str, Option] = {}


@dataclasses.dataclass(frozen=True)
class Chip:
    """One file that was looked at: where it lies, when it was seen, and how its numbers become stored ones.

    Attributes:
      product: what it is.
      path: the file.
      grid: its pixels on the ground.
      time_days: days since 2000-01-01 UTC; None where the file does not tell.
      band_index: the file's band, from 1, for every band of the spec.
      scale: number * scale + offset is in the unit of the spec.
      offset: see `scale`.
      missing: numbers that mean "no data".
      matched: how the bands were found.
      off_nm: largest distance between a band's centre in the file and in the spec; 0 where the file names no wavelengths.
      decision: what is subtracted from the file's numbers, and why; None where the product subtracts nothing.
    """

    product: Product
    path: Path
    grid: geotiff.Grid
    time_days: float | None
    band_index: tuple[int, ...]
    scale: float
    offset: float
    missing: tuple[float, ...]
    matched: str
    off_nm: float
    decision: Decision | None

    @property
    def name(self) -> str:
        """The file's name without ending, by which chips of several sensors are paired."""
        return self.path.stem


def look(product: Product, path: Path, before: Decision | None = None) -> Chip:
    """Opens one file and checks everything but its pixels.

    Args:
      product: what the file should be.
      path: the file.
      before: what an earlier run decided to subtract from it, so that it is not sought again.

    Raises:
      ValueError: the file does not fit the product; the sentence names the file.
    """
    spec = product.spec
    with geotiff.opened(path) as dataset:
        grid = geotiff.grid(dataset, path, spec.gsd_m)
        if dataset.count != len(spec.bands):
            raise ValueError(
                f"{path}: expected the {len(spec.bands)} bands of {spec.name}, got {dataset.count}. Is this file of another "
                "sensor or level?"
            )
        index, matched, off_nm = _band_index(dataset, path, product)
        scale, offset = _scaling(dataset, path, product)
        decision = None
        if product.subtracted:
            decision = product.subtracted(dataset, path, before)
            offset = -decision.offset * scale
        missing = {float(x) for x in (dataset.nodata, product.missing) if x is not None and np.isfinite(x)}
        time = geotiff.time_days(dataset, path)
    return Chip(product, path, grid, time, index, scale, offset, tuple(sorted(missing)), matched, off_nm, decision)


def stored(chip: Chip, window: tuple[int, int, int]) -> np.ndarray:
    """A square of a chip in the store's numbers, [C H W] of the spec's type, nodata where missing.

    Args:
      chip: the file.
      window: first row, first column and side, pixels.

    Raises:
      ValueError: the file is damaged, or its radar numbers are not in dB.
    """
    spec = chip.product.spec
    with geotiff.opened(chip.path) as dataset:
        raw = geotiff.read(dataset, chip.path, chip.band_index, window).astype(np.float64)
    gap = ~np.isfinite(raw)
    for number in chip.missing:
        gap |= raw == number
    if spec.unit == "dB" and not gap.all() and raw[~gap].min() >= 0.0:
        raise ValueError(
            f"{chip.path}: expected backscatter in dB, mostly negative, and every number is at least 0 (lowest "
            f"{raw[~gap].min():g}); this is linear power: convert it with 10 * log10."
        )
    # One factor and one shift, so that a product packed as the store is copied without rounding.
    factor, shift = chip.scale / spec.scale, (chip.offset - spec.offset) / spec.scale
    numbers = np.rint(np.where(gap, 0.0, raw) * factor + shift)
    limits = np.iinfo(spec.dtype)
    low = limits.min + (spec.nodata == limits.min)
    high = limits.max - (spec.nodata == limits.max)
    numbers = np.clip(numbers, low, high)
    return np.where(gap, 0.0 if spec.nodata is None else spec.nodata, numbers).astype(spec.dtype)


def _band_index(dataset, path: Path, product: Product) -> tuple[tuple[int, ...], str, float]:
    spec = product.spec
    if product.by_wavelength:
        centre_width = bands.wavelengths(dataset, path)
        if centre_width is None:
            raise ValueError(
                f"{path}: expected a tag 'wavelength' in every band (nm), and no band has one; {spec.name} is matched by "
                "wavelength, never by position. Export it again with its wavelengths."
            )
        index, off_nm = bands.by_wavelength(*centre_width, spec, path)
        return index, "by wavelength", off_nm
    named = bands.by_name(dataset.descriptions, spec, path)
    if named is None:
        order = ", ".join(b.name for b in spec.bands)
        return tuple(range(1, dataset.count + 1)), f"by position, as the files name none: {order}", 0.0
    return named, "by name", 0.0


def _scaling(dataset, path: Path, product: Product) -> tuple[float, float]:
    scales, offsets = set(dataset.scales), set(dataset.offsets)
    if len(scales) > 1 or len(offsets) > 1:
        raise ValueError(
            f"{path}: expected one scale and one offset for all bands, got {len(scales)} and {len(offsets)}; rewrite them."
        )
    scale, offset = scales.pop(), offsets.pop()
    if scale == 1.0 and offset == 0.0:
        if np.dtype(dataset.dtypes[0]).kind == "f" and product.scale != 1.0:
            _refuse_fractions(dataset, path, product)
        return product.scale, 0.0
    return scale, offset


def _refuse_fractions(dataset, path: Path, product: Product):
    """Floats without a scale should be the product's numbers (reflectance * 1e4); fractions would be stored as zeros."""
    pixels = geotiff.read(dataset, path, (dataset.count // 2 + 1,), most=256).astype(np.float64)
    pixels = pixels[np.isfinite(pixels) & (pixels != (dataset.nodata if dataset.nodata is not None else np.nan))]
    if pixels.size and np.abs(pixels).max() <= 2.0 and pixels.any():
        raise ValueError(
            f"{path}: expected {product.spec.quantity} * {1 / product.scale:g}, and band {dataset.count // 2 + 1} holds "
            f"fractions up to {np.abs(pixels).max():g}; multiply the numbers by {1 / product.scale:g}."
        )
