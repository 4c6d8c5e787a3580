"""A store of which some files have not arrived."""

import re
import shutil

import pytest
from made.tiny_store import build, config

from spectral_jax.data.loader import Loader


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("HY_mask/c/0/0", "array HY_mask: chunk 0, of locations 0 to 11, is missing (file g/HY_mask/c/0...)"),
        ("HY_time/c/0/0", "array HY_time: chunk 0, of locations 0 to 11, is missing (file g/HY_time/c/0...)"),
        ("epsg/c/0", "array epsg: chunk 0, of locations 0 to 11, is missing (file g/epsg/c/0...)"),
    ],
)
def test_flags_times_and_places_that_have_not_arrived_are_told_before_the_first_batch(tmp_path, file, sentence):
    build(tmp_path / "s", {"g": 12}, keys={"g": ("HY",)})
    (tmp_path / "s" / "g" / file).unlink()
    with pytest.raises(ValueError, match=re.escape(sentence)) as info:
        Loader(config(("HY",)), tmp_path / "s")
    assert "It was lost in copying, or the store was never finished: copy it again" in str(info.value)


def test_shards_of_pixels_that_have_not_arrived_are_told_before_the_first_batch(tmp_path):
    made, _ = build(tmp_path / "s", {"g": 35}, keys={"g": ("HY",)}, valid_share=1.0)
    assert made.groups["g"].shard_locations("HY") == 7
    assert Loader(config(("HY",)), tmp_path / "s").batch(0).size == 4
    for number in (1, 3, 4):
        shutil.rmtree(tmp_path / "s" / "g" / "HY" / "c" / str(number))
    sentence = "group g, array HY: chunk 1, of locations 7 to 13, is missing, and 2 more of its chunks (file g/HY/c/1...)"
    with pytest.raises(ValueError, match=re.escape(sentence)):
        Loader(config(("HY",)), tmp_path / "s")


def test_shards_without_a_valid_date_need_not_be_there(tmp_path):
    made, _ = build(tmp_path / "s", {"g": 12}, keys={"g": ("HY",)}, valid_share=1.0)
    group = made.groups["g"]
    each = group.shard_locations("HY")
    pixels = group.pixels("HY")[:each].read().result()
    group.write_block(0, "HY", pixels, valid=group.valid("HY")[:each] & False, times=group.times("HY")[:each])
    shutil.rmtree(tmp_path / "s" / "g" / "HY" / "c" / "0")
    assert len(Loader(config(("HY",)), tmp_path / "s").usable["g"]) == 12 - each
