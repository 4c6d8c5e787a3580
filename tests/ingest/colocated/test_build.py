"""From a folder of products to a store: its numbers, its plan, what is left out and why, and going on after a stop."""

import csv
from pathlib import Path

import numpy as np
import pytest
from made import delivered, delivered_hdf5, region

from spectral_jax.data.store import open_store
from spectral_jax.ingest.colocated import build
from spectral_jax.ingest.colocated.wanted import Wanted
from spectral_jax.ingest.patches.build import Help

FILL = -32768


@pytest.fixture(scope="module", autouse=True)
def page():
    """Pages take longer to draw than all else; they have tests of their own."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(build.page, "page", lambda plan, table_name: f"page of {table_name}")
        yield


def built(folder, out, **more):
    plan_only = more.pop("plan_only", False)
    return build.build(Wanted((str(folder),), **{"footprint_m": 240.0} | more), out, plan_only, lambda line: None)


def table(done):
    with open(done.table, newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def downloads(tmp_path_factory):
    """EnMAP of 3 x 3 cells, all others 9 m east and 7 m south of its grid but Sentinel-2, which begins a cell further west."""
    folder = tmp_path_factory.mktemp("region") / "downloads"
    off = {"left": region.LEFT - 231.0, "top": region.TOP + 233.0}
    region.enmap(folder / "hsi", cloud=0.0, seed=3)
    region.sentinel2(folder / "msi", left=region.LEFT - 240.0, side=96)
    region.sentinel2(folder / "msi", time="20240720T101021", cloud=1.0)
    region.landsat(folder, side=42, **off)
    region.radar(folder, side=120, **off)
    return folder


@pytest.fixture(scope="module")
def done(downloads, page, tmp_path_factory):
    return built(downloads, tmp_path_factory.mktemp("out") / "my.zarr")


def test_every_number_is_where_it_was_seen(done):
    (group,) = done.built["train"].store.groups.values()
    assert (group.name, group.locations, group.dates) == ("enmap_s2_lo_lt_s1", 9, 1)
    numbers = region.enmap_numbers(24, 3)
    for i, name in enumerate(group.ids()):
        column, row = (int(x) for x in name.split("_")[1:])
        east, south = column * 240 - 499_920, 5_800_080 - (row + 1) * 240  # of the cell's corner from EnMAP's, metres
        r, c = south // 30, east // 30
        np.testing.assert_array_equal(group.read("ENMAP", i, 0), numbers[:, r : r + 8, c : c + 8])
        # Sentinel-2's third band at 10 m: DN - 1000 on its own grid, 24 pixels further west.
        expected = 500 + 200 + 7 * (24 + east // 10 + np.arange(24))[None, :] + 3 * (south // 10 + np.arange(24))[:, None]
        np.testing.assert_array_equal(group.read("S2", i, 0)[2], expected)
        # Landsat: pixel centres of the cell lie (231 + east + 15) / 30 - .5 = (231 + east) / 30 columns from its first.
        at = (231 + east) / 30 + np.arange(8)[None, :], (233 + south) / 30 + np.arange(8)[:, None]
        np.testing.assert_array_equal(group.read("LO", i, 0)[0], np.rint(8100 + 11 * at[0] + 5 * at[1]))
        np.testing.assert_array_equal(group.read("LT", i, 0)[0], np.rint(44_000 + 11 * at[0] + 5 * at[1]))
        at = (231 + east) / 10 + np.arange(24)[None, :], (233 + south) / 10 + np.arange(24)[:, None]
        power = 0.04 + 0.001 * at[0] + 0.002 * at[1]
        assert np.abs(group.read("S1", i, 0)[0] - 1000 * np.log10(power)).max() <= 0.51
    np.testing.assert_array_equal(group.epsg(), 32633)
    assert group.times("ENMAP")[0, 0] == pytest.approx(24 * 365 + 6 + 166 + (10 + (11 + 12 / 60) / 60) / 24, abs=1e-9)


def test_the_plan_tells_each_product_of_each_location_and_why_others_are_not_taken(done):
    rows = table(done)
    assert list(rows[0])[:14] == [
        "cell", "split", "group", "sensor", "product", "date", "gap_days", "clear_fraction", "valid_fraction", "left", "top",
        "epsg", "chosen", "why",
    ]  # fmt: skip
    taken = [row for row in rows if row["chosen"] == "yes"]
    assert len(taken) == 9 * 5
    one = next(row for row in taken if row["cell"] == "32633_2083_24166" and row["sensor"] == "LO")
    assert one | {"product": ""} == {
        "cell": "32633_2083_24166", "split": "train", "group": "enmap_s2_lo_lt_s1", "sensor": "LO", "product": "",
        "date": "2024-06-20T10:09:41", "gap_days": "4.999", "clear_fraction": "1.0000", "valid_fraction": "1.0000",
        "left": "499920", "top": "5800080", "epsg": "32633", "chosen": "yes", "why": "", "how": "bilinear",
    }  # fmt: skip
    assert {(row["sensor"], row["how"]) for row in taken} == {
        ("ENMAP", "own grid"), ("S2", "own grid"), ("LO", "bilinear"), ("LT", "bilinear"), ("S1", "bilinear"),
    }  # fmt: skip
    assert {row["why"] for row in rows if row["chosen"] == "no"} == {"too cloudy: 0.00% of the cell is clear, below 90.00%"}
    store = done.built["train"].store
    assert (Path(store.path) / "plan.csv").read_bytes() == done.table.read_bytes()
    assert (Path(store.path) / "plan.html").read_text() == done.page.read_text() == "page of my.plan.csv"
    said = store.provenance
    assert (said["split"], said["refused"]) == ("train", [["products at cells", "too cloudy", 9]])
    assert {about["sensor"] for about in said["sources"]} == {"ENMAP", "S2", "LO", "LT", "S1"}


def test_what_was_done_and_left_out_is_told_in_lines(done):
    text = done.text()
    assert "is complete: 45 patches of 240 m written." in text
    assert "Left out:\n  products at cells, too cloudy: 9\nThe plan: " in text


@pytest.mark.slow
def test_a_build_goes_on_and_another_command_or_another_folder_is_refused(downloads, tmp_path):
    folder = tmp_path / "d"
    region.enmap(folder)
    region.radar(folder)
    first = built(folder, tmp_path / "my.zarr")
    assert (first.built["train"].written, built(folder, tmp_path / "my.zarr").built["train"].written) == (18, 0)
    with pytest.raises(
        FileExistsError, match=r"was begun with days 15.0, and now it is 20.0; run the same command to continue"
    ):
        built(folder, tmp_path / "my.zarr", days=20.0)
    region.landsat(folder)
    with pytest.raises(FileExistsError, match="was begun from other products than the folders hold now"):
        built(folder, tmp_path / "my.zarr")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("")
    with pytest.raises(FileExistsError, match="holds something that is not a store"):
        built(folder, tmp_path / "other")


def test_a_plan_alone_writes_no_store(downloads, tmp_path):
    done = built(downloads, tmp_path / "my.zarr", plan_only=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["my.plan.csv", "my.plan.html"]
    assert (done.built, len(table(done))) == ({}, 54)


@pytest.mark.slow
def test_what_is_held_out_gets_a_store_of_its_own(tmp_path):
    # The blocks meet at 15 E, 52.35 N; two of three rows of cells lie to its south or on it.
    region.enmap(tmp_path / "d", top=region.TOP + 240.0)
    region.radar(tmp_path / "d", top=region.TOP + 240.0)
    done = built(tmp_path / "d", tmp_path / "my.zarr", holdout=0.5, block_deg=0.01)
    rows = [row for row in table(done) if row["sensor"] == "ENMAP"]
    splits = {row["cell"]: row["split"] for row in rows}
    assert set(splits.values()) == {"train", "holdout", "between"}
    for split, name in (("train", "my.zarr"), ("holdout", "my.holdout.zarr")):
        ids = {x for group in open_store(tmp_path / name).groups.values() for x in group.ids()}
        assert ids == {cell for cell, of in splits.items() if of == split}
    assert {row["why"].partition(":")[0] for row in rows if row["chosen"] == "no"} == {"between train and holdout"}
    assert done.text().count("What to do next: pretrain") == 1


@pytest.mark.slow
def test_a_damaged_product_among_good_ones_does_not_stop_the_build(tmp_path):
    folder = tmp_path / "d"
    region.enmap(folder)
    region.radar(folder)
    torn = region.landsat(folder)
    image = torn / f"{torn.name}_SR_B7.TIF"
    image.write_bytes(image.read_bytes()[:-100])
    hidden = region.sentinel2(folder)
    middle = next(hidden.rglob("*_B04_10m.tif"))
    raw = middle.read_bytes()
    middle.write_bytes(raw[: len(raw) * 9 // 10])  # neither of the first band nor of the last, so that the survey misses it
    done = built(folder, tmp_path / "my.zarr")
    group = open_store(tmp_path / "my.zarr").groups["enmap_s2_lt_s1"]
    assert group.locations == 9
    assert [(one.name, one.reason) for one in done.plan.left_out] == [(torn.name, "cannot be read")]
    whole = {group.ids()[i]: bool((group.read("S2", i, 0) != FILL).any()) for i in range(9)}
    missing = sum(not good for good in whole.values())
    assert 0 < missing <= 9
    assert all(group.valid(key)[:, 0].all() for key in ("ENMAP", "S1"))
    assert f"  {torn.name}: " in done.text()
    (failure,) = done.failures
    assert f"{missing} of 36 patches are missing, and all others are there. What failed:" in failure
    assert str(hidden) in failure
    middle.write_bytes(raw)
    again = built(folder, tmp_path / "my.zarr")
    assert (again.failures, again.built["train"].written) == ((), missing)
    assert all((group.read("S2", i, 0) != FILL).any() for i in range(9))


@pytest.mark.slow
def test_workers_build_what_one_process_builds(downloads, done, tmp_path):
    pytest.importorskip("distributed")
    asked = Wanted((str(downloads),), footprint_m=240.0)
    other = build.build(asked, tmp_path / "my.zarr", report=lambda line: None, help=Help(workers=2))
    assert not other.failures
    for name, group in done.built["train"].store.groups.items():
        again = open_store(tmp_path / "my.zarr").groups[name]
        assert again.ids() == group.ids()
        for key in group.sensors:
            np.testing.assert_array_equal(again.pixels(key).read().result(), group.pixels(key).read().result())


def nothing(tmp_path, folder, **more):
    with pytest.raises(ValueError, match="no cell of 240 m lies wholly inside products of two sensors that pass") as caught:
        built(folder, tmp_path / "my.zarr", **more)
    assert not (tmp_path / "my.zarr").exists()
    assert (tmp_path / "my.plan.html").is_file()
    return str(caught.value)


def test_scenes_that_do_not_overlap_leave_nothing(tmp_path):
    region.enmap(tmp_path / "d")
    region.radar(tmp_path / "d", left=region.LEFT + 720.0)
    assert "(cells, covered by one sensor: 9; products at cells, covered by one sensor: 9)" in nothing(tmp_path, tmp_path / "d")


def test_scenes_under_clouds_leave_nothing(tmp_path):
    region.enmap(tmp_path / "d", cloud=1.0)
    region.radar(tmp_path / "d")
    assert "products at cells, too cloudy: 9" in nothing(tmp_path, tmp_path / "d")


@pytest.mark.slow
def test_scenes_far_apart_in_time_leave_nothing(tmp_path):
    region.enmap(tmp_path / "d")
    region.radar(tmp_path / "d", time="20240810T165445")
    told = nothing(tmp_path, tmp_path / "d")
    assert "products at cells, gap over the limit: 9; products at cells, no second sensor: 9" in told
    assert built(tmp_path / "d", tmp_path / "wide.zarr", most_days=60.0).built["train"].written == 18


def test_without_a_product_of_an_anchor_there_is_nothing(tmp_path):
    region.sentinel2(tmp_path / "d")
    region.radar(tmp_path / "d")
    assert "(no product of an anchor)" in nothing(tmp_path, tmp_path / "d")
    done = built(tmp_path / "d", tmp_path / "s2.zarr", anchors=("S2",))
    assert list(done.built["train"].store.groups) == ["s2_s1"]


def test_a_cell_that_is_no_whole_number_of_pixels_and_an_empty_folder_are_refused(downloads, tmp_path):
    with pytest.raises(
        ValueError, match="--footprint_m: 250 m is not a whole number of ENMAP pixels of 30 m; the nearest that"
    ):
        built(downloads, tmp_path / "my.zarr", footprint_m=250.0)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="--folder: no product is in .*empty, nor below"):
        built(tmp_path / "empty", tmp_path / "my.zarr")


@pytest.mark.slow
def test_products_of_two_zones_meet_on_the_cells_of_the_zone_that_a_centre_is_in(tmp_path):
    # Around 12 E, 52.3 N: EnMAP in zone 33, the radar in 32; of each cell one of them is warped.
    from rasterio.warp import transform

    x, y = transform("EPSG:4326", "EPSG:32633", [12.0], [52.3])
    region.enmap(tmp_path / "d", left=round(x[0]) - 360.0, top=round(y[0]) + 360.0)
    x, y = transform("EPSG:4326", "EPSG:32632", [12.0], [52.3])
    values = np.full((2, 160, 160), 0.1)
    region.radar(tmp_path / "d", left=round(x[0]) - 800.0, top=round(y[0]) + 800.0, crs="EPSG:32632", side=160, values=values)
    done = built(tmp_path / "d", tmp_path / "my.zarr", footprint_m=120.0)
    (group,) = done.built["train"].store.groups.values()
    assert set(group.epsg().tolist()) == {32632, 32633}
    assert ((group.centres()[:, 0] < 12.0) == (group.epsg() == 32632)).all()
    for i in range(group.locations):
        assert (group.read("S1", i, 0) == -1000).all()
        assert (group.read("ENMAP", i, 0)[0] >= 200).all()


@pytest.mark.slow
def test_a_footprint_over_the_antimeridian_is_cut_into_cells_of_both_zones(tmp_path):
    from rasterio.warp import transform

    x, y = transform("EPSG:4326", "EPSG:32601", [-180.0], [52.3])
    place = {"left": round(x[0]) - 360.0, "top": round(y[0]) + 360.0, "crs": "EPSG:32601"}
    region.enmap(tmp_path / "d", **place)
    region.radar(tmp_path / "d", **place, values=np.full((2, 72, 72), 0.1))
    done = built(tmp_path / "d", tmp_path / "my.zarr", footprint_m=120.0)
    (group,) = done.built["train"].store.groups.values()
    assert set(group.epsg().tolist()) == {32601, 32660}
    assert np.ptp(group.centres()[:, 0]) > 359.9


@pytest.mark.slow
def test_every_hyperspectral_sensor_comes_to_a_cell(tmp_path):
    folder = tmp_path / "d"
    delivered.write_desis(folder, pixels=delivered.desis_pixels(8), quality=delivered.desis_quality(8))
    delivered_hdf5.write_prisma(folder)
    region.enmap(folder, time="20200820T101112")
    region.emit(folder / "nc", time="20200812T093000", left=14.99, top=52.356)
    region.sentinel2(folder, time="20200816T101021")
    done = built(folder, tmp_path / "my.zarr", footprint_m=120.0)
    group = done.built["train"].store.groups["enmap_emit_desis_prisma_s2"]
    at = group.ids().index("32633_4167_48332")  # 500,040 to 500,160 east, 5,799,840 to 5,799,960 north
    # DESIS and PRISMA: centres lie 55 + 30 k m east, 55 + 30 k south of DESIS' corner (500,000 5,800,000), in pixels 1 to 4; of
    # PRISMA's, 15 m farther out each way, 70 + 30 k: in pixels 2 to 5.
    np.testing.assert_array_equal(group.read("DESIS", at, 0), delivered.desis_pixels(8)[:, 1:5, 1:5])
    found = group.read("PRISMA", at, 0)
    numbers = 10_000 + 100 * np.arange(63) + 6 * 2 + 2  # the 63 acquired channels of VNIR, descending, in row 2, column 2
    np.testing.assert_array_equal(np.sort(found[:63, 0, 0]), np.rint(numbers / 65535 * 1e4))
    np.testing.assert_array_equal(np.sort(found[:63, 3, 3]), np.rint((numbers + 3 * 6 + 3) / 65535 * 1e4))
    # EMIT: the nearest of the swath's pixels to each of 2 x 2 centres, 30 and 90 m from the cell's corner.
    x, y = np.meshgrid(500_040.0 + np.array([30.0, 90.0]), 5_799_960.0 - np.array([30.0, 90.0]))
    lonlat = region.lonlat_of("EPSG:32633", x.ravel(), y.ravel())
    sample, line = np.floor((lonlat - (14.99, 52.356)) / (delivered_hdf5.STEP, -delivered_hdf5.STEP)).T
    expected = np.rint(32767 * (0.1 + 0.01 * line + 0.001 * sample)).reshape(2, 2)
    np.testing.assert_array_equal(group.read("EMIT", at, 0)[0], expected)
    assert (group.read("EMIT", at, 0)[~delivered_hdf5.emit_good()] == FILL).all()
    row, column = (5_800_080 - 5_799_960) // 30, (500_040 - 499_920) // 30
    np.testing.assert_array_equal(group.read("ENMAP", at, 0), region.enmap_numbers(24)[:, row : row + 4, column : column + 4])
    gaps = {row["sensor"]: float(row["gap_days"]) for row in table(done) if row["cell"] == "32633_4167_48332"}
    assert gaps["DESIS"] == pytest.approx(gaps["ENMAP"] - 6.0, abs=0.1)
