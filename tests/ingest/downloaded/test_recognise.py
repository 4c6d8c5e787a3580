"""What a path is taken for, and what is said of one that is nothing, or several."""

import numpy as np
import pytest
from made import delivered

import spectral_jax
from spectral_jax.ingest.downloaded import recognise


def test_several_products_are_listed_and_one_is_chosen_by_a_part_of_its_name(tmp_path):
    delivered.write_enmap(tmp_path)
    delivered.write_desis(tmp_path)
    with pytest.raises(ValueError, match=r"holds 2 products: (ENMAP01|DESIS).*; give the path of one, or a part of its name"):
        spectral_jax.open_product(tmp_path)
    with spectral_jax.open_product(tmp_path, member="DESIS") as product:
        assert product.kind == "DESIS L2A"


def test_another_sensor_than_the_products_is_refused(tmp_path):
    folder = delivered.write_enmap(tmp_path)
    with pytest.raises(ValueError, match=r"ENMAP01.* is of enmap_l2a, and sentinel2a_l2a is asked for; leave `sensor` out"):
        recognise.open_product(folder, sensor="sentinel2a_l2a")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("PACE_OCI.20240708T175100.L2.OC_AOP.V3_0.nc", r"is of PACE OCI.* spectral_jax.ingest.pace.read"),
        ("S1A_IW_GRDH_1SDV_20220718T170045_20220718T170110_044148_054509.tif", r"Sentinel-1 before terrain correction"),
        ("ECOv002_L2T_LSTE_28527_009_11SKU_20230718T081442_0710_01_LST.tif", r"is of ECOSTRESS, which has no reader yet"),
        ("tile_1.tif", r"expected a product with the names .*EnMAP L2A, Sentinel-2 L2A.* it holds tile_1.tif; GeoTIFF tiles"),
    ],
)
def test_what_is_no_product_is_told_by_what_was_found(tmp_path, name, sentence):
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(ValueError, match=sentence):
        recognise.open_product(tmp_path)


def test_an_empty_folder_and_a_path_that_is_not_there_are_told(tmp_path):
    with pytest.raises(ValueError, match=r"it holds no file"):
        recognise.open_product(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"nowhere does not exist; give a product's folder, archive"):
        recognise.open_product(tmp_path / "nowhere")


def test_every_reader_tells_its_kind_and_its_names_apart():
    names = (
        delivered.ENMAP_NAME, "S2B_MSIL2A_20240131T101109_N0510_R022_T32UQD_20240131T125803.SAFE",
        "LC09_L2SP_193023_20220724_20220802_02_T1_SR_B1.TIF", "EMIT_L2A_RFL_001_20230714T101112_2319507_003.nc",
        "PRS_L2D_STD_20200814101112_20200814101116_0001.he5", delivered.DESIS_NAME,
        "OPERA_L2_RTC-S1_T117-249422-IW2_20230831T013125Z_20230831T094513Z_S1A_30_v1.0_VV.tif",
    )  # fmt: skip
    hits = np.array([[bool(reader.NAME.match(name)) for name in names] for reader in recognise.READERS])
    np.testing.assert_array_equal(hits, np.eye(7, dtype=bool))
