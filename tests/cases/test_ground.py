"""A length is what it is on the ground at that place, whatever the projection says; places in every form are compared."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from made import tiny_geotiffs

from spectral_jax.ingest.raster import earth, geotiff, scene
from spectral_jax.tasks import ground
from spectral_jax.tasks.samples import Georeference

rasterio = pytest.importorskip("rasterio", reason="needs the extra spectral-jax[geo]")


def vincenty_m(here, there):
    """The geodesic on WGS 84 by T. Vincenty's inverse formula (Survey Review 23, 1975)."""
    a, f = 6378137.0, 1 / 298.257223563
    b = a * (1 - f)
    (lon1, lat1), (lon2, lat2) = np.deg2rad(here), np.deg2rad(there)
    u1, u2 = np.arctan((1 - f) * np.tan(lat1)), np.arctan((1 - f) * np.tan(lat2))
    difference = turned = (lon2 - lon1 + np.pi) % (2 * np.pi) - np.pi
    for _ in range(100):
        sine = np.hypot(
            np.cos(u2) * np.sin(turned), np.cos(u1) * np.sin(u2) - np.sin(u1) * np.cos(u2) * np.cos(turned)
        )  # fmt: skip
        if sine == 0:
            return 0.0
        cosine = np.sin(u1) * np.sin(u2) + np.cos(u1) * np.cos(u2) * np.cos(turned)
        sigma = np.arctan2(sine, cosine)
        sin_alpha = np.cos(u1) * np.cos(u2) * np.sin(turned) / sine
        cos2_alpha = 1 - sin_alpha**2
        middle = cosine - 2 * np.sin(u1) * np.sin(u2) / cos2_alpha if cos2_alpha > 1e-12 else 0.0
        c = f / 16 * cos2_alpha * (4 + f * (4 - 3 * cos2_alpha))
        before, turned = (
            turned,
            difference + (1 - c) * f * sin_alpha * (sigma + c * sine * (middle + c * cosine * (2 * middle**2 - 1))),
        )
        if abs(turned - before) < 1e-12:
            break
    squared = cos2_alpha * (a**2 - b**2) / b**2
    big_a = 1 + squared / 16384 * (4096 + squared * (-768 + squared * (320 - 175 * squared)))
    big_b = squared / 1024 * (256 + squared * (-128 + squared * (74 - 47 * squared)))
    inner = cosine * (2 * middle**2 - 1) - big_b / 6 * middle * (4 * sine**2 - 3) * (4 * middle**2 - 3)
    return b * big_a * (sigma - big_b * sine * (middle + big_b / 4 * inner))


@pytest.mark.slow
@given(st.floats(-180, 180), st.floats(-89, 89), st.floats(-4, 4), st.floats(-4, 4))
def test_distances_are_those_of_the_geodesic(lon, lat, east, north):
    there = ((lon + east / np.cos(np.deg2rad(lat)) + 180) % 360 - 180, np.clip(lat + north, -89.9, 89.9))
    expected = vincenty_m((lon, lat), there)
    assume(1.0 < expected < 1e6)
    assert earth.distance_m(np.array([lon, lat]), np.array(there)) == pytest.approx(expected, rel=1e-3)


PLACES = {  # coordinate system -> west, south, east and north of where it is tried
    32633: (5, -80, 25, 80), 32733: (9, -80, 21, 0), 3857: (-179, -80, 179, 80), 3035: (-10, 35, 40, 70),
    3413: (-179, 60, 179, 89), 3031: (-179, -89, 179, -60), 32601: (-179.9, 0, -174, 80),
}  # fmt: skip


@settings(max_examples=settings().max_examples // 3)  # each asks PROJ for four transformations
@given(st.data())
def test_a_step_of_any_projection_has_its_length_on_the_ground(data):
    from rasterio.warp import transform

    code = data.draw(st.sampled_from(sorted(PLACES)))
    west, south, east, north = PLACES[code]
    lon, lat = data.draw(st.floats(west, east)), data.draw(st.floats(south, north))
    step = data.draw(st.sampled_from([1.0, 10.0, 1000.0]))
    (x,), (y,) = transform("EPSG:4326", f"EPSG:{code}", [lon], [lat])
    found = geotiff.ground_m(rasterio.crs.CRS.from_epsg(code), x, y, step)
    for axis, length in zip(((step / 2, 0), (0, step / 2)), found, strict=True):
        lons, lats = transform(f"EPSG:{code}", "EPSG:4326", [x - axis[0], x + axis[0]], [y - axis[1], y + axis[1]])
        assert length == pytest.approx(vincenty_m((lons[0], lats[0]), (lons[1], lats[1])), rel=1e-3)


def image(path, epsg, lon, lat, step=10.0, **more):
    from rasterio.warp import transform

    (x,), (y,) = transform("EPSG:4326", epsg, [lon], [lat])
    return tiny_geotiffs.write_tif(path, np.ones((1, 4, 4), np.uint8), step, left=x, top=y, crs=epsg, **more)


@pytest.mark.parametrize(
    ("epsg", "lon", "lat", "sentence"),
    [
        ("EPSG:3857", 14.0, 50.0, r"expected pixels of 10 m on the ground, and 10 m in EPSG:3857 are 6.4\d+ x 6.4\d+ m there "
         r"\(14.00 E, 50.00 N\); reproject it \(gdalwarp -t_srs EPSG:32633 -tr 10 10\)"),
        ("EPSG:3857", 14.0, 0.0, None),
        ("EPSG:32633", 15.0, 50.0, None),
        ("EPSG:32633", 30.0, 10.0, "reproject it .*EPSG:32636"),
        ("EPSG:3413", -45.0, 88.0, "reproject it .*EPSG:32661"),
        ("EPSG:3413", -45.0, 72.0, None),
        ("EPSG:3035", 10.0, 52.0, None),
        ("EPSG:4326", 10.0, 52.0, "expected coordinates in metres, got EPSG:4326 in degrees"),
        ("EPSG:2263", -74.0, 40.7, "expected coordinates in metres, got EPSG:2263 in US survey foots"),
    ],
)  # fmt: skip
def test_pixels_are_as_large_on_the_ground_as_they_say_or_refused(tmp_path, epsg, lon, lat, sentence):
    path = image(tmp_path / "a.tif", epsg, lon, lat)
    with geotiff.opened(path) as dataset:
        if sentence is None:
            assert geotiff.grid(dataset, path, 10.0).pixel_m == 10.0
            return
        with pytest.raises(ValueError, match=sentence):
            geotiff.grid(dataset, path, 10.0)


def test_a_place_told_by_control_points_is_refused_where_a_grid_is_needed(tmp_path):
    points = [rasterio.control.GroundControlPoint(row=r, col=c, x=14 + c, y=52 - r) for r in (0, 4) for c in (0, 4)]
    path = tiny_geotiffs.write_tif(
        tmp_path / "a.tif", np.ones((1, 4, 4), np.uint8), 10.0, crs="EPSG:4326", gcps=points, transform=None
    )
    with (
        geotiff.opened(path) as dataset,
        pytest.raises(ValueError, match="told by 4 ground control points; warp it .gdalwarp -t"),
    ):
        geotiff.grid(dataset, path, 10.0)
    other = [rasterio.control.GroundControlPoint(row=p.row, col=p.col, x=p.x + 1, y=p.y) for p in points]
    second = tiny_geotiffs.write_tif(
        tmp_path / "b.tif", np.ones((1, 4, 4), np.uint8), 10.0, crs="EPSG:4326", gcps=other, transform=None
    )
    with pytest.raises(ValueError, match="the ground control points differ"), scene.open_scene(path, second):
        pass


def test_grids_with_the_same_bounds_may_be_flipped_or_turned(tmp_path):
    paths = []
    for name, transform in (
        ("a", (10, 0, 5e5, 0, -10, 58e5)),
        ("b", (10, 0, 5e5, 0, 10, 58e5 - 40)),
        ("c", (0, 10, 5e5, -10, 0, 58e5)),
    ):
        values, transform = np.ones((1, 4, 4), np.uint8), rasterio.Affine(*transform)
        paths.append(tiny_geotiffs.write_tif(tmp_path / f"{name}.tif", values, 10.0, transform=transform))
    for path in paths[1:]:
        with pytest.raises(ValueError, match="expected one grid, and the corners"), scene.open_scene(paths[0], path):
            pass


def square(epsg, lon, lat, side=100.0):
    from rasterio.warp import transform

    (x,), (y,) = transform("EPSG:4326", f"EPSG:{epsg}", [lon], [lat])
    step = side / 10 if epsg != 4326 else side / 10 / 111e3
    return Georeference((step, 0.0, x, 0.0, -step, y), epsg, 10, 10)


def test_distances_between_images_are_those_of_the_ground_in_web_mercator():
    a, b = square(3857, 14.0, 60.0), square(3857, 14.0, 60.02)
    assert ground.metric_epsg(a) == 32633
    gap = vincenty_m((14.0, 60.0), (14.0, 60.02)) - 50.0  # 100 m of the projection are 50 m there
    assert ground.nearest_m([a], [b])[0] == pytest.approx(gap, rel=5e-3)


def test_distances_cross_the_180th_meridian():
    a, b = square(4326, 179.99, 10.0), square(4326, -179.99, 10.0)
    expected = vincenty_m((179.99 + 100 / 111e3, 10.0), (-179.99, 10.0))
    for ours, theirs in ((a, b), (b, a), (square(3857, 179.99, 10.0), b)):
        assert ground.nearest_m([ours], [theirs])[0] == pytest.approx(expected, rel=0.01, abs=5.0)


def test_the_system_for_distances_is_right_at_the_place():
    assert ground.metric_epsg(square(32633, 15.0, 50.0)) == 32633
    assert ground.metric_epsg(square(32633, 30.0, 10.0)) == 32636  # far outside its zone
    assert ground.metric_epsg(square(4326, 15.0, 87.0)) == 32661
    assert ground.metric_epsg(square(3035, 10.0, 52.0)) == 3035
    with pytest.raises(ValueError, match="in EPSG:4326 is no place on it"):
        ground.metric_epsg(Georeference((1.0, 0.0, 500000.0, 0.0, -1.0, 5800000.0), 4326, 4, 4))
