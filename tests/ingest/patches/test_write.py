"""Shards as tasks: what a killed writer leaves, what is damaged on the way, a full disk, and two builds at once."""

import errno
import pickle

import numpy as np
import pytest
from made.tiny_geotiffs import build_into, four_sites, pixels_of

from spectral_jax.addresses import lease
from spectral_jax.data.store import open_store
from spectral_jax.ingest.patches import build, crew, plan, shard
from spectral_jax.ingest.patches.products import product, table
from spectral_jax.ingest.raster import geotiff


@pytest.fixture
def sites(tmp_path):
    return four_sites(tmp_path)


def files(store):
    return {p.relative_to(store).as_posix(): p.read_bytes() for p in sorted(store.rglob("*")) if p.is_file()}


def planned(folders, footprint_m=120.0):
    sources = table.ordered([table.parsed(folder) for folder in folders])
    chips = [product.look(p, path) for s, p in ((s, s.read()) for s in sources) for path in geotiff.files(s.folder, "x")]
    return plan.groups(chips, footprint_m)


def test_plans_and_their_patches_travel_to_other_processes(sites):
    (group,) = planned(sites)
    (again,) = pickle.loads(pickle.dumps([group]))
    for here, there in zip(group.locations, again.locations, strict=True):
        for key, patches in here.dates.items():
            np.testing.assert_array_equal(there.dates[key][0].stored().pixels, patches[0].stored().pixels)
    assert again.products["S2"].spec == group.products["S2"].spec
    assert again.products["S2"].subtracted.func is group.products["S2"].subtracted.func


def test_a_file_is_opened_once_for_all_its_patches_of_a_shard(sites, tmp_path, monkeypatch):
    store = build_into(tmp_path / "out.zarr", *sites).store
    (group,) = planned(sites)
    flags = np.zeros((16, 1), bool)
    store.groups["s2_s1"].write_dates(0, "S2", flags, np.zeros((16, 1)))
    (task,) = shard.tasks(store.groups["s2_s1"], group, "S2")
    opened, real = [], geotiff.opened
    monkeypatch.setattr(geotiff, "opened", lambda path: opened.append(path.name) or real(path))
    assert shard.fill(task).written.all()
    assert opened == ["0.tif", "1.tif", "2.tif", "3.tif"]


def test_shards_that_share_a_file_follow_one_another_on_one_worker(sites, tmp_path):
    store = build_into(tmp_path / "out.zarr", *sites, shard_bytes=2 * 12 * 12 * 12 * 2).store
    store.groups["s2_s1"].write_dates(0, "S2", np.zeros((16, 1), bool), np.zeros((16, 1)))
    chains = []

    class Watching(crew.Alone):
        def longest(self, shards):
            assert shards == 8 + 2  # radar has a sixth of the bytes
            return 16

        def run(self, given):
            chains.extend([task.first for task in chain] for chain in given)
            return iter(())

    build.write.write(store, planned(sites), lambda line: None, Watching())
    assert chains == [[0, 2], [4, 6], [8, 10], [12, 14]]


def test_what_a_killed_writer_left_is_in_no_file_and_is_removed(sites, tmp_path):
    out = tmp_path / "out.zarr"
    build_into(out, *sites)
    whole = files(out)
    group = open_store(out).groups["s2_s1"]
    group.write_dates(0, "S2", np.zeros((16, 1), bool), np.zeros((16, 1)))
    # Longer than what is written next: TensorStore would keep their ends.
    for beside in ("S2/c/0/0/0/0/0.__lock", "S2/c/0/0/0/0/0.partial-host-1-a", "S2_mask/c/0/0.__lock", "S2_time/c/0/0.__lock"):
        (out / "s2_s1" / beside).write_bytes(b"x" * 10**6)
    (out / lease.NAME).write_text("{}")  # of a builder that was killed
    assert open_store(out).groups["s2_s1"].chunks("S2") == {0}
    assert build_into(out, *sites).written == 16
    assert files(out) == whole


def test_a_damaged_file_is_told_at_the_end_and_all_others_are_there(sites, tmp_path, monkeypatch):
    damaged, stored = {"1", "3"}, product.stored

    def read(chip, window):
        if chip.product.key == "S2" and chip.name in damaged:
            raise ValueError(f"{chip.path}: expected a whole GeoTIFF, and it is truncated.")
        return stored(chip, window)

    monkeypatch.setattr(product, "stored", read)
    out = tmp_path / "out.zarr"
    with pytest.raises(ValueError, match="8 of 32 patches are missing, and all others are there. What failed:") as caught:
        build_into(out, *sites)
    lines = str(caught.value).splitlines()
    assert [line.rpartition("/")[2] for line in lines[1:3]] == [
        f"{name}.tif: expected a whole GeoTIFF, and it is truncated." for name in ("1", "3")
    ]
    assert lines[3].startswith("Put whole files in their places and run the same command again")
    group = open_store(out).groups["s2_s1"]
    assert group.valid("S1").all()
    assert group.valid("S2").ravel().tolist() == [i // 4 not in (1, 3) for i in range(16)]
    before = pixels_of(open_store(out), "s2_s1", "S2", 9)
    damaged.clear()
    done = build_into(out, *sites)
    assert (done.written, done.skipped) == (8, 24)
    np.testing.assert_array_equal(pixels_of(done.store, "s2_s1", "S2", 9), before)
    build_into(tmp_path / "new.zarr", *sites)
    assert files(out) == files(tmp_path / "new.zarr")


def test_a_full_disk_ends_the_build_in_a_sentence_and_it_goes_on_where_there_is_room(sites, tmp_path, monkeypatch):
    full, real = [True], build.write.shard.Group.write_shard

    def write(group, first, key, pixels, threads):
        if full and first == 8:
            with monkeypatch.context() as patch:
                patch.setattr("os.fsync", lambda file: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device")))
                return real(group, first, key, pixels, threads)
        return real(group, first, key, pixels, threads)

    monkeypatch.setattr(build.write.shard.Group, "write_shard", write)
    out = tmp_path / "out.zarr"
    with pytest.raises(
        OSError, match=r"out.zarr: s2_s1/S2/c/4/0/0/0/0 could not be written \(.*No space left on device.*GB are free"
    ):
        build_into(out, *sites, shard_bytes=2 * 12 * 12 * 12 * 2)
    assert not list(out.rglob("*.partial-*"))
    assert open_store(out).groups["s2_s1"].valid("S2").sum() == 8
    full.clear()
    assert build_into(out, *sites, shard_bytes=2 * 12 * 12 * 12 * 2).skipped == 8


def test_a_store_that_another_process_builds_is_refused(sites, tmp_path):
    out = tmp_path / "out.zarr"
    group = build_into(out, *sites).store.groups["s2_s1"]
    group.write_dates(0, "S2", np.zeros((16, 1), bool), np.zeros((16, 1)))
    with (
        lease.on_folder(out),
        pytest.raises(OSError, match="out.zarr is a store that is being built: process .* Two builds would"),
    ):
        build_into(out, *sites)


@pytest.mark.slow
def test_a_store_in_a_bucket_is_built_there_and_continued(sites, tmp_path, bucket_address):
    build_into(tmp_path / "here.zarr", *sites)
    out = f"{bucket_address}/stores/here.zarr"
    done = build_into(out, *sites)
    assert done.text().startswith(f"{out} is complete: 32 patches of 120 m written.")
    there, here = done.store.groups["s2_s1"], open_store(tmp_path / "here.zarr").groups["s2_s1"]
    for key in ("S2", "S1"):
        np.testing.assert_array_equal(there.pixels(key).read().result(), here.pixels(key).read().result())
    assert there.ids() == here.ids()
    there.write_dates(0, "S2", np.zeros((16, 1), bool), np.zeros((16, 1)))
    assert (again := build_into(out, *sites)).written == 16
    np.testing.assert_array_equal(again.store.groups["s2_s1"].valid("S2"), np.ones((16, 1), bool))
    with pytest.raises(FileExistsError, match=r"stores holds something that is not a store \(here.zarr\)"):
        build_into(f"{bucket_address}/stores", *sites)
