"""Big scenes as GeoTIFF: read window by window, and predictions written back onto the same grid.

Windows are `(rows, columns)`, slices inside the scene, as `raster.tiled.predict_scene` hands them over.
"""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from spectral_jax.ingest.raster import geotiff
from spectral_jax.ingest.raster.grid import check_same_grid

# GDAL keeps blocks that were read and written; its own default is a twentieth of the machine's memory.
CACHE_MB = 256
# Side of the blocks of a written file, pixels.
BLOCK_PX = 256


@dataclasses.dataclass(frozen=True)
class Scene:
    """Open files of one grid, their bands one after the other.

    Attributes:
      paths: of the files.
      datasets: the open `rasterio` datasets.
      bands: (file, band counted from 1) of each channel.
    """

    paths: tuple[Path, ...]
    datasets: tuple
    bands: tuple[tuple[int, int], ...]

    @property
    def shape(self) -> tuple[int, int]:
        """H and W, pixels."""
        return self.datasets[0].height, self.datasets[0].width

    @property
    def names(self) -> tuple[str | None, ...]:
        """What the files call each channel; None where they do not say."""
        return tuple(self.datasets[file].descriptions[band - 1] for file, band in self.bands)

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """Pixels of a window as the files hold them, [h w C]; of files with several types, in the type that holds both.

        Raises:
          ValueError: the window is not inside the scene, or a file is damaged.
        """
        _check_window(rows, columns, self.shape, self.paths[0])
        parts = [self._part(i, rows, columns) for i in range(len(self.datasets))]
        return np.concatenate([x for x in parts if x is not None], axis=-1)

    def valid(self, rows: slice, columns: slice) -> np.ndarray:
        """Where every channel holds data, bool [h w]: neither NaN nor its band's nodata.

        Raises:
          ValueError: as `read`.
        """
        pixels = self.read(rows, columns)
        missing = [self.datasets[file].nodatavals[band - 1] for file, band in self.bands]
        gap = ~np.isfinite(pixels)
        for i, number in enumerate(missing):
            if number is not None:
                gap[..., i] |= pixels[..., i] == number
        return ~gap.any(axis=-1)

    def _part(self, file, rows, columns):
        import rasterio

        wanted = [band for owner, band in self.bands if owner == file]
        if not wanted:
            return None
        window = rasterio.windows.Window.from_slices(rows, columns)
        try:
            return self.datasets[file].read(wanted, window=window).transpose(1, 2, 0)
        except rasterio.errors.RasterioIOError as error:
            raise ValueError(
                f"{self.paths[file]}: cannot be read at rows {rows.start} to {rows.stop}, columns {columns.start} to "
                f"{columns.stop}; it is truncated or damaged: copy it again."
            ) from error


@contextlib.contextmanager
def open_scene(*paths: str | Path, bands: tuple[int, ...] | None = None) -> Iterator[Scene]:
    """Opens GeoTIFFs of one grid for reading by windows.

    Args:
      paths: one file or several, such as one for each sensor; all on the grid of the first.
      bands: channels wanted, counted from 1 through all files in ascending order; None: all.

    Raises:
      ImportError: rasterio is not installed.
      ValueError: no path, a damaged file, files of different grids, or bands that do not exist or do not ascend.
    """
    if not paths:
        raise ValueError("open_scene: expected at least one GeoTIFF, got none.")
    first, *others = files = tuple(Path(p) for p in paths)
    with contextlib.ExitStack() as stack:
        datasets = [stack.enter_context(geotiff.opened(first))]
        stack.enter_context(_bounded_cache())
        for path in others:
            datasets.append(stack.enter_context(geotiff.opened(path)))
            check_same_grid(datasets[0], first, datasets[-1], path)
        every = [(i, band) for i, dataset in enumerate(datasets) for band in range(1, dataset.count + 1)]
        if bands is not None:
            wrong = [b for b in bands if not 1 <= b <= len(every)]
            if not bands or wrong or list(bands) != sorted(set(bands)):
                raise ValueError(
                    f"{first}: expected ascending bands from 1 to {len(every)}, got {tuple(bands)}; reorder channels after "
                    "reading."
                )
            every = [every[b - 1] for b in bands]
        yield Scene(files, tuple(datasets), tuple(every))


class PredictionFile:
    """A GeoTIFF that is being written, window by window.

    Bands of rows of full width that follow each other are held until a row of blocks is complete: a compressed block that is
    written twice takes its place in the file twice.
    """

    def __init__(self, dataset, path: Path):
        self._dataset, self._path = dataset, path
        self._rows: list[np.ndarray] = []  # that wait for a row of blocks
        self._first = self._next = 0

    def write(self, rows: slice, columns: slice, values: np.ndarray) -> None:
        """Writes values [h w K] of a window.

        Raises:
          ValueError: the window is not inside the scene, the shape is another, or a value does not fit the file's type.
        """
        file = self._dataset
        _check_window(rows, columns, (file.height, file.width), self._path)
        expected = (rows.stop - rows.start, columns.stop - columns.start, file.count)
        if values.shape != expected:
            raise ValueError(f"{self._path}: expected values [h w K] of {expected} for this window, got shape {values.shape}.")
        kind = np.dtype(file.dtypes[0])
        if kind.kind in "iu" and not np.array_equal(values, _as(values, kind)):
            raise ValueError(
                f"{self._path}: the file holds whole numbers of type {kind}, and some values are not; create it as float32, or "
                "round them."
            )
        values, whole = _as(values, kind), columns.stop - columns.start == file.width
        if not whole or rows.start != self._next:
            self.flush()
        if not whole:
            self._put(rows, columns, values)
            return
        if not self._rows:
            self._first = rows.start
        self._rows.append(values)
        self._next = rows.stop
        complete = self._next - self._next % BLOCK_PX
        if complete > self._first:
            values = np.concatenate(self._rows)
            count = complete - self._first
            self._put(slice(self._first, complete), columns, values[:count])
            self._rows, self._first = [values[count:]], complete

    def flush(self) -> None:
        """Writes the rows that are held."""
        if self._rows:
            self._put(slice(self._first, self._next), slice(0, self._dataset.width), np.concatenate(self._rows))
        self._rows = []

    def _put(self, rows, columns, values):
        import rasterio

        if values.size:
            window = rasterio.windows.Window.from_slices(rows, columns)
            self._dataset.write(values.transpose(2, 0, 1), window=window)


@contextlib.contextmanager
def create_prediction(
    path: str | Path, scene: Scene, names: tuple[str, ...], dtype: str = "float32", nodata: float | None = float("nan")
) -> Iterator[PredictionFile]:
    """Makes a tiled, compressed GeoTIFF on the grid of a scene.

    Args:
      path: of the file; one that exists is replaced.
      scene: whose coordinate system, transform and size it gets.
      names: description of each band.
      dtype: of the numbers: "float32", or such as "uint8" for class numbers.
      nodata: the number that means no prediction; None: there is none. Windows never written hold it, or 0.

    Raises:
      ValueError: no band, a path that the scene itself is read from, or a nodata that the type cannot hold.
    """
    import rasterio

    path = Path(path)
    if not names:
        raise ValueError(f"{path}: expected the name of at least one band, got none.")
    if any(path.exists() and path.samefile(p) for p in scene.paths):
        raise ValueError(f"{path}: the scene is read from this file; write the prediction to another one.")
    if nodata is not None and np.dtype(dtype).kind in "iu" and not _holds(np.dtype(dtype), nodata):
        raise ValueError(f"{path}: nodata {nodata} cannot be held by {dtype}; give a whole number that no class has, or None.")
    first, (height, width) = scene.datasets[0], scene.shape
    profile = {
        "driver": "GTiff", "dtype": dtype, "nodata": nodata, "count": len(names), "crs": first.crs, "height": height,
        "width": width, "transform": first.transform, "tiled": True, "blockxsize": BLOCK_PX, "blockysize": BLOCK_PX,
        "interleave": "pixel", "compress": "deflate", "BIGTIFF": "IF_SAFER",
    }  # fmt: skip
    with _bounded_cache(), rasterio.open(path, "w", **profile) as file:
        file.descriptions = names
        prediction = PredictionFile(file, path)
        yield prediction
        prediction.flush()


def _bounded_cache():
    import rasterio

    return rasterio.Env(GDAL_CACHEMAX=CACHE_MB)


def _as(values, kind):
    with np.errstate(invalid="ignore"):  # NaN as a whole number: the comparison that follows finds it
        return values.astype(kind)


def _holds(kind, number):
    limits = np.iinfo(kind)
    return float(number).is_integer() and limits.min <= number <= limits.max


def _check_window(rows, columns, shape, path):
    for name, window, side in (("rows", rows, shape[0]), ("columns", columns, shape[1])):
        if window.step not in (None, 1) or not 0 <= window.start < window.stop <= side:
            raise ValueError(
                f"{path}: expected {name} as a slice inside 0 to {side}, got {window.start} to {window.stop}"
                f"{'' if window.step in (None, 1) else f' in steps of {window.step}'}."
            )
