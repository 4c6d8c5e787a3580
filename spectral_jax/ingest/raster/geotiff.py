"""GeoTIFF: one open file, its grid on the ground, its time and its numbers, with a sentence for whatever is wrong."""

import contextlib
import dataclasses
import datetime
import math
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from spectral_jax.ingest.raster import earth
from spectral_jax.sentences import needs

EPOCH = np.datetime64("2000-01-01T00:00:00")
FIRST = datetime.datetime(1972, 7, 23)  # launch of Landsat 1; what is earlier is a default or a wrong number
# Where builders of GeoTIFFs put the time of observation. TIFFTAG_DATETIME is left out: it is the time of writing.
TIME_TAGS = ("start_time", "datetime", "acquisition_time", "acquisitiondatetime", "sensing_time", "start_datetime")
# Centre coordinates count as equal within this part of a pixel.
PIXEL_TOLERANCE = 0.01


@dataclasses.dataclass(frozen=True)
class Grid:
    """North-up square pixels in a coordinate system with metres.

    Attributes:
      crs: the coordinate system, a `rasterio.crs.CRS`.
      left: easting of the left edge, metres.
      top: northing of the upper edge, metres.
      pixel_m: side of a pixel, metres.
      width: pixels in a row.
      height: pixels in a column.
    """

    crs: Any
    left: float
    top: float
    pixel_m: float
    width: int
    height: int

    @property
    def right(self) -> float:
        """Easting of the right edge, metres."""
        return self.left + self.width * self.pixel_m

    @property
    def bottom(self) -> float:
        """Northing of the lower edge, metres."""
        return self.top - self.height * self.pixel_m


def files(folder: str | Path, flag: str) -> list[Path]:
    """The GeoTIFFs of a folder, by name.

    Args:
      folder: of the files.
      flag: of a command that named it, without its dashes, for the sentences.

    Raises:
      FileNotFoundError: no such folder, or no GeoTIFF in it.
      ValueError: two files differ only in their ending.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"--{flag}: expected a folder of GeoTIFFs, and {folder} is not a folder.")
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".tif", ".tiff"))
    if not paths:
        others = sorted(p.name for p in folder.iterdir())[:3]
        there = f"it holds {', '.join(others)}" if others else "it is empty"
        raise FileNotFoundError(f"--{flag}: {folder} has no file that ends in .tif or .tiff ({there}).")
    names = [p.stem for p in paths]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"--{flag}: {folder} has two files called {name} with different endings; keep one.")
    return paths


@contextlib.contextmanager
def opened(path: Path):
    """An open `rasterio` dataset.

    Raises:
      ImportError: rasterio is not installed.
      ValueError: the file is no GeoTIFF, or damaged.
    """
    with needs("rasterio", "geo", "reading GeoTIFFs"):
        import rasterio
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)  # grid() says it in a sentence
            dataset = rasterio.open(path)
    except rasterio.errors.RasterioIOError as error:
        raise ValueError(_damaged(path, "cannot be opened", error)) from error
    with dataset:
        yield dataset


def grid(dataset, path: Path, pixel_m: float) -> Grid:
    """The grid of an open file.

    Args:
      dataset: an open `rasterio` dataset.
      path: for the sentences.
      pixel_m: the pixel spacing that the sensor's spec names.

    Raises:
      ValueError: no coordinate system, degrees or feet instead of metres, rotated, another pixel spacing, or a projection whose
        metres are not those of the ground at that place.
    """
    if dataset.crs is None:
        points = len(dataset.gcps[0])
        if points or dataset.rpcs is not None:
            told = f"{points} ground control points" if points else "rational polynomials (RPC)"
            raise ValueError(
                f"{path}: expected north-up pixels in a coordinate system, and the file's place is told by {told}; warp it "
                f"(gdalwarp{'' if points else ' -rpc'} -t_srs EPSG:326zz -tr {pixel_m:g} {pixel_m:g}, zz being the UTM zone)."
            )
        raise ValueError(f"{path}: expected a coordinate system, and the file has none; georeference it (gdal_edit.py -a_srs).")
    warp = f"gdalwarp -t_srs EPSG:326zz -tr {pixel_m:g} {pixel_m:g}, zz being the UTM zone"
    if not dataset.crs.is_projected or abs(dataset.crs.linear_units_factor[1] - 1.0) > 1e-9:
        unit = dataset.crs.linear_units if dataset.crs.is_projected else "degree"
        raise ValueError(
            f"{path}: expected coordinates in metres, got {_crs_name(dataset.crs)} in {unit}s; reproject it ({warp})."
        )
    a, b, c, d, e, f = tuple(dataset.transform)[:6]
    if b or d or e >= 0 or abs(a + e) > 1e-6 * abs(a):
        raise ValueError(
            f"{path}: expected square north-up pixels, got the transform {(a, b, c, d, e, f)}; resample it ({warp})."
        )
    if abs(a - pixel_m) > 1e-6 * pixel_m:
        raise ValueError(f"{path}: expected pixels of {pixel_m:g} m, got {a:g} m; resample it ({warp}).")
    found = Grid(dataset.crs, c, f, a, dataset.width, dataset.height)
    x, y = (found.left + found.right) / 2, (found.bottom + found.top) / 2
    across, down = ground_m(dataset.crs, x, y, a)
    if not max(abs(across - a), abs(down - a)) <= earth.SCALE_TOLERANCE * a:
        if not np.isfinite(across):
            raise ValueError(
                f"{path}: its centre, {x:.0f} {y:.0f}, is no place on the Earth in {_crs_name(dataset.crs)}; correct it."
            )
        lon, lat = lonlat(dataset.crs, np.array([x]), np.array([y]))[0]
        raise ValueError(
            f"{path}: expected pixels of {pixel_m:g} m on the ground, and {a:g} m in {_crs_name(dataset.crs)} are "
            f"{across:.4g} x {down:.4g} m there ({lon:.2f} E, {lat:.2f} N); reproject it (gdalwarp -t_srs "
            f"EPSG:{earth.metric_epsg(lon, lat)} -tr {pixel_m:g} {pixel_m:g})."
        )
    return found


def ground_m(crs, x: float, y: float, step: float) -> tuple[float, float]:
    """What a step of a coordinate system is on the ground, metres along its first and its second axis.

    Args:
      crs: the coordinate system, a `rasterio.crs.CRS`.
      x: of the place, in its unit.
      y: see `x`.
      step: around the place, in its unit.

    Returns:
      Two lengths; NaN where the place is none on the Earth.
    """
    half = step / 2
    places = lonlat(crs, np.array([x - half, x + half, x, x]), np.array([y, y, y - half, y + half]))
    if not np.isfinite(places).all():
        return math.nan, math.nan
    across, down = earth.distance_m(places[::2], places[1::2])
    return float(across), float(down)


def time_days(dataset, path: Path) -> float | None:
    """When the file's scene was seen, days since 2000-01-01 UTC: from a tag, else from a name with 20240131T101112.

    Raises:
      ValueError: a tag for the time cannot be read as one.
    """
    tags = {k.lower(): v for k, v in dataset.tags().items()}
    for tag in TIME_TAGS:
        if tag in tags:
            return days_of(moment(tags[tag], str(path), f"tag {tag}"))
    stamp = re.search(r"(20\d\d)(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)", path.stem)
    if stamp:
        year, month, day, hour, minute, second = stamp.groups()
        return days_of(moment(f"{year}-{month}-{day}T{hour}:{minute}:{second}", str(path), "name"))
    return None


def moment(text: str, where: str, what: str) -> np.datetime64:
    """A time, UTC, of its text in the ISO form; where it names no time zone it is in UTC.

    Raises:
      ValueError: it is none, or of a year in which no satellite of this package flew or which has not come.
    """
    try:
        read = datetime.datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise ValueError(
            f"{where}: expected a time such as 2022-07-24T10:45:26 in the {what}, got {text!r}; correct the {what}."
        ) from error
    if read.tzinfo is not None:
        read = read.astimezone(datetime.UTC).replace(tzinfo=None)
    if not FIRST <= read <= datetime.datetime.now() + datetime.timedelta(days=2):
        raise ValueError(
            f"{where}: expected a time from {FIRST.year} until today in the {what}, got {text!r}; correct the {what}."
        )
    return np.datetime64(read, "ns")


def days_of(moment: np.datetime64) -> float:
    """A moment as days since 2000-01-01 UTC."""
    return float(np.subtract(moment, EPOCH) / np.timedelta64(1, "ns")) / 86400e9


def read(dataset, path: Path, bands: tuple[int, ...], window=None, masks: bool = False) -> np.ndarray:
    """Pixels as the file holds them, [C H W]; never through overviews.

    Args:
      dataset: an open `rasterio` dataset.
      path: for the sentences.
      bands: its bands, counted from 1, in the order wanted.
      window: first row, first column and side of a square; a slice of rows and one of columns; or a `rasterio` window. None:
        the whole file.
      masks: the masks of the bands, 0 where missing, in place of their pixels.

    Raises:
      ValueError: the file is damaged or truncated.
    """
    import rasterio

    cut = window
    if isinstance(window, tuple) and isinstance(window[0], slice):
        cut = rasterio.windows.Window.from_slices(*window)
    elif isinstance(window, tuple):
        cut = rasterio.windows.Window(window[1], window[0], window[2], window[2])
    try:
        return (dataset.read_masks if masks else dataset.read)(list(bands), window=cut)
    except rasterio.errors.RasterioIOError as error:
        where = "" if cut is None else f" at row {cut.row_off}, column {cut.col_off}"
        raise ValueError(_damaged(path, f"cannot be read{where}", error)) from error


def crs_of(text: str, where: str):
    """A coordinate system, a `rasterio.crs.CRS`, of its EPSG code (`EPSG:32633`) or its WKT.

    Raises:
      ImportError: rasterio is not installed.
      ValueError: it is none.
    """
    with needs("rasterio", "geo", "coordinate systems"):
        import rasterio
    try:
        return rasterio.crs.CRS.from_user_input(text)
    except rasterio.errors.CRSError as error:
        raise ValueError(f"{where}: expected a coordinate system, got {text[:60]!r}; fetch the file again.") from error


def window(rows: slice, columns: slice):
    """A `rasterio` window of slices, for `read`."""
    import rasterio

    return rasterio.windows.Window.from_slices(rows, columns)


def lonlat(crs, eastings: np.ndarray, northings: np.ndarray) -> np.ndarray:
    """Longitude and latitude, degrees [n 2], of points in a coordinate system; not finite where they are no places."""
    from rasterio.warp import transform

    return np.stack(transform(crs, "EPSG:4326", eastings, northings), axis=-1).astype(np.float64)


def carried(source, target, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Points in one coordinate system as they are in another, [n 2]; not finite where they are no places there.

    Args:
      source: of the points, a `rasterio.crs.CRS`.
      target: wanted.
      x: along the first axis [n], in the unit of `source`.
      y: along the second.
    """
    from rasterio.warp import transform

    return np.stack(transform(source, target, x, y), axis=-1).astype(np.float64)


def _damaged(path: Path, what: str, error: Exception) -> str:
    reason = str(error.__cause__ or error).split("\n", 1)[0].removeprefix(f"{path}: ").rstrip(".")
    return (
        f"{path}: expected a whole GeoTIFF, and it {what} ({reason}); it is truncated or of another format: copy it again, or "
        "take it out of the folder."
    )


def _crs_name(crs) -> str:
    code = crs.to_epsg()
    return f"EPSG:{code}" if code else "a coordinate system without EPSG code"
