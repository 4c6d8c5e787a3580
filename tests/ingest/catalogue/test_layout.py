"""Which product an item is, which of two is the newer, and what is fetched of it."""

import datetime

import pytest

from spectral_jax.ingest.catalogue import item, layout

TIME = datetime.datetime(2024, 1, 31, tzinfo=datetime.UTC)


def scene(name, assets=(), **properties):
    return item.Item(name, "c", TIME, None, properties, {f"a{i}": link for i, link in enumerate(assets)})


@pytest.mark.parametrize(
    ("older", "newer", "room"),
    [
        (
            "S2A_MSIL2A_20240131T101109_N0500_R022_T32UQD_20240131T125803",
            "S2A_MSIL2A_20240131T101109_N0511_R022_T32UQD_20250131T125803",
            "sentinel2a",
        ),
        ("LC08_L2SP_193023_20220724_20220725_02_RT", "LC08_L2SP_193023_20220724_20220802_02_T1", "landsat8"),
        (
            "ENMAP01-____L2A-DT0000165944_20251129T112021Z_002_V010505_20251130T042131Z",
            "ENMAP01-____L2A-DT0000165944_20251129T112021Z_002_V010600_20251201T042131Z",
            "enmap",
        ),
        (
            "DESIS-HSI-L2A-DT0484369744_004-20200814T094433-V0210",
            "DESIS-HSI-L2A-DT0484369744_004-20200814T094433-V0220",
            "desis",
        ),
        ("EMIT_L2A_RFL_001_20230714T101112_2319507_003", "EMIT_L2A_RFL_002_20230714T101112_2319507_003", "emit"),
    ],
)
def test_of_one_scene_the_later_version_is_the_newer(older, newer, room):
    one, other = (layout.product(scene(name)) for name in (older, newer))
    assert one.same == other.same
    assert one.newness < other.newness
    assert (one.room, one.name) == (room, older)
    elsewhere = layout.product(scene(older.replace("20220724", "20220725").replace("002_V", "003_V").replace("T32", "T33")))
    assert (elsewhere.same == one.same) is (room in ("desis", "emit"))


def test_a_baseline_that_the_name_leaves_out_is_taken_from_the_item():
    name = "S2A_MSIL2A_20240131T101109_R022_T32UQD_20240131T125803"
    one = layout.product(scene(name, **{"s2:processing_baseline": "05.09"}))
    other = layout.product(scene(name, **{"s2:processing_baseline": "05.10"}))
    assert one.same == other.same
    assert one.newness < other.newness


def test_a_product_is_told_by_its_files_where_the_item_has_a_name_of_its_own():
    start = "https://a.b/LC08_L2SP_193023_20220724_20220802_02_T1/LC08_L2SP_193023_20220724_20220802_02_T1"
    kinds = [*(f"SR_B{i}.TIF" for i in range(1, 8)), "QA_PIXEL.TIF", "QA_RADSAT.TIF", "MTL.xml", "ST_QA.TIF", "thumb.jpg"]
    found = scene("LC08_L2SP_193023_20220724_02_T1", [f"{start}_{kind}?sig=1" for kind in kinds])
    wanted = layout.product(found)
    assert wanted.name == "LC08_L2SP_193023_20220724_20220802_02_T1"
    files = layout.files(found, wanted)
    assert sorted(files.values()) == sorted(f"{wanted.name}_{kind}" for kind in kinds[:-2])
    thermal = scene(found.name, [*found.assets.values(), f"{start}_ST_B10.TIF"])
    assert f"{wanted.name}_ST_B10.TIF" in layout.files(thermal, wanted).values()


def test_what_is_no_item_is_refused():
    with pytest.raises(ValueError, match=r"a.json: expected a STAC item \(a Feature with id, properties and assets\)"):
        item.parsed({"type": "Feature", "id": "x"}, "https://a.b/a.json?sig=1")
    with pytest.raises(ValueError, match="item x: its datetime is None, and no time; it cannot be placed"):
        item.parsed({"type": "Feature", "id": "x", "properties": {}, "assets": {}}, "a.json")
