"""A product on the grid of a cell, against arithmetic by hand and against GDAL's `reproject` with its shortcuts turned off."""

import numpy as np
import pytest
from made.region import LEFT, TOP, in_memory, ramp, rasterio

from spectral_jax.ingest.colocated import cells, footprints, warp
from spectral_jax.ingest.colocated.cells import Cell
from spectral_jax.ingest.packing import Packing

CELL = Cell(32633, 2083, 24166, 240.0)  # left 499,920, top 5,800,080
POWER = Packing(missing=(-32768.0,), low=1e-6)


def onto(product, cell=CELL, **more):
    return warp.onto(product, footprints.of(product), cell, **more)


def pixels(product, cell=CELL, **more):
    seen = onto(product, cell, **more)
    return seen.product.stored(*seen.window).pixels


def grid(pixel, east=0.0, south=0.0):
    """A grid that begins some metres east and south of 120 m north-west of the cell."""
    return (LEFT - 120.0 + east, pixel, 0.0, TOP + 120.0 - south, 0.0, -pixel)


def reprojected(numbers, product, pixel, how, nodata, cell=CELL):
    """What GDAL makes of it, with exact places, and without the wider mean that it takes over a turned grid."""
    left, across, _, top, _, down = product.geotransform
    side = round(cell.side_m / pixel)
    out = np.full((len(numbers), side, side), nodata, np.float64)
    rasterio.warp.reproject(
        numbers.astype(np.float64), out, src_transform=rasterio.Affine(across, 0, left, 0, down, top), src_crs=product.crs,
        dst_transform=rasterio.Affine(pixel, 0, cell.left, 0, -pixel, cell.top), dst_crs=f"EPSG:{cell.epsg}",
        resampling=rasterio.enums.Resampling[how], src_nodata=nodata, dst_nodata=nodata, tolerance=0.0, XSCALE=1,
        YSCALE=1,
    )  # fmt: skip
    return out


def test_a_product_on_the_grid_is_read_as_it_is():
    numbers = np.random.default_rng(0).integers(-32768, 32767, (224, 16, 16), dtype=np.int16)
    numbers = np.clip(numbers, -200, 6000)
    product = in_memory("enmap_l2a", numbers, grid(30.0))
    seen = onto(product)
    assert (seen.product, seen.window, seen.how) == (product, (slice(4, 12), slice(4, 12)), "own grid")
    np.testing.assert_array_equal(pixels(product), numbers[:, 4:12, 4:12])


def test_spectra_of_another_grid_are_those_of_the_nearest_pixel_and_are_never_mixed():
    numbers = np.random.default_rng(0).integers(200, 6000, (224, 16, 16)).astype(np.int16)
    # 13 m east and 7 m south: the centre of the cell's first pixel, 135 m from the corner, lies 122 m east and 128 m south of
    # the product's: in pixel (4, 4).
    product = in_memory("enmap_l2a", numbers, grid(30.0, 13.0, 7.0))
    assert onto(product).how == "nearest"
    np.testing.assert_array_equal(pixels(product), numbers[:, 4:12, 4:12])
    # 16 m east: it lies 119 m east, in pixel 3.
    np.testing.assert_array_equal(pixels(in_memory("enmap_l2a", numbers, grid(30.0, 16.0))), numbers[:, 4:12, 3:11])


@pytest.mark.parametrize("sensor", ["enmap_l2a", "sentinel2b_l2a"])
def test_a_product_of_another_zone_is_as_gdal_has_it_without_its_shortcuts(sensor):
    nearest = sensor == "enmap_l2a"
    pixel, count = (30.0, 224) if nearest else (10.0, 12)
    x, y = rasterio.warp.transform("EPSG:32633", "EPSG:32632", [LEFT + 120.0], [TOP - 120.0])
    side = round(600 / pixel)
    numbers = np.random.default_rng(1).integers(1000, 6000, (count, side, side)).astype(np.int16)
    product = in_memory(sensor, numbers, (x[0] - 300.0, pixel, 0.0, y[0] + 300.0, 0.0, -pixel), "EPSG:32632")
    found = pixels(product)
    expected = reprojected(numbers, product, pixel, "nearest" if nearest else "bilinear", -32768)
    if nearest:
        np.testing.assert_array_equal(found, expected)
    else:
        # Half a step is rounding; neighbours differ by up to 5000, so that the rest is 1e-5 of a pixel.
        assert np.abs(found - expected).max() <= 0.55
        assert np.std(found[0]) > 100


def test_a_ramp_stays_a_ramp():
    numbers = ramp(60, 60, 2000, 7, 3)[None].repeat(12, axis=0).astype(np.int16)
    product = in_memory("sentinel2b_l2a", numbers, grid(10.0, 3.0, 4.0))
    # Half a pixel of the cell lies at (12 + .5 - .3) * 10 m east of the product's edge, 11.7 pixel centres from its first.
    expected = 2000 + 7 * (11.7 + np.arange(24))[None, :] + 3 * (11.6 + np.arange(24))[:, None]
    np.testing.assert_array_equal(pixels(product)[5], np.rint(expected))


def test_no_mean_is_taken_over_what_is_missing():
    numbers = np.full((12, 60, 60), 2000, np.int16)
    numbers[:, :, 20:] = 4000
    numbers[:, 30, 30] = -32768
    numbers[3, 40, 40] = -32768  # in one band only
    product = in_memory("sentinel2b_l2a", numbers, grid(10.0, 4.0))
    found = pixels(product)
    # A cell's pixel at (row, column) has its centre in the product's pixel (row + 12, column + 12), .4 left of its centre.
    hole = np.zeros((24, 24), bool)
    hole[18, 18] = True
    np.testing.assert_array_equal(found[0] == -32768, hole)
    assert found[3, 28 - 12, 28 - 12] != -32768
    assert set(np.unique(found[0][~hole])) == {2000, 3200, 4000}  # .4 * 2000 + .6 * 4000 at the step; 4000 beside the hole
    assert found[0, 18, 19] == 4000


def test_one_band_that_is_missing_leaves_the_others():
    numbers = np.full((12, 60, 60), 2000, np.int16)
    numbers[3, 24, 24] = -32768
    found = pixels(in_memory("sentinel2b_l2a", numbers, grid(10.0, 4.0)))
    missing = np.argwhere(found == -32768)
    assert missing.tolist() == [[3, 12, 12]]


@pytest.mark.parametrize("unit", ["linear power", "dB"])
def test_radar_is_averaged_in_power(unit):
    power = np.full((2, 60, 60), 0.001, np.float32)
    power[:, :, 24:] = 0.1
    power[:, 0] = -32768.0
    there = power > 0
    numbers = power if unit == "linear power" else np.where(there, 10.0 * np.log10(np.where(there, power, 1.0)), power)
    packing = POWER if unit == "linear power" else Packing(missing=(-32768.0,))
    product = in_memory("sentinel1_rtc", numbers.astype(np.float32), grid(10.0, 5.0), packing=packing, unit=unit)
    found = pixels(product)
    # Half a pixel off: column 12 of the cell lies between 23 and 24 of the product. 10 log10((0.001 + 0.1) / 2) = -12.967;
    # the mean of the decibels would be -20.
    assert found[0, 5].tolist() == [-3000] * 12 + [-1297] + [-1000] * 11


def test_temperature_is_bilinear_and_keeps_its_gaps():
    numbers = ramp(20, 20, 44_000, 30, 60)[None].astype(np.uint16)
    numbers[0, 10, 10] = 0
    product = in_memory("landsat_st", numbers, grid(30.0, 10.0, 20.0))
    found = pixels(product)
    expected = np.rint(44_000 + 30 * (4 - 1 / 3 + np.arange(8))[None, :] + 60 * (4 - 2 / 3 + np.arange(8))[:, None])
    # (10, 10) is nearest to row 7 (10.33) and column 6 (9.67); its three neighbours are means of what is there.
    assert np.argwhere(found[0] == 0).tolist() == [[7, 6]]
    away = np.ones((8, 8), bool)
    away[6:8, 6:8] = False
    np.testing.assert_array_equal(found[0][away], expected[away])


def test_flags_are_those_of_the_nearest_pixel_and_unclear_pixels_are_averaged_with_none():
    cloud = np.zeros((60, 60), bool)
    cloud[:, :20] = True
    numbers = np.where(cloud, 9000, 3000)[None].repeat(12, axis=0).astype(np.int16)
    product = in_memory("sentinel2b_l2a", numbers, grid(10.0, 4.0), flags={"cloud": cloud}, dropped=("cloud",))
    seen = onto(product, trusting=False)
    clear = seen.product.clear(*seen.window)
    np.testing.assert_array_equal(clear, np.broadcast_to(np.arange(24) >= 8, (24, 24)))
    found = seen.product.stored(*seen.window).pixels
    assert (found[:, clear] == 3000).all()
    assert pixels(product)[0, 0, 8] == 0.4 * 9000 + 0.6 * 3000  # trusting: a cloud's edge runs into the next pixel


def test_at_the_edge_of_a_product_its_last_pixel_stands_for_its_neighbour():
    numbers = np.full((12, 24, 24), 1000, np.int16)
    numbers[:, 0] = 5000
    # 4 m to the north: the cell's last row of centres is 1 m inside the product, its first 9 m.
    product = in_memory("sentinel2b_l2a", numbers, (LEFT, 10.0, 0.0, TOP + 4.0, 0.0, -10.0))
    seen = warp.onto(product, footprints.of(product), CELL)
    found = seen.product.stored(*seen.window).pixels
    assert found[0, 0, 0] == pytest.approx(0.6 * 5000 + 0.4 * 1000)
    assert (found[:, 1:] == 1000).all()


@pytest.mark.parametrize(("epsg", "other", "row"), [(32633, 32632, 2020), (32601, 4326, 1500), (32733, 4326, 2600)])
def test_places_are_exact_to_a_thousandth_of_a_pixel(epsg, other, row):
    # 70 N from another zone, at the antimeridian and at the equator from degrees; 3,840 m with 10 m pixels.
    column = 70 if epsg == 32601 else 110
    cell = Cell(epsg, column, row, 3840.0)
    x, y = rasterio.warp.transform(f"EPSG:{epsg}", f"EPSG:{other}", [cell.left], [cell.top])
    step = 10.0 if other != 4326 else 1e-4
    product = in_memory(
        "sentinel2b_l2a", np.zeros((12, 1200, 1200), np.int16), (x[0] - 300 * step, step, 0.0, y[0] + 300 * step, 0.0, -step),
        f"EPSG:{other}",
    )  # fmt: skip
    at = warp._Places(footprints.of(product), cell, 10.0, 384)
    middle = (np.arange(384) + 0.5) * 10.0
    east, north = np.meshgrid(cell.left + middle, cell.top - middle)
    x, y = (np.array(z).reshape(384, 384) for z in rasterio.warp.transform(
        f"EPSG:{epsg}", f"EPSG:{other}", east.ravel(), north.ravel()
    ))  # fmt: skip
    left, across, _, top, _, down = product.geotransform
    x = np.where(x < left - 180.0, x + 360.0, x) if other == 4326 else x
    assert np.abs(at.column - ((x - left) / across - 0.5)).max() < 1e-3
    assert np.abs(at.row - ((y - top) / down - 0.5)).max() < 1e-3


def test_the_grid_of_a_warped_product_is_the_cells():
    product = in_memory("sentinel2b_l2a", np.full((12, 60, 60), 900, np.int16), grid(10.0, 3.0))
    made = onto(product).product
    assert made.geotransform == (CELL.left, 10.0, 0.0, CELL.top, 0.0, -10.0)
    assert (made.shape, made.crs) == ((24, 24), cells.crs(32633))
