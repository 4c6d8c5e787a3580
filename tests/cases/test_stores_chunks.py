"""A chunk lost or changed in copying a store: flags, times and identifiers are never fill values in silence."""

import shutil

import pytest
from made.tiny_store import build, config

from spectral_jax.data import store_format
from spectral_jax.data.loader import Loader
from spectral_jax.data.store import GroupLayout, create

ARRAYS = ("HY_mask", "HY_time", "location_id", "centre_lonlat", "epsg", "geotransform", "truth")


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """Ten locations in chunks of four: three chunks an array."""
    path = tmp_path_factory.mktemp("sound") / "s"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_format, "SMALL_ROWS", 4)
        build(path, {"g": 10}, keys={"g": ("HY",)}, valid_share=1.0, dates=1)
    return path


@pytest.fixture
def copied(sound, tmp_path, monkeypatch):
    monkeypatch.setattr(store_format, "SMALL_ROWS", 4)
    return shutil.copytree(sound, tmp_path / "s")


@pytest.mark.parametrize("chunk", [0, 1, 2])
@pytest.mark.parametrize("array", ARRAYS)
def test_a_lost_chunk_is_named_with_its_locations(copied, array, chunk):
    shutil.rmtree(path) if (path := copied / "g" / array / "c" / str(chunk)).is_dir() else path.unlink()
    rows = {0: "0 to 3", 1: "4 to 7", 2: "8 to 9"}[chunk]
    with pytest.raises(ValueError, match=f"group g, array {array}: chunk {chunk}, of locations {rows}, is missing"):
        Loader(config(("HY",)), copied)


@pytest.mark.parametrize("lost", [("HY_time", "location_id"), ("HY_mask",)])
def test_whole_arrays_lost_are_an_error(copied, lost):
    for array in lost:
        shutil.rmtree(copied / "g" / array / "c")
    with pytest.raises(ValueError, match="is missing, and 2 more of its chunks .*copy it again, or run the"):
        Loader(config(("HY",)), copied)


def test_flags_and_times_lost_together_are_missed_where_pixels_are(copied):
    for array in ("HY_mask", "HY_time"):
        shutil.rmtree(copied / "g" / array / "c")
    with pytest.raises(ValueError, match="array HY_mask: chunk 0, of locations 0 to 3, is missing"):
        Loader(config(("HY",)), copied)


def everything(path):
    """Reads all that is known of the locations."""
    group = Loader(config(("HY",)), path).store.groups["g"]
    return group.times("HY"), group.ids(), group.centres(), group.epsg(), group.geotransform(), group.truth()


@pytest.mark.parametrize("array", ARRAYS)
def test_a_changed_byte_is_refused(copied, array):
    file = next(p for p in (copied / "g" / array / "c" / "1").parent.rglob("*") if p.is_file())
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 4
    file.write_bytes(raw)
    with pytest.raises(ValueError, match=f"group g, array {array} is corrupt"):
        everything(copied)


def test_a_sound_store_and_one_filled_patch_by_patch_are_read(copied, tmp_path, rng):
    assert Loader(config(("HY",)), copied).left_out == {"g": 0}
    cfg = config(("HY",))
    made = create(tmp_path / "few", [GroupLayout("g", {"HY": cfg.sensors[0].spec}, 10, 1)], footprint_m=480.0, simulated=False)
    made.groups["g"].write_patch(5, 0, "HY", rng.integers(1, 9, made.groups["g"].pixels("HY").shape[2:]).astype("int16"), 3.0)
    assert Loader(cfg, tmp_path / "few").left_out == {"g": 9}
