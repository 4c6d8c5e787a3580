"""Cells: their names and places, the zone that each belongs to, and blocks that are held out."""

import numpy as np
import pytest
from made.region import lonlat_of

from spectral_jax.ingest.colocated import cells
from spectral_jax.ingest.colocated.cells import Cell


def test_a_cell_is_named_by_its_zone_and_its_place_from_the_zones_origin():
    cell = Cell(32633, 130, 1510, 3840.0)
    assert cell.name == "32633_130_1510"
    assert (cell.left, cell.top) == (499_200.0, 5_802_240.0)
    x, y = cell.ring()
    assert x.tolist() == [499_200.0, 503_040.0, 503_040.0, 499_200.0]
    assert y.tolist() == [5_802_240.0, 5_802_240.0, 5_798_400.0, 5_798_400.0]


def test_a_cell_belongs_to_the_zone_of_its_centre_and_to_no_other():
    # 12 degrees east at 52 N parts the zones 32 and 33; easting 705.9 km and 294.1 km there.
    for epsg, low, high in ((32632, 690e3, 720e3), (32633, 280e3, 310e3)):
        found = cells.over(epsg, np.array([low, 5.76e6]), np.array([high, 5.77e6]), 3840.0)
        every = [(c, r) for r in range(1500, 1503) for c in range(int(low // 3840), int(high // 3840) + 1)]
        centre = lonlat_of(f"EPSG:{epsg}", *((np.array(every) + 0.5) * 3840.0).T)
        mine = centre[:, 0] < 12.0 if epsg == 32632 else centre[:, 0] >= 12.0
        assert found.tolist() == [list(x) for x, own in zip(every, mine, strict=True) if own]
        assert 0 < len(found) < len(every)


def test_zones_end_at_84_north_and_80_south_and_meet_at_the_antimeridian():
    places = np.array([(15.0, 83.9), (15.0, 84.1), (15.0, -80.1), (179.9, 10.0), (180.1, 10.0), (-179.9, -10.0)])
    assert cells.zones(places) == [32601, 32633, 32660, 32701]


def test_a_block_is_held_out_by_its_place_alone_and_cells_in_blocks_of_both_belong_to_neither():
    found = {c: cells.split_of(Cell(32633, c, 1510, 3840.0), 0.5, 0.5) for c in range(100, 160)}
    assert found == {c: cells.split_of(Cell(32633, c, 1510, 3840.0), 0.5, 0.5) for c in reversed(range(100, 160))}
    assert set(found.values()) == {"train", "holdout", "between"}
    for c, split in found.items():
        blocks = np.floor(lonlat_of("EPSG:32633", *Cell(32633, c, 1510, 3840.0).ring()) / 0.5)
        if split == "between":
            assert len(np.unique(blocks, axis=0)) > 1
        elif c - 1 in found and found[c - 1] not in (split, "between"):
            pytest.fail(f"cells {c - 1} and {c} touch and are of two splits")


def test_the_share_of_blocks_that_is_held_out_is_as_asked():
    far = [Cell(32633, c, r, 3840.0) for c in range(80, 180, 20) for r in range(200, 2200, 20)]
    held = np.mean([cells.split_of(cell, 0.2, 0.5) == "holdout" for cell in far])
    assert held == pytest.approx(0.2, abs=0.06)  # 500 blocks: two and a half standard deviations are 0.045
    assert {cells.split_of(cell, 0.0, 0.5) for cell in far} == {"train"}
    assert {cells.split_of(cell, 1.0, 0.5) for cell in far} == {"holdout"}
