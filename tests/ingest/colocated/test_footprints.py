"""Footprints: cells inside on the product's own zone, on another, over the antimeridian, in degrees, and in a swath."""

import numpy as np
import pytest
from made.region import LEFT, TOP, in_memory, lonlat_of

from spectral_jax.ingest.colocated import cells, footprints

SIDE = 960.0


def of(geotransform, crs="EPSG:32633", shape=(100, 100), **more):
    return footprints.of(in_memory("landsat_st", np.zeros((1, *shape), np.uint16), geotransform, crs, **more))


def wholly_inside(cell, crs, geotransform, shape):
    """Whether 40 places along the edge of a cell are in the raster, one by one."""
    along = np.linspace(0.0, cell.side_m, 11)[:-1]
    left, top = cell.left, cell.top
    x = np.concatenate([left + along, np.full(10, left + cell.side_m), left + cell.side_m - along, np.full(10, left)])
    y = np.concatenate([np.full(10, top), top - along, np.full(10, top - cell.side_m), top - cell.side_m + along])
    from rasterio.warp import transform

    x, y = (np.array(z) for z in transform(f"EPSG:{cell.epsg}", crs, x, y))
    if crs == "EPSG:4326":
        x = np.where(x < geotransform[0] - 180.0, x + 360.0, x)
    column, row = (x - geotransform[0]) / geotransform[1], (y - geotransform[3]) / geotransform[5]
    return bool(((column >= 0) & (column <= shape[1]) & (row >= 0) & (row <= shape[0])).all())


def expected(crs, geotransform, shape, some):
    return {cell for cell in some if wholly_inside(cell, crs, geotransform, shape)}


def around(footprint):
    """All cells of the zones that a footprint touches, and a ring more."""
    out = set()
    for epsg in cells.zones(footprint.ring):
        low, high = footprint.box(epsg)
        squares = cells.over(epsg, low - 2 * SIDE, high + 2 * SIDE, SIDE)
        out |= {cells.Cell(epsg, c, r, SIDE) for c, r in squares.tolist()}
    return out


def test_a_raster_on_the_grid_of_the_cells_holds_those_it_is_made_of():
    left, top = 520 * SIDE, 6042 * SIDE
    found = of((left, 30.0, 0.0, top, 0.0, -30.0), shape=(64, 96)).cells(SIDE)
    assert {c.name for c in found} == {f"32633_{c}_{r}" for c in (520, 521, 522) for r in (6040, 6041)}
    shifted = of((left + 1.0, 30.0, 0.0, top, 0.0, -30.0), shape=(64, 96)).cells(SIDE)
    assert {c.name for c in shifted} == {f"32633_{c}_{r}" for c in (521, 522) for r in (6040, 6041)}


@pytest.mark.parametrize(
    ("crs", "geotransform", "shape"),
    [
        ("EPSG:32632", (699_990.0, 30.0, 0.0, 5_770_000.0, 0.0, -30.0), (300, 500)),  # over the edge to zone 33, at 12 E
        ("EPSG:32601", (285_000.0, 30.0, 0.0, 5_770_000.0, 0.0, -30.0), (200, 700)),  # over the antimeridian, at 52 N
        ("EPSG:4326", (179.95, 0.0005422, 0.0, 52.0, 0.0, -0.0005422), (110, 190)),  # the same in degrees
        ("EPSG:32733", (LEFT, 30.0, 0.0, 10_000_000.0 + 3_000.0, 0.0, -30.0), (250, 250)),  # over the equator
    ],
)
def test_cells_are_inside_where_every_place_of_their_edge_is(crs, geotransform, shape):
    footprint = of(geotransform, crs, shape)
    found = footprint.cells(SIDE)
    assert len(found) == len(set(found)) > 20
    assert set(found) == expected(crs, geotransform, shape, around(footprint))
    assert len({cell.epsg for cell in found}) == 2
    # No ground is in two cells of one zone, and a cell's centre is in its zone.
    for cell in found:
        ((lon, lat),) = lonlat_of(f"EPSG:{cell.epsg}", [cell.left + SIDE / 2], [cell.top - SIDE / 2])
        assert cell.epsg % 100 == int((lon + 180.0) // 6.0) % 60 + 1
        assert (cell.epsg // 100 == 326) == (lat >= 0)


def test_in_a_swath_that_lies_askew_only_cells_within_it_count():
    left, top, side = LEFT, TOP, 6000.0
    diamond = [(left + side / 2, top), (left + side, top - side / 2), (left + side / 2, top - side), (left, top - side / 2)]
    swath = of(
        (left, 30.0, 0.0, top, 0.0, -30.0), shape=(200, 200), outline=lonlat_of("EPSG:32633", *zip(*diamond, strict=True))
    )
    found = swath.cells(240.0)
    off = [
        np.abs(c.left + e - left - side / 2) + np.abs(c.top - s - top + side / 2)
        for c in found
        for e in (0, 240)
        for s in (0, 240)
    ]
    # The slack of 100 m across an edge is 141 m along an axis.
    assert max(off) <= side / 2 + 142.0
    assert len(found) * 240.0**2 > 0.75 * side**2 / 2
    turned = of((left, 30.0, 0.0, top, 0.0, -30.0), shape=(200, 200), outline=swath.outline[::-1])
    assert turned.cells(240.0) == found


def test_what_no_zone_holds_and_corners_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match=r"it lies from 8\d.\d to 8\d.\d degrees north, and UTM zones end at 84 N and 80 S"):
        of((2_000_000.0, 30.0, 0.0, 1_500_000.0, 0.0, -30.0), "EPSG:32661")
    apart = np.array([(-100.0, 50.0), (0.0, 50.0), (0.0, 49.0), (-100.0, 49.0)])
    with pytest.raises(ValueError, match=r"expected corners on the Earth, at most 90 degrees of longitude apart, got \[\[-100"):
        of((LEFT, 30.0, 0.0, TOP, 0.0, -30.0), outline=apart)
    with pytest.raises(ValueError, match="expected a north-up grid, got the geotransform"):
        of((LEFT, 30.0, 1.0, TOP, 0.0, -30.0))
