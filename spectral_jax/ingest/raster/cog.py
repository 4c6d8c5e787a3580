"""A map as a cloud-optimised GeoTIFF: written band of rows by band of rows, copied by GDAL's COG driver, there whole or not.

The COG driver copies what is complete. So rows go to a plain GeoTIFF beside the place first, which gets overviews, is copied
and removed; the copy gets its name when it is whole. The plain file holds band after band, without compression: the COG
driver's own overviews, compressed blocks of all bands, were many times the cost (docs/maps.md).
"""

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spectral_jax import places
from spectral_jax.sentences import needs

# Side of the blocks of the file that is copied: rows wait until a row of blocks is complete. Choice.
BLOCK_PX = 64
# GDAL's cache of blocks while a map is written: bounded, so that memory does not grow with the scene. Choice.
CACHE_MB = 256
# A block of all bands has at most so many bytes: readers fetch a block as a whole. Choice.
BLOCK_BYTES = 16 * 2**20
BLOCKS_PX = (512, 256, 128)
# Whole numbers of 8 bits that stand for a band's range; -128 is missing.
INT8, INT8_MISSING = 127, -128


class Band(NamedTuple):
    """What a band of a map is: a sentence, and the unit of its numbers."""

    description: str
    unit: str = ""


@dataclasses.dataclass(frozen=True)
class Layout:
    """What a map is.

    Attributes:
      shape: H and W, cells.
      crs: a `rasterio.crs.CRS`.
      transform: the affine from (column, row) to the coordinates of a cell's upper left corner.
      bands: of the map.
      dtype: of the numbers that are written: "float32", or "uint8" of classes.
      nodata: what means that there is no number.
      tags: of the file.
      colours: class number to red, green, blue and opacity, 0 to 255; empty: no colour table.
      int8: floats become whole numbers of 8 bits, with a scale and an offset for each band that hold its whole range.
    """

    shape: tuple[int, int]
    crs: Any
    transform: Any
    bands: tuple[Band, ...]
    dtype: str = "float32"
    nodata: float = float("nan")
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict)
    colours: Mapping[int, tuple[int, int, int, int]] = dataclasses.field(default_factory=dict)
    int8: bool = False


class Rows:
    """A map that is being written, from the top, in bands of rows of full width."""

    def __init__(self, dataset, layout: Layout):
        self._dataset, self._layout = dataset, layout
        self._held: list[np.ndarray] = []
        self._first = self._next = 0
        self.low = np.full(len(layout.bands), np.inf)
        self.high = np.full(len(layout.bands), -np.inf)
        self.tags: dict[str, str] = {}  # known when all is written

    def write(self, rows: slice, columns: slice, values: np.ndarray) -> None:
        """Writes numbers [h W K] below those before; they wait until a row of blocks is complete.

        Raises:
          ValueError: rows that do not follow, or another shape.
        """
        height, width = self._layout.shape
        expected = (rows.stop - rows.start, width, len(self._layout.bands))
        if rows.start != self._next or rows.stop > height or columns != slice(0, width) or values.shape != expected:
            raise ValueError(
                f"{self._dataset.name}: expected rows from {self._next} on in full width, [h W K] of {expected}, got rows "
                f"{rows.start} to {rows.stop} in shape {values.shape}."
            )
        if values.dtype.kind == "f" and values.size and np.isfinite(values).any():
            flat = values.reshape(-1, values.shape[-1])
            self.low = np.fmin(self.low, np.fmin.reduce(flat))
            self.high = np.fmax(self.high, np.fmax.reduce(flat))
        self._held.append(values)
        self._next = rows.stop
        complete = self._next - self._next % BLOCK_PX
        if complete > self._first:
            self._put(complete)

    def flush(self) -> None:
        """Writes the rows that wait."""
        if self._next > self._first:
            self._put(self._next)

    def _put(self, stop: int) -> None:
        import rasterio

        values = np.concatenate(self._held)
        count = stop - self._first
        window = rasterio.windows.Window(0, self._first, values.shape[1], count)
        self._dataset.write(values[:count].transpose(2, 0, 1), window=window)
        self._held, self._first = [values[count:].copy()], stop


@contextlib.contextmanager
def writing(path: str | Path, layout: Layout) -> Iterator[Rows]:
    """Makes a cloud-optimised GeoTIFF; where anything goes wrong, nothing is left.

    Args:
      path: of the file; one that exists is replaced when the new one is whole.
      layout: what it holds.

    Raises:
      ImportError: rasterio is not installed.
      IsADirectoryError, NotADirectoryError, PermissionError: the place cannot be written.
      OSError: the disk is full, or writing failed otherwise.
      ValueError: not all rows were written.
    """
    with needs("rasterio", "geo", "writing maps"):
        import rasterio
    path = places.for_file(Path(path), "--out")
    path.parent.mkdir(parents=True, exist_ok=True)
    plain, packed, whole = (path.with_name(f".{path.name}.{os.getpid()}.{what}.tif") for what in ("rows", "int8", "whole"))
    try:
        with rasterio.Env(GDAL_CACHEMAX=CACHE_MB), _told(path):
            with rasterio.open(plain, "w", **_profile(layout, layout.dtype, layout.nodata)) as file:
                rows = Rows(file, layout)
                yield rows
                rows.flush()
                _described(file, layout, dict(layout.tags) | rows.tags)
            if rows._next != layout.shape[0]:
                raise ValueError(f"{path}: expected {layout.shape[0]} rows, and {rows._next} were written.")
            if layout.int8:
                _quantised(plain, packed, layout, rows)
            _copied(packed if layout.int8 else plain, whole, layout)
            _expect_whole(whole, layout.shape)
        whole.replace(path)
    finally:
        for left in (plain, packed, whole):
            for file_left in (left, left.with_name(f"{left.name}.aux.xml")):
                file_left.unlink(missing_ok=True)


def decimated(path: str | Path, most_px: int, bands: tuple[int, ...] | None = None) -> np.ndarray:
    """A map of at most `most_px` rows and columns, from its overviews: float32 [h w K], NaN where there is no number."""
    import rasterio

    with rasterio.open(path) as file:
        step = max(1, -(-max(file.shape) // most_px))
        shape = tuple(-(-side // step) for side in file.shape)
        wanted = bands or tuple(file.indexes)
        read = file.read(list(wanted), out_shape=(len(wanted), *shape), masked=True)
        scales, offsets = (np.array([x[b - 1] for b in wanted])[:, None, None] for x in (file.scales, file.offsets))
        return np.ma.filled(read.astype(np.float64) * scales + offsets, np.nan).astype(np.float32).transpose(1, 2, 0)


def _profile(layout: Layout, dtype: str, nodata: float) -> dict:
    height, width = layout.shape
    return {
        "driver": "GTiff", "dtype": dtype, "nodata": nodata, "count": len(layout.bands), "crs": layout.crs, "height": height,
        "width": width, "transform": layout.transform, "tiled": True, "blockxsize": BLOCK_PX, "blockysize": BLOCK_PX,
        "interleave": "band", "BIGTIFF": "IF_SAFER",
    }  # fmt: skip


def _described(file, layout: Layout, tags: Mapping[str, str]) -> None:
    file.descriptions = [band.description for band in layout.bands]
    file.units = [band.unit for band in layout.bands]
    file.update_tags(**tags)
    if layout.colours:
        file.write_colormap(1, dict(layout.colours))


def _quantised(plain: Path, packed: Path, layout: Layout, rows: Rows) -> None:
    """The floats of a file as whole numbers of 8 bits, each band by its own range."""
    import rasterio

    there = np.isfinite(rows.low)
    low, high = np.where(there, rows.low, 0.0), np.where(there, rows.high, 0.0)
    offset, scale = (high + low) / 2, np.where(high > low, (high - low) / (2 * INT8), 1.0)
    with rasterio.open(plain) as source, rasterio.open(packed, "w", **_profile(layout, "int8", INT8_MISSING)) as file:
        _described(file, layout, source.tags())
        file.scales, file.offsets = scale, offset
        for _, window in source.block_windows(1):
            values = source.read(window=window)
            steps = np.rint((values - offset[:, None, None]) / scale[:, None, None])
            whole = np.where(np.isfinite(values), np.clip(steps, -INT8, INT8), INT8_MISSING)
            file.write(whole.astype(np.int8), window=window)


def _copied(source: Path, target: Path, layout: Layout) -> None:
    import rasterio
    import rasterio.shutil

    each = len(layout.bands) * (1 if layout.int8 else np.dtype(layout.dtype).itemsize)
    block = next((px for px in BLOCKS_PX if px * px * each <= BLOCK_BYTES), BLOCKS_PX[-1])
    factors = _factors(max(layout.shape), block)
    if factors:
        whole_numbers = np.dtype(layout.dtype).kind in "iu"
        with rasterio.open(source, "r+") as file:
            file.build_overviews(factors, rasterio.enums.Resampling["nearest" if whole_numbers else "average"])
    rasterio.shutil.copy(
        source, target, driver="COG", COMPRESS="DEFLATE", PREDICTOR="YES", BLOCKSIZE=block, BIGTIFF="IF_SAFER",
        OVERVIEWS="FORCE_USE_EXISTING",
    )  # fmt: skip


def _factors(side: int, block: int) -> list[int]:
    """By what overviews are smaller: powers of two, up to the one of which a block holds all."""
    factors: list[int] = []
    while side > block * (factors[-1] if factors else 1):
        factors.append(2 ** (len(factors) + 1))
    return factors


def _expect_whole(path: Path, shape: tuple[int, int]) -> None:
    """Reads the last block of a copy, whose bytes a full disk would have cut off."""
    import rasterio

    with rasterio.open(path) as file:
        *_, (_, window) = file.block_windows(1)
        file.read(window=window)
        if file.shape != shape:
            raise OSError(f"it has {file.shape} cells in place of {shape}")


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    import rasterio

    try:
        yield
    except (rasterio.errors.RasterioError, rasterio._err.CPLE_BaseError) as error:  # GDAL's own come through too
        free = shutil.disk_usage(path.parent).free / 2**20
        raise OSError(
            f"{path} could not be written ({str(error.__cause__ or error).splitlines()[0]}; {free:.0f} MB are free there); "
            "nothing is left of it: free some space or name another place."
        ) from error
