"""Tasks in GeoTIFFs, each layout written and read back, and what does not fit together."""

import dataclasses

import numpy as np
import pytest
from made.tiny_geotiffs import enmap_tags, rasterio, write_tif
from made.tiny_tasks import SPEC, with_options, write_pair

from spectral_jax.tasks.read import read
from spectral_jax.tasks.samples import usable
from spectral_jax.tasks.spec import ChannelGroup, TaskSpec

CODES = np.array([[0, 1, 2], [2, 1, 1]], np.uint8)
INDEX = np.array([[-1, 0, 1], [1, 0, 0]])


def write(folder, name="a", codes=CODES, **more):
    return write_pair(folder / "images" / f"{name}.tif", folder / "labels" / f"{name}.tif", codes, **more)


def test_pairs_are_read_back_in_the_stored_type(tmp_path):
    first = write(tmp_path, "a", tags={"start_time": "2022-07-24T10:45:26"}, nodata=-7)
    second = write(tmp_path, "b", codes=CODES[::-1], seed=1, left=700000.0)
    data = read(SPEC, tmp_path)
    assert data.names == ("a", "b")
    for i, pixels in enumerate((first, second)):
        np.testing.assert_array_equal(data.images[i], pixels.transpose(1, 2, 0))
    assert data.images[0].dtype == np.int16
    np.testing.assert_array_equal(data.labels, np.stack([INDEX, INDEX[::-1]]))
    assert data.scene == ("2022-07-24T10:45:26", "b")
    assert (data.georeference[1].epsg, data.georeference[1].bounds) == (32633, (7e5, 5799980.0, 700030.0, 58e5))
    only = data.select([1])
    assert (only.names, only.georeference) == (("b",), data.georeference[1:])
    np.testing.assert_array_equal(only.images[0], data.images[1])
    images, valid, labels = data.stack([1, 0])
    assert images.shape == valid.shape == (2, 2, 3, 3)
    np.testing.assert_array_equal(labels[0], INDEX[::-1])


def test_missing_numbers_are_not_valid(tmp_path):
    pixels = np.full((3, 2, 3), 5.0)
    pixels[0, 0, 0], pixels[1, 0, 1], pixels[2, 0, 2], pixels[1] = np.nan, -7.0, 9999.0, -7.0
    write_tif(tmp_path / "images" / "a.tif", pixels, 10.0, nodata=-7.0)
    write_tif(tmp_path / "labels" / "a.tif", CODES[None], 10.0)
    data = read(with_options(SPEC, missing=(9999,)), tmp_path)
    expected = np.ones((2, 3, 3), bool)
    expected[0, 0, 0] = expected[0, 2, 2] = False
    expected[..., 1] = False
    np.testing.assert_array_equal(data.valid[0], expected)
    assert data.images[0].dtype == np.float32
    pixel, channel = usable(data.valid[0])
    np.testing.assert_array_equal(channel, [True, False, True])
    np.testing.assert_array_equal(pixel, [[False, True, False], [True, True, True]])


def test_wavelengths_stay_with_their_channels_in_the_order_of_the_file(tmp_path):
    write(tmp_path, bands=224, band_tags=enmap_tags())
    data = read(dataclasses.replace(SPEC, channels=(ChannelGroup("enmap_l2a", count=224),)), tmp_path)
    assert (np.diff(data.wavelength_nm) < 0).sum() == 1
    np.testing.assert_allclose(data.wavelength_nm, [float(tags["wavelength"]) for tags in enmap_tags()])
    np.testing.assert_allclose(data.fwhm_nm, [float(tags["fwhm"]) for tags in enmap_tags()])


def test_files_without_wavelengths_take_those_of_the_tasks_sensor(tmp_path):
    write(tmp_path, bands=202)
    data = read(dataclasses.replace(SPEC, channels=(ChannelGroup("enmap_l2a", count=202),)), tmp_path)
    bad = (data.wavelength_nm > 1295) & (data.wavelength_nm < 1519) | (data.wavelength_nm > 1739) & (data.wavelength_nm < 1968)
    assert not bad.any()
    assert data.wavelength_nm[[0, -1]] == pytest.approx([418.24, 2445.53])
    unknown = read(dataclasses.replace(SPEC, channels=(ChannelGroup("eo1_hyperion", count=202),)), tmp_path)
    assert np.isnan(unknown.wavelength_nm).all()
    with pytest.raises(ValueError, match="a.tif: expected the 224 bands of enmap_l2a that the task states, got 202"):
        read(dataclasses.replace(SPEC, channels=(ChannelGroup("enmap_l2a", count=224),)), tmp_path)


def test_labels_outside_the_class_list_name_file_and_value(tmp_path):
    write(tmp_path, codes=np.array([[0, 1, 9], [9, 2, 1]], np.uint8))
    with pytest.raises(
        ValueError, match=r"labels.a.tif: expected the classes 1, 2 \(ignored: 0\), and 2 labels hold 9; .*tiny.toml"
    ):
        read(SPEC, tmp_path)
    data = read(dataclasses.replace(SPEC, others="ignore"), tmp_path)
    np.testing.assert_array_equal(data.labels[0], [[-1, 0, -1], [-1, 1, 0]])
    data = read(dataclasses.replace(SPEC, others="last"), tmp_path)
    np.testing.assert_array_equal(data.labels[0], [[-1, 0, 1], [1, 1, 0]])


def test_label_rasters_of_floats_and_with_nodata(tmp_path):
    codes = np.array([[1.0, 2.0, -99.0], [np.nan, 0.0, 2.0]], np.float32)
    write_tif(tmp_path / "images" / "a.tif", np.ones((3, 2, 3), np.int16), 10.0)
    write_tif(tmp_path / "labels" / "a.tif", codes[None], 10.0, nodata=-99.0)
    np.testing.assert_array_equal(read(SPEC, tmp_path).labels[0], [[0, 1, -1], [-1, -1, 1]])
    codes[1, 1] = np.nan
    write_tif(tmp_path / "labels" / "a.tif", codes[None], 10.0, nodata=-99.0)
    nothing_ignored = dataclasses.replace(SPEC, ignored=())
    np.testing.assert_array_equal(read(nothing_ignored, tmp_path).labels[0], [[0, 1, -1], [-1, -1, 1]])
    write_tif(tmp_path / "labels" / "a.tif", codes[None] + 0.5, 10.0)
    with pytest.raises(ValueError, match=r"a.tif: expected class codes, which are whole numbers, and it holds -98.5"):
        read(SPEC, tmp_path)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (dict(crs="EPSG:32634"), r"the coordinate systems differ: EPSG:32633 against EPSG:32634; warp the labels"),
        (dict(crs=None), "the coordinate systems differ: EPSG:32633 against none"),
        (dict(left=500010.0), r"the bounds differ: \(500000.0, 5799980.0, 500030.0, 5800000.0\) against \(500010.0"),
        (dict(pixels=np.ones((1, 4, 6), np.uint8)), "the sizes in pixels differ: 2 x 3 against 4 x 6"),
    ],
)
def test_images_and_labels_of_different_grids_are_refused(tmp_path, change, sentence):
    write(tmp_path)
    pixels = change.pop("pixels", CODES[None])
    write_tif(tmp_path / "labels" / "a.tif", pixels, 10.0, **change)
    with pytest.raises(ValueError, match=rf"images.a.tif and .*labels.a.tif: expected one grid, and {sentence}"):
        read(SPEC, tmp_path)


def test_a_shift_of_rounding_is_no_other_grid(tmp_path):
    write(tmp_path)
    write_tif(tmp_path / "labels" / "a.tif", CODES[None], 10.0, left=500000.0 + 1e-6)
    assert len(read(SPEC, tmp_path)) == 1


def test_all_pixels_ignored_missing_files_and_other_channels_are_refused(tmp_path):
    write(tmp_path, codes=np.zeros((2, 3), np.uint8))
    with pytest.raises(
        ValueError, match="expected labels of the 2 classes of tiny, and every pixel of all 1 label rasters is ig"
    ):
        read(SPEC, tmp_path)
    write(tmp_path, "b")
    assert len(read(SPEC, tmp_path)) == 2
    write(tmp_path, "c", bands=4)
    anything = dataclasses.replace(SPEC, channels=(ChannelGroup("camera"),))
    with pytest.raises(ValueError, match="c.tif: expected the 3 channels of .*a.tif, got 4"):
        read(anything, tmp_path)
    (tmp_path / "labels" / "c.tif").unlink()
    with pytest.raises(
        FileNotFoundError, match="task tiny: expected the label raster of an image at .*c.tif, and nothing is there"
    ):
        read(SPEC, tmp_path)
    with pytest.raises(FileNotFoundError, match="expected images that end in .tiff in"):
        read(with_options(SPEC, image_ending=".tiff"), tmp_path)
    with pytest.raises(FileNotFoundError, match="expected its files in the folder .*none, and it does not exist"):
        read(SPEC, tmp_path / "none")
    with pytest.raises(ValueError, match="parts: expected some of train, val, test, got"):
        read(SPEC, tmp_path, ("valid",))


def test_sizes_may_differ_but_not_be_stacked(tmp_path):
    write(tmp_path)
    write(tmp_path, "b", codes=np.ones((4, 4), np.uint8))
    data = read(SPEC, tmp_path)
    assert [label.shape for label in data.labels] == [(2, 3), (4, 4)]
    with pytest.raises(ValueError, match=r"expected samples of one size to stack, got \(2, 3, 3\) and \(4, 4, 3\)"):
        data.stack([0, 1])
    assert data.select([1]).stack([0])[2].shape == (1, 4, 4)


def test_rasters_of_targets_are_numbers_and_image_labels_need_another_layout(tmp_path):
    height = np.array([[[1.5, -9.0]], [[3.0, 4.0]]], np.float32)
    write_tif(tmp_path / "images" / "a.tif", np.ones((3, 1, 2), np.int16), 10.0)
    write_tif(tmp_path / "labels" / "a.tif", height, 10.0, nodata=-9.0)
    task = dataclasses.replace(SPEC, kind="pixel_regression", codes=(), ignored=(), targets=("height", "cover"))
    np.testing.assert_array_equal(read(task, tmp_path).labels, [[[[1.5, 3.0], [np.nan, 4.0]]]])
    with pytest.raises(ValueError, match="layout 'geotiff_pairs' has a label for each pixel, and a task of kind 'image_regr"):
        read(dataclasses.replace(task, kind="image_regression"), tmp_path)


def write_lists(folder, **lists):
    for part, names in lists.items():
        path = folder / "splits" / "own" / f"{part}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(names))
        for name in names:
            write_pair(folder / "enmap" / name, folder / "own" / name, CODES)


def test_split_lists_name_locations_and_scenes(tmp_path):
    task = dataclasses.replace(SPEC, layout="split_lists")
    task = with_options(task, images="enmap", labels="own", splits="splits/own")
    write_lists(
        tmp_path, train=["0000001/00007.tif", "0000002/00007.tif"], val=["0000003/00008.tif"], test=["0000004/00007.tif"]
    )
    data = read(task, tmp_path)
    assert data.split == ("train", "train", "val", "test")
    assert data.scene == ("00007", "00007", "00008", "00007")
    assert data.block == ("0000001", "0000002", "0000003", "0000004")
    assert read(task, tmp_path, ("test",)).names == ("0000004/00007.tif",)
    (tmp_path / "splits" / "own" / "test.txt").write_text("0000003/00008.tif\n")
    with pytest.raises(ValueError, match=r"test.txt: tile 0000003/00008.tif is listed in val already"):
        read(task, tmp_path)
    (tmp_path / "splits" / "own" / "test.txt").unlink()
    with pytest.raises(FileNotFoundError, match="expected the list of test tiles at .*test.txt"):
        read(task, tmp_path)
    (tmp_path / "splits" / "own" / "test.txt").write_text("\n")
    with pytest.raises(ValueError, match="task tiny: no sample of test in"):
        read(task, tmp_path, ("test",))


def test_corine_labels_are_the_classes_present(tmp_path):
    task = TaskSpec.load("enmap_corine")
    for part in ("train", "val", "test"):
        path = tmp_path / "splits" / "enmap_corine" / f"{part}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{part}/1.tif\n")
        codes = np.array([[112, 111, 213], [523, 999, 132]], np.int32)
        write_pair(tmp_path / "enmap" / part / "1.tif", tmp_path / "corine" / part / "1.tif", codes, bands=202)
    data = read(task, tmp_path)
    assert data.labels.dtype == bool
    assert [task.class_names[k] for k in np.flatnonzero(data.labels[0])] == ["Urban fabric", "Arable land", "Marine waters"]


def test_hls_burn_scars(tmp_path):
    for folder, count in (("training", 20), ("validation", 3)):
        for i in range(count):
            stem = tmp_path / folder / f"subsetted_512x512_HLS.S30.T10SD{chr(65 + i)}.2020248.v1.4"
            image, label = (stem.with_name(stem.name + end) for end in ("_merged.tif", ".mask.tif"))
            write_pair(image, label, np.array([[0, 1, -1]], np.int16), seed=i, bands=6)
    data = read("hls_burn_scars", tmp_path)
    assert [data.split.count(part) for part in ("train", "val", "test")] == [18, 2, 3]
    from sklearn.model_selection import train_test_split

    validation = sorted(train_test_split(np.arange(20), test_size=0.1, random_state=23)[1])
    assert [i for i, part in enumerate(data.split[:20]) if part == "val"] == validation
    assert data.scene[0] == "T10SDA.2020248"
    np.testing.assert_array_equal(data.labels[0], [[0, 1, -1]])
    assert read("hls_burn_scars", tmp_path, ("test",)).split == ("test",) * 3


def test_sen1floods11_joins_two_instruments(tmp_path):
    root = tmp_path / "v1.1" / "data" / "flood_events" / "HandLabeled"
    lists = tmp_path / "v1.1" / "splits" / "flood_handlabeled"
    lists.mkdir(parents=True)
    for part, place in (("train", "Ghana"), ("valid", "India"), ("test", "Spain")):
        (lists / f"flood_{part}_data.csv").write_text(f"{place}_1_S1Hand.tif,{place}_1_LabelHand.tif\n")
        codes = np.array([[-1, 0, 1]], np.int16)
        label = root / "LabelHand" / f"{place}_1_LabelHand.tif"
        optical = write_pair(root / "S2Hand" / f"{place}_1_S2Hand.tif", label, codes, bands=13, crs="EPSG:4326")
        radar = write_pair(root / "S1Hand" / f"{place}_1_S1Hand.tif", label, codes, bands=2, dtype=np.float32, crs="EPSG:4326")
    data = read("sen1floods11", tmp_path)
    assert data.names == ("Ghana_1", "India_1", "Spain_1")
    assert (data.scene, data.split) == (("Ghana", "India", "Spain"), ("train", "val", "test"))
    np.testing.assert_array_equal(data.images[2], np.concatenate([optical, radar]).transpose(1, 2, 0).astype(np.float32))
    np.testing.assert_array_equal(data.channel_index("sentinel1_grd"), [13, 14])
    named = dict(zip([c.name for c in data.channels], data.wavelength_nm, strict=True))
    assert named["B04"] == pytest.approx(664.62)
    assert np.isnan([named["B10"], named["VH"]]).all()
    np.testing.assert_array_equal(data.labels[0], [[-1, 0, 1]])


def test_ai4smallfarms_counts_every_mask_value_as_field(tmp_path):
    for part in ("train", "val", "test"):
        here = tmp_path / "sentinel-2-asia" / part
        write_pair(
            here / "images" / f"{part}1.tif", here / "masks" / f"{part}1.tif", np.array([[0, 1, 255]], np.uint8), bands=4
        )
    data = read("ai4smallfarms", tmp_path)
    assert data.split == ("train", "val", "test")
    np.testing.assert_array_equal(data.labels[1], [[0, 1, 1]])


@pytest.mark.parametrize(("lowest", "offset"), [(1, 0), (1001, 1000)])
def test_terramesh_takes_the_offset_off_sentinel2_alone(tmp_path, lowest, offset):
    optical = np.random.default_rng(0).integers(lowest, lowest + 3000, (12, 20, 20)).astype(np.int16)
    radar = np.random.default_rng(1).uniform(-25, 0, (2, 20, 20))
    optical[3, 0, 0] = radar[1, 0, 1] = 0
    for folder, pixels in (("S2L2A", optical), ("S1RTC", radar), ("LULC", np.full((1, 20, 20), 4, np.uint8))):
        write_tif(tmp_path / folder / "1U_2R_0_0.tif", pixels, 10.0)
    data = read("terramesh_lulc", tmp_path)
    assert np.argwhere(~data.valid[0]).tolist() == [[0, 0, 3]]
    expected = np.concatenate([optical - offset, radar]).transpose(1, 2, 0).astype(np.float32)
    expected[0, 0, 3] = 0
    np.testing.assert_array_equal(data.images[0], expected)
    assert len(data.notes) == (offset > 0)
    assert data.scene == ("1U_2R",)
    (tmp_path / "S1RTC" / "1U_2R_0_0.tif").unlink()
    with pytest.raises(FileNotFoundError, match="task terramesh_lulc: expected S1RTC of 1U_2R_0_0 at"):
        read("terramesh_lulc", tmp_path)


def write_mados(folder, scene, crop, codes, bands=(442, 492, 560, 665, 704, 740, 781, 833, 864, 1610, 2186)):
    written = []
    for nm in bands:
        size = 60 if nm == 442 else 10 if nm in (492, 560, 665, 833) else 20
        height, width = (n * 10 // size for n in codes.shape)
        pixels = np.arange(height * width, dtype=np.float32).reshape(1, height, width) + nm
        name = f"{scene}_L2R_rhorc_{nm}_{crop}.tif"
        grid = dict(crs=None, transform=rasterio.Affine(1, 0, 0, 0, 1, 0))
        write_tif(folder / scene / str(size) / name, pixels, size, **grid)
        written.append(np.kron(pixels[0], np.ones((size // 10, size // 10))))
    write_tif(folder / scene / "10" / f"{scene}_L2R_cl_{crop}.tif", codes[None], 10, **grid)
    return np.stack(written, axis=-1)


def test_mados_has_a_raster_a_band_and_repeats_the_coarse_ones(tmp_path):
    codes = np.arange(36, dtype=np.uint8).reshape(6, 6) % 16
    (tmp_path / "splits").mkdir()
    for i, part in enumerate(("train", "val", "test")):
        (tmp_path / "splits" / f"{part}_X.txt").write_text(f"Scene_{i}_11\n")
        expected = write_mados(tmp_path, f"Scene_{i}", 11, codes)
        write_mados(tmp_path, f"Scene_{i}", 1, codes)
    data = read("mados", tmp_path)
    assert (data.names, data.scene) == (("Scene_0_11", "Scene_1_11", "Scene_2_11"), ("Scene_0", "Scene_1", "Scene_2"))
    np.testing.assert_array_equal(data.images[0], expected)
    assert data.georeference == ()
    np.testing.assert_array_equal(data.labels[0], codes.astype(int) - 1)
    next((tmp_path / "Scene_2").glob("20/*740_11.tif")).unlink()
    with pytest.raises(ValueError, match=r"cl_11.tif: expected 11 rasters, one a band of sentinel2_rhorc, got 10"):
        read("mados", tmp_path)
