"""GeoTIFFs and JPEG 2000 files of one product: opened once, on one grid, read by windows."""

import contextlib
from collections.abc import Sequence

import numpy as np

from spectral_jax.ingest.downloaded.files.archive import Files
from spectral_jax.ingest.raster import geotiff

Window = tuple[slice, slice]


class Raster:
    """An open file of a product.

    Attributes:
      path: of the file.
      dataset: the open `rasterio` dataset.
    """

    def __init__(self, files: Files, name: str, stack: contextlib.ExitStack):
        self.path = files.path(name)
        self.dataset = stack.enter_context(geotiff.opened(self.path))

    @property
    def shape(self) -> tuple[int, int]:
        """H and W, pixels."""
        return self.dataset.height, self.dataset.width

    def read(self, bands: Sequence[int], window: Window) -> np.ndarray:
        """Numbers [C h w] of bands counted from 1.

        Raises:
          ValueError: the file is damaged.
        """
        return geotiff.read(self.dataset, self.path, tuple(bands), window)

    def layer(self, window: Window, band: int = 1) -> np.ndarray:
        """Numbers [h w] of one band counted from 1. Raises as `read`."""
        return self.read((band,), window)[0]

    def enlarged(self, window: Window, times: int) -> np.ndarray:
        """Numbers [h w] of the one band of a file with pixels `times` as wide, each repeated: the nearest neighbour.

        Args:
          window: in the finer pixels.
          times: how many of them make a side of a pixel.

        Raises:
          ValueError: as `read`.
        """
        if times == 1:
            return self.layer(window)
        coarse = tuple(slice(cut.start // times, -(-cut.stop // times)) for cut in window)
        values = self.layer((coarse[0], coarse[1])).repeat(times, axis=0).repeat(times, axis=1)
        top, left = (cut.start % times for cut in window)
        return values[top : top + window[0].stop - window[0].start, left : left + window[1].stop - window[1].start]


def geotransform(raster: Raster) -> tuple[float, ...]:
    """Left edge, column width, row turn, upper edge, column turn, row height."""
    a, b, c, d, e, f = tuple(raster.dataset.transform)[:6]
    return c, a, b, f, d, e


def check_grid(first: Raster, other: Raster, times: int = 1) -> None:
    """Whether two files of a product are on one grid, the second with pixels `times` as wide.

    Raises:
      ValueError: another coordinate system, size or place.
    """
    expected = tuple(-(-side // times) for side in first.shape)
    if first.dataset.crs != other.dataset.crs or other.shape != expected:
        raise ValueError(
            f"{other.path}: expected {expected[0]} x {expected[1]} pixels in the coordinate system of {first.path.name}, got "
            f"{other.shape[0]} x {other.shape[1]} in {_name(other)} beside {_name(first)}; these are files of two products."
        )
    ours, theirs = np.array(geotransform(first)), np.array(geotransform(other))
    ours[[1, 2, 4, 5]] *= times
    if np.abs(ours - theirs).max() > geotiff.PIXEL_TOLERANCE * abs(ours[1]):
        raise ValueError(
            f"{other.path}: expected the grid of {first.path.name}, {tuple(ours.tolist())}, got {tuple(theirs.tolist())}; "
            "these are files of two products."
        )


def corners(crs, transform: Sequence[float], shape: tuple[int, int]) -> np.ndarray:
    """Longitude and latitude, degrees [4 2], of the corners of a grid, from the upper left one clockwise.

    Raises:
      ValueError: they are no places on the Earth.
    """
    left, across, row_turn, top, column_turn, down = transform
    ends = np.array([(0, 0), (shape[1], 0), (shape[1], shape[0]), (0, shape[0])], float)
    x = left + ends[:, 0] * across + ends[:, 1] * row_turn
    y = top + ends[:, 0] * column_turn + ends[:, 1] * down
    found = geotiff.lonlat(crs, x, y)
    if not np.isfinite(found).all():
        raise ValueError(f"the corners {x.tolist()}, {y.tolist()} are no places on the Earth in {crs}; the grid is damaged.")
    return found


def check_metric(raster: Raster, what: str) -> None:
    """Whether a file has north-up square pixels in metres.

    Raises:
      ValueError: it has no coordinate system, or another kind of grid.
    """
    crs = raster.dataset.crs
    if crs is None:
        raise ValueError(f"{raster.path}: expected {what} in a coordinate system, and the file has none; fetch it again.")
    geotiff.grid(raster.dataset, raster.path, abs(raster.dataset.transform.a))


def _name(raster: Raster) -> str:
    crs = raster.dataset.crs
    return "no system" if crs is None else f"EPSG:{crs.to_epsg()}"


def declared(raster: Raster) -> tuple[float | None, ...]:
    """The number that each band declares as no data; None where it declares none."""
    return tuple(raster.dataset.nodatavals)
