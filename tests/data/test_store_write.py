"""Writing into a store: what is refused, and what a crash or a full disk leaves."""

import resource
import shutil
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from made.tiny_store import FOOTPRINT_M, HY, build, random_pixels

from spectral_jax.data import store_write
from spectral_jax.data.store import GroupLayout, create, open_store


@pytest.fixture
def empty(tmp_path):
    return create(tmp_path / "s", [GroupLayout("g", {"HY": HY}, 6, 3)], footprint_m=FOOTPRINT_M, simulated=False).groups["g"]


def test_write_patch_lands_in_its_place_and_leaves_the_others(empty, rng):
    first, second = (random_pixels(rng, (5, 16, 16), HY) for _ in range(2))
    empty.write_patch(4, 2, "HY", first, 8000.5)
    empty.write_patch(4, 1, "HY", second, 7000.0)
    again = open_store(empty._arrays.path).groups["g"]
    np.testing.assert_array_equal(again.read("HY", 4, 2), first)
    np.testing.assert_array_equal(again.read("HY", 4, 1), second)
    assert np.argwhere(again.valid("HY")).tolist() == [[4, 1], [4, 2]]
    assert again.times("HY")[4].tolist() == [0.0, 7000.0, 8000.5]
    assert (again.pixels("HY")[0].read().result() == -32768).all()


@pytest.mark.parametrize("arrays_written", [0, 1, 2])
def test_a_crash_before_the_flag_leaves_the_patch_invalid(empty, rng, monkeypatch, arrays_written):
    """Whether the patch is new or written over: the flag falls first and rises last."""
    old, new = (random_pixels(rng, (5, 16, 16), HY) for _ in range(2))
    empty.write_patch(0, 0, "HY", old, 1.0)
    really_write, done = store_write._write, []

    def write_some(where, group, name, target, values):
        if name == "HY_mask" and values:  # the flag rises: everything before it has been written
            raise KeyboardInterrupt
        if name != "HY_mask":
            if len(done) == arrays_written:
                raise KeyboardInterrupt
            done.append(name)
        really_write(where, group, name, target, values)

    monkeypatch.setattr(store_write, "_write", write_some)
    for date in (0, 1):
        done.clear()
        with pytest.raises(KeyboardInterrupt):
            empty.write_patch(0, date, "HY", new, 2.0)
    assert not open_store(empty._arrays.path).groups["g"].valid("HY").any()


def test_wrong_patches_are_refused(empty, rng):
    good = random_pixels(rng, (5, 16, 16), HY)
    with pytest.raises(ValueError, match=r"pixels \[C H W\] have shape \(4, 16, 16\); expected C H W = 5, 16, 16"):
        empty.write_patch(0, 0, "HY", good[:4], 1.0)
    with pytest.raises(TypeError, match="pixels are float64; HY is stored as int16, convert explicitly"):
        empty.write_patch(0, 0, "HY", good.astype(float), 1.0)
    with pytest.raises(IndexError, match="expected at least one location within 0 to 5"):
        empty.write_patch(6, 0, "HY", good, 1.0)
    with pytest.raises(IndexError, match="expected a date from 0 to 2"):
        empty.write_patch(0, -1, "HY", good, 1.0)
    with pytest.raises(ValueError, match="time_days is nan; expected days since 2000-01-01 UTC"):
        empty.write_patch(0, 0, "HY", good, float("nan"))
    with pytest.raises(ValueError, match="group g: no sensor is called 'MS'; the names are, closest first: HY."):
        empty.write_patch(0, 0, "MS", good, 1.0)


def test_wrong_blocks_and_locations_are_refused(empty, rng):
    pixels, valid, times = random_pixels(rng, (2, 3, 5, 16, 16), HY), np.ones((2, 3), bool), np.zeros((2, 3))
    with pytest.raises(ValueError, match=r"valid: expected \[N T\] with T \(date\) = 3, got 2"):
        empty.write_block(0, "HY", pixels, valid[:, :2], times)
    with pytest.raises(TypeError, match="valid is int64; expected bool"):
        empty.write_block(0, "HY", pixels, valid.astype(np.int64), times)
    with pytest.raises(ValueError, match="a valid date has a time that is not finite"):
        empty.write_block(0, "HY", pixels, valid, times + np.inf)
    with pytest.raises(IndexError, match="locations 5 to 6"):
        empty.write_block(5, "HY", pixels, valid, times)
    places = dict(centre_lonlat=np.zeros((1, 2)), epsg=[4326], geotransform=np.zeros((1, 6)))
    with pytest.raises(ValueError, match="has 80 bytes; at most 64"):
        empty.write_locations(0, ["é" * 40], **places)
    with pytest.raises(ValueError, match=r"geotransform has shape \(1, 4\); expected \(1, 6\)"):
        empty.write_locations(0, ["a"], **(places | {"geotransform": np.zeros((1, 4))}))
    with pytest.raises(ValueError, match="this store has no ground parameters; got some"):
        empty.write_locations(0, ["a"], **places, truth=np.zeros((1, 2)))


@pytest.mark.parametrize(
    ("layouts", "changes", "text"),
    [
        ([], {}, "at least one group, each name once"),
        ([GroupLayout("a/b", {"HY": HY}, 1)], {}, "a group's name is a folder's name"),
        ([GroupLayout("g", {"HY": HY}, 0)], {}, "at least one sensor, location and date"),
        ([GroupLayout("g", {"epsg": HY}, 1)], {}, "'epsg' is the name of another array"),
        ([GroupLayout("g", {"HY": HY}, 1)], {"footprint_m": 100.0}, "100 m is not a whole number of pixels of 30 m"),
        ([GroupLayout("g", {"HY": HY}, 1)], {"truth_names": ("x",)}, "truth_names need simulated=True"),
    ],
)
def test_wrong_layouts_are_refused_before_anything_is_made(tmp_path, layouts, changes, text):
    with pytest.raises(ValueError, match=text):
        create(tmp_path / "s", layouts, **(dict(footprint_m=FOOTPRINT_M, simulated=False) | changes))
    assert not (tmp_path / "s").exists()


@pytest.mark.slow
def test_a_failed_write_is_a_sentence_and_leaves_the_patch_invalid(tmp_path):
    """The limit on the size of files makes the operating system refuse the write, as a full disk does."""
    build(tmp_path / "s", {"g": 2}, keys={"g": ("HY",)}, dates=1, valid_share=1.0)
    script = f"""
        import resource, numpy as np
        from spectral_jax.data.store import open_store
        group = open_store({str(tmp_path / "s")!r}).groups["g"]
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
        try:
            group.write_patch(1, 0, "HY", np.random.default_rng(0).integers(0, 9999, (5, 16, 16)).astype("int16"), 1.0)
        except OSError as error:
            print(error)
    """
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    assert "array HY of write_patch(g, location 1, date 0, HY) could not be written (" in run.stdout
    assert "GB are free on its disk." in run.stdout
    assert "tensorstore_spec" not in run.stdout
    assert open_store(tmp_path / "s").groups["g"].valid("HY").tolist() == [[True], [False]]


def test_a_full_disk_is_said(empty, rng, monkeypatch):
    class Full:
        def write(self, values):
            raise ValueError("RESOURCE_EXHAUSTED: No space left on device [tensorstore_spec='{}']")

    monkeypatch.setattr("spectral_jax.data.store_format.shutil.disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, 100))
    with pytest.raises(OSError, match=r"the disk is full: 0.0 MB free, 2.0 MB needed"):
        store_write._write("w", empty, "HY", Full(), np.zeros(10**6, np.int16))


def test_patches_of_one_shard_may_be_written_at_the_same_time(empty, rng):
    """Each writer has opened the store for itself, as another process would; all patches lie in one shard."""
    patches = random_pixels(rng, (3, 3, 5, 16, 16), HY)

    def write(date: int):
        group = open_store(empty._arrays.path).groups["g"]
        for location in range(3):
            group.write_patch(location, date, "HY", patches[location, date], float(date))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(write, range(3)))
    group = open_store(empty._arrays.path).groups["g"]
    assert group.valid("HY")[:3].all()
    np.testing.assert_array_equal(group.pixels("HY")[:3].read().result(), patches)


def test_a_whole_shard_has_the_bytes_of_a_block_and_no_flags(tmp_path, rng):
    layout = [GroupLayout("g", {"HY": HY}, 7, 3)]
    made = [
        create(tmp_path / name, layout, footprint_m=FOOTPRINT_M, simulated=False, shard_bytes=3 * 3 * 5 * 16 * 16 * 2)
        for name in ("shards", "blocks")
    ]
    shards, blocks = (store.groups["g"] for store in made)
    assert shards.shard_locations("HY") == 3
    pixels, valid = random_pixels(rng, (7, 3, 5, 16, 16), HY), np.ones((7, 3), bool)
    pixels[4, 1] = HY.nodata
    blocks.write_block(0, "HY", pixels, valid, valid * 5.0)
    for first in (0, 3, 6):
        shards.write_shard(first, "HY", pixels[first : first + 3])
    assert not shards.valid("HY").any()
    shards.write_dates(3, "HY", valid[:3], valid[:3] * 5.0)
    assert np.flatnonzero(shards.valid("HY").all(axis=1)).tolist() == [3, 4, 5]
    shards.write_dates(0, "HY", valid, valid * 5.0)
    there = {p.relative_to(tmp_path / "shards"): p.read_bytes() for p in (tmp_path / "shards").rglob("*") if p.is_file()}
    assert there == {
        p.relative_to(tmp_path / "blocks"): p.read_bytes() for p in (tmp_path / "blocks").rglob("*") if p.is_file()
    }
    with pytest.raises(ValueError, match="expected one whole shard, which begins at a multiple of 3 and has as many locations"):
        shards.write_shard(0, "HY", pixels[:2])
    with pytest.raises(ValueError, match="expected one whole shard"):
        shards.write_shard(2, "HY", pixels[:3])
