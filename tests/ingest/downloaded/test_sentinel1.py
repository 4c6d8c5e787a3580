"""Sentinel-1 RTC of three producers from miniature products of another hand."""

import numpy as np
import pytest
from made import delivered_sentinel1 as radar

from spectral_jax.ingest.downloaded.recognise import open_product

WHOLE = slice(0, 5), slice(0, 5)


@pytest.mark.parametrize(
    ("producer", "words", "time"),
    [
        ("computer", "Planetary Computer", "2022-07-18T17:00:45"),
        ("hyp3", "ASF HyP3", "2021-01-05T05:23:49"),
        ("opera", "OPERA", "2023-08-31T01:31:25"),
    ],
)
def test_power_becomes_decibels_and_what_is_no_echo_is_missing(tmp_path, producer, words, time):
    with open_product(radar.write(tmp_path, producer)) as product:
        assert (product.kind, product.unit) == (f"Sentinel-1 RTC of {words}", "linear power")
        assert product.time == np.datetime64(time)
        assert [b.polarisation for b in product.bands] == ["VV", "VH"]
        np.testing.assert_array_equal(product.read(*WHOLE)[:, 1:], [radar.power(p, 0.0)[1:] for p in ("vv", "vh")])
        # VV: 0.07 -> -11.549, 0.08 -> -10.969, 0.10 -> -10 dB; VH: 0.04 -> -13.979.
        stored = product.stored(*WHOLE).pixels
        assert stored[0, 0].tolist()[:4] == [-32768, -32768, -1155, -1097]
        assert (stored[0, 1, 0], stored[1, 0, 2]) == (-1000, -1398)
        assert np.isnan(product.physical(*WHOLE)[:, 0, :2]).all()
        assert product.clear(*WHOLE).all()
        assert (producer != "computer") == any(
            "pixels are of 30 m, and those of sentinel1_rtc of 10 m" in n for n in product.notes
        )


def test_an_outline_across_the_180th_meridian_says_so(tmp_path):
    # In zone 60 the meridian lies at 704,316.6 m east and 5,804,237.6 m north (52.3503 N), by PROJ.
    with open_product(radar.write(tmp_path / "on", left=704_290.0, top=5_804_260.0, crs="EPSG:32660")) as product:
        assert product.crosses_antimeridian
        assert product.outline[0, 0] > 179.99
        assert product.outline[1, 0] < -179.99
    with open_product(radar.write(tmp_path / "west", left=704_200.0, top=5_804_260.0, crs="EPSG:32660")) as product:
        assert not product.crosses_antimeridian


def test_decibels_of_hyp3_are_told_by_the_letter_and_stored_as_they_are(tmp_path):
    name = radar.HYP3.replace("gpuned", "gduned")
    with open_product(radar.write(tmp_path, "hyp3", name=name, decibel=True)) as product:
        assert product.unit == "dB"
        assert product.stored(*WHOLE).pixels[0, 0, 1:4].tolist() == [-32768, -1155, -1097]


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        ({"decibel": True}, r"iw-vv.rtc.tiff: expected linear power, and the median of its numbers is -.*: they look like dB"),
        ({"producer": "hyp3", "name": radar.HYP3.replace("gpuned", "gduned")}, r"expected dB, and .* look like linear power"),
        ({"producer": "hyp3", "name": radar.HYP3.replace("gpuned", "spuned")}, r"expected gamma0, and .* is sigma0 \(letter s"),
        ({"producer": "hyp3", "name": radar.HYP3.replace("gpuned", "gauned")}, r"is an amplitude \(letter a\)"),
        ({"polarisations": ("vv",)}, r"expected the polarisation VH of S1A_IW.* beside"),
        ({"nodata": 0.05}, r"iw-vv.rtc.tiff: it declares 0.05 as no data, which linear power can have"),
    ],
)
def test_another_unit_or_quantity_is_refused_in_a_sentence(tmp_path, made, sentence):
    folder = radar.write(tmp_path, **made)
    with pytest.raises((ValueError, FileNotFoundError), match=sentence):
        open_product(folder)
