"""Sentinel-1: terrain corrected or not, which nothing is assumed about."""

import pytest
from made.tiny_geotiffs import write_s1

from spectral_jax.ingest.patches.products import sentinel1


def test_sentinel_1_kind_comes_from_option_tags_or_folder_else_it_is_asked(tmp_path):
    write_s1(tmp_path / "S1RTC" / "x.tif")
    write_s1(tmp_path / "radar" / "x.tif")
    write_s1(tmp_path / "tagged" / "x.tif", tags={"product": "Sentinel-1 GRD, sigma0"})
    assert sentinel1.kind_of(tmp_path / "S1RTC", None) == ("rtc", "from the folder's name S1RTC")
    assert sentinel1.kind_of(tmp_path / "tagged", None) == ("grd", "from the tags of x.tif")
    assert sentinel1.kind_of(tmp_path / "S1RTC", "grd") == ("grd", "given with the option kind")
    with pytest.raises(
        ValueError, match="are the chips of .*radar terrain corrected gamma0, or sigma0.*radar,kind=rtc or kind=grd"
    ):
        sentinel1.kind_of(tmp_path / "radar", None)
