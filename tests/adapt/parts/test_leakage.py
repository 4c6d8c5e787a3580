"""The leakage report counts shared scenes and near tiles, across coordinate systems too."""

import json

import numpy as np
import pytest
from made.tiny_tasks import in_memory, square

from spectral_jax.adapt.parts.blocks import Split
from spectral_jax.adapt.parts.leakage import report


def parts(train, test):
    return Split("published", np.array(train), np.array([], int), np.array(test))


def row_of_tiles(gaps, **more):
    """Tiles of 100 m in a row with these gaps between them."""
    left = 500000 + np.concatenate([[0], np.cumsum(np.array(gaps) + 100.0)])
    return in_memory(np.zeros((len(left), 2, 2), np.int16), [square(x, 5800000) for x in left], **more)


def test_shared_scenes_and_locations_are_counted():
    data = in_memory(np.zeros((6, 2, 2), np.int16), scene=list("aabbcd"), block=list("uvuvwx"))
    found = report(data, parts([0, 2, 5], [1, 3, 4]))
    assert (found.test_scenes, found.shared_scenes) == (3, 2)
    assert (found.test_blocks, found.shared_blocks) == (2, 0)
    assert (found.touching_tiles, found.near_tiles) == (None, None)
    assert found.text() == (
        "tiny, published split: 3 training and 3 test tiles.\n2 of 3 test scenes are also in training.\n"
        "0 of 2 test locations are also in training.\nDistances are not known: the images have no georeference."
    )


def test_touching_and_near_tiles_are_counted():
    # Training is the first tile; the gaps to the tests are 0, 100 + 300 and 500 + 2000 metres.
    data = row_of_tiles([0.0, 300.0, 2000.0])
    found = report(data, parts([0], [1, 2, 3]), distance_m=400.0)
    assert (found.touching_tiles, found.near_tiles) == (1, 2)
    assert report(data, parts([0], [1, 2, 3]), distance_m=399.0).near_tiles == 1
    assert report(data, parts([0], [1, 2, 3]), distance_m=0.0).near_tiles == 1
    assert "1 of 3 test tiles touch a training tile, 2 lie within 400 m of one." in found.text()
    assert report(data, parts([3, 2], [0, 1]), 350.0).near_tiles == 1


def test_overlapping_tiles_touch():
    data = row_of_tiles([-50.0])
    assert report(data, parts([0], [1])).touching_tiles == 1


def test_diagonal_neighbours_are_as_far_as_their_corners():
    data = in_memory(np.zeros((2, 2, 2), np.int16), [square(500000, 5800000), square(500130, 5800140)])
    assert report(data, parts([0], [1]), 50.0).near_tiles == 1
    assert report(data, parts([0], [1]), 49.9).near_tiles == 0


def test_tiles_of_two_utm_zones_are_measured_on_the_same_ground():
    # Zones 32 and 33 meet at 12 degrees east, on the equator 333978.56 m from the central meridian of either: at easting
    # 833978.56 in zone 32 and 166021.44 in zone 33. One tile ends there, the next begins 700 m further.
    border = 166021.44
    west, east = square(1e6 - border - 100.0, 0.0, epsg=32632), square(border + 700.0, 0.0, epsg=32633)
    far = square(border, 9e6, epsg=32633)
    data = in_memory(np.zeros((3, 2, 2), np.int16), [west, east, far])
    assert report(data, parts([0], [1, 2]), 720.0).near_tiles == 1
    assert report(data, parts([0], [1, 2]), 680.0).near_tiles == 0


def test_points_in_degrees_are_measured_in_metres():
    # A thousandth of a degree of latitude is 111 m.
    places = [square(13.0, 52.0 + 0.001 * k, side=0.0, epsg=4326, px=1) for k in (0, 1, 5)]
    data = in_memory(np.zeros((3, 2, 2), np.int16), places)
    assert report(data, parts([0], [1, 2]), 115.0).near_tiles == 1
    assert report(data, parts([0], [1, 2]), 105.0).near_tiles == 0
    assert report(data, parts([0], [1, 2]), 600.0).near_tiles == 2


def test_json_holds_every_field():
    found = report(row_of_tiles([0.0]), parts([0], [1]))
    read = json.loads(found.to_json())
    assert read["touching_tiles"] == 1
    assert type(found)(**read) == found


def test_reports_without_tiles_or_codes_are_refused():
    data = row_of_tiles([0.0])
    with pytest.raises(ValueError, match="part 'test' is empty; leakage needs training and test tiles"):
        report(data, parts([0], []))
    odd = in_memory(np.zeros((2, 2, 2), np.int16), [square(0, 0), square(0, 0, epsg=None)])
    with pytest.raises(ValueError, match="the coordinate system of tile 1 has no EPSG code"):
        report(odd, parts([0], [1]))
