"""Products opened once: what they are, what was processed again, of another satellite, or damaged."""

import numpy as np
import pytest
from made import region

from spectral_jax.ingest.colocated.survey import survey
from spectral_jax.ingest.colocated.wanted import Wanted

SMALL = {"side": 6}


def surveyed(folder, **more):
    lines = []
    seen, out = survey(Wanted((str(folder),), **more), lines.append)
    return seen, out, lines


def test_a_landsat_product_is_two_sensors_and_each_product_tells_its_time_and_place(tmp_path):
    region.landsat(tmp_path / "a", **SMALL)
    region.sentinel2(tmp_path, **SMALL)
    seen, out, lines = surveyed(tmp_path)
    assert [(one.key, one.spec.name, one.date, one.flags) for one in seen] == [
        ("S2", "sentinel2b_l2a", "2024-06-17T10:10:21", True), ("LO", "landsat8_oli", "2024-06-20T10:09:41", True),
        ("LT", "landsat_st", "2024-06-20T10:09:41", True),
    ]  # fmt: skip
    assert (out, lines) == ([], ["2 products found, 3 of use as S2 (1), LO (1), LT (1)"])
    # 24 years with 7 leap days (2000, 04, ... 24: the last one is past on 17 June) are 8,761 + 6 days to 2024; 168 days later.
    assert seen[0].time_days == pytest.approx(24 * 365 + 6 + 168 + (10 + (10 + 21.024 / 60) / 60) / 24, abs=1e-9)
    np.testing.assert_allclose(
        seen[0].footprint.ring[0], region.lonlat_of("EPSG:32633", [region.LEFT], [region.TOP])[0], atol=1e-9
    )


def test_of_an_observation_processed_again_the_newest_is_kept(tmp_path):
    old = region.sentinel2(tmp_path, baseline="0400", processed="20240901T000000", **SMALL).stem
    new = region.sentinel2(tmp_path, baseline="0511", processed="20240801T000000", **SMALL).stem
    neighbour = region.sentinel2(tmp_path, tile="T33UWT", left=region.LEFT + 100_000.0, **SMALL).stem
    first = region.enmap(tmp_path, version="010303", side=8).name
    second = region.enmap(tmp_path, version="010505", left=region.LEFT + 90.0, side=8).name
    seen, out, _ = surveyed(tmp_path)
    assert {one.name for one in seen} == {new, neighbour, second}
    assert {(one.name, one.key, one.reason) for one in out} == {
        (old, "S2", "processed again"),
        (first, "ENMAP", "processed again"),
    }
    assert next(one.sentence for one in out if one.key == "S2") == f"{new} shows the same, processed later or alike."


def test_one_satellite_fills_a_sensor_or_all_do_on_request(tmp_path):
    region.sentinel2(tmp_path, unit="A", time="20240601T101021", **SMALL)
    mine = [region.sentinel2(tmp_path, unit="B", time=f"2024060{k}T101021", **SMALL).stem for k in (2, 3)]
    seen, out, _ = surveyed(tmp_path)
    assert ([one.name for one in seen], [one.reason for one in out]) == (mine, ["another satellite"])
    assert out[0].sentence == (
        "the store's S2 is sentinel2b_l2a, of which there are most (2 of 3), and its bands are not those of sentinel2a_l2a; "
        "build a store of its own, or take all alike with --satellites=alike."
    )
    alike, out, _ = surveyed(tmp_path, satellites="alike")
    assert ({one.spec.name for one in alike}, len(alike), out) == ({"sentinel2b_l2a"}, 3, [])


def test_what_cannot_be_read_is_left_out_with_its_sentence_and_the_rest_is_kept(tmp_path):
    region.sentinel2(tmp_path, **SMALL)
    torn = region.enmap(tmp_path, side=12)
    cube = next(torn.glob("*SPECTRAL_IMAGE.TIF"))
    cube.write_bytes(cube.read_bytes()[:-2000])
    lost = region.landsat(tmp_path, **SMALL)
    (lost / f"{lost.name}_ST_B10.TIF").unlink()
    (tmp_path / "order.zip").write_bytes(b"PK\x03\x04 no more")
    polar = region.radar(tmp_path, crs="EPSG:32661", left=2_000_000.0, top=1_500_000.0, **SMALL)
    seen, out, _ = surveyed(tmp_path)
    assert [one.key for one in seen] == ["S2", "LO"]
    told = {one.name: one for one in out}
    assert set(told) == {torn.name, lost.name, "order.zip", polar.name}
    assert {one.reason for one in out} == {"cannot be read"}
    assert "it is truncated or of another format" in told[torn.name].sentence
    assert (told[lost.name].key, "ST_B10.TIF beside the other files" in told[lost.name].sentence) == ("LT", True)
    assert "order.zip" in told["order.zip"].sentence
    assert "UTM zones end at 84 N and 80 S" in told[polar.name].sentence


def test_paths_hold_from_any_working_folder_and_addresses_are_refused(tmp_path, monkeypatch):
    product = region.radar(tmp_path / "d", **SMALL)
    monkeypatch.chdir(tmp_path)
    seen, _, _ = surveyed("d")
    assert [one.path for one in seen] == [product]
    with pytest.raises(ValueError, match="--folder: .*gs://bucket/products"):
        surveyed("gs://bucket/products")


def test_sensors_that_are_not_asked_for_are_left_out(tmp_path):
    region.landsat(tmp_path, **SMALL)
    region.radar(tmp_path, **SMALL)
    seen, out, _ = surveyed(tmp_path, sensors=("ENMAP", "LT"))
    assert ([one.key for one in seen], [(one.key, one.reason) for one in out]) == (["LT"], [("S1", "sensor not asked for")])
