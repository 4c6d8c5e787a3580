"""Sentinel-2's +1000 in all the forms in which agencies, catalogues and tools write it, and what pixels can tell."""

import json

import numpy as np
import pytest
from made.tiny_geotiffs import rasterio, write_s2

from spectral_jax.ingest.raster import sentinel2_offset

SAND = np.array([0.135, 0.160, 0.235, 0.335, 0.370, 0.385, 0.400, 0.410, 0.420, 0.425, 0.520, 0.470])


def decided(path, flag=None):
    with rasterio.open(path) as dataset:
        return sentinel2_offset.decide(dataset, path, flag).offset


def write(path, **more):
    """Bright ground whose pixels leave doubt."""
    write_s2(path, **({"low": 2500} | more))
    return path


PRODUCT = "S2A_MSIL2A_20220724T101611_N{}_R065_T33UUU_{}T160203"


@pytest.mark.parametrize(
    ("tags", "offset"),
    [
        ({"BOA_ADD_OFFSET": "-1000"}, 1000.0),
        ({"BOA_ADD_OFFSET_B1": "-1000", "BOA_ADD_OFFSET_B2": "-1000"}, 1000.0),
        ({"BOA_ADD_OFFSET": "0"}, 0.0),
        ({"PROCESSING_BASELINE": "05.10"}, 1000.0),
        ({"PROCESSING_BASELINE": "N0510"}, 1000.0),
        ({"s2:processing_baseline": "02.14"}, 0.0),
        ({"s2:processing_baseline": "4.0"}, 1000.0),
        ({"processing_baseline": "3.01"}, 0.0),
        ({"earthsearch:boa_offset_applied": "true", "s2:processing_baseline": "05.09"}, 0.0),
        ({"collection": "COPERNICUS/S2_SR_HARMONIZED", "PROCESSING_BASELINE": "05.09"}, 0.0),
        ({"PRODUCT_URI": PRODUCT.format("0510", "20230724") + ".SAFE"}, 1000.0),
        ({"id": PRODUCT.format("0214", "20220101")}, 0.0),
        ({"GENERATION_TIME": "2021-07-24T16:02:03Z"}, 0.0),
    ],
    ids=str,
)
def test_tags_of_agencies_catalogues_and_tools(tmp_path, tags, offset):
    assert decided(write(tmp_path / "x.tif", tags=tags)) == offset


def test_names_of_products_and_of_safes_say_the_baseline(tmp_path):
    assert decided(write(tmp_path / f"{PRODUCT.format('0400', '20220724')}_chip7.tif")) == 1000.0
    assert decided(write(tmp_path / f"{PRODUCT.format('0301', '20211224')}.SAFE" / "IMG_DATA" / "x.tif")) == 0.0
    with pytest.raises(ValueError, match="expected Sentinel-2 L2A, and S2A_MSIL1C_.* is of level L1C"):
        decided(write(tmp_path / f"{PRODUCT.format('0400', '20220724').replace('L2A', 'L1C')}.tif"))


def test_a_stac_item_beside_a_chip_is_read(tmp_path):
    path = write(tmp_path / "x.tif")
    red = {"raster:bands": [{"scale": 0.0001, "offset": -0.1}]}
    water = {"raster:bands": [{"scale": 0.001, "offset": 0}]}
    item = {"type": "Feature", "properties": {"s2:processing_baseline": "05.10"}, "assets": {"red": red, "wvp": water}}
    (tmp_path / "x.json").write_text(json.dumps(item))
    assert decided(path) == 1000.0
    item["properties"] = {"earthsearch:boa_offset_applied": True}
    (tmp_path / "x.json").write_text(json.dumps(item))
    with pytest.raises(ValueError, match=r"contradicts itself: raster:bands of x.json means 1000 but .*boa_offset_applied"):
        decided(path)
    del item["assets"]
    (tmp_path / "x.json").write_text(json.dumps(item))
    assert decided(path) == 0.0
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(ValueError, match="x.json: expected the STAC item of the chip beside it, and it is no JSON"):
        decided(path)


def test_metadata_of_another_product_in_the_folder_is_not_taken_for_this_one(tmp_path):
    other = PRODUCT.format("0301", "20211224")
    text = f"<P><PRODUCT_URI>{other}.SAFE</PRODUCT_URI><PROCESSING_BASELINE>03.01</PROCESSING_BASELINE></P>"
    (tmp_path / "MTD_MSIL2A.xml").write_text(text)
    assert decided(write(tmp_path / f"{PRODUCT.format('0510', '20230724')}.tif")) == 1000.0
    assert decided(write(tmp_path / f"{other}.tif")) == 0.0


@pytest.mark.parametrize(
    ("tags", "sentence"),
    [
        ({"PROCESSING_BASELINE": "newest"}, "expected a processing baseline such as 05.10 in the tag .*, got 'newest'"),
        ({"BOA_ADD_OFFSET": "1000"}, "expected 0 or a number such as -1000 in the tag BOA_ADD_OFFSET, got '1000'"),
        ({"BOA_ADD_OFFSET": "yes"}, "expected a number such as -1000 in the tag BOA_ADD_OFFSET, got 'yes'"),
        ({"earthsearch:boa_offset_applied": "maybe"}, "expected true or false in the tag .*, got 'maybe'"),
        ({"BOA_ADD_OFFSET_B1": "-1000", "BOA_ADD_OFFSET_B2": "0"}, "expected one BOA_ADD_OFFSET for all bands"),
        ({"BOA_ADD_OFFSET": "-1000", "PROCESSING_BASELINE": "02.14"}, "contradicts itself: tag BOA_ADD_OFFSET means 1000 but"),
    ],
)  # fmt: skip
def test_what_is_stated_and_not_understood_is_refused(tmp_path, tags, sentence):
    with pytest.raises(ValueError, match=rf"x.tif: .*{sentence}"):
        decided(write(tmp_path / "x.tif", tags=tags))


@pytest.mark.parametrize(
    ("spectrum", "what"),
    [
        (SAND, "sand"),
        (SAND * 0 + 0.11, "eleven percent everywhere but one bright band"),
        (np.where(np.arange(12) < 10, 0.85, 0.115), "snow"),
        (SAND * 0 + 0.45, "cloud"),
    ],
)
def test_bright_ground_is_asked_for_and_never_darkened(tmp_path, spectrum, what):
    noise = 1 + 0.06 * np.random.default_rng(1).standard_normal((1, 48, 48))
    pixels = np.rint(1e4 * np.asarray(spectrum)[:, None, None] * noise).astype(np.int16)
    if what.startswith("eleven"):
        pixels[:7] += 2000
    write_s2(tmp_path / "x.tif", pixels=pixels)
    with pytest.raises(ValueError, match="leave doubt .* Give the option offset of --product=sentinel2: 0 or 1000"):
        decided(tmp_path / "x.tif")
    write_s2(tmp_path / "x.tif", pixels=pixels, tags={"s2:processing_baseline": "02.14"})
    assert decided(tmp_path / "x.tif") == 0.0


def test_an_offset_that_was_added_to_an_older_product_is_seen(tmp_path):
    write_s2(tmp_path / "x.tif", low=1010, tags={"PROCESSING_BASELINE": "02.14"})
    with pytest.raises(ValueError, match="names no offset .*lie close above 1000, as with an offset; it was probably added"):
        decided(tmp_path / "x.tif")


def test_a_date_after_the_baseline_helps_where_the_pixels_agree(tmp_path):
    assert decided(write(tmp_path / "x.tif", tags={"datetime": "2023-05-01T10:00:00"})) == 1000.0
    for tags, low in (({"datetime": "2019-05-01T10:00:00"}, 2500), ({"datetime": "2023-05-01T10:00:00"}, 800)):
        with pytest.raises(ValueError, match="leave doubt"):
            decided(write(tmp_path / "y.tif", tags=tags, low=low))


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["plain", "overviews", "tiles", "deflate"])
def test_overviews_tiling_and_compression_change_nothing(tmp_path, layout):
    side = 1200
    y, x = np.mgrid[:side, :side]
    pixels = np.random.default_rng(0).integers(1001, 3000, (12, 64, 64)).astype(np.uint16)
    pixels = np.tile(pixels, (1, 19, 19))[:, :side, :side]
    pixels[:, (y // 3 + x * 2) % 7 < 2] = 0  # missing, not declared, and mixed into every overview
    more = {"tiles": {"tiled": True, "blockxsize": 256, "blockysize": 256}, "deflate": {"compress": "deflate"}}.get(layout, {})
    write_s2(tmp_path / "x.tif", pixels=pixels, **more)
    if layout == "overviews":
        with rasterio.open(tmp_path / "x.tif", "r+") as file:
            file.build_overviews([2, 4], rasterio.enums.Resampling.average)
    with rasterio.open(tmp_path / "x.tif") as dataset:
        found = sentinel2_offset.decide(dataset, tmp_path / "x.tif", None)
    assert found.offset == 1000.0
    assert found.reason.startswith("from the pixels: the lowest 1st percentile of a band is 1017 (band 1)")
