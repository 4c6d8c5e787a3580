"""Scenes on disk: windows in, predictions out, on one grid."""

import numpy as np
import pytest
from made.tiny_geotiffs import write_tif

from spectral_jax.ingest.raster import scene
from spectral_jax.ingest.raster.tiled import predict_scene
from spectral_jax.measure import made_scene

rasterio = pytest.importorskip("rasterio", reason="needs the extra spectral-jax[geo]")


@pytest.fixture
def pixels(rng):
    return rng.integers(1, 5000, (3, 300, 280)).astype(np.uint16)


@pytest.fixture
def source(tmp_path, pixels):
    return write_tif(tmp_path / "s2.tif", pixels, 10.0, nodata=0, descriptions=("B02", "B03", "B04"))


def test_a_window_is_read_as_the_file_holds_it(source, pixels):
    with scene.open_scene(source) as opened:
        assert opened.shape == (300, 280)
        assert opened.names == ("B02", "B03", "B04")
        got = opened.read(slice(100, 140), slice(270, 280))
        assert got.dtype == np.uint16
        np.testing.assert_array_equal(got, pixels[:, 100:140, 270:280].transpose(1, 2, 0))


def test_files_of_one_grid_are_one_scene_and_bands_count_through_them(tmp_path, source, pixels, rng):
    radar = rng.normal(size=(2, 300, 280)).astype(np.float32)
    other = write_tif(tmp_path / "s1.tif", radar, 10.0, descriptions=("VV", "VH"))
    window = slice(3, 9), slice(0, 7)
    with scene.open_scene(source, other) as opened:
        assert opened.read(*window).shape == (6, 7, 5)
    with scene.open_scene(source, other, bands=(2, 5)) as opened:
        assert opened.names == ("B03", "VH")
        expected = np.stack([pixels[1, 3:9, :7].astype(np.float32), radar[1, 3:9, :7]], axis=-1)
        np.testing.assert_array_equal(opened.read(*window), expected)
    with scene.open_scene(source, other, bands=(4,)) as opened:
        np.testing.assert_array_equal(opened.read(*window)[..., 0], radar[0, 3:9, :7])


def test_pixels_with_a_gap_in_any_band_are_not_valid(tmp_path, pixels, rng):
    pixels[1, 4, 5] = 0
    radar = rng.normal(size=(1, 300, 280)).astype(np.float32)
    radar[0, 2, 3] = np.nan
    radar[0, 3, 3] = 0.0  # a number like any other in this file
    paths = write_tif(tmp_path / "a.tif", pixels, 10.0, nodata=0), write_tif(tmp_path / "b.tif", radar, 10.0)
    with scene.open_scene(*paths) as opened:
        valid = opened.valid(slice(0, 10), slice(0, 10))
    assert np.argwhere(~valid).tolist() == [[2, 3], [4, 5]]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (dict(left=500010.0), "expected one grid, and the bounds differ"),
        (dict(crs="EPSG:32632"), "expected one grid, and the coordinate systems differ: EPSG:32633 against EPSG:32632"),
        (dict(pixels=np.zeros((1, 299, 280), np.uint8)), "the sizes in pixels differ: 300 x 280 against 299 x 280"),
    ],
)
def test_files_of_different_grids_are_refused(tmp_path, source, change, sentence):
    change = dict(pixels=np.zeros((1, 300, 280), np.uint8)) | change
    other = write_tif(tmp_path / "other.tif", change.pop("pixels"), 10.0, **change)
    with pytest.raises(ValueError, match=sentence), scene.open_scene(source, other):
        pytest.fail("it was opened")


def test_a_tiled_prediction_comes_back_on_the_grid_of_the_scene(tmp_path, source, pixels):
    path = tmp_path / "prediction.tif"
    with scene.open_scene(source) as opened, scene.create_prediction(path, opened, ("sum", "first")) as made:
        function = lambda x: np.stack([x.sum(-1), np.where(x[..., 0] > 4900, np.nan, x[..., 0])], axis=-1)  # noqa: E731
        predict_scene(opened.read, opened.shape, function, 64, 16, made.write, batch=2, margin=8)
    with rasterio.open(source) as before, rasterio.open(path) as after:
        assert after.crs.to_epsg() == before.crs.to_epsg() == 32633
        assert tuple(after.transform)[:6] == (10.0, 0.0, 500000.0, 0.0, -10.0, 5800000.0)
        assert after.descriptions == ("sum", "first")
        assert after.dtypes == ("float32", "float32")
        assert np.isnan(after.nodata)
        assert after.block_shapes == [(256, 256)] * 2
        assert after.compression.name == "deflate"
        got = after.read()
        # The upper left pixel's centre is where it was.
        (value,) = after.sample([(500005.0, 5799995.0)], indexes=1)
    np.testing.assert_array_equal(got[0], pixels.sum(0))
    first = pixels[0].astype(np.float32)
    assert np.isnan(got[1][first > 4900]).all()
    kept = ~np.isnan(got[1])
    np.testing.assert_array_equal(got[1][kept], first[kept])
    assert kept.mean() > 0.5
    assert value[0] == pixels[:, 0, 0].sum()


def test_class_numbers_are_written_as_whole_numbers(tmp_path, source):
    path, rows, columns = tmp_path / "classes.tif", slice(0, 2), slice(0, 3)
    with scene.open_scene(source) as opened, scene.create_prediction(path, opened, ("class",), "uint8", 255) as made:
        made.write(rows, columns, np.array([[1, 2, 3], [4, 5, 255]], np.float32)[..., None])
        with pytest.raises(ValueError, match="the file holds whole numbers of type uint8, and some values are not; create"):
            made.write(rows, columns, np.full((2, 3, 1), 0.5))
        with pytest.raises(ValueError, match="whole numbers of type uint8"):
            made.write(rows, columns, np.full((2, 3, 1), np.nan))
    with rasterio.open(path) as file:
        assert file.dtypes == ("uint8",)
        assert file.nodata == 255
        got = file.read(1)
    assert got[:2, :3].tolist() == [[1, 2, 3], [4, 5, 255]]
    assert (got[2:] == 255).all()  # never written


def test_rows_in_any_portions_and_order_come_back_and_no_block_is_stored_twice(tmp_path, rng):
    made_scene.write_random_scene(tmp_path / "made.tif", 600, 1)
    values, path = rng.uniform(size=(600, 600, 2)).astype(np.float32), tmp_path / "p.tif"

    def size(*cuts):
        with scene.open_scene(tmp_path / "made.tif") as opened, scene.create_prediction(path, opened, ("a", "b")) as made:
            for top, bottom in cuts:
                if bottom < top:  # two halves of the columns
                    made.write(slice(bottom, top), slice(0, 300), values[bottom:top, :300])
                    made.write(slice(bottom, top), slice(300, 600), values[bottom:top, 300:])
                else:
                    made.write(slice(top, bottom), slice(0, 600), values[top:bottom])
        with rasterio.open(path) as file:
            np.testing.assert_array_equal(file.read(), values.transpose(2, 0, 1))
        return path.stat().st_size

    once = size((0, 600))
    assert size((0, 100), (100, 200), (200, 300), (300, 560), (560, 600)) == pytest.approx(once, rel=0.01)
    size((300, 600), (0, 100), (300, 100))
    size((100, 0), (100, 256), (256, 600))


def test_windows_and_values_that_do_not_fit_are_refused(tmp_path, source):
    with scene.open_scene(source) as opened, scene.create_prediction(tmp_path / "p.tif", opened, ("a", "b")) as made:
        for window in (slice(290, 301), slice(-3, 4), slice(5, 5)):
            with pytest.raises(ValueError, match=f"rows as a slice inside 0 to 300, got {window.start} to {window.stop}.$"):
                opened.read(window, slice(0, 4))
            with pytest.raises(ValueError, match=f"p.tif: expected rows as a slice inside 0 to 300, got {window.start} to"):
                made.write(window, slice(0, 4), np.zeros((11, 4, 2)))
        with pytest.raises(ValueError, match="expected columns as a slice inside 0 to 280, got 0 to 8 in steps of 2."):
            opened.read(slice(0, 4), slice(0, 8, 2))
        with pytest.raises(ValueError, match=r"expected values \[h w K\] of \(4, 4, 2\) for this window, got shape \(4, 4, 1"):
            made.write(slice(0, 4), slice(0, 4), np.zeros((4, 4, 1)))


def test_files_that_cannot_be_made_or_opened_are_refused(tmp_path, source):
    def enter(context):
        with context:
            pytest.fail("it was entered")

    with pytest.raises(ValueError, match="open_scene: expected at least one GeoTIFF, got none."):
        enter(scene.open_scene())
    with pytest.raises(ValueError, match=r"s2.tif: expected ascending bands from 1 to 3, got \(2, 4\); reorder channels after"):
        enter(scene.open_scene(source, bands=(2, 4)))
    with pytest.raises(ValueError, match=r"expected ascending bands from 1 to 3, got \(2, 1\)"):
        enter(scene.open_scene(source, bands=(2, 1)))
    with scene.open_scene(source) as opened:
        with pytest.raises(ValueError, match="p.tif: expected the name of at least one band, got none."):
            enter(scene.create_prediction(tmp_path / "p.tif", opened, ()))
        with pytest.raises(ValueError, match="s2.tif: the scene is read from this file; write the prediction to another one."):
            enter(scene.create_prediction(source, opened, ("a",)))
        for nodata in (256, float("nan"), 0.5):
            with pytest.raises(ValueError, match=f"p.tif: nodata {nodata} cannot be held by uint8; give a whole number"):
                enter(scene.create_prediction(tmp_path / "p.tif", opened, ("a",), "uint8", nodata))


def test_a_truncated_file_is_named_with_its_window(tmp_path):
    path = tmp_path / "cut.tif"
    made_scene.write_random_scene(path, 512, 2)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with (
        pytest.raises(ValueError, match="cut.tif: cannot be read at rows 400 to 500, columns 300 to 400; it is trunc"),
        scene.open_scene(path) as opened,
    ):
        opened.read(slice(400, 500), slice(300, 400))


def test_a_made_scene_has_random_numbers_everywhere(tmp_path):
    path = tmp_path / "made.tif"
    made_scene.write_random_scene(path, 300, 2, seed=3)
    with scene.open_scene(path) as opened:
        got = opened.read(slice(0, 300), slice(0, 300))
        assert opened.valid(slice(0, 300), slice(0, 300)).all()
    assert got.dtype == np.uint16
    assert got.mean() == pytest.approx(5000, rel=0.02)
    assert (got[:44] != got[256:]).mean() > 0.99
