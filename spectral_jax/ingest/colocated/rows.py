"""The plan as a table: a row for each product of each location, for what was not taken, and for products left out whole."""

import collections
import csv
import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path

from spectral_jax.ingest.colocated import dates
from spectral_jax.ingest.colocated.plan import Plan, PlannedCell


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of the table; fields are columns, in this order.

    Attributes:
      cell: name of the location; empty for a product that was left out whole.
      split: `train`, `holdout` or `between`.
      group: of the store, where the product is taken.
      sensor: key in the store.
      product: name.
      date: of the observation, UTC.
      gap_days: from the location's date, later ones positive.
      clear_fraction: share of the cell that holds data and is clear; empty where it was not measured.
      valid_fraction: share that holds data.
      left: easting of the cell's left edge, metres.
      top: northing of its upper edge.
      epsg: of its zone.
      chosen: `yes` or `no`.
      why: not.
      how: pixels come to the cell: `own grid`, `nearest` or `bilinear`.
    """

    cell: str = ""
    split: str = ""
    group: str = ""
    sensor: str = ""
    product: str = ""
    date: str = ""
    gap_days: str = ""
    clear_fraction: str = ""
    valid_fraction: str = ""
    left: str = ""
    top: str = ""
    epsg: str = ""
    chosen: str = "no"
    why: str = ""
    how: str = ""


def rows(plan: Plan) -> Iterator[Row]:
    """The table of a plan: cell by cell, and then the products left out whole."""
    for planned in plan.cells:
        yield from _of_cell(planned)
    for one in plan.left_out:
        yield Row(sensor=one.key, product=one.name, why=f"{one.reason}: {one.sentence}")


def _of_cell(planned: PlannedCell) -> Iterator[Row]:
    cell, places = planned.cell, planned.choice.places
    place_of = {"split": planned.split, "left": f"{cell.left:.10g}", "top": f"{cell.top:.10g}", "epsg": str(cell.epsg)}
    for name, place in planned.named() if places else ():
        group = "_".join(place.taken).lower()
        for several in place.taken.values():
            for one in several:
                off = f"{one.days - place.days:.3f}"
                yield Row(cell=name, group=group, gap_days=off, chosen="yes", **place_of, **_of_product(one))
    for one in planned.candidates:
        told = planned.choice.why.get(one.which)
        if told:
            gap = f"{dates.gap(one, places):.3f}" if places else ""
            yield Row(cell=cell.name, gap_days=gap, why=": ".join(told), **place_of, **_of_product(one))


def _of_product(one: dates.Candidate) -> dict[str, str]:
    measured = one.quality
    return {
        "sensor": one.key, "product": one.sighting.name, "date": one.sighting.date, "how": measured.how,
        "clear_fraction": _share(measured.clear), "valid_fraction": _share(measured.valid),
    }  # fmt: skip


def _share(number: float) -> str:
    return "" if math.isnan(number) else f"{number:.4f}"


def write(plan: Plan, path: Path) -> Path:
    """Writes the table as CSV, and returns its path.

    Raises:
      OSError: it cannot be written.
    """
    with open(path, "w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, [field.name for field in dataclasses.fields(Row)])
        table.writeheader()
        table.writerows(dataclasses.asdict(row) for row in rows(plan))
    return path


def refused(plan: Plan) -> dict[tuple[str, str], int]:
    """(what, reason) -> how many: products left out whole, cells without a location, and products not taken at a cell."""
    counts: collections.Counter[tuple[str, str]] = collections.Counter(("products", one.reason) for one in plan.left_out)
    for planned in plan.cells:
        reasons = [reason for reason, _ in planned.choice.why.values()]
        if not planned.choice.places:
            # A cell is told by what its anchors lack, else by what most of its products do.
            counts["cells", collections.Counter(reasons).most_common(1)[0][0]] += 1
        counts.update(("products at cells", reason) for reason in reasons)
    return dict(sorted(counts.items(), key=lambda x: (x[0][0], -x[1], x[0][1])))
