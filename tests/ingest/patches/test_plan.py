"""Locations: pairing by name and place, cutting into whole patches, dates, and every refusal."""

import numpy as np
import pytest
from made.tiny_geotiffs import build_into, pixels_of, write_enmap, write_s1, write_s2

from spectral_jax.ingest.patches import plan


def test_georeferencing_is_kept(tmp_path):
    write_s1(tmp_path / "rtc" / "x.tif", side=24)
    group = build_into(tmp_path / "out.zarr", f"sentinel1:{tmp_path / 'rtc'}").store.groups["s1"]
    assert group.locations == 4
    np.testing.assert_array_equal(group.epsg(), 32633)
    np.testing.assert_array_equal(group.geotransform()[0], [120.0, 0.0, 500000.0, 0.0, -120.0, 5800000.0])
    np.testing.assert_array_equal(group.geotransform()[3], [120.0, 0.0, 500120.0, 0.0, -120.0, 5799880.0])
    # 500 km east is the zone's central meridian, 15 degrees; a degree of latitude is about 111.3 km there.
    np.testing.assert_allclose(group.centres()[:, 0], [15.00088, 15.00265, 15.00088, 15.00265], atol=2e-4)
    assert np.diff(group.centres()[[0, 2], 1])[0] == pytest.approx(-120 / 111270, rel=1e-2)
    assert group.ids() == ["x/500000_5800000", "x/500120_5800000", "x/500000_5799880", "x/500120_5799880"]


def test_patches_are_cut_where_they_lie(tmp_path):
    raw = write_s2(tmp_path / "s2" / "x.tif", side=29)  # two whole patches of 12 pixels in a row, five pixels left over
    done = build_into(tmp_path / "out.zarr", f"sentinel2:{tmp_path / 's2'},offset=0")
    assert done.store.groups["s2"].locations == 4
    for i, (row, column) in enumerate([(0, 0), (0, 12), (12, 0), (12, 12)]):
        found = pixels_of(done.store, "s2", "S2", i)
        np.testing.assert_array_equal(found, raw[:, row : row + 12, column : column + 12])


def test_chips_are_paired_by_name_and_place_and_others_get_their_own_group(tmp_path):
    write_enmap(tmp_path / "e" / "tile.tif")
    both, alone = write_s2(tmp_path / "s2" / "both.tif"), write_s2(tmp_path / "s2" / "alone.tif", seed=5, left=600000.0)
    # The radar chip begins two pixels further east and north, and is wider.
    radar = write_s1(tmp_path / "rtc" / "both.tif", side=16, left=499980.0, top=5800020.0)
    done = build_into(
        tmp_path / "out.zarr",
        f"enmap:{tmp_path / 'e'}",
        f"sentinel2:{tmp_path / 's2'},offset=0",
        f"sentinel1:{tmp_path / 'rtc'}",
    )
    assert {k: (g.locations, list(g.sensors)) for k, g in done.store.groups.items()} == {
        "enmap": (1, ["ENMAP"]), "s2": (1, ["S2"]), "s2_s1": (1, ["S2", "S1"]),
    }  # fmt: skip
    np.testing.assert_array_equal(pixels_of(done.store, "s2_s1", "S2"), both)
    np.testing.assert_array_equal(pixels_of(done.store, "s2_s1", "S1"), np.rint(radar[:, 2:14, 2:14] * 100))
    np.testing.assert_array_equal(pixels_of(done.store, "s2", "S2"), alone)


def test_one_square_at_two_times_is_one_location_with_two_dates(tmp_path):
    later = write_s1(tmp_path / "rtc" / "a.tif", tags={"datetime": "2020-05-01"}, seed=1)
    earlier = write_s1(tmp_path / "rtc" / "b.tif", tags={"datetime": "2020-04-01"}, seed=2)
    write_s1(tmp_path / "rtc" / "c.tif", tags={"datetime": "2020-04-01"}, seed=3, left=700000.0)
    group = build_into(tmp_path / "out.zarr", f"sentinel1:{tmp_path / 'rtc'}").store.groups["s1"]
    assert (group.locations, group.dates) == (2, 2)
    assert group.valid("S1").tolist() == [[True, True], [True, False]]
    assert group.times("S1").tolist() == [[7396.0, 7426.0], [7396.0, 0.0]]
    for date, raw in enumerate((earlier, later)):
        np.testing.assert_array_equal(group.pixels("S1")[0, date].read().result(), np.rint(raw * 100))


def test_pairs_that_do_not_fit_are_refused(tmp_path):
    def pair(name, **second):
        write_s2(tmp_path / name / "s2" / "x.tif")
        write_s1(tmp_path / name / "rtc" / "x.tif", **second)
        folder = tmp_path / name
        return build_into(tmp_path / "no.zarr", f"sentinel2:{folder / 's2'},offset=0", f"sentinel1:{folder / 'rtc'}")

    with pytest.raises(ValueError, match=r"rtc/x.tif and .*s2/x.tif have one name but do not overlap \(600000 to 600120"):
        pair("apart", left=600000.0)
    with pytest.raises(ValueError, match=r"have one name and different coordinate systems \(32634 and 32633\)"):
        pair("zones", crs="EPSG:32634")
    with pytest.raises(ValueError, match=r"grids that are shifted by a part of a pixel \(row 0.00, column 0.50\)"):
        pair("shifted", left=499995.0, side=14)
    with pytest.raises(ValueError, match="the part that S2 and S1 share is 100 x 120 m, smaller than a patch of 120 m"):
        pair("less", left=500020.0)
    assert not (tmp_path / "no.zarr").exists()


def test_the_same_square_at_the_same_time_is_refused(tmp_path):
    write_s1(tmp_path / "rtc" / "a.tif")
    write_s1(tmp_path / "rtc" / "b.tif")
    with pytest.raises(ValueError, match="b.tif and .*a.tif show the same square at the same time; remove one"):
        build_into(tmp_path / "no.zarr", f"sentinel1:{tmp_path / 'rtc'}")


def test_long_names_are_shortened_and_stay_unique(tmp_path):
    for i in range(2):
        write_s1(tmp_path / "rtc" / f"{'n' * 80}{i}.tif", left=500000.0 + 1000 * i)
    ids = build_into(tmp_path / "out.zarr", f"sentinel1:{tmp_path / 'rtc'}").store.groups["s1"].ids()
    assert len(set(ids)) == 2
    assert all(len(x) == plan.ID_BYTES and x.startswith("n" * 51) for x in ids)


def test_one_product_in_two_folders_fills_one_sensor_and_its_names_are_told_apart(tmp_path):
    spring = write_s2(tmp_path / "spring" / "a_spring.tif", tags={"datetime": "2020-04-01"})
    autumn = write_s2(tmp_path / "autumn" / "a_autumn.tif", tags={"datetime": "2020-10-01"}, seed=1)
    folders = [f"sentinel2:{tmp_path / name},offset=0" for name in ("autumn", "spring")]
    store = build_into(tmp_path / "out.zarr", *folders).store
    for date, raw in enumerate((spring, autumn)):
        np.testing.assert_array_equal(pixels_of(store, "s2", "S2", date=date), raw)
    assert store.provenance["sentinel2_offset"].keys() == {"a_spring", "a_autumn"}
    again = write_s2(tmp_path / "again" / "a_spring.tif", tags={"datetime": "2021-04-01"})
    assert again.shape == spring.shape
    with pytest.raises(ValueError, match="again/a_spring.tif and .*spring/a_spring.tif are of one sensor and have one name"):
        build_into(tmp_path / "no.zarr", *folders, f"sentinel2:{tmp_path / 'again'},offset=0")
