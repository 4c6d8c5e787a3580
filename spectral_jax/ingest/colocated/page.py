"""The plan as a page that opens without a network: a map, what the store will hold, gaps, and what was left out and why."""

import collections
import statistics
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from spectral_jax.ingest.colocated import cells, rows
from spectral_jax.ingest.colocated.dates import Place
from spectral_jax.ingest.colocated.plan import Plan, PlannedCell
from spectral_jax.ingest.colocated.wanted import SENSORS, SPECTRA
from spectral_jax.ingest.raster import geotiff
from spectral_jax.pages import html, style
from spectral_jax.sentences import counted

# Cells are drawn as squares up to so many; beyond, or where a square would be a dot, as points.
_SQUARES, _DOT = 4_000, 1 / 250
# Sentences of products that are shown; all stand in the table.
_SHOWN = 200
_FILLS = (style.SKY, style.ORANGE, style.GREEN, style.PINK, style.BLUE, style.VERMILION, "#F0E442", "#595959")
_RINGS = (style.VERMILION, style.PINK, style.ORANGE, "#8c510a", style.BLUE, style.GREEN, style.INK, style.GREY)
_LINES = dict(zip(SENSORS, _RINGS, strict=True))
_ALPHA = 0.75


def page(plan: Plan, table_name: str) -> str:
    """The page as HTML.

    Args:
      plan: what it shows.
      table_name: of the CSV beside it.
    """
    places = [(c, place) for c in plan.cells for place in c.choice.places if c.split in plan.splits()]
    groups = collections.Counter((_group(place), c.split) for c, place in places)
    used = {(one.sighting.name, one.key) for _, place in places for several in place.taken.values() for one in several}
    found = len(plan.sightings) + len(plan.left_out)
    text = (
        f"{counted(len(places), 'location')} of {plan.wanted.footprint_m:g} m in "
        f"{counted(len({group for group, _ in groups}), 'group')}, from {len(used)} of {counted(found, 'product')}; "
        f"{counted(len(plan.cells), 'cell lies', 'cells lie')} inside a product of {', '.join(plan.wanted.anchors)}."
    )
    sections = {
        "Map": html.figure(lambda: _map(plan), "Footprints of the products, and the cells by group", _caption(plan)),
        "Groups": _groups(groups, places),
        "Sensors": _sensors(plan, places),
        "Gaps in time": _gaps(plan, places),
        "What was left out": _left_out(plan),
        "What was asked for": html.table(("", "value"), [(key, str(value)) for key, value in plan.wanted.command().items()]),
    }
    told = html.paragraph(text) + html.note(f"Each product of each location, and why others are not taken: {table_name}.")
    return html.page("Plan of a co-located store", "", told, sections)


def _groups(groups: collections.Counter, places: Sequence[tuple[PlannedCell, Place]]) -> str:
    if not groups:
        return html.absent("No location: see what was left out.")
    dates: collections.Counter = collections.Counter()
    for c, place in places:
        for key, several in place.taken.items():
            dates[_group(place), c.split, key] += len(several)
    keys = [key for key in SENSORS if any(of == key for _, _, of in dates)]
    body = [
        (group, split, str(count), *(str(dates[group, split, key] or html.NOTHING) for key in keys))
        for (group, split), count in sorted(groups.items())
    ]
    return html.table(("group", "split", "locations", *(f"{key}, dates" for key in keys)), body)


def _sensors(plan: Plan, places: Sequence[tuple[PlannedCell, Place]]) -> str:
    body = []
    for key in SENSORS:
        products = [one for one in plan.sightings if one.key == key]
        taken = [one for _, place in places for one in place.taken.get(key, ())]
        if not products:
            continue
        ways = collections.Counter(one.quality.how for one in taken)
        clear = statistics.median(one.quality.clear for one in taken) if taken else None
        body.append((
            key, products[0].spec.name, str(len(products)), str(sum(key in place.taken for _, place in places)),
            str(len(taken)), html.percent(clear) if any(one.flags for one in products) else "no cloud layer",
            html.Words(", ".join(f"{way} {count}" for way, count in ways.most_common()) or html.NOTHING),
        ))  # fmt: skip
    return html.table(("sensor", "spec", "products", "locations", "dates", "clear, median", "pixels"), body)


def _gaps(plan: Plan, places: Sequence[tuple[PlannedCell, Place]]) -> str:
    gaps: dict[str, list[float]] = {key: [] for key in SENSORS}
    for _, place in places:
        for key, several in place.taken.items():
            gaps[key].append(min((one.days - place.days for one in several), key=abs))
    body = [
        (key, str(len(some)), html.number(float(np.median(np.abs(some))), 1), html.number(max(map(abs, some)), 1),
         str(sum(abs(x) > plan.wanted.days for x in some)))
        for key, some in gaps.items() if some
    ]  # fmt: skip
    if not body:
        return html.absent("No location, no gap.")
    header = ("sensor", "locations", "median, days", "largest", f"beyond {plan.wanted.days:g} days")
    return html.table(header, body, "from the location's date to the nearest product") + html.figure(
        lambda: _histogram(gaps, plan.wanted.most_days), "Gaps in time by sensor", "Later than the location's date: positive."
    )


def _left_out(plan: Plan) -> str:
    counts = [(what, html.Words(reason), str(count)) for (what, reason), count in rows.refused(plan).items()]
    out = html.table(("what", "reason", "count"), counts) if counts else html.paragraph("Nothing was left out.")
    if plan.left_out:
        told = [(x.name, x.key or html.NOTHING, html.Words(x.sentence)) for x in plan.left_out[:_SHOWN]]
        title = f"{counted(len(plan.left_out), 'product')} left out whole" + (
            f", the first {_SHOWN}" * (len(plan.left_out) > _SHOWN)
        )
        out += html.details(title, html.table(("product", "sensor", "why"), told))
    return out


def _caption(plan: Plan) -> str:
    held = " Held out: hatched." if plan.wanted.holdout else ""
    return (
        f"Lines: footprints of products of use, by sensor. Filled: cells with a location, by group; grey: without.{held} "
        "Longitude and latitude, degrees."
    )


def _map(plan: Plan):
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    figure = style.new_figure(8.0, 6.0)
    axes = figure.add_subplot()
    style.tidy(axes, x="longitude, degrees east", y="latitude, degrees north")
    middle = float(plan.sightings[0].footprint.ring[:, 0].mean()) if plan.sightings else 0.0
    names = sorted({_group(place) for c in plan.cells for place in c.choice.places})
    hue = {name: _FILLS[k % len(_FILLS)] for k, name in enumerate(names)}
    _draw_cells(axes, plan.cells, hue, middle)
    keys = _draw_rings(axes, plan, middle)
    axes.autoscale()
    south, north = axes.get_ylim()
    axes.set_aspect(1.0 / max(0.05, float(np.cos(np.deg2rad((south + north) / 2)))))
    shown: list[Any] = [Line2D([], [], color=_LINES[key], linestyle=_dash(key), label=key) for key in keys]
    shown += [Patch(color=hue[name], alpha=_ALPHA, label=name) for name in names]
    if any(not c.choice.places for c in plan.cells):
        shown.append(Patch(color=style.PALE, label="no location"))
    axes.legend(handles=shown, fontsize=style.SMALL_PT, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return figure


def _draw_cells(axes, some: Sequence[PlannedCell], hue: dict[str, str], middle: float) -> None:
    from matplotlib.collections import PolyCollection

    if not some:
        return
    squares = _squares(some, middle)
    hues = [hue[_group(c.choice.places[0])] if c.choice.places else style.PALE for c in some]
    extent = float(np.ptp(squares.reshape(-1, 2), axis=0).max())
    if len(some) > _SQUARES or float(np.ptp(squares[0], axis=0).max()) < extent * _DOT:
        centres = squares.mean(axis=1)
        axes.scatter(centres[:, 0], centres[:, 1], s=3.0, c=hues, rasterized=True, linewidths=0)
        return
    axes.add_collection(PolyCollection(list(squares), facecolors=hues, edgecolors="white", linewidths=0.4, alpha=_ALPHA))
    held = [square for square, c in zip(squares, some, strict=True) if c.split == "holdout" and c.choice.places]
    axes.add_collection(PolyCollection(held, facecolors="none", edgecolors=style.INK, hatch="////", linewidths=0.4))


def _draw_rings(axes, plan: Plan, middle: float) -> list[str]:
    """Draws the footprints, and gives the sensors that have some."""
    from matplotlib.collections import LineCollection

    rings: dict[str, list[np.ndarray]] = collections.defaultdict(list)
    for one in plan.sightings:
        ring = one.footprint.ring[[*range(len(one.footprint.ring)), 0]]
        rings[one.key].append(np.stack([_near(ring[:, 0], middle), ring[:, 1]], axis=1))
    for key, lines in rings.items():
        axes.add_collection(LineCollection(lines, colors=_LINES[key], linewidths=1.1, linestyles=_dash(key), alpha=0.9))
    return [key for key in SENSORS if key in rings]


def _group(place: Place) -> str:
    return "_".join(place.taken).lower()


def _dash(key: str) -> Literal["-", "--"]:
    return "-" if key in SPECTRA else "--"


def _squares(some: Sequence[PlannedCell], middle: float) -> np.ndarray:
    """Longitude and latitude [n 4 2] of the corners of cells."""
    out = np.zeros((len(some), 4, 2))
    for epsg in {c.cell.epsg for c in some}:
        at = [i for i, c in enumerate(some) if c.cell.epsg == epsg]
        x, y = (np.stack([some[i].cell.ring()[axis] for i in at]) for axis in (0, 1))
        out[at] = geotiff.lonlat(cells.crs(epsg), x.ravel(), y.ravel()).reshape(-1, 4, 2)
    out[..., 0] = _near(out[..., 0], middle)
    return out


def _near(lon: np.ndarray, middle: float) -> np.ndarray:
    """Longitudes as they are nearest to a middle, so that nothing is torn at the 180th meridian."""
    return middle + (lon - middle + 180.0) % 360.0 - 180.0


def _histogram(gaps: dict[str, list[float]], most_days: float):
    figure = style.new_figure(7.0, 2.6)
    axes = figure.add_subplot()
    style.tidy(axes, x="days from the location's date", y="locations")
    shown = {key: some for key, some in gaps.items() if some}
    edges = np.linspace(-most_days, most_days, 31) if most_days else np.array([-0.5, 0.5])
    hues = [_LINES[key] for key in shown]
    axes.hist(list(shown.values()), edges, stacked=True, label=list(shown), color=hues, histtype="stepfilled")
    axes.legend(fontsize=style.SMALL_PT, frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure
