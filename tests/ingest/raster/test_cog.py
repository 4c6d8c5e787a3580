"""Cloud-optimised GeoTIFFs: what was written, its tags, and nothing where the disk is full."""

import resource
import signal
import struct

import numpy as np
import pytest

from spectral_jax.ingest.raster import cog
from spectral_jax.ingest.raster.cog import Band, Layout

rasterio = pytest.importorskip("rasterio", reason="needs the extra spectral-jax[geo]")
SHAPE = (150, 90)


def layout(**changes):
    fields = dict(
        shape=SHAPE, crs=rasterio.crs.CRS.from_epsg(32633), transform=rasterio.Affine(30.0, 0.0, 4e5, 0.0, -30.0, 5.8e6),
        bands=(Band("first of two", "1"), Band("second", "ug/L")), tags={"LEVEL": "pixels"},
    )  # fmt: skip
    return Layout(**(fields | changes))


def numbers():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(*SHAPE, 2)).astype(np.float32) * np.float32([1.0, 40.0])
    values[20:30, 40:50] = np.nan
    return values


def write(path, values, made, step=37):
    with cog.writing(path, made) as rows:
        for top in range(0, len(values), step):
            part = values[top : top + step]
            rows.write(slice(top, top + len(part)), slice(0, values.shape[1]), part)
        rows.tags = {"LATE": "known at the end"}


def test_a_map_holds_what_was_written_and_says_what_it_is(tmp_path):
    values = numbers()
    write(tmp_path / "new" / "map.tif", values, layout())
    with rasterio.open(tmp_path / "new" / "map.tif") as file:
        np.testing.assert_array_equal(file.read().transpose(1, 2, 0), values)
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert (file.descriptions, file.units) == (("first of two", "second"), ("1", "ug/L"))
        assert (file.tags()["LEVEL"], file.tags()["LATE"]) == ("pixels", "known at the end")
        assert (file.crs.to_epsg(), tuple(file.transform)[:6]) == (32633, (30.0, 0.0, 4e5, 0.0, -30.0, 5.8e6))
        assert np.isnan(file.nodata)
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["map.tif"]


def test_a_map_larger_than_a_block_is_a_valid_cog_with_overviews_of_means(tmp_path, monkeypatch):
    """Header before pixels, directories from large to small, pixels from the smallest overview on."""
    monkeypatch.setattr(cog, "BLOCKS_PX", (128,))
    values = np.random.default_rng(0).normal(size=(300, 260, 6)).astype(np.float32)
    values[:2, :2] = np.nan
    values[4, 4] = np.nan
    bands = tuple(Band(f"number {i}") for i in range(6))
    write(tmp_path / "map.tif", values, layout(shape=(300, 260), bands=bands))
    with rasterio.open(tmp_path / "map.tif") as file:
        assert (file.block_shapes[0], file.overviews(1)) == ((128, 128), [2, 4])
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    with rasterio.open(tmp_path / "map.tif", overview_level=0) as file:
        half = file.read().transpose(1, 2, 0)
    means = values.reshape(150, 2, 130, 2, 6)
    with np.errstate(invalid="ignore"):
        expected = np.nansum(means, axis=(1, 3)) / np.isfinite(means).sum(axis=(1, 3))
    np.testing.assert_allclose(half, expected, atol=1e-5)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["map.tif"]
    directories, pixels = _offsets((tmp_path / "map.tif").read_bytes())
    assert directories == sorted(directories)
    assert pixels == sorted(pixels, reverse=True)
    assert max(directories) < min(pixels)


def _offsets(data):
    """Of a classic little-endian TIFF: where each directory is, and where the first block of each image is."""
    directories, pixels = [], []
    (at,) = struct.unpack_from("<I", data, 4)
    while at:
        directories.append(at)
        (count,) = struct.unpack_from("<H", data, at)
        for i in range(count):
            tag, _, many, value = struct.unpack_from("<HHII", data, at + 2 + 12 * i)
            if tag == 324:  # TileOffsets
                pixels.append(value if many == 1 else struct.unpack_from("<I", data, value)[0])
        (at,) = struct.unpack_from("<I", data, at + 2 + 12 * count)
    return directories, pixels


def test_overviews_end_where_a_block_holds_all():
    assert [cog._factors(side, 128) for side in (128, 129, 256, 257, 4096)] == [[], [2], [2], [2, 4], [2, 4, 8, 16, 32]]


def test_eight_bits_hold_every_number_to_half_a_step_of_its_band(tmp_path):
    values = numbers()
    write(tmp_path / "map.tif", values, layout(int8=True))
    with rasterio.open(tmp_path / "map.tif") as file:
        assert (file.dtypes, file.nodata) == (("int8", "int8"), -128)
        raw, scale, offset = file.read(), np.array(file.scales), np.array(file.offsets)
    span = np.nanmax(values, axis=(0, 1)) - np.nanmin(values, axis=(0, 1))
    np.testing.assert_allclose(scale, span / 254, rtol=1e-6)
    back = raw.transpose(1, 2, 0) * scale + offset
    np.testing.assert_array_equal(raw.transpose(1, 2, 0) == -128, np.isnan(values))
    there = np.isfinite(values)
    assert (np.abs(back - values)[there] <= (scale / 2 * 1.0001 + 0 * values)[there]).all()
    np.testing.assert_allclose(cog.decimated(tmp_path / "map.tif", 1000), np.where(there, back, np.nan), rtol=1e-5)


def test_classes_have_their_colours(tmp_path):
    index = np.random.default_rng(0).integers(0, 3, (*SHAPE, 1)).astype(np.uint8)
    colours = {0: (255, 255, 255, 0), 1: (213, 94, 0, 255), 2: (0, 114, 178, 255)}
    write(tmp_path / "map.tif", index, layout(bands=(Band("class"),), dtype="uint8", nodata=0, colours=colours))
    with rasterio.open(tmp_path / "map.tif") as file:
        found = file.colormap(1)
        assert [found[i] for i in (1, 2)] == [colours[1], colours[2]]
        np.testing.assert_array_equal(file.read(1), index[..., 0])


def test_an_old_map_stays_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "map.tif"
    path.write_text("old")
    with pytest.raises(ValueError, match="map.tif: expected 150 rows, and 74 were written"):
        write(path, numbers()[:74], layout())
    assert (path.read_text(), len(list(tmp_path.iterdir()))) == ("old", 1)


def test_rows_come_from_the_top(tmp_path):
    late, path = np.zeros((5, 90, 2), np.float32), tmp_path / "a.tif"
    with pytest.raises(ValueError, match="expected rows from 0 on in full width"), cog.writing(path, layout()) as rows:
        rows.write(slice(5, 10), slice(0, 90), late)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_no_map(tmp_path):
    with pytest.raises(IsADirectoryError, match="--out: expected a file, and .* is a folder"), cog.writing(tmp_path, layout()):
        pass


@pytest.mark.parametrize("most", [20_000, 120_000])
def test_a_disk_that_fills_is_told_and_nothing_is_left(tmp_path, most):
    """A limit on the size of files does what a full disk does: writes come back short."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        with pytest.raises(OSError, match=r"map.tif could not be written .*; nothing is left of it: free some space"):
            write(tmp_path / "map.tif", numbers(), layout())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []
