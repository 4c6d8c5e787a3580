"""Fixed squares of the ground: cells of a UTM zone's grid, named without a table, and blocks of them that are held out.

A grid has its origin at the zone's own, so that cell (column, row) has its lower left corner at (column * side, row * side).
"""

import dataclasses
import functools
import hashlib

import numpy as np

from spectral_jax.ingest.raster import earth, geotiff

# Between these latitudes UTM is used (NGA.STND.0037, 2014).
SOUTH, NORTH = -80.0, 84.0
BETWEEN = "between"


@dataclasses.dataclass(frozen=True, order=True)
class Cell:
    """A square of a zone's grid.

    Attributes:
      epsg: of the zone.
      column: from the zone's own origin, east.
      row: from there, north.
      side_m: metres.
    """

    epsg: int
    column: int
    row: int
    side_m: float

    @property
    def name(self) -> str:
        """`EPSG_column_row`, the same wherever and whenever it is made."""
        return f"{self.epsg}_{self.column}_{self.row}"

    @property
    def left(self) -> float:
        """Easting of the left edge, metres."""
        return self.column * self.side_m

    @property
    def top(self) -> float:
        """Northing of the upper edge, metres."""
        return (self.row + 1) * self.side_m

    def ring(self) -> tuple[np.ndarray, np.ndarray]:
        """Eastings and northings [4] of the corners, from the upper left one clockwise."""
        right, bottom = self.left + self.side_m, self.top - self.side_m
        return np.array([self.left, right, right, self.left]), np.array([self.top, self.top, bottom, bottom])


@functools.cache
def crs(epsg: int):
    """The coordinate system of a zone, a `rasterio.crs.CRS`."""
    return geotiff.crs_of(f"EPSG:{epsg}", "the grid of cells")


def zones(lonlat: np.ndarray) -> list[int]:
    """EPSG codes of the zones that places [n 2] lie in; none of those beyond 84 N and 80 S."""
    return sorted({
        earth.utm_epsg(_within(lon), lat) for lon, lat in lonlat.tolist() if SOUTH <= lat <= NORTH
    })  # fmt: skip


def over(epsg: int, low: np.ndarray, high: np.ndarray, side_m: float) -> np.ndarray:
    """Column and row [n 2] of the cells that belong to a zone, by their centres, and touch a box in its coordinates.

    Args:
      epsg: of the zone.
      low: lowest easting and northing of the box, metres.
      high: highest.
      side_m: of a cell, metres.
    """
    columns, rows = (np.arange(int(a), int(b) + 1) for a, b in zip(low // side_m, high // side_m, strict=True))
    squares = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    centres = geotiff.lonlat(crs(epsg), *((squares + 0.5) * side_m).T)
    mine = [SOUTH <= lat <= NORTH and earth.utm_epsg(_within(lon), lat) == epsg for lon, lat in centres.tolist()]
    return squares[np.array(mine, bool)]


def split_of(cell: Cell, holdout: float, block_deg: float) -> str:
    """`train`, `holdout`, or `between` for a cell that lies in blocks of both, which belongs to neither.

    Blocks are squares in degrees, whatever the zone, and each is drawn by a hash of its place alone: a cell stays where it is
    when others come and go, and cells of two zones that overlap are never parted.
    """
    corners = geotiff.lonlat(crs(cell.epsg), *cell.ring())
    of = {_drawn(float(lon), float(lat), holdout, block_deg) for lon, lat in corners}
    return of.pop() if len(of) == 1 else BETWEEN


def _drawn(lon: float, lat: float, holdout: float, block_deg: float) -> str:
    place = f"{block_deg:g}/{int(np.floor(_within(lon) / block_deg))}/{int(np.floor(lat / block_deg))}"
    drawn = int.from_bytes(hashlib.sha256(place.encode()).digest()[:8], "big") / 2**64
    return "holdout" if drawn < holdout else "train"


def _within(lon: float) -> float:
    """A longitude from -180 to below 180 degrees."""
    return (lon + 180.0) % 360.0 - 180.0
