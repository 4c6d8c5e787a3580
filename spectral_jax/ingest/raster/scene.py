"""Big scenes as GeoTIFF: read window by window, and predictions written back onto the same grid.

Windows are `(rows, columns)`, slices inside the scene, as `raster.tiled.predict_scene` hands them over.
"""

import contextlib
import dataclasses
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from spectral_jax.ingest.packing import Packing
from spectral_jax.ingest.raster import geotiff, numbers
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
      bands: (file, band counted from 1) of each channel; alpha bands are none.
      packings: how the numbers of each channel are packed, and what marks a missing one.
    """

    paths: tuple[Path, ...]
    datasets: tuple
    bands: tuple[tuple[int, int], ...]
    packings: tuple[Packing, ...]

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

        Scale and offset of a file are not applied: see `physical`.

        Raises:
          ValueError: the window is not inside the scene, or a file is damaged.
        """
        _check_window(rows, columns, self.shape, self.paths[0])
        window = geotiff.window(rows, columns)
        parts = []
        for i, wanted, _ in self._wanted():
            with _told(self.paths[i], rows, columns):
                parts.append(self.datasets[i].read(list(wanted), window=window))
        return np.concatenate([x.transpose(1, 2, 0) for x in parts], axis=-1)

    def valid(self, rows: slice, columns: slice) -> np.ndarray:
        """Where every channel holds data, bool [h w], by all that GDAL and CF know to mark a missing pixel (`raster.numbers`).

        Raises:
          ValueError: as `read`.
        """
        good = [good.all(axis=0) for _, good, _ in self._numbers(rows, columns)]
        return np.logical_and.reduce(good)

    def physical(self, rows: slice, columns: slice) -> np.ndarray:
        """Numbers of a window as the files' scales and offsets say, float32 [h w C], NaN where a channel holds no data.

        Raises:
          ValueError: as `read`.
        """
        parts = []
        for raw, good, packed in self._numbers(rows, columns):
            values = numbers.unpacked(raw, packed).astype(np.float32)
            parts.append(np.where(good, values, np.float32(np.nan)).transpose(1, 2, 0))
        return np.concatenate(parts, axis=-1)

    @property
    def gapless(self) -> bool:
        """Whether nothing in the files can mark a missing pixel: whole numbers without nodata, mask, alpha or range."""
        from rasterio.enums import MaskFlags

        # GDAL's flags name an alpha band of 8 and of 16 bits without sign only.
        alpha = any(len(numbers.data_bands(dataset)) < dataset.count for dataset in self.datasets)
        return not alpha and all(
            np.dtype(self.datasets[file].dtypes[band - 1]).kind in "iu"
            and self.datasets[file].mask_flag_enums[band - 1] == [MaskFlags.all_valid]
            and not packing.missing
            and (packing.low, packing.high) == (-np.inf, np.inf)
            for (file, band), packing in zip(self.bands, self.packings, strict=True)
        )

    def _wanted(self) -> Iterator[tuple[int, tuple[int, ...], tuple[Packing, ...]]]:
        """Of each file that a channel is from: its number, the bands, and their packings."""
        for i in range(len(self.datasets)):
            mine = [(band, packing) for (file, band), packing in zip(self.bands, self.packings, strict=True) if file == i]
            if mine:
                yield i, tuple(band for band, _ in mine), tuple(packing for _, packing in mine)

    def _numbers(self, rows, columns) -> Iterator[tuple[np.ndarray, np.ndarray, tuple[Packing, ...]]]:
        _check_window(rows, columns, self.shape, self.paths[0])
        for i, wanted, packed in self._wanted():
            yield *numbers.read(self.datasets[i], self.paths[i], packed, wanted, geotiff.window(rows, columns)), packed


@contextlib.contextmanager
def open_scene(*paths: str | Path, bands: tuple[int, ...] | None = None) -> Iterator[Scene]:
    """Opens GeoTIFFs of one grid for reading by windows.

    Args:
      paths: one file or several, such as one for each sensor; all on the grid of the first.
      bands: channels wanted, counted from 1 through all files, alpha bands left out, in ascending order; None: all.

    Raises:
      ImportError: rasterio is not installed.
      ValueError: no path, a damaged file, files of different grids, bands that do not exist or do not ascend, or scales,
        offsets and fill values that contradict each other.
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
        every = [(i, band) for i, dataset in enumerate(datasets) for band in numbers.data_bands(dataset)]
        if bands is not None:
            wrong = [b for b in bands if not 1 <= b <= len(every)]
            if not bands or wrong or list(bands) != sorted(set(bands)):
                raise ValueError(
                    f"{first}: expected ascending bands from 1 to {len(every)}, got {tuple(bands)}; reorder channels after "
                    "reading."
                )
            every = [every[b - 1] for b in bands]
        packings = [numbers.packings(datasets[i], files[i], (band,))[0] for i, band in every]
        yield Scene(files, tuple(datasets), tuple(every), tuple(packings))


class PredictionFile:
    """A GeoTIFF that is being written, window by window.

    Bands of rows of full width that follow each other are held until a row of blocks is complete: a compressed block that is
    written twice takes its place in the file twice.
    """

    def __init__(self, dataset, path: Path, scene: Scene | None = None):
        self._dataset, self._path = dataset, path
        self._scene = scene  # whose missing pixels hold the file's nodata; None: none are looked for
        self._rows: list[np.ndarray] = []  # that wait for a row of blocks
        self._first = self._next = 0

    def write(self, rows: slice, columns: slice, values: np.ndarray) -> None:
        """Writes values [h w K] of a window, the file's nodata where the scene holds no data (in floats also for NaN).

        Raises:
          ValueError: the window is not inside the scene, the shape is another, or a value does not fit the file's type.
        """
        file = self._dataset
        _check_window(rows, columns, (file.height, file.width), self._path)
        expected = (rows.stop - rows.start, columns.stop - columns.start, file.count)
        if values.shape != expected:
            raise ValueError(f"{self._path}: expected values [h w K] of {expected} for this window, got shape {values.shape}.")
        kind = np.dtype(file.dtypes[0])
        values = self._with_gaps(rows, columns, values)
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

    def _with_gaps(self, rows, columns, values):
        """The values with nodata where they are missing, in a type that holds both."""
        nodata = self._dataset.nodata
        if nodata is None:
            return values
        # NaN of a pixel that the scene holds is no class: in a file of whole numbers it stays, and is refused.
        whole = np.dtype(self._dataset.dtypes[0]).kind in "iu"
        gap = np.isnan(values) if values.dtype.kind == "f" and not whole else np.zeros(values.shape, bool)
        if self._scene is not None:
            gap |= ~self._scene.valid(rows, columns)[..., None]
        return np.where(gap, np.float64(nodata), values) if gap.any() else values

    def _put(self, rows, columns, values):
        if values.size:
            self._dataset.write(values.transpose(2, 0, 1), window=geotiff.window(rows, columns))


@contextlib.contextmanager
def create_prediction(
    path: str | Path, scene: Scene, names: tuple[str, ...], dtype: str = "float32", nodata: float | None = float("nan")
) -> Iterator[PredictionFile]:
    """Makes a tiled, compressed GeoTIFF on the grid of a scene.

    Args:
      path: of the file; one that exists is replaced.
      scene: whose coordinate system, transform (or ground control points), RPCs and size it gets. Where a channel of it holds
        no data, the file holds `nodata`, whatever is written there.
      names: description of each band.
      dtype: of the numbers: "float32", or such as "uint8" for class numbers.
      nodata: the number that means no prediction; None: there is none, and gaps of the scene hold what is written. Windows
        never written hold it, or 0.

    Raises:
      ValueError: no band, a path that the scene itself is read from, or a nodata that the type cannot hold.
    """
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
    points, points_crs = first.gcps
    if points:
        profile |= {"gcps": points, "crs": points_crs}
        del profile["transform"]
    with _bounded_cache(), _created(path, profile) as file:
        file.descriptions = names
        if first.tags().get("AREA_OR_POINT") == "Point":
            file.update_tags(AREA_OR_POINT="Point")
        if first.rpcs is not None:
            file.rpcs = first.rpcs
        prediction = PredictionFile(file, path, None if scene.gapless else scene)
        yield prediction
        prediction.flush()


def _created(path: Path, profile: dict):
    import rasterio

    try:
        with warnings.catch_warnings():
            # Without coordinates in, without coordinates out.
            warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
            return rasterio.open(path, "w", **profile)
    except rasterio.errors.RasterioIOError as error:
        raise ValueError(
            f"{path}: cannot be written ({error}); name a file in a folder that exists and may be written to."
        ) from error


def _bounded_cache():
    import rasterio

    return rasterio.Env(GDAL_CACHEMAX=CACHE_MB)


@contextlib.contextmanager
def _told(path, rows, columns):
    import rasterio

    try:
        yield
    except rasterio.errors.RasterioIOError as error:
        raise ValueError(
            f"{path}: cannot be read at rows {rows.start} to {rows.stop}, columns {columns.start} to {columns.stop}; it is "
            "truncated or damaged: copy it again."
        ) from error


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
