"""An image of any sensor: what its numbers are, by the rules of `build_store`."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from spectral_jax import plausible
from spectral_jax.ingest.patches.products import product
from spectral_jax.ingest.patches.products.product import Chip, Product
from spectral_jax.ingest.raster import bands, geotiff, numbers, sentinel2_offset
from spectral_jax.sensors import SensorSpec

# Of the numbers of a window so many are judged.
JUDGED = 1 << 14


def product_of(dataset, path: Path, key: str, spec: SensorSpec, offset: str | None, by_position: bool = False) -> Product:
    """What an image is: the bands of a sensor that a model sees, in the numbers of its product or in its unit.

    Args:
      dataset: an open `rasterio` dataset.
      path: for the sentences.
      key: of the sensor.
      spec: the sensor.
      offset: of Sentinel-2: the number to subtract (0 or 1000), or a JSON file of names and numbers; None: it is found.
      by_position: whether bands of a file that says nothing of them are those of the sensor, if they are as many.

    Raises:
      ValueError: other bands, or an offset for a sensor that has none.
    """
    found = bands.find(dataset, spec, path, by_position=by_position, only_used=True)
    used = spec.without_bad_bands()
    scale = 1.0 if _physical(dataset, path, found.index, used) else spec.scale
    subtracted: Callable | None = None
    missing: tuple[float, ...] = ()
    if spec.name.startswith("sentinel2"):
        given, missing = sentinel2_offset.given(offset), sentinel2_offset.MISSING
        subtracted = lambda dataset, path, before: before or sentinel2_offset.decide(dataset, path, given)  # noqa: E731
    elif offset is not None:
        raise ValueError(f"--offset: expected it with a sensor of Sentinel-2, and {key} is {spec.name}; leave it out.")
    elif spec.offset and scale == spec.scale and not any(p.stated for p in numbers.packings(dataset, path, found.index)):
        decision = sentinel2_offset.Decision(-spec.offset / spec.scale, f"the offset of {spec.name}")
        subtracted = lambda dataset, path, before: decision  # noqa: E731
    blank = 0.0 if spec.kind == "radar" else None
    return Product(key, used, by_wavelength=False, scale=scale, missing=missing, blank=blank, subtracted=subtracted)


def physical(dataset, chip: Chip, rows: slice, columns: slice) -> np.ndarray:
    """Numbers of a window in the unit of the sensor, float32 [h w C], NaN where a pixel is missing in any band.

    Args:
      dataset: the open file of the chip.
      chip: of `product.look`.
      rows: inside the file.
      columns: see `rows`.

    Raises:
      ValueError: the file is damaged, or the window's numbers cannot be the sensor's.
    """
    spec, blank = chip.product.spec, chip.product.blank
    window = geotiff.window(rows, columns)
    raw, good = numbers.read(dataset, chip.path, chip.packed, chip.band_index, window, chip.missing)
    if blank is not None:
        good = good & (raw != blank).any(axis=0)
    values = np.where(good, raw, 0).astype(np.float32) * np.float32(chip.scale) + np.float32(chip.offset)
    some, step = slice(None, None, max(1, len(raw) // product.JUDGED_BANDS)), max(1, raw[0].size // JUDGED)
    seen, there = (x[some].reshape(len(x[some]), -1)[:, ::step] for x in (values, good))
    where = f"{chip.path}, rows {rows.start} to {rows.stop}, columns {columns.start} to {columns.stop}"
    packed = chip.product.scale if chip.product.scale != 1.0 else 0.0
    plausible.check(seen, there, spec, where, packed, f"convert them to {spec.quantity}", chip.packed[0].stated)
    values = values.transpose(1, 2, 0)
    values[~good.all(axis=0)] = np.nan
    return values


def _physical(dataset, path: Path, index: tuple[int, ...], spec: SensorSpec) -> bool:
    """Whether floats that state no packing are in the sensor's unit, by some of them from the middle and the corners."""
    allowed = plausible.limits(spec)
    if any(np.dtype(dataset.dtypes[band - 1]).kind != "f" for band in index):
        return False
    if allowed is None:
        return np.dtype(spec.dtype).kind == "f"
    packed = numbers.packings(dataset, path, index)
    side = min(product.LOOKED_AT_PX, dataset.height, dataset.width)
    ends = [(top, left) for top in (0, dataset.height - side) for left in (0, dataset.width - side)]
    for top, left in [((dataset.height - side) // 2, (dataset.width - side) // 2), *ends]:
        fills = () if spec.nodata is None else (float(spec.nodata),)
        values, good = numbers.read(dataset, path, packed, index, (top, left, side), fills)
        if good.any():
            return not plausible.fault(values, good, allowed)
    return False
