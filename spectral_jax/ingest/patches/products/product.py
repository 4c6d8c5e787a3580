"""What a product is, and what all products have in common: a file looked at, and its numbers as they are stored."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spectral_jax import plausible
from spectral_jax.ingest import units
from spectral_jax.ingest.packing import Packing
from spectral_jax.ingest.patches.products.deliveries import Deliveries
from spectral_jax.ingest.patches.products.kept import Kept
from spectral_jax.ingest.raster import bands, geotiff, numbers
from spectral_jax.ingest.raster.sentinel2_offset import Decision
from spectral_jax.sensors import SensorSpec

# Share of a patch's numbers that may be clipped to the range of the store's type: glints and dead detectors, no unit.
MOST_CLIPPED = 0.01
# Pixels that are looked at before a file is taken, where its numbers are not plainly those of the product.
LOOKED_AT_PX, LOOKED_AT_BANDS = 64, 12
# Of the numbers of a patch so many are judged, of so many bands.
JUDGED, JUDGED_BANDS = 1 << 12, 24


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
      missing: numbers that mean "no data" in the product even where a file does not say so; the spec's nodata always does.
      blank: a number that means "no data" where all bands of a pixel hold it, such as the 0 of a border; None: none does.
      told: a line about what was found out of the folder or its options; empty: nothing.
      checked: (open file, its path): raises ValueError for a file of another kind than the product's. None: all will do.
      subtracted: (open file, its path, what an earlier run decided or None) to what is subtracted from the file's numbers, and
        why; None: nothing is ever subtracted.
      deliveries: opens products as agencies deliver them, which tell all of this themselves; None: the files are GeoTIFFs.
      kept: the GeoTIFF that is open.

    It travels to other processes, so `checked` and `subtracted` are functions of a module, or `functools.partial` of such.
    """

    key: str
    spec: SensorSpec
    by_wavelength: bool
    scale: float
    missing: tuple[float, ...] = ()
    blank: float | None = None
    told: str = ""
    checked: Callable[[Any, Path], None] | None = None
    subtracted: Callable[[Any, Path, Decision | None], Decision] | None = None
    deliveries: Deliveries | None = None
    kept: Kept = dataclasses.field(default_factory=Kept, repr=False, compare=False)

    def close(self) -> None:
        """Closes what stays open between patches."""
        self.kept.close()
        if self.deliveries is not None:
            self.deliveries.close()


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
      missing: numbers that mean "no data" beside those that the file declares.
      packed: what the file says of the numbers of each band.
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
    packed: tuple[Packing, ...]
    matched: str
    off_nm: float
    decision: Decision | None

    @property
    def name(self) -> str:
        """The file's name without ending, by which chips of several sensors are paired."""
        return self.path.stem


class Stored(NamedTuple):
    """A square of a chip in the store's numbers.

    Attributes:
      pixels: [C H W] of the spec's type, nodata where missing.
      clipped: how many numbers lay outside the range of the type and were moved to its ends.
    """

    pixels: np.ndarray
    clipped: int


def look(product: Product, path: Path, before: Decision | None = None) -> Chip:
    """Opens one file and checks everything but its pixels; of those some, where they are floats or packed in their own way.

    Args:
      product: what the file should be.
      path: the file.
      before: what an earlier run decided to subtract from it, so that it is not sought again.

    Raises:
      ValueError: the file does not fit the product; the sentence names the file.
    """
    if product.deliveries is not None:
        return _look_at_delivery(product, path, product.deliveries)
    spec = product.spec
    with geotiff.opened(path) as dataset:
        grid = geotiff.grid(dataset, path, spec.gsd_m)
        found = bands.find(dataset, spec, path, by_position=not product.by_wavelength)
        if product.by_wavelength and not found.how.startswith("by wavelength"):
            raise ValueError(
                f"{path}: expected a tag 'wavelength' in every band (nm), and no band has one; {spec.name} is matched by "
                "wavelength, never by position. Export it again with its wavelengths."
            )
        if product.checked:
            product.checked(dataset, path)
        packed = numbers.packings(dataset, path, found.index)
        for band, unit in zip(dataset.indexes, dataset.units, strict=True):
            if unit and band in found.index:
                units.expect(unit, spec.unit, f"{path}: band {band}")
        scale, offset = _scaling(packed, path, product)
        decision = None
        if product.subtracted:
            decision = product.subtracted(dataset, path, before)
            offset = -decision.offset * scale
        time = geotiff.time_days(dataset, path)
        missing = tuple(x for x in (*product.missing, spec.nodata) if x is not None)
        chip = Chip(product, path, grid, time, found.index, scale, offset, missing, packed, found.how, found.off_nm, decision)
        if any(p.stated for p in packed) or np.dtype(dataset.dtypes[0]).kind == "f" or product.scale == 1.0:
            _refuse_implausible(dataset, chip)
    return chip


def _look_at_delivery(product: Product, path: Path, deliveries: Deliveries) -> Chip:
    """As `look`, of a product whose own metadata tells its bands and numbers."""
    found, spec = deliveries.of(path), product.spec
    if found.spec != spec:
        raise ValueError(
            f"{path}: expected a product of {spec.name}, as the first of its folder, got one of {found.spec.name}."
        )
    left, across, _, top, _, down = found.geotransform
    if not found.crs.is_projected or across != spec.gsd_m or down != -spec.gsd_m:
        raise ValueError(
            f"{path}: expected pixels of {spec.gsd_m:g} m, and those of {found.name} are {across:g} x {-down:g} "
            f"{'m' if found.crs.is_projected else 'degrees'}; a store takes products on their own grid: warp it first."
        )
    height, width = found.shape
    off = [abs(a.centre_nm - b.centre_nm) for a, b in zip(found.bands, spec.bands, strict=True) if a.centre_nm and b.centre_nm]
    one = found.packings[0]
    days = geotiff.days_of(found.time)
    return Chip(
        product, path, geotiff.Grid(found.crs, left, top, across, width, height), days, tuple(range(1, len(spec.bands) + 1)),
        one.scale, one.offset, one.missing, found.packings, "by the product's metadata", max(off, default=0.0), None,
    )  # fmt: skip


def stored(chip: Chip, window: tuple[int, int, int]) -> Stored:
    """A square of a chip in the store's numbers.

    Args:
      chip: the file.
      window: first row, first column and side, pixels.

    Raises:
      ValueError: the file is damaged, or its numbers cannot be the product's: of another unit, scaled twice or not at all,
        filled up with a number that nothing declares, or clipped by more than `MOST_CLIPPED`.
    """
    if chip.product.deliveries is not None:
        return Stored(*chip.product.deliveries.stored(chip.path, window))
    return stored_of(chip.product.kept.of(chip.path), chip, window)


def stored_of(dataset, chip: Chip, window: tuple[int, int, int]) -> Stored:
    """As `stored`, of a chip that is open already."""
    spec = chip.product.spec
    raw, good = _read(dataset, chip, chip.band_index, chip.packed, window)
    # One factor and one shift, so that a product packed as the store is copied without rounding.
    factor, shift = chip.scale / spec.scale, (chip.offset - spec.offset) / spec.scale
    if raw.dtype.kind in "iu" and factor == 1.0 and shift.is_integer():
        exact = whole = raw.astype(np.int32 if raw.itemsize < 4 else np.int64) + int(shift)
    else:
        exact = np.where(good, raw, 0.0) * factor + shift
        whole = np.rint(exact)
    where = f"{chip.path}, rows {window[0]} to {window[0] + window[2]}, columns {window[1]} to {window[1] + window[2]}"
    _judge(exact, good, chip, where)
    if np.dtype(spec.dtype).kind == "f":
        return Stored(np.where(good, exact, np.nan).astype(spec.dtype), 0)
    limits = np.iinfo(spec.dtype)
    inside = np.clip(whole, limits.min + (spec.nodata == limits.min), limits.max - (spec.nodata == limits.max))
    clipped = int(np.count_nonzero((inside != whole) & good))
    if clipped > MOST_CLIPPED * raw.size:
        raise ValueError(
            f"{where}: {clipped / raw.size:.1%} of the numbers do not fit into {spec.dtype} (scale {spec.scale:g}), and at "
            f"most {MOST_CLIPPED:.0%} are clipped; is this {spec.quantity} in another unit?"
        )
    pixels = inside.astype(spec.dtype)
    pixels[~good] = 0 if spec.nodata is None else int(spec.nodata)
    return Stored(pixels, clipped)


def _read(dataset, chip: Chip, band_index, packed, window) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of a window as the file holds them [C H W], floats with 64 bits, and where they are data."""
    raw, good = numbers.read(dataset, chip.path, packed, band_index, window, chip.missing)
    if chip.product.blank is not None:
        good = good & (raw != chip.product.blank).any(axis=0)
    return raw.astype(np.float64) if raw.dtype.kind == "f" else raw, good


def _judge(exact: np.ndarray, good: np.ndarray, chip: Chip, where: str) -> None:
    """Judges numbers in steps of the store [C H W]; those of bands that no model sees may be anything."""
    spec, product = chip.product.spec, chip.product
    chosen = list(spec.used_index[:: max(1, len(spec.used_index) // JUDGED_BANDS)])
    step = max(1, len(chosen) * exact[0].size // JUDGED)
    some, there = (x.reshape(len(x), -1)[:, ::step][chosen] for x in (exact, good))
    values = some * spec.scale + spec.offset
    advice = f"convert them to {spec.quantity}" + (f" in {spec.unit}" if spec.unit != "1" else "")
    if product.scale != 1.0:
        advice = f"give {spec.quantity} * {1 / product.scale:g}, or a scale and offset in the file that tell its numbers"
    # Decibels are not packed in files.
    one = product.scale if product.scale != 1.0 else 0.0
    plausible.check(values, there, spec, where, one, advice, chip.packed[0].stated)


def _refuse_implausible(dataset, chip: Chip) -> None:
    """Looks at some pixels of some bands, in the middle of the file and, where that is empty, at its corners."""
    side = min(LOOKED_AT_PX, dataset.height, dataset.width)
    spec = chip.product.spec
    chosen = spec.used_index[:: max(1, len(spec.used_index) // LOOKED_AT_BANDS)]
    index, packed = tuple(chip.band_index[i] for i in chosen), tuple(chip.packed[i] for i in chosen)
    ends = [(top, left) for top in (0, dataset.height - side) for left in (0, dataset.width - side)]
    for top, left in dict.fromkeys([((dataset.height - side) // 2, (dataset.width - side) // 2), *ends]):
        raw, good = _read(dataset, chip, index, packed, (top, left, side))
        if good.any():
            exact = (raw * chip.scale + chip.offset - spec.offset) / spec.scale
            _judge(np.where(good, exact, 0.0), good, _of_bands(chip, chosen), str(chip.path))
            return


def _of_bands(chip: Chip, chosen: tuple[int, ...]) -> Chip:
    """The chip as if its product had some of its bands only."""
    whole = chip.product.spec
    spec = dataclasses.replace(whole, bands=tuple(whole.bands[i] for i in chosen), mean=(), std=())
    return dataclasses.replace(chip, product=dataclasses.replace(chip.product, spec=spec))


def _scaling(packed: tuple[Packing, ...], path: Path, product: Product) -> tuple[float, float]:
    """Scale and offset of the file's numbers: its own where it states them, else the product's."""
    scales, offsets = {p.scale for p in packed}, {p.offset for p in packed}
    if len(scales) > 1 or len(offsets) > 1:
        raise ValueError(
            f"{path}: expected one scale and one offset for all bands, got {len(scales)} and {len(offsets)}; rewrite them."
        )
    return (scales.pop(), offsets.pop()) if packed[0].stated else (product.scale, 0.0)
