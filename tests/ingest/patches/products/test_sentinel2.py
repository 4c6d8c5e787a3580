"""Sentinel-2: whose bands the chips have."""

import pytest
from made.tiny_geotiffs import build_into, write_s2

from spectral_jax.sensors import SensorSpec


def test_sentinel_2_unit_is_asked_and_a_name_that_contradicts_it_is_refused(tmp_path):
    write_s2(tmp_path / "s2" / "S2B_x.tif")
    store = build_into(tmp_path / "out.zarr", f"sentinel2:{tmp_path / 's2'},unit=b").store
    assert store.groups["s2"].sensors["S2"] == SensorSpec.load("sentinel2b_l2a")
    with pytest.raises(
        ValueError, match="the name says S2B, and the option unit of --product=sentinel2 stands for sentinel2a_l2a"
    ):
        build_into(tmp_path / "no.zarr", f"sentinel2:{tmp_path / 's2'}")


def test_chips_of_two_units_are_not_mixed_in_one_store(tmp_path):
    for unit in "ab":
        write_s2(tmp_path / unit / f"{unit}.tif")
    with pytest.raises(
        ValueError, match="chips of .*/b are sentinel2b_l2a, and those of .*/a sentinel2a_l2a; .*build their stores"
    ):
        build_into(tmp_path / "no.zarr", f"sentinel2:{tmp_path / 'a'}", f"sentinel2:{tmp_path / 'b'},unit=b")
