import json
import pickle
import resource
import shutil
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorstore as ts
from made.tiny_store import FOOTPRINT_M, HY, MS, build, random_pixels, sensor

from spectral_jax.data import store, store_write
from spectral_jax.data.store import GroupLayout, create, open_store


@pytest.fixture
def empty(tmp_path):
    return create(tmp_path / "s", [GroupLayout("g", {"HY": HY}, 6, 3)], footprint_m=FOOTPRINT_M, simulated=False).groups["g"]


def spoil(file: Path, at: float = 0.5):
    """Changes one byte."""
    raw = bytearray(file.read_bytes())
    raw[int(at * len(raw))] ^= 0xFF
    file.write_bytes(raw)


def rewrite_json(file: Path, change):
    found = json.loads(file.read_text())
    change(found)
    file.write_text(json.dumps(found))


def test_round_trip_gives_back_every_number(tmp_path):
    made, written = build(tmp_path / "s", {"b": 7, "a": 5}, keys={"a": ("HY", "MS"), "b": ("TH",)})
    read = open_store(tmp_path / "s")
    assert (read.footprint_m, read.simulated, read.truth_names) == (FOOTPRINT_M, True, ("cover",))
    assert list(read.groups) == ["a", "b"]
    assert read.groups["a"].sensors == {"HY": HY, "MS": MS}
    for (name, key), (pixels, valid, times) in written.items():
        group = read.groups[name]
        np.testing.assert_array_equal(group.pixels(key).read().result(), pixels)
        np.testing.assert_array_equal(group.valid(key), valid)
        np.testing.assert_array_equal(group.times(key), np.where(valid, times, 0.0))
    group = read.groups["b"]
    assert group.ids()[6] == "b-place-6"
    assert group.ids([2, 0]) == ["b-place-2", "b-place-0"]
    for name, width in (("centres", 2), ("geotransform", 6), ("truth", 1)):
        assert getattr(group, name)().shape == (7, width)
        np.testing.assert_array_equal(getattr(group, name)(), getattr(made.groups["b"], name)())
    assert set(group.epsg()) == {32633}


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


def test_layout_is_plain_zarr_version_3(tmp_path):
    build(tmp_path / "s", {"g": 4}, keys={"g": ("HY",)})
    metadata = json.loads((tmp_path / "s/g/HY/zarr.json").read_text())
    assert (metadata["zarr_format"], metadata["node_type"], metadata["data_type"]) == (3, "array", "int16")
    assert metadata["shape"] == [4, 3, 5, 16, 16]
    assert metadata["dimension_names"] == ["location", "date", "band", "row", "column"]
    (sharding,) = metadata["codecs"]
    inner = sharding["configuration"]
    assert sharding["name"] == "sharding_indexed"
    assert inner["chunk_shape"] == [1, 1, 5, 16, 16]
    assert [c["name"] for c in inner["codecs"]] == ["transpose", "bytes", "zstd", "crc32c"]
    assert inner["codecs"][0]["configuration"]["order"] == [0, 1, 3, 4, 2]
    # A location is 3 * 5 * 16 * 16 int16 = 7680 bytes, so 60,000 bytes would hold 7, and there are 4.
    assert metadata["chunk_grid"]["configuration"]["chunk_shape"] == [4, 3, 5, 16, 16]
    for folder in ("s", "s/g"):
        node = json.loads((tmp_path / folder / "zarr.json").read_text())
        assert (node["zarr_format"], node["node_type"]) == (3, "group")


def test_shards_hold_as_many_locations_as_fit(tmp_path):
    # 7680 bytes a location.
    layout = [GroupLayout("g", {"HY": HY}, 10, 3)]
    sizes = [create(tmp_path / f"{b}", layout, footprint_m=FOOTPRINT_M, simulated=False, shard_bytes=b) for b in (1, 20_000)]
    assert [s.groups["g"].shard_locations("HY") for s in sizes] == [1, 2]
    assert sizes[1].groups["g"].shard_file("HY", 5).endswith("/g/HY/c/2/0/0/0/0")


def test_store_travels_to_another_process_without_open_handles(tmp_path):
    made, written = build(tmp_path / "s", {"g": 3})
    made.groups["g"].pixels("HY")
    copy = pickle.loads(pickle.dumps(made))
    np.testing.assert_array_equal(copy.groups["g"].read("HY", 2, 1), written["g", "HY"][0][2, 1])


def test_cached_arrays_cannot_be_changed(tmp_path):
    made, _ = build(tmp_path / "s", {"g": 3})
    with pytest.raises(ValueError, match="read-only"):
        made.groups["g"].valid("HY")[0, 0] = False


def write_archive(path, driver: str, bands: int, rng):
    """An archive as SpectralEarth-MM has it: arrays without attributes, a string array that TensorStore does not read."""
    side = 16
    arrays = {
        "HY": random_pixels(rng, (4, 2, bands, side, side), HY),
        "HY_mask": np.array([[1, 0], [1, 1], [0, 0], [0, 1]], bool),
    }
    for name, values in arrays.items():
        spec = {"driver": driver, "kvstore": {"driver": "file", "path": f"{path}/pair/{name}/"}}
        array = ts.open(spec, create=True, dtype=values.dtype.name, shape=values.shape).result()
        array.write(values).result()
    if driver == "zarr":
        (path / "pair/.zgroup").write_text('{"zarr_format": 2}')
        (path / "pair/patch_id").mkdir()
        metadata = dict(zarr_format=2, shape=[4], chunks=[4], dtype="|O", compressor=None, fill_value="", order="C",
                        filters=[{"id": "vlen-utf8"}])  # fmt: skip
        (path / "pair/patch_id/.zarray").write_text(json.dumps(metadata))
    return arrays


@pytest.mark.parametrize("driver", ["zarr", "zarr3"])
@pytest.mark.parametrize("bands", [5, 4])
def test_archives_without_attributes_are_read_with_given_specs(tmp_path, rng, driver, bands):
    arrays = write_archive(tmp_path, driver, bands, rng)
    found = open_store(tmp_path, specs={"HY": HY, "MS": MS})
    group = found.groups["pair"]
    assert (found.footprint_m, group.locations, group.dates, list(group.sensors)) == (480.0, 4, 2, ["HY"])
    assert len(group.sensors["HY"].bands) == bands
    np.testing.assert_array_equal(group.read("HY", 3, 1), arrays["HY"][3, 1])
    np.testing.assert_array_equal(group.valid("HY"), arrays["HY_mask"])
    assert group.ids()[:2] == ["pair/0", "pair/1"]
    assert not group.times("HY").any()
    assert np.isnan(group.centres()).all()
    assert group.truth() is None
    with pytest.raises(ValueError, match="archive without attributes and is read-only"):
        group.write_patch(0, 0, "HY", arrays["HY"][0, 0], 1.0)


def test_archives_are_checked_against_the_specs(tmp_path, rng):
    write_archive(tmp_path, "zarr", 5, rng)
    with pytest.raises(ValueError, match=r"does not describe its arrays HY; pass open_store\(path, specs="):
        open_store(tmp_path)
    with pytest.raises(ValueError, match="pair/HY holds int16, and the spec tiny30 says uint16"):
        open_store(tmp_path, {"HY": sensor(30.0, 5, "uint16", 0)})
    with pytest.raises(ValueError, match="has 5 bands, and the spec tiny30 has 7 of which 7 are used"):
        open_store(tmp_path, {"HY": sensor(30.0, 7)})
    with pytest.raises(ValueError, match="none of the sensors MS has arrays"):
        open_store(tmp_path, {"MS": MS})


def test_a_missing_store_is_a_sentence(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere: expected a folder, and there is none; build one with"):
        open_store(tmp_path / "nowhere")


def test_a_folder_of_something_else_is_not_a_store(tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(ValueError, match="is not a store: its zarr.json has no attribute spectral_jax_store"):
        open_store(tmp_path)


def test_an_existing_store_is_not_written_over(tmp_path):
    build(tmp_path / "s", {"g": 2})
    with pytest.raises(FileExistsError, match="expected a new or empty folder, and there is something already; delete it"):
        build(tmp_path / "s", {"g": 2})
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError, match="expected a new or empty folder"):
        build(tmp_path / "file", {"g": 2})


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (lambda p: shutil.rmtree(p / "g/HY"), "expected the array g/HY, and its zarr.json is missing; the store is truncated"),
        (lambda p: (p / "g/HY_time/zarr.json").unlink(), "expected the array g/HY_time, and its zarr.json is missing"),
        (lambda p: shutil.rmtree(p / "g"), "the store is truncated: copy or build it again"),
        (lambda p: (p / "zarr.json").write_text('{"zarr_'), "zarr.json is not JSON .* the store is truncated"),
        (lambda p: rewrite_json(p / "zarr.json", lambda j: j["attributes"]["groups"]["g"].update(locations=9)),
         r"array g/HY is int16 \(3, 3, 5, 16, 16\), and the store's attributes say int16 \(9, 3, 5, 16, 16\)"),
        (lambda p: rewrite_json(p / "zarr.json", lambda j: j["attributes"].pop("footprint_m")),
         r"attributes of its zarr.json are incomplete \(KeyError\('footprint_m'\)\)"),
        (lambda p: rewrite_json(p / "zarr.json", lambda j: j["attributes"].update(spectral_jax_store=9)),
         "expected layout version 1, got 9"),
    ],
)  # fmt: skip
def test_a_truncated_store_is_a_sentence(tmp_path, damage, text):
    build(tmp_path / "s", {"g": 3})
    damage(tmp_path / "s")
    with pytest.raises(ValueError, match=text):
        open_store(tmp_path / "s")


def test_a_corrupt_shard_is_named(tmp_path):
    build(tmp_path / "s", {"g": 3}, keys={"g": ("HY",)}, dates=1)
    file = tmp_path / "s/g/HY/c/0/0/0/0/0"
    spoil(file)  # the middle of the file lies in the second of three patches
    group = open_store(tmp_path / "s").groups["g"]
    assert group.read("HY", 0, 0).shape == (5, 16, 16)
    with pytest.raises(
        ValueError, match=rf"group g, array HY, location 1, file {file}: .*missing or corrupt \(DATA_LOSS"
    ) as info:
        group.read("HY", 1, 0)
    assert "tensorstore_spec" not in str(info.value)
    assert info.value.__cause__ is not None


def test_a_corrupt_small_array_is_named(tmp_path):
    build(tmp_path / "s", {"g": 3})
    spoil(tmp_path / "s/g/HY_mask/c/0/0")
    with pytest.raises(ValueError, match="group g, array HY_mask is corrupt"):
        open_store(tmp_path / "s").groups["g"].valid("HY")


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


def test_unknown_group_names_the_nearest(tmp_path):
    made, _ = build(tmp_path / "s", {"pair_emit": 2, "single": 2}, keys={"pair_emit": ("HY",), "single": ("HY",)})
    with pytest.raises(ValueError, match="s: no group is called 'pair_emti'; the names are, closest first: pair_emit, single."):
        made.group("pair_emti")
    assert made.group("single") is made.groups["single"]
    assert store.Group is type(made.group("single"))


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
