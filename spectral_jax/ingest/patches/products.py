"""The products that can be read: which spec, how their bands are found, and what their numbers mean."""

import dataclasses
from pathlib import Path

import numpy as np

from spectral_jax.ingest.raster import bands, geotiff, sentinel2_offset
from spectral_jax.sensors import SensorSpec


@dataclasses.dataclass(frozen=True)
class Product:
    """One kind of file of one sensor.

    Attributes:
      key: sensor key in the store.
      flag: command-line flag that names the folder.
      spec: what is stored.
      by_wavelength: bands are found by the files' wavelengths; else by their names, or their order where files name none.
      scale: from a file's number to `spec.unit`, where the file gives no scale.
      missing: a number that means "no data" in the product even where a file does not say so.
    """

    key: str
    flag: str
    spec: SensorSpec
    by_wavelength: bool
    scale: float
    missing: float | None = None


@dataclasses.dataclass(frozen=True)
class Scene:
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
      decision: what is subtracted from a Sentinel-2 chip, and why; None for other products.
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
    decision: sentinel2_offset.Decision | None

    @property
    def name(self) -> str:
        """The file's name without ending, by which chips of several sensors are paired."""
        return self.path.stem


def enmap() -> Product:
    """EnMAP L2A: reflectance * 1e4, bands told by wavelength tags, VNIR before SWIR or interleaved."""
    return Product("ENMAP", "enmap", SensorSpec.load("enmap_l2a"), True, 1e-4)


def sentinel2(unit: str) -> Product:
    """Sentinel-2 L2A of unit a, b or c: (DN - offset) / 10000, 0 where there is no data."""
    if unit not in ("a", "b", "c"):
        raise ValueError(f"--sentinel2_unit: expected a, b or c, got {unit!r}.")
    return Product("S2", "sentinel2", SensorSpec.load(f"sentinel2{unit}_l2a"), False, 1e-4, missing=0.0)


def sentinel1(kind: str) -> Product:
    """Sentinel-1 in dB: `rtc` is gamma0, terrain corrected; `grd` is sigma0."""
    if kind not in ("rtc", "grd"):
        raise ValueError(f"--sentinel1_product: expected rtc or grd, got {kind!r}.")
    return Product("S1", "sentinel1", SensorSpec.load(f"sentinel1_{kind}"), False, 1.0)


def sentinel1_kind(folder: str | Path, given: str | None) -> tuple[str, str]:
    """Whether the chips of a folder are RTC or GRD, and how that is known.

    The two differ by terrain correction (gamma0 against sigma0) and have statistics of their own, so nothing is assumed.

    Args:
      folder: the chips.
      given: the value of --sentinel1_product, or None.

    Raises:
      ValueError: it is neither given, nor in the tags of the first file, nor in the folder's name.
    """
    if given:
        return given, "given with --sentinel1_product"
    first = geotiff.files(folder, "sentinel1")[0]
    with geotiff.opened(first) as dataset:
        tags = " ".join(f"{k} {v}" for k, v in dataset.tags().items()).lower()
    words = {"rtc": ("rtc", "gamma0"), "grd": ("grd", "sigma0")}
    folder = Path(folder).resolve()
    for text, where in ((tags, f"the tags of {first.name}"), (folder.name.lower(), f"the folder's name {folder.name}")):
        found = [kind for kind, names in words.items() if any(name in text for name in names)]
        if len(found) == 1:
            return found[0], f"from {where}"
    raise ValueError(
        f"--sentinel1: are the chips of {folder} terrain corrected gamma0, or sigma0? Neither the tags of {first.name} nor the "
        "folder's name say; give --sentinel1_product=rtc or --sentinel1_product=grd."
    )


def look(
    product: Product,
    path: Path,
    offset_flag: float | dict[str, float] | None,
    decided: sentinel2_offset.Decision | None = None,
) -> Scene:
    """Opens one file and checks everything but its pixels.

    Args:
      product: what the file should be.
      path: the file.
      offset_flag: what `sentinel2_offset.given` returned.
      decided: what an earlier run decided about this chip, so that the offset is not sought again.

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
        if product.key == "S2":
            _check_unit(path, spec)
            decision = decided or sentinel2_offset.decide(dataset, path, offset_flag)
            offset = -decision.offset * scale
        missing = {float(x) for x in (dataset.nodata, product.missing) if x is not None and np.isfinite(x)}
        time = geotiff.time_days(dataset, path)
    return Scene(product, path, grid, time, index, scale, offset, tuple(sorted(missing)), matched, off_nm, decision)


def stored(scene: Scene, window: tuple[int, int, int]) -> np.ndarray:
    """A square of a scene in the store's numbers, [C H W] of the spec's type, nodata where missing.

    Args:
      scene: the file.
      window: first row, first column and side, pixels.

    Raises:
      ValueError: the file is damaged, or its radar numbers are not in dB.
    """
    spec = scene.product.spec
    with geotiff.opened(scene.path) as dataset:
        raw = geotiff.read(dataset, scene.path, scene.band_index, window).astype(np.float64)
    gap = ~np.isfinite(raw)
    for number in scene.missing:
        gap |= raw == number
    if spec.unit == "dB" and not gap.all() and raw[~gap].min() >= 0.0:
        raise ValueError(
            f"{scene.path}: expected backscatter in dB, mostly negative, and every number is at least 0 (lowest "
            f"{raw[~gap].min():g}); this is linear power: convert it with 10 * log10."
        )
    # One factor and one shift, so that a product packed as the store is copied without rounding.
    factor, shift = scene.scale / spec.scale, (scene.offset - spec.offset) / spec.scale
    numbers = np.rint(np.where(gap, 0.0, raw) * factor + shift)
    limits = np.iinfo(spec.dtype)
    low = limits.min + (spec.nodata == limits.min)
    high = limits.max - (spec.nodata == limits.max)
    numbers = np.clip(numbers, low, high)
    return np.where(gap, 0.0 if spec.nodata is None else spec.nodata, numbers).astype(spec.dtype)


def _band_index(dataset, path: Path, product: Product) -> tuple[tuple[int, ...], str, float]:
    spec = product.spec
    if product.by_wavelength:
        found = bands.wavelengths(dataset, path)
        if found is None:
            raise ValueError(
                f"{path}: expected a tag 'wavelength' in every band (nm), and no band has one; {spec.name} is matched by "
                "wavelength, never by position. Export it again with its wavelengths."
            )
        index, off_nm = bands.by_wavelength(*found, spec, path)
        return index, "by wavelength", off_nm
    index = bands.by_name(dataset.descriptions, spec, path)
    if index is None:
        order = ", ".join(b.name for b in spec.bands)
        return tuple(range(1, dataset.count + 1)), f"by position, as the files name none: {order}", 0.0
    return index, "by name", 0.0


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


def _check_unit(path: Path, spec: SensorSpec):
    unit = path.stem[:3].upper()
    if unit in ("S2A", "S2B", "S2C") and spec.name != f"sentinel{unit[1:].lower()}_l2a":
        raise ValueError(
            f"{path}: the name says {unit}, and --sentinel2_unit stands for {spec.name}; the units' bands differ by up to "
            "17 nm. Build their stores apart, each with its own --sentinel2_unit."
        )
