"""A store: what goes in comes out, how it lies on disk, and damage told by name."""

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from made.tiny_store import FOOTPRINT_M, HY, MS, build

from spectral_jax.data import store
from spectral_jax.data.store import GroupLayout, create, open_store


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


def test_unknown_group_names_the_nearest(tmp_path):
    made, _ = build(tmp_path / "s", {"pair_emit": 2, "single": 2}, keys={"pair_emit": ("HY",), "single": ("HY",)})
    with pytest.raises(ValueError, match="s: no group is called 'pair_emti'; the names are, closest first: pair_emit, single."):
        made.group("pair_emti")
    assert made.group("single") is made.groups["single"]
    assert store.Group is type(made.group("single"))


def test_a_store_in_a_bucket_is_built_and_read_as_one_in_a_folder(bucket_address):
    made, written = build(f"{bucket_address}/stores/s.zarr", {"a": 5}, keys={"a": ("HY", "MS")})
    read = open_store(f"{bucket_address}/stores/s.zarr/")
    for (name, key), (pixels, valid, _) in written.items():
        np.testing.assert_array_equal(read.groups[name].pixels(key, complete=True).read().result(), pixels)
        np.testing.assert_array_equal(read.groups[name].valid(key), valid)
    assert read.groups["a"].chunks("HY_mask") == {0}
    assert read.groups["a"].ids([4]) == made.groups["a"].ids([4])
    with pytest.raises(FileExistsError, match="s.zarr: expected a new or empty folder, and there is something already"):
        build(f"{bucket_address}/stores/s.zarr", {"a": 5}, keys={"a": ("HY",)})
    with pytest.raises(ValueError, match="has no attribute|is not a store"):
        open_store(f"{bucket_address}/stores")
