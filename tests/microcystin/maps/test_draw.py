"""Maps: pixels lie where they were seen, north is up, and what is not to be trusted is shown as such."""

import dataclasses
import re
import sys

import numpy as np
import pytest

from spectral_jax.microcystin.maps import draw, grid
from spectral_jax.microcystin.maps.draw import MapPrediction

rasterio = pytest.importorskip("rasterio", reason="needs the extra spectral-jax[geo]")
image = pytest.importorskip("matplotlib.image", reason="needs the extra spectral-jax[plot]")

LAT = np.array([41.9, 41.8, 41.7, 41.6])
LON = np.array([-83.5, -83.3, -83.1, -82.9, -82.7])


def make(lat=LAT, lon=LON, shape=(4, 5), **changes) -> MapPrediction:
    """Concentrations 0.2 to 60 ug/L along the rows, one pixel without water, two outside the training range."""
    mc = 0.2 * 1.35 ** (np.arange(shape[0] * shape[1]) % 20.0).reshape(shape)
    mc[1, 2] = np.nan
    outside = np.zeros(shape, bool)
    outside[0, 0] = outside[3, 4] = outside[1, 2] = True
    fields = {
        "mc_now": mc, "lower": mc / 3, "upper": mc * 4, "p_exceed_1_6": mc / (1.6 + mc), "p_exceed_8": mc / (8 + mc),
        "outside": outside, "lat": lat, "lon": lon, "model": "spectm", "time": "2024-08-05T18:01:00",
    }  # fmt: skip
    return MapPrediction(**fields | changes)


def flipped(made: MapPrediction) -> MapPrediction:
    """The same places, first row in the south and first column in the east."""
    turned = {f.name: getattr(made, f.name)[::-1, ::-1] for f in dataclasses.fields(made)[:6]}
    return dataclasses.replace(made, **turned, lat=made.lat[::-1], lon=made.lon[::-1])


def test_pixels_of_the_geotiff_lie_where_they_were_seen(tmp_path):
    made = make()
    said = draw.write_geotiff(tmp_path / "m.tif", made)
    assert "6 bands of 4 x 5 pixels; 19 pixels predicted, 2 of them outside the training range. Regular grid" in said
    with rasterio.open(tmp_path / "m.tif") as file:
        assert file.crs.to_epsg() == 4326
        # West edge: half of 0.2 degrees west of the first centre; north edge: half of 0.1 degrees north of it.
        np.testing.assert_allclose(tuple(file.bounds), (-83.6, 41.55, -82.6, 41.95), atol=1e-9)
        np.testing.assert_allclose(tuple(file.transform)[:6], (0.2, 0, -83.6, 0, -0.1, 41.95), atol=1e-9)
        for row, column in ((0, 0), (2, 1), (3, 4)):
            (value,) = file.sample([(LON[column], LAT[row])], indexes=[1])
            assert value[0] == pytest.approx(0.2 * 1.35 ** (5 * row + column), rel=1e-6)
        assert np.isnan(file.nodata)


def test_bands_have_names_and_units_and_tags_say_where_they_come_from(tmp_path):
    draw.write_geotiff(tmp_path / "m.tif", make(simulated=True))
    with rasterio.open(tmp_path / "m.tif") as file:
        names = [text.split(":")[0] for text in file.descriptions]
        assert names == ["mc_now", "mc_now_lower", "mc_now_upper", "p_exceed_1_6", "p_exceed_8", "outside_training_range"]
        assert file.units == ("ug/L", "ug/L", "ug/L", "1", "1", "1")
        tags = file.tags()
        assert (tags["simulated"], tags["model"], tags["time"]) == ("true", "spectm", "2024-08-05T18:01:00")
        bands = file.read()
    np.testing.assert_allclose(bands[1] * 12, bands[2], rtol=1e-6)
    assert np.isnan(bands[0][1, 2])
    assert np.isnan(bands[5][1, 2])
    assert bands[5][0, 0] == bands[5][3, 4] == 1
    assert np.nansum(bands[5]) == 2


@pytest.mark.slow
def test_eight_days_ahead_adds_bands_and_a_row_of_panels(tmp_path):
    made = make()
    more = make(mc_ahead=2 * made.mc_now, ahead_lower=made.lower, ahead_upper=made.upper * 3)
    draw.write_geotiff(tmp_path / "m.tif", more)
    with rasterio.open(tmp_path / "m.tif") as file:
        assert [text.split(":")[0] for text in file.descriptions][6:] == ["mc_ahead", "mc_ahead_lower", "mc_ahead_upper"]
        np.testing.assert_allclose(file.read(7), 2 * file.read(1), rtol=1e-6)
    for name, one in (("one", made), ("two", more)):
        draw.write_png(tmp_path / f"{name}.png", one, "Erie")
    one, two = (image.imread(tmp_path / f"{name}.png") for name in ("one", "two"))
    assert two.shape[1] == one.shape[1]
    assert two.shape[0] > 1.5 * one.shape[0]


@pytest.mark.slow
def test_a_flipped_grid_gives_the_same_files(tmp_path):
    made = make()
    for name, one in (("a", made), ("b", flipped(made))):
        draw.write_geotiff(tmp_path / f"{name}.tif", one)
        draw.write_png(tmp_path / f"{name}.png", one, "Erie")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with rasterio.open(tmp_path / "a.tif") as a, rasterio.open(tmp_path / "b.tif") as b:
        np.testing.assert_array_equal(a.read(), b.read())
        assert a.transform.almost_equals(b.transform, 1e-9)


@pytest.mark.slow
def test_the_picture_shows_colours_and_hatches_what_is_outside(tmp_path):
    said = draw.write_png(tmp_path / "a.png", make(), "Erie & $x_{")
    assert "19 pixels predicted, 2 of them outside" in said
    draw.write_png(tmp_path / "b.png", make(outside=np.zeros((4, 5), bool)), "Erie & $x_{")
    a, b = (np.round(255 * image.imread(tmp_path / f"{name}.png")[..., :3]) for name in "ab")
    assert a.shape == b.shape
    colourful = np.ptp(a, axis=-1) > 60
    assert 0.1 < colourful.mean() < 0.9
    assert len(np.unique(a[colourful], axis=0)) > 50
    # Two of 19 pixels in three panels differ, and no more than the maps' share of the picture.
    assert 0.01 < (a != b).any(-1).mean() < 0.1


@pytest.mark.slow
def test_simulated_numbers_are_called_so(tmp_path):
    assert "SIMULATED" in draw.write_geotiff(tmp_path / "m.tif", make(simulated=True))
    draw.write_png(tmp_path / "a.png", make(simulated=True), "Erie")
    draw.write_png(tmp_path / "b.png", make(), "Erie")
    a, b = (image.imread(tmp_path / f"{name}.png") for name in "ab")
    red = [((p[..., 0] > 0.6) & (p[..., 1:3] < 0.2).all(-1))[: len(p) // 6].sum() for p in (a, b)]
    assert red[0] > 500 > red[1] == 0


def distances_km(lat, lon, lats, lons):
    """Haversine, written apart from the package."""
    a, b, c, d = (np.deg2rad(x) for x in (lat, lon, lats, lons))
    h = np.sin((c - a) / 2) ** 2 + np.cos(a) * np.cos(c) * np.sin((d - b) / 2) ** 2
    return 2 * 6371.0 * np.arcsin(np.sqrt(h))


def swath(side=14, step_km=1.2, turn_deg=12.0, **changes):
    u, v = np.meshgrid(np.arange(side) - side / 2, np.arange(side) - side / 2)
    a, degree = np.deg2rad(turn_deg), step_km / 111.19
    lat = 41.7 + degree * (v * np.cos(a) - u * np.sin(a))
    lon = -83.1 + degree / np.cos(np.deg2rad(41.7)) * (u * np.cos(a) + v * np.sin(a))
    shape = (side, side)
    made = make(lat, lon, shape, mc_now=1.0 + np.arange(side * side, dtype=float).reshape(shape))
    mc = made.mc_now.copy()
    mc[5:8, 5:8] = np.nan  # a cloud
    return dataclasses.replace(made, mc_now=mc, **changes)


def test_a_swath_takes_the_nearest_pixel_and_its_clouds_stay(tmp_path):
    made = swath()
    found, how = grid.gridded(made)
    assert re.fullmatch(r"Swath put on a regular grid of 1\.2 km by nearest neighbour within 1\.44 km\.", how)
    clouds = 0
    for row, lat in enumerate(found.lat):
        for column, lon in enumerate(found.lon):
            apart = distances_km(lat, lon, made.lat, made.lon)
            near = np.unravel_index(np.argmin(apart), apart.shape)
            two = np.partition(apart.ravel(), 1)[:2]
            if abs(apart.min() - 1.44) < 0.01 or two[1] - two[0] < 1e-3:
                continue  # a tie, to the last digit
            want = made.mc_now[near] if apart.min() < 1.44 else np.nan
            np.testing.assert_equal(found.mc_now[row, column], want)
            clouds += np.isnan(made.mc_now[near]) and apart.min() < 1.44
    assert clouds >= 4
    said = draw.write_geotiff(tmp_path / "m.tif", made)
    assert said.endswith(how)
    with rasterio.open(tmp_path / "m.tif") as file:
        assert file.tags()["grid"] == how
        assert file.transform.e < 0
        # About square on the ground: a degree of longitude is cos(latitude) as long.
        assert file.transform.a * np.cos(np.deg2rad(41.7)) == pytest.approx(-file.transform.e, rel=1e-3)


def test_pixels_of_a_swath_without_place_are_left_out():
    made = swath()
    lat = made.lat.copy()
    lat[0] = np.nan
    found, _ = grid.gridded(dataclasses.replace(made, lat=lat))
    assert np.nanmin(found.mc_now) >= 15.0  # the first row of 14 held 1 to 14


def test_float32_coordinates_of_a_fine_grid_are_regular():
    lat = np.linspace(41.3, 42.2, 300).astype(np.float32)
    lon = np.linspace(-83.5, -82.45, 350).astype(np.float32)
    found, how = grid.north_up(make(lat, lon, (300, 350), mc_now=np.ones((300, 350))))
    assert how == "Regular grid of the product."
    assert found.lat[0] == lat[-1]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lat": np.array([41.9, 41.8, 41.6, 41.5])}, "field lat is no regular grid: steps run from 0.1 to 0.2 degrees"),
        ({"lon": np.array([1.0, 2.0, 2.0, 3.0, 4.0])}, "field lon must be finite and go one way from pixel to pixel"),
        ({"lon": np.array([1.0, np.nan, 2.0, 3.0, 4.0])}, "field lon must be finite"),
        ({"lon": LON + 360}, "field lon is 276.5 to 277.3; expected degrees within -180 to 180"),
        ({"lat": LON}, "fields lat and lon have shapes (5,) and (5,); expected (4,) and (5,) of a grid, or (4, 5) both"),
        ({"upper": np.ones((5, 4))}, "field upper has shape (5, 4), and mc_now (4, 5); expected the same"),
        ({"mc_now": np.ones(20)}, "field mc_now has shape (20,); expected [R Q]"),
        ({"mc_now": np.full((4, 5), np.nan)}, "expected at least one predicted pixel, and mc_now is NaN in all 20"),
        ({"mc_now": np.full((4, 5), -0.7)}, "a concentration of -0.7; expected ug/L from 0 (and no log10)"),
        ({"outside": np.zeros((4, 5))}, "field outside is of type float64; expected bool"),
        ({"mc_ahead": np.ones((4, 5))}, "expected all of mc_ahead, ahead_lower, ahead_upper or none, got only mc_ahead"),
    ],
)
def test_what_is_no_map_is_a_sentence(changes, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        make(**changes)


def test_a_single_row_a_date_line_and_a_huge_grid_are_sentences():
    with pytest.raises(ValueError, match="expected at least 2 x 2 pixels"):
        MapPrediction(*(np.ones((1, 5)) for _ in range(5)), np.zeros((1, 5), bool), LAT[:1], LON)
    made = swath()
    lon = np.where(made.lon < -83.1, 179.9, -179.9)
    with pytest.raises(ValueError, match="crosses the date line"):
        grid.gridded(dataclasses.replace(made, lon=lon))
    with pytest.raises(ValueError, match="over 50000000; cut the image"):
        grid.gridded(made, step_km=0.001)


def test_an_absent_library_is_named_with_its_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rasterio", None)
    with pytest.raises(ImportError, match=r"writing a GeoTIFF needs rasterio.*spectral-jax\[geo\]"):
        draw.write_geotiff(tmp_path / "m.tif", make())
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"drawing figures needs matplotlib.*spectral-jax\[plot\]"):
        draw.write_png(tmp_path / "m.png", make(), "Erie")
