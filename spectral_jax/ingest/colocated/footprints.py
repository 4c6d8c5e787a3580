"""Where a product's pixels lie, on whatever grid, and which cells are wholly inside."""

import dataclasses
from typing import Any

import numpy as np

from spectral_jax.ingest.colocated import cells
from spectral_jax.ingest.colocated.cells import Cell
from spectral_jax.ingest.downloaded.files import rasters
from spectral_jax.ingest.downloaded.product import DownloadedProduct
from spectral_jax.ingest.raster import geotiff

# Places along an edge of a raster: a straight edge is bent in another zone, by 100 m and more on 100 km.
_ALONG = 17
# A product is no wider than this, degrees of longitude; corners farther apart are damaged.
_WIDEST = 90.0
# Slack of a swath's corners, which products give to 1e-3 degrees or better: how much of a cell holds data is counted later.
_SLACK_M = 100.0
# Cells may reach over the edge of a raster by this part of a pixel: rounding.
_ROUNDING_PX = 1e-3
# Corners of a square of side 1, and the middles of its edges.
_ROUND = np.array([(0, 0), (0.5, 0), (1, 0), (1, 0.5), (1, 1), (0.5, 1), (0, 1), (0, 0.5)])


@dataclasses.dataclass(frozen=True, eq=False)
class Footprint:
    """Where pixels of a product lie.

    Attributes:
      crs: of its grid, a `rasterio.crs.CRS`.
      geotransform: of its grid, in GDAL's order.
      shape: H and W, pixels.
      outline: longitude and latitude of a swath that lies askew in its grid, degrees [n 2]; None where the grid tells all.
      ring: longitude and latitude along the edge of what was seen, degrees [k 2], unbroken over the 180th meridian.
    """

    crs: Any
    geotransform: tuple[float, ...]
    shape: tuple[int, int]
    outline: np.ndarray | None
    ring: np.ndarray

    def inside(self, epsg: int, squares: np.ndarray, side_m: float) -> np.ndarray:
        """Which cells of a zone are wholly inside, bool [n].

        Args:
          epsg: of the zone.
          squares: column and row of each cell [n 2].
          side_m: of a cell, metres.
        """
        out = np.zeros(len(squares), bool)
        low, high = self.box(epsg)
        near = np.flatnonzero(((squares + 1) * side_m >= low).all(axis=1) & (squares * side_m <= high).all(axis=1))
        out[near] = self._inside(cells.crs(epsg), squares[near], side_m)
        return out

    def _inside(self, zone, squares: np.ndarray, side_m: float) -> np.ndarray:
        # Corners and the places between them: an edge of a cell is bent on the product's grid.
        x, y = (squares[:, None, axis] * side_m + side_m * _ROUND[:, axis] for axis in (0, 1))
        rows, columns = (z.reshape(x.shape) for z in self.places(zone, x.ravel(), y.ravel()))
        height, width = self.shape
        with np.errstate(invalid="ignore"):
            within = (rows >= -_ROUNDING_PX) & (rows <= height + _ROUNDING_PX)
            within &= (columns >= -_ROUNDING_PX) & (columns <= width + _ROUNDING_PX)
        if self.outline is not None:
            within &= _in_hull(self._in_zone(zone, self.outline), x, y)
        return np.asarray(within.all(axis=1))

    def places(self, crs, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns in the product, 0 being its upper left corner, of points in some coordinate system."""
        if crs != self.crs:
            x, y = geotiff.carried(crs, self.crs, x, y).T
        left, across, _, top, _, down = self.geotransform
        if self.crs.is_geographic:
            middle = left + across * self.shape[1] / 2
            x = middle + (x - middle + 180.0) % 360.0 - 180.0
        return (y - top) / down, (x - left) / across

    def cells(self, side_m: float) -> list[Cell]:
        """The cells that are wholly inside, zone by zone."""
        found: list[Cell] = []
        for epsg in cells.zones(self.ring):
            squares = cells.over(epsg, *self.box(epsg), side_m)
            squares = squares[self.inside(epsg, squares, side_m)]
            found += [Cell(epsg, column, row, side_m) for column, row in squares.tolist()]
        return found

    def box(self, epsg: int) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest easting and northing [2] in a zone, metres."""
        edge = self._in_zone(cells.crs(epsg), self.ring)
        edge = edge[np.isfinite(edge).all(axis=1)]
        return edge.min(axis=0) - _SLACK_M, edge.max(axis=0) + _SLACK_M

    @staticmethod
    def _in_zone(zone, lonlat: np.ndarray) -> np.ndarray:
        return geotiff.carried(geotiff.crs_of("EPSG:4326", "a footprint"), zone, lonlat[:, 0], lonlat[:, 1])


def of(product: DownloadedProduct) -> Footprint:
    """The footprint of an open product.

    Raises:
      ValueError: its corners are no places, lie too far apart, or all beyond 84 N or 80 S, or its grid is turned.
    """
    left, across, row_turn, top, column_turn, down = product.geotransform
    if row_turn or column_turn or across <= 0 or down >= 0:
        raise ValueError(
            f"{product.name}: expected a north-up grid, got the geotransform {product.geotransform}; warp it first (gdalwarp)."
        )
    height, width = product.shape
    edge = _along(np.array([(0, 0), (width, 0), (width, height), (0, height)], float))
    x, y = left + edge[:, 0] * across, top + edge[:, 1] * down
    ring = np.stack([x, y], axis=1) if product.crs.is_geographic else geotiff.lonlat(product.crs, x, y)
    corners = rasters.corners(product.crs, product.geotransform, product.shape)
    outline = None if _alike(product.outline, corners) else _unbroken(product.outline)
    ring = _unbroken(ring) if outline is None else _along(outline)
    wide = float(np.ptp(ring[:, 0]))
    if not np.isfinite(ring).all() or not wide <= _WIDEST or np.abs(ring[:, 1]).max() > 90.0:
        raise ValueError(
            f"{product.name}: expected corners on the Earth, at most {_WIDEST:g} degrees of longitude apart, got "
            f"{product.outline.round(3).tolist()}; its metadata is damaged."
        )
    if not cells.zones(ring):
        raise ValueError(
            f"{product.name}: it lies from {ring[:, 1].min():.1f} to {ring[:, 1].max():.1f} degrees north, and UTM zones end "
            f"at {cells.NORTH:g} N and {-cells.SOUTH:g} S; no cell can hold it."
        )
    return Footprint(product.crs, product.geotransform, product.shape, outline, ring)


def _alike(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """Whether corners are the same places, to a tenth of a metre, whichever way longitudes are counted."""
    if ours.shape != theirs.shape:
        return False
    off = np.abs(ours - theirs)
    return bool(np.minimum(off, np.abs(off - (360.0, 0.0))).max() <= 1e-6)


def _along(corners: np.ndarray) -> np.ndarray:
    """Points along the edges of a polygon [k 2], the first corner to the last and back."""
    part = np.linspace(0.0, 1.0, _ALONG)[:-1, None]
    return np.concatenate([a + part * (b - a) for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True)])


def _unbroken(lonlat: np.ndarray) -> np.ndarray:
    """Places whose longitudes follow one another without a jump of 360 degrees; they may pass 180."""
    lon = np.unwrap(lonlat[:, 0], period=360.0)
    return np.stack([lon, lonlat[:, 1]], axis=1)


def _in_hull(corners: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Which points are inside the smallest convex polygon around some corners [k 2], whatever their order."""
    from scipy.spatial import ConvexHull, QhullError

    try:
        sides = ConvexHull(corners).equations
    except (QhullError, ValueError):  # corners on one line, or no places in this zone
        return np.zeros(x.shape, bool)
    return np.logical_and.reduce([a * x + b * y + c <= _SLACK_M for a, b, c in sides])
