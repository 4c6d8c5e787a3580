"""The build as a whole: interruption, refusals, the command, and real observations."""

import json
import os
import sys

import numpy as np
import pytest
from made import toy_product
from made.tiny_geotiffs import ENMAP, build_into, pixels_of, rasterio, write_enmap, write_s1, write_s2, write_tif

from spectral_jax.data.store import open_store
from spectral_jax.ingest.patches.products import product, table


def three_sites(tmp_path):
    for i in range(3):
        write_s2(tmp_path / "s2" / f"{i}.tif", seed=i, left=500000.0 + 10000 * i)
        write_s1(tmp_path / "rtc" / f"{i}.tif", seed=9 + i, left=500000.0 + 10000 * i)
    return f"sentinel2:{tmp_path / 's2'}", f"sentinel1:{tmp_path / 'rtc'}"


def all_pixels(store):
    return {k: store.groups["s2_s1"].pixels(k)[...].read().result() for k in ("S2", "S1")}


@pytest.mark.slow
def test_interrupted_build_continues_where_it_stopped(tmp_path, monkeypatch):
    folders = three_sites(tmp_path)
    whole = build_into(tmp_path / "whole.zarr", *folders).store
    stored, calls = product.stored, []

    def interrupted(chip, window):
        calls.append(chip.name)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return stored(chip, window)

    monkeypatch.setattr(product, "stored", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build_into(tmp_path / "out.zarr", *folders, shard_bytes=1)
    begun = open_store(tmp_path / "out.zarr").groups["s2_s1"]
    assert begun.valid("S2").ravel().tolist() == [True, True, False]
    assert not begun.valid("S1").any()
    calls.clear()
    monkeypatch.setattr(product, "stored", lambda chip, window: calls.append(chip.name) or stored(chip, window))
    done = build_into(tmp_path / "out.zarr", *folders, shard_bytes=1)
    assert (done.written, done.skipped, len(calls)) == (4, 2, 4)
    assert done.store.groups["s2_s1"].valid("S1").all()
    for key, values in all_pixels(whole).items():
        np.testing.assert_array_equal(all_pixels(done.store)[key], values)
    assert done.store.groups["s2_s1"].ids() == whole.groups["s2_s1"].ids()


def test_half_written_patch_is_written_again_and_its_neighbours_are_not(tmp_path, monkeypatch):
    folders = three_sites(tmp_path)
    group = build_into(tmp_path / "out.zarr", *folders).store.groups["s2_s1"]
    before = all_pixels(open_store(tmp_path / "out.zarr"))
    half = np.full((1, 1, 12, 12, 12), 7, np.int16)  # pixels without a flag, as a crash leaves them
    group.write_block(1, "S2", half, np.zeros((1, 1), bool), np.zeros((1, 1)))
    stored, calls = product.stored, []
    monkeypatch.setattr(product, "stored", lambda chip, window: calls.append(str(chip.path)) or stored(chip, window))
    done = build_into(tmp_path / "out.zarr", *folders)
    assert calls == [str(tmp_path / "s2" / "1.tif")]
    assert (done.written, done.skipped) == (1, 5)
    for key, values in before.items():
        np.testing.assert_array_equal(all_pixels(open_store(tmp_path / "out.zarr"))[key], values)


def snapshot(folder):
    return {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in sorted(folder.rglob("*")) if p.is_file()}


def test_complete_store_is_left_alone(tmp_path):
    folders = three_sites(tmp_path)
    first = build_into(tmp_path / "out.zarr", *folders)
    assert "is complete: 6 patches of 120 m written." in first.text()
    before = snapshot(tmp_path / "out.zarr")
    again = build_into(tmp_path / "out.zarr", *folders)
    assert (again.written, again.skipped) == (0, 6)
    assert "was complete already: 6 patches; nothing was written." in again.text()
    assert snapshot(tmp_path / "out.zarr") == before


def test_another_command_or_other_files_on_a_store_are_refused(tmp_path):
    folders = three_sites(tmp_path)
    build_into(tmp_path / "out.zarr", *folders)
    before = snapshot(tmp_path / "out.zarr")
    with pytest.raises(FileExistsError, match="was begun with --footprint_m=120.0, and now it is 60.0; run the same command"):
        build_into(tmp_path / "out.zarr", *folders, footprint_m=60.0)
    with pytest.raises(FileExistsError, match="was begun with --product=sentinel1:.*rtc, and now it is left out; run the same"):
        build_into(tmp_path / "out.zarr", folders[0])
    with pytest.raises(
        FileExistsError, match="with --product=sentinel2:.*s2, and now it is --product=sentinel2:.*s2,unit=b; run"
    ):
        build_into(tmp_path / "out.zarr", f"{folders[0]},unit=b", folders[1])
    with pytest.raises(FileExistsError, match="was begun without --product=enmap:.*e; run the same"):
        build_into(tmp_path / "out.zarr", *folders, f"enmap:{tmp_path / 'e'}")
    write_s1(tmp_path / "rtc" / "more.tif", left=900000.0)
    with pytest.raises(FileExistsError, match="was begun from other files than the folders hold now"):
        build_into(tmp_path / "out.zarr", *folders)
    assert snapshot(tmp_path / "out.zarr") == before


def test_folders_that_are_missing_or_empty_are_refused(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="--product=enmap: expected a folder of GeoTIFFs, and .*nowhere is not a folder"
    ):
        build_into(tmp_path / "out.zarr", f"enmap:{tmp_path / 'nowhere'}")
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        FileNotFoundError, match=r"--product=sentinel1: .*empty has no file that ends in .tif or .tiff \(it is empty\)"
    ):
        build_into(tmp_path / "out.zarr", f"sentinel1:{tmp_path / 'empty'}")
    (tmp_path / "empty" / "notes.txt").write_text("x")
    with pytest.raises(FileNotFoundError, match=r"\(it holds notes.txt\)"):
        build_into(tmp_path / "out.zarr", f"sentinel2:{tmp_path / 'empty'}")
    with pytest.raises(
        ValueError,
        match="--product: expected at least one folder of GeoTIFFs, .* the products are enmap, sentinel2, sentinel1, delivered",
    ):
        build_into(tmp_path / "out.zarr")
    write_s1(tmp_path / "two" / "a.tif")
    write_s1(tmp_path / "two" / "a.tiff")
    with pytest.raises(ValueError, match="has two files called a with different endings"):
        build_into(tmp_path / "out.zarr", f"sentinel1:{tmp_path / 'two'},kind=rtc")


@pytest.mark.slow
def test_truncated_files_are_named(tmp_path):
    whole = write_enmap(tmp_path / "e" / "tile.tif", side=32)
    data = whole.read_bytes()
    whole.write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match="tile.tif: expected a whole GeoTIFF, and it .*truncated.*copy it again"):
        build_into(tmp_path / "out.zarr", f"enmap:{tmp_path / 'e'}")
    whole.write_bytes(b"not a tiff")
    with pytest.raises(ValueError, match="tile.tif: expected a whole GeoTIFF, and it cannot be opened"):
        build_into(tmp_path / "other.zarr", f"enmap:{tmp_path / 'e'}")
    # Once the file is whole again, the same command goes on.
    whole.write_bytes(data)
    assert build_into(tmp_path / "out.zarr", f"enmap:{tmp_path / 'e'}").skipped == 0


def test_footprints_that_do_not_fit_are_refused(tmp_path):
    write_enmap(tmp_path / "e" / "tile.tif")
    with pytest.raises(ValueError, match="100 m is not a whole number of ENMAP pixels of 30 m; the nearest .* is 90 m"):
        build_into(tmp_path / "out.zarr", f"enmap:{tmp_path / 'e'}", footprint_m=100.0)
    with pytest.raises(ValueError, match="tile.tif: the tile is 120 x 120 m, smaller than a patch of 240 m"):
        build_into(tmp_path / "out.zarr", f"enmap:{tmp_path / 'e'}", footprint_m=240.0)


def test_outputs_that_cannot_be_written_are_refused(tmp_path, monkeypatch):
    write_s1(tmp_path / "rtc" / "x.tif")
    (tmp_path / "file").write_text("x")
    with pytest.raises(NotADirectoryError, match="--out: .*cannot be made, because .*file is a file"):
        build_into(tmp_path / "file" / "out.zarr", f"sentinel1:{tmp_path / 'rtc'}")
    with pytest.raises(ValueError, match="--out: https://host/out.zarr can only be read; to write, give a path or an address"):
        build_into("https://host/out.zarr", f"sentinel1:{tmp_path / 'rtc'}")
    with pytest.raises(FileExistsError, match=r"holds something that is not a store \(x.tif\)"):
        build_into(tmp_path / "rtc", f"sentinel1:{tmp_path / 'rtc'}")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(PermissionError, match="is not writable; name another folder"):
        build_into(tmp_path / "out.zarr", f"sentinel1:{tmp_path / 'rtc'}")


def test_without_rasterio_the_extra_is_named(tmp_path, monkeypatch):
    write_s1(tmp_path / "rtc" / "x.tif")
    monkeypatch.setitem(sys.modules, "rasterio", None)
    with pytest.raises(
        ImportError, match=r"needs rasterio, and it is not installed; install the extra geo: .*spectral-jax\[geo\]"
    ):
        build_into(tmp_path / "out.zarr", f"sentinel1:{tmp_path / 'rtc'}")


OLD_FLAGS = ("footprint_m", "enmap", "sentinel2", "sentinel1", "sentinel1_product", "sentinel2_offset", "sentinel2_unit")


def as_an_older_version_left_it(store, **flags):
    """Rewrites the command in a store's provenance to the flags that earlier versions recorded."""
    node = store / "zarr.json"
    text = json.loads(node.read_text())
    text["attributes"]["provenance"]["command"] = dict.fromkeys(OLD_FLAGS) | {"sentinel2_unit": "a"} | flags
    node.write_text(json.dumps(text))


def test_a_store_begun_before_products_had_one_flag_is_continued(tmp_path):
    folders = three_sites(tmp_path)
    flags = {"footprint_m": 120.0, "sentinel2": str(tmp_path / "s2"), "sentinel1": str(tmp_path / "rtc")}
    out = tmp_path / "out.zarr"
    group = build_into(out, *folders).store.groups["s2_s1"]
    whole = all_pixels(open_store(out))
    group.write_block(1, "S2", np.full((1, 1, 12, 12, 12), 7, np.int16), np.zeros((1, 1), bool), np.zeros((1, 1)))
    as_an_older_version_left_it(out, **flags)
    done = build_into(out, *reversed(folders))
    assert (done.written, done.skipped) == (1, 5)
    for key, values in whole.items():
        np.testing.assert_array_equal(all_pixels(open_store(out))[key], values)
    as_an_older_version_left_it(out, **flags, sentinel1_product="grd", sentinel2_offset="0")
    with pytest.raises(
        FileExistsError, match="begun with --product=sentinel2:.*s2,offset=0 --product=sentinel1:.*rtc,kind=grd, and"
    ):
        build_into(out, *folders)
    as_an_older_version_left_it(out, **flags | {"sentinel1": None})
    with pytest.raises(FileExistsError, match="was begun without --product=sentinel1:.*rtc; run the same command"):
        build_into(out, *folders)


def test_a_product_is_a_file_and_a_row(tmp_path, monkeypatch):
    for name, left in (("plain", 5e5), ("lifted", 6e5)):
        pixels = np.arange(2 * 36, dtype=np.int16).reshape(2, 6, 6) + 100
        write_tif(tmp_path / "toys" / f"{name}.tif", pixels, 20.0, left=left, tags={"datetime": "2020-05-01"})
    monkeypatch.setitem(table.READERS, "toy", toy_product.READER)
    lines = []
    command = f"toy:{tmp_path / 'toys'},colour=blue"
    store = build_into(tmp_path / "out.zarr", command, lines=lines).store
    group = store.groups["toy"]
    assert (group.ids(), group.sensors["TOY"]) == (["lifted", "plain"], toy_product.SPEC)
    # The files hold reflectance * 1000, the store reflectance * 10000.
    np.testing.assert_array_equal(pixels_of(store, "toy", "TOY", 0), (pixels - 50) * 10)
    np.testing.assert_array_equal(pixels_of(store, "toy", "TOY", 1), pixels * 10)
    assert store.provenance["toy_offset"]["lifted"] == {"offset": 50.0, "reason": "by its name"}
    assert store.provenance["command"]["products"][0]["options"] == {"colour": "blue"}
    assert "Toy: tiles of toys, blue" in lines
    assert build_into(tmp_path / "out.zarr", command).written == 0
    with pytest.raises(ValueError, match="option colour of --product=toy: expected red or blue, got 'green'."):
        build_into(tmp_path / "no.zarr", f"toy:{tmp_path / 'toys'},colour=green")


@pytest.mark.slow
def test_real_chips_become_a_store_of_two_groups(real_data, tmp_path):
    lines = []
    chips = real_data / "terramesh"
    done = build_into(
        tmp_path / "real.zarr", f"enmap:{real_data / 'enmap_potsdam' / 'images'}", f"sentinel2:{chips / 'S2L2A'}",
        f"sentinel1:{chips / 'S1RTC'}", footprint_m=960.0, lines=lines,
    )  # fmt: skip
    store = open_store(tmp_path / "real.zarr")
    assert {k: (g.locations, g.dates) for k, g in store.groups.items()} == {"enmap": (14, 1), "s2_s1": (16, 1)}
    assert not store.simulated
    offsets = {k: v["offset"] for k, v in store.provenance["sentinel2_offset"].items()}
    assert offsets == {"282D_485L_3_3": 0.0, "38D_378R_2_3": 0.0, "433D_629L_3_1": 1000.0, "637U_59R_1_3": 0.0}
    # EnMAP: file order is VNIR then SWIR, so its band 92 (902.257 nm) is the 80th by wavelength.
    name = store.groups["enmap"].ids()[0]
    with rasterio.open(real_data / "enmap_potsdam" / "images" / f"{name}.tif") as file:
        raw, corner = file.read(), (file.transform.c, file.transform.f)
        centres = np.array([float(file.tags(i + 1)["wavelength"]) for i in range(224)])
    stored = pixels_of(store, "enmap", "ENMAP")
    np.testing.assert_array_equal(stored, raw[np.argsort(centres)])
    assert [b.centre_nm for b in ENMAP.bands] == sorted(centres)
    assert store.groups["enmap"].sensors["ENMAP"].bands[79].centre_nm == 902.257
    assert tuple(store.groups["enmap"].geotransform()[0, [2, 5]]) == corner
    np.testing.assert_allclose(store.groups["enmap"].centres().mean(0), [13.0, 52.4], atol=0.1)  # Potsdam
    assert store.groups["enmap"].times("ENMAP")[0, 0] == pytest.approx(8240.448, abs=1e-3)
    assert not (stored[list(ENMAP.used_index)] == -32768).any()
    # Sentinel-2: the chip with the offset, second patch of its first row; and its radar partner.
    pair = store.groups["s2_s1"]
    row = next(i for i, x in enumerate(pair.ids()) if x.startswith("433D_629L_3_1/")) + 1
    with rasterio.open(real_data / "terramesh" / "S2L2A" / "433D_629L_3_1.tif") as file:
        np.testing.assert_array_equal(pixels_of(store, "s2_s1", "S2", row), file.read()[:, :96, 96:192] - 1000)
    with rasterio.open(real_data / "terramesh" / "S1RTC" / "433D_629L_3_1.tif") as file:
        expected = np.rint(file.read()[:, :96, 96:192] * 100)
        np.testing.assert_array_equal(pixels_of(store, "s2_s1", "S1", row), expected)
    assert pair.sensors["S1"].name == "sentinel1_rtc"
    assert json.dumps(store.provenance)
    assert done.written == 14 + 32
