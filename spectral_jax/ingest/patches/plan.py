"""From chips to locations: chips are paired by name and place, cut into whole patches, and grouped by their sensors."""

import dataclasses
import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from spectral_jax.ingest.patches.products import product
from spectral_jax.ingest.patches.products.product import Chip, Product
from spectral_jax.ingest.raster import geotiff

ID_BYTES = 64  # room for an identifier in a store


@dataclasses.dataclass(frozen=True)
class Patch:
    """A square of a chip: its first row and column and its side, pixels."""

    chip: Chip
    window: tuple[int, int, int]

    @property
    def granule(self) -> str:
        """What is opened to read it; patches of one granule are read one after another."""
        return str(self.chip.path)

    @property
    def time_days(self) -> float:
        """Days since 2000-01-01 UTC; 0 where the file does not tell."""
        return self.chip.time_days or 0.0

    def stored(self) -> product.Stored:
        """Its pixels; errors as `product.stored`."""
        return product.stored(self.chip, self.window)

    def close(self) -> None:
        """Closes what stayed open after reading."""
        self.chip.product.close()


@dataclasses.dataclass(frozen=True)
class PlannedLocation:
    """A square on the ground, and what each sensor saw of it, by date.

    Attributes:
      name: unique identifier, at most ID_BYTES.
      crs: coordinate system, a `rasterio.crs.CRS`.
      left: easting of the left edge, metres.
      top: northing of the upper edge, metres.
      dates: sensor key -> patches in order of time.
    """

    name: str
    crs: Any
    left: float
    top: float
    dates: dict[str, tuple[Patch, ...]]


@dataclasses.dataclass(frozen=True)
class GroupPlan:
    """Locations with the same sensors."""

    name: str
    products: dict[str, Product]
    locations: tuple[PlannedLocation, ...]

    @property
    def dates(self) -> int:
        """The most dates that a sensor has at a location."""
        return max(len(patches) for location in self.locations for patches in location.dates.values())


def check_footprint(products: Sequence[Product], footprint_m: float):
    """Checks that a patch is a whole number of pixels of every sensor.

    Raises:
      ValueError: it is not; the sentence gives the nearest footprint that is, for all sensors together.
    """
    for each in products:
        pixels = footprint_m / each.spec.gsd_m
        if pixels < 1 or abs(pixels - round(pixels)) > 1e-6:
            step = int(np.lcm.reduce([round(p.spec.gsd_m) for p in products]))
            nearest = max(1, round(footprint_m / step)) * step
            raise ValueError(
                f"--footprint_m: {footprint_m:g} m is not a whole number of {each.key} pixels of {each.spec.gsd_m:g} m; "
                f"the nearest that fits every sensor is {nearest} m."
            )


def groups(chips: Sequence[Chip], footprint_m: float) -> list[GroupPlan]:
    """The groups of a store.

    Files of several sensors with one name form a site; a site is cut into as many whole patches as fit where all its sensors
    overlap. The same square seen by several files of one sensor is one location with several dates.

    Args:
      chips: in the order of sensors that group names take.
      footprint_m: side of a patch, metres.

    Raises:
      ValueError: the files of a name lie apart or on different grids, two files of one sensor have one name or show one square
        at one time, or a tile is smaller than a patch.
    """
    sites: dict[str, dict[str, Chip]] = defaultdict(dict)
    for chip in chips:
        other = sites[chip.name].setdefault(chip.product.key, chip)
        if other is not chip:
            raise ValueError(f"{chip.path} and {other.path} are of one sensor and have one name; rename one.")
    seen: dict[tuple, list[tuple[str, dict[str, Patch]]]] = defaultdict(list)
    for name, site in sorted(sites.items()):
        crs = next(iter(site.values())).grid.crs
        squares = _cut(name, site, footprint_m)
        for (left, top), patches in squares.items():
            label = name if len(squares) == 1 else f"{name}/{left:.0f}_{top:.0f}"
            seen[tuple(site), crs.to_wkt(), round(left, 2), round(top, 2)].append((label, patches))
    located = defaultdict(list)
    for (keys, *_), views in seen.items():
        located[keys].append(_location(views, keys))
    plans = []
    for keys, locations in located.items():
        products = {key: locations[0].dates[key][0].chip.product for key in keys}
        plans.append(GroupPlan("_".join(keys).lower(), products, tuple(locations)))
    return sorted(plans, key=lambda plan: plan.name)


def digest(plans: Sequence[GroupPlan]) -> str:
    """Sixteen hexadecimal digits that change when a file, a place, a date or the order changes."""
    rows = [
        [plan.name, place.name, place.crs.to_wkt(), place.left, place.top, key, patch.chip.path.name, patch.chip.time_days]
        + [list(patch.window), list(patch.chip.band_index), patch.chip.scale, patch.chip.offset]
        for plan in plans
        for place in plan.locations
        for key, patches in place.dates.items()
        for patch in patches
    ]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]


def _cut(name: str, site: dict[str, Chip], footprint_m: float) -> dict[tuple[float, float], dict[str, Patch]]:
    """Upper left corners of the whole patches of a site -> the sensors' windows."""
    grids = {key: chip.grid for key, chip in site.items()}
    first = next(iter(site.values()))
    for chip in site.values():
        if chip.grid.crs != first.grid.crs:
            systems = " and ".join(str(s.grid.crs.to_epsg() or "without EPSG code") for s in (chip, first))
            raise ValueError(
                f"{chip.path} and {first.path} have one name and different coordinate systems ({systems}); reproject one onto "
                "the grid of the other, or rename it."
            )
    left, right = max(g.left for g in grids.values()), min(g.right for g in grids.values())
    top, bottom = min(g.top for g in grids.values()), max(g.bottom for g in grids.values())
    if left >= right or bottom >= top:
        ours, theirs = list(site.values())[:2]
        raise ValueError(
            f"{theirs.path} and {ours.path} have one name but do not overlap ({_extent(theirs.grid)} and {_extent(ours.grid)}, "
            "easting and northing in metres); correct the georeferencing, or rename one."
        )
    coarse = max(grids.values(), key=lambda g: g.pixel_m)
    left = coarse.left + np.ceil((left - coarse.left) / coarse.pixel_m - geotiff.PIXEL_TOLERANCE) * coarse.pixel_m
    top = coarse.top - np.ceil((coarse.top - top) / coarse.pixel_m - geotiff.PIXEL_TOLERANCE) * coarse.pixel_m
    slack = geotiff.PIXEL_TOLERANCE * coarse.pixel_m
    columns = int((right - left + slack) // footprint_m)
    rows = int((top - bottom + slack) // footprint_m)
    if rows < 1 or columns < 1:
        where = "tile" if len(site) == 1 else f"part that {' and '.join(site)} share"
        raise ValueError(
            f"{first.path}: the {where} is {right - left:g} x {top - bottom:g} m, smaller than a patch of {footprint_m:g} m; "
            "take a smaller --footprint_m, or larger tiles."
        )
    corners = [(left + c * footprint_m, top - r * footprint_m) for r in range(rows) for c in range(columns)]
    return {
        corner: {key: Patch(chip, _window(name, chip, corner, footprint_m)) for key, chip in site.items()} for corner in corners
    }


def _window(name: str, chip: Chip, corner: tuple[float, float], footprint_m: float) -> tuple[int, int, int]:
    grid = chip.grid
    row, column = (grid.top - corner[1]) / grid.pixel_m, (corner[0] - grid.left) / grid.pixel_m
    if abs(row - round(row)) > geotiff.PIXEL_TOLERANCE or abs(column - round(column)) > geotiff.PIXEL_TOLERANCE:
        raise ValueError(
            f"{chip.path}: the files called {name} lie on grids that are shifted by a part of a pixel (row {row:.2f}, column "
            f"{column:.2f}); resample them onto one grid."
        )
    return round(row), round(column), round(footprint_m / grid.pixel_m)


def _location(views: list[tuple[str, dict[str, Patch]]], keys: tuple[str, ...]) -> PlannedLocation:
    dates = {}
    for key in keys:
        of_key = sorted((patches[key] for _, patches in views), key=lambda p: (p.chip.time_days or 0.0, p.chip.name))
        for a, b in zip(of_key, of_key[1:], strict=False):
            if a.chip.time_days is not None and a.chip.time_days == b.chip.time_days:
                raise ValueError(f"{b.chip.path} and {a.chip.path} show the same square at the same time; remove one.")
        dates[key] = tuple(of_key)
    label, patches = views[0]
    anchor = patches[keys[0]]
    row, column, _ = anchor.window
    grid = anchor.chip.grid
    return PlannedLocation(_short(label), grid.crs, grid.left + column * grid.pixel_m, grid.top - row * grid.pixel_m, dates)


def _short(label: str) -> str:
    if len(label.encode()) <= ID_BYTES:
        return label
    mark = hashlib.sha256(label.encode()).hexdigest()[:12]
    return label.encode()[: ID_BYTES - 13].decode(errors="ignore") + "~" + mark


def _extent(grid: geotiff.Grid) -> str:
    return f"{grid.left:.0f} to {grid.right:.0f}, {grid.bottom:.0f} to {grid.top:.0f}"
