"""The +1000 of processing baseline 04.00: given, from metadata, from decisive pixels, else asked."""

import numpy as np
import pytest
from made.tiny_geotiffs import build_into, pixels_of, rasterio, write_s2

from spectral_jax.ingest.raster import sentinel2_offset


def decision(path, flag=None):
    with rasterio.open(path) as dataset:
        return sentinel2_offset.decide(dataset, path, flag)


def test_offset_from_the_pixels_only_where_they_are_decisive(tmp_path):
    write_s2(tmp_path / "with.tif", low=1050)
    write_s2(tmp_path / "without.tif", low=200)
    assert (decision(tmp_path / "with.tif").offset, decision(tmp_path / "without.tif").offset) == (1000.0, 0.0)
    assert "from the pixels: the lowest 1st percentile of a band is " in decision(tmp_path / "without.tif").reason
    for name, low in (("between", 800), ("bright", 2500)):
        write_s2(tmp_path / f"{name}.tif", low=low)
        with pytest.raises(
            ValueError,
            match=rf"{name}.tif: does it carry the \+1000 .* leave doubt .* Give the option offset of --product=sentinel2: 0",
        ):
            decision(tmp_path / f"{name}.tif")
    write_s2(tmp_path / "empty.tif", pixels=np.zeros((12, 12, 12), np.int16))
    with pytest.raises(ValueError, match="every pixel is missing"):
        decision(tmp_path / "empty.tif")


def test_offset_from_one_dark_band_is_enough(tmp_path):
    pixels = np.full((12, 12, 12), 2000, np.int16)
    pixels[9] = 300
    write_s2(tmp_path / "x.tif", pixels=pixels)
    found = decision(tmp_path / "x.tif")
    assert found.offset == 0.0
    assert found.reason == "from the pixels: the lowest 1st percentile of a band is 300 (band 10), which an offset cannot leave"


def test_missing_pixels_are_no_evidence(tmp_path):
    pixels = np.full((12, 12, 12), 1200, np.int16)
    pixels[:, :4] = 0
    write_s2(tmp_path / "x.tif", pixels=pixels)
    assert decision(tmp_path / "x.tif").offset == 1000.0


XML = '<?xml version="1.0"?><n1:P xmlns:n1="https://psd-14.sentinel2.eo.esa.int/"><PROCESSING_BASELINE>{}</PROCESSING_BASELINE>{}</n1:P>'


def test_offset_from_metadata_goes_before_the_pixels(tmp_path):
    for name, more, offset, reason in (
        ("tag", {"tags": {"BOA_ADD_OFFSET": "-1000"}}, 1000.0, "tag BOA_ADD_OFFSET"),
        ("old", {"tags": {"PROCESSING_BASELINE": "03.01"}}, 0.0, "tag PROCESSING_BASELINE, 03.01"),
        ("new", {"tags": {"PROCESSING_BASELINE": "N0510"[:3] + ".10"}}, 1000.0, "tag PROCESSING_BASELINE, N05.10"),
        ("gdal", {"scales": (1e-4,) * 12, "offsets": (-0.1,) * 12}, 1000.0, "scale and offset of the file's bands"),
    ):
        write_s2(tmp_path / f"{name}.tif", low=2500, **more)  # pixels that leave doubt
        assert decision(tmp_path / f"{name}.tif") == sentinel2_offset.Decision(offset, reason)
    write_s2(tmp_path / "xml" / "x.tif", low=2500)
    metadata = tmp_path / "xml" / "MTD_MSIL2A.xml"
    metadata.write_text(XML.format("05.10", '<BOA_ADD_OFFSET band_id="0">-1000</BOA_ADD_OFFSET>'))
    assert decision(tmp_path / "xml" / "x.tif").reason == "BOA_ADD_OFFSET of MTD_MSIL2A.xml"
    assert decision(tmp_path / "xml" / "x.tif").offset == 1000.0
    metadata.write_text(XML.format("02.12", ""))
    assert decision(tmp_path / "xml" / "x.tif").offset == 0.0
    metadata.write_text("<P><BOA_ADD_OFFSET>-1000</BOA_ADD_OFFSET><BOA_ADD_OFFSET>0</BOA_ADD_OFFSET></P>")
    with pytest.raises(ValueError, match="expected one BOA_ADD_OFFSET for all bands"):
        decision(tmp_path / "xml" / "x.tif")
    metadata.write_text("no xml")
    with pytest.raises(ValueError, match="MTD_MSIL2A.xml: expected the metadata of a Sentinel-2 product, and it is no XML"):
        decision(tmp_path / "xml" / "x.tif")


def test_metadata_that_the_pixels_contradict_is_refused(tmp_path):
    write_s2(tmp_path / "x.tif", low=100, tags={"PROCESSING_BASELINE": "05.09"})
    with pytest.raises(ValueError, match="names an offset of 1000 .* an offset cannot leave; it was probably removed already"):
        decision(tmp_path / "x.tif")
    assert decision(tmp_path / "x.tif", 0.0).offset == 0.0


def test_offset_given_as_number_or_table(tmp_path):
    write_s2(tmp_path / "x.tif", low=800)
    table = tmp_path / "offsets.json"
    table.write_text('{"x": 1000}')
    assert sentinel2_offset.given(None) is None
    assert decision(tmp_path / "x.tif", sentinel2_offset.given("0")).offset == 0.0
    assert decision(tmp_path / "x.tif", sentinel2_offset.given(str(table))).offset == 1000.0
    write_s2(tmp_path / "y.tif")
    with pytest.raises(ValueError, match="the table has no entry for y; it has x"):
        decision(tmp_path / "y.tif", sentinel2_offset.given(str(table)))
    with pytest.raises(FileNotFoundError, match="expected a number or a JSON file, and 'yes' is neither"):
        sentinel2_offset.given("yes")
    table.write_text("[1000]")
    with pytest.raises(ValueError, match="to hold chip names and numbers"):
        sentinel2_offset.given(str(table))


def test_offset_is_subtracted_reported_and_recorded(tmp_path):
    raw = write_s2(tmp_path / "s2" / "x.tif", low=1050)
    raw[:, 0, 0] = 0  # the product's missing value
    write_s2(tmp_path / "s2" / "x.tif", pixels=raw)
    write_s2(tmp_path / "s2" / "y.tif", low=100, left=600000.0, dtype=np.uint16)
    lines = []
    store = build_into(tmp_path / "out.zarr", f"sentinel2:{tmp_path / 's2'}", lines=lines).store
    expected = raw - 1000
    expected[:, 0, 0] = -32768
    np.testing.assert_array_equal(pixels_of(store, "s2", "S2", 0), expected)
    assert any(line.startswith("S2: x: subtract 1000 (from the pixels:") for line in lines)
    assert any(line.startswith("S2: y: subtract 0 (from the pixels:") for line in lines)
    assert {k: v["offset"] for k, v in store.provenance["sentinel2_offset"].items()} == {"x": 1000.0, "y": 0.0}
    assert store.provenance["time_unknown"] == {"S2": 2}
    assert any("do not say when they were seen" in line for line in lines)
