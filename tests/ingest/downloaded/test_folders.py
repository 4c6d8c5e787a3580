"""Products in folders of any depth, by the names that agencies give."""

import pytest

from spectral_jax.ingest.downloaded import folders

ENMAP = "ENMAP01-____L2A-DT0000165944_20251129T112021Z_002_V010505_20251130T042131Z"
LANDSAT = "LC08_L2SP_193023_20220724_20220802_02_T1"
OTHER = "LC09_L2SP_193023_20220801_20220810_02_T1"
PRISMA = "PRS_L2D_STD_20200814101112_20200814101116_0001"
SCENE = "20230714T101112_2319507_003"


def made(tmp_path, *names):
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def test_folders_archives_and_single_files_are_products_wherever_they_lie(tmp_path):
    made(
        tmp_path, f"2025/hsi/{ENMAP}/{ENMAP}-METADATA.XML", "orders/dims_op_oc_123.tar.gz", "orders/readme.txt",
        f"emit/EMIT_L2A_RFL_001_{SCENE}.nc", f"emit/EMIT_L2A_MASK_002_{SCENE}.nc", f"{PRISMA}.he5",
        "S2B_MSIL2A_20240131T101109_N0510_R022_T32UQD_20240131T125803.SAFE/MTD_MSIL2A.xml", ".cache/x.zip", "__MACOSX/y.zip",
    )  # fmt: skip
    assert [p.relative_to(tmp_path).as_posix() for p in folders.products([tmp_path], "folder")] == [
        f"2025/hsi/{ENMAP}",
        "S2B_MSIL2A_20240131T101109_N0510_R022_T32UQD_20240131T125803.SAFE",
        f"emit/EMIT_L2A_RFL_001_{SCENE}.nc",
        "orders/dims_op_oc_123.tar.gz",
        f"{PRISMA}.he5",
    ]


def test_a_file_stands_for_its_product_where_scenes_lie_beside_each_other(tmp_path):
    made(tmp_path, *(f"flat/{name}_{end}" for name in (LANDSAT, OTHER) for end in ("MTL.json", "QA_PIXEL.TIF", "SR_B1.TIF")))
    found = folders.products([tmp_path, tmp_path / "flat"], "folder")
    assert [p.name for p in found] == [f"{LANDSAT}_MTL.json", f"{OTHER}_MTL.json"]


def test_no_folder_and_no_product_are_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="--folder: expected a folder of products, and .*nowhere is not a folder"):
        folders.products([tmp_path / "nowhere"], "folder")
    made(tmp_path, "notes.txt")
    with pytest.raises(
        FileNotFoundError, match=r"--folder: no product is in .*, nor below: no folder or file has a name that an"
    ):
        folders.products([tmp_path], "folder")
