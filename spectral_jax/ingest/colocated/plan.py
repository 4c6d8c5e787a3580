"""From folders to a plan: which products cover which cells, which of them are taken, and the groups of a store."""

import collections
import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from spectral_jax.ingest.colocated import cells, dates, quality, survey
from spectral_jax.ingest.colocated.cells import Cell
from spectral_jax.ingest.colocated.dates import Candidate, Choice, Place
from spectral_jax.ingest.colocated.patch import CellPatch, Openings
from spectral_jax.ingest.colocated.survey import DAMAGED, LeftOut, Sighting
from spectral_jax.ingest.colocated.wanted import Wanted
from spectral_jax.ingest.masks.finder import CloudFinder
from spectral_jax.ingest.patches.plan import GroupPlan, PlannedLocation, check_footprint
from spectral_jax.ingest.patches.products.product import Product
from spectral_jax.ingest.raster import geotiff

PROGRESS_SECONDS = 5.0
ONE_SENSOR = "covered by one sensor"


@dataclasses.dataclass(frozen=True)
class PlannedCell:
    """A cell that products cover.

    Attributes:
      cell: the square.
      split: `train`, `holdout`, or `between` where it is left out for lying in both.
      candidates: the products that cover it.
      choice: which of them are taken.
    """

    cell: Cell
    split: str
    candidates: tuple[Candidate, ...]
    choice: Choice

    def named(self) -> list[tuple[str, Place]]:
        """Locations with their names: the cell's, and with the date after it where it has several."""
        first, *others = self.choice.places
        more = [(f"{self.cell.name}_{_day(place)}", place) for place in others]
        return [(self.cell.name, first), *more]


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a store is going to hold, and what not.

    Attributes:
      wanted: what was asked for.
      sightings: the products of use, by time.
      left_out: products of none.
      cells: that an anchor's product covers.
    """

    wanted: Wanted
    sightings: tuple[Sighting, ...]
    left_out: tuple[LeftOut, ...]
    cells: tuple[PlannedCell, ...]

    def splits(self) -> list[str]:
        """The splits that hold a location."""
        return [split for split in ("train", "holdout") if any(c.split == split and c.choice.places for c in self.cells)]

    def groups(self, split: str, openings: Openings) -> list[GroupPlan]:
        """The groups of the store of a split.

        Args:
          split: one of `splits`.
          openings: shared by all patches.
        """
        of_keys: dict[tuple[str, ...], list[PlannedLocation]] = collections.defaultdict(list)
        for planned in self.cells:
            if planned.split != split or not planned.choice.places:
                continue
            cell, crs = planned.cell, cells.crs(planned.cell.epsg)
            for name, place in planned.named():
                # `write` asks a patch what it is and for its numbers, whatever it was cut from.
                patches: dict[str, Any] = {
                    key: tuple(CellPatch(x.sighting, cell, self.wanted.unclear == "keep", openings) for x in several)
                    for key, several in place.taken.items()
                }
                of_keys[tuple(place.taken)].append(PlannedLocation(name, crs, cell.left, cell.top, patches))
        products = {x.key: _product(x) for x in self.sightings}
        plans = [
            GroupPlan("_".join(keys).lower(), {key: products[key] for key in keys}, tuple(places))
            for keys, places in of_keys.items()
        ]
        return sorted(plans, key=lambda plan: plan.name)


def planned(wanted: Wanted, report: Callable[[str], None] = print, masked: CloudFinder | None = None) -> Plan:
    """Makes a plan: no number of a cube is read but of radar and temperature, and what a model that tells cloud looks at.

    Args:
      wanted: what is asked for.
      report: takes one line of progress.
      masked: gives products the flags of models; None: as `wanted` asks for.

    Raises:
      FileNotFoundError: a folder is missing, or none holds a product.
      ImportError: a library is missing that a product needs.
      ValueError: a cell is no whole number of a sensor's pixels.
    """
    masked = masked or CloudFinder(wanted.mask)
    masked.check()
    seen, left_out = survey.survey(wanted, report, masked)
    specs = {one.key: one for one in seen}
    masked.expect_use([one.spec for one in specs.values()])
    for key, one in specs.items():
        if masked.told(one.spec):
            report(f"{key}: its own layers{masked.told(one.spec)}")
    check_footprint([_product(x) for x in specs.values()], wanted.footprint_m)
    covering = _covering(seen, wanted)
    openings = Openings(masked=masked)
    try:
        found, damaged = _measured(seen, covering, wanted, openings, report)
    finally:
        openings.close()
    gone = {(one.name, one.key) for one in damaged}
    made = []
    for cell, several in sorted(covering.items()):
        candidates = tuple(
            Candidate(one, found.get((one.path, one.key, cell), quality.UNMEASURED))
            for one in several
            if (one.name, one.key) not in gone
        )  # fmt: skip
        if not any(one.key in wanted.anchors for one in candidates):
            continue
        split = cells.split_of(cell, wanted.holdout, wanted.block_deg)
        made.append(PlannedCell(cell, split, candidates, _chosen(candidates, split, wanted)))
    return Plan(wanted, tuple(one for one in seen if (one.name, one.key) not in gone), (*left_out, *damaged), tuple(made))


def _covering(seen: Sequence[Sighting], wanted: Wanted) -> dict[Cell, list[Sighting]]:
    """The cells inside anchors' products, and all products that each is inside of."""
    out: dict[Cell, list[Sighting]] = collections.defaultdict(list)
    for one in seen:
        if one.key in wanted.anchors:
            for cell in one.footprint.cells(wanted.footprint_m):
                out[cell].append(one)
    of_zone = collections.defaultdict(list)
    for cell in sorted(out):
        of_zone[cell.epsg].append(cell)
    squares = {epsg: np.array([(cell.column, cell.row) for cell in some]) for epsg, some in of_zone.items()}
    for one in seen:
        if one.key not in wanted.anchors:
            for epsg in set(cells.zones(one.footprint.ring)) & squares.keys():
                for k in np.flatnonzero(one.footprint.inside(epsg, squares[epsg], wanted.footprint_m)):
                    out[of_zone[epsg][k]].append(one)
    return out


def _measured(
    seen: Sequence[Sighting], covering: dict[Cell, list[Sighting]], wanted: Wanted, openings: Openings, report: Callable
) -> tuple[dict[tuple[Path, str, Cell], quality.Quality], list[LeftOut]]:
    """The quality of cells product by product, where two sensors and an anchor's date make it worth while."""
    of_product: dict[tuple[Path, str], list[Cell]] = collections.defaultdict(list)
    for cell, several in sorted(covering.items(), key=lambda x: (x[0].epsg, -x[0].row, x[0].column)):
        anchors = [one.time_days for one in several if one.key in wanted.anchors]
        if len({one.key for one in several}) < 2:
            continue
        for one in several:
            if min(abs(one.time_days - days) for days in anchors) <= wanted.most_days:
                of_product[one.path, one.key].append(cell)
    out: dict[tuple[Path, str, Cell], quality.Quality] = {}
    damaged: list[LeftOut] = []
    last = time.monotonic()
    for k, one in enumerate(seen):
        some = of_product[one.path, one.key]
        try:
            for cell in some:
                out[one.path, one.key, cell] = quality.measured(openings.of(one), one.footprint, cell)
        except (ValueError, OSError) as error:
            damaged.append(LeftOut(one.name, one.key, DAMAGED, str(error)))
        if time.monotonic() - last > PROGRESS_SECONDS:
            last = time.monotonic()
            report(f"{k + 1} of {len(seen)} products measured, {len(out)} cells in them")
    return out, damaged


def _chosen(candidates: Sequence[Candidate], split: str, wanted: Wanted) -> Choice:
    if len({one.key for one in candidates}) < 2:
        told = ONE_SENSOR, "no product of a second sensor covers the cell"
    elif split == cells.BETWEEN:
        told = "between train and holdout", "the cell lies in blocks of both (--block_deg)"
    else:
        return dates.choose(candidates, wanted)
    return Choice((), {one.which: told for one in candidates})


def _product(one: Sighting) -> Product:
    return Product(one.key, one.spec, by_wavelength=True, scale=one.spec.scale)


def _day(place: Place) -> str:
    return str(geotiff.EPOCH.astype("datetime64[D]") + np.timedelta64(int(place.days // 1), "D")).replace("-", "")


def digest(plans: Sequence[GroupPlan]) -> str:
    """Sixteen hexadecimal digits that change when a product, a place, a date or the order changes."""
    rows = [
        [plan.name, place.name, key, *cast(CellPatch, patch).said()]
        for plan in plans
        for place in plan.locations
        for key, patches in place.dates.items()
        for patch in patches
    ]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]
