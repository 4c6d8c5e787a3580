"""What people's labels do to a task: the right classes and targets, or a sentence."""

import dataclasses

import numpy as np
import pytest
from made.tiny_geotiffs import rasterio, write_tif
from made.tiny_tasks import in_memory

from spectral_jax.tasks import targets
from spectral_jax.tasks.kinds import KINDS
from spectral_jax.tasks.read import read
from spectral_jax.tasks.spec import ChannelGroup, TaskSpec

h5py = pytest.importorskip("h5py", reason="needs the extra spectral-jax[pace]")
CODES = np.array([[1, 2, 0, 1], [2, 2, 1, 1], [0, 1, 2, 2], [1, 1, 1, 2]], np.uint8)
INDEX = np.where(CODES == 0, -1, CODES.astype(int) - 1)
SPEC = TaskSpec(
    "mine", "two classes", "segmentation", (ChannelGroup("camera", count=3),), codes=((1,), (2,)), ignored=(0,),
    layout="geotiff_pairs", options=(("images", "images"), ("labels", "labels")), path="mine.toml",
)  # fmt: skip
HEIGHT = dataclasses.replace(
    SPEC, kind=KINDS["pixel_regression"], codes=(), ignored=(), targets=("height",), target_units=("m",)
)
METRES = np.linspace(2.0, 30.0, 16, dtype=np.float32).reshape(4, 4)


def write(folder, *labels, tag=None, units=(), **more):
    """Pairs of random images and these labels [H W] or [C H W]; `units` are one a file."""
    for number, label in enumerate(labels):
        label = label if label.ndim == 3 else label[None]
        write_tif(folder / "images" / f"{number}.tif", np.full((3, 4, 4), 100 + number, np.int16), 10.0)
        write_tif(folder / "labels" / f"{number}.tif", label, 10.0, **more)
        if number < len(units) and units[number]:
            with rasterio.open(folder / "labels" / f"{number}.tif", "r+") as file:
                file.units = (units[number],) * file.count


def in_hdf5(folder, labels, spec=SPEC, **attributes):
    with h5py.File(folder / "train.h5", "w") as file:
        file["x"] = np.full((len(labels), 4, 4, 3), 100, np.int16)
        file["y"] = labels
        file["y"].attrs.update(attributes)
    return read(dataclasses.replace(spec, layout="hdf5", options=(("images", "x"), ("labels", "y"))), folder, ("train",))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_codes_of_every_type_give_the_same_classes(tmp_path, dtype):
    write(tmp_path, CODES.astype(dtype))
    np.testing.assert_array_equal(read(SPEC, tmp_path).labels[0], INDEX)


def test_a_declared_fill_of_labels_is_ignored(tmp_path):
    write(tmp_path, np.where(CODES == 0, 255, CODES).astype(np.uint8), nodata=255)
    np.testing.assert_array_equal(read(SPEC, tmp_path).labels[0], INDEX)


def test_a_fill_of_labels_that_nobody_declares_is_named(tmp_path):
    write(tmp_path, np.where(CODES == 0, 255, CODES).astype(np.uint8))
    with pytest.raises(ValueError, match=r"0\.tif: expected the classes 1, 2 \(ignored: 0\), and 2 labels hold 255"):
        read(SPEC, tmp_path)


def test_a_class_that_the_file_declares_as_missing_is_refused(tmp_path):
    write(tmp_path, CODES, nodata=2)
    with pytest.raises(ValueError, match=r"0\.tif: it declares 2 as nodata, and 2 is a class of mine\.toml"):
        read(SPEC, tmp_path)


def test_a_coloured_picture_of_labels_is_refused(tmp_path):
    write(tmp_path, np.stack([CODES] * 3))
    with pytest.raises(ValueError, match=r"0\.tif: expected class codes in one band, got 3 bands; is this a coloured picture"):
        read(SPEC, tmp_path)


@pytest.mark.parametrize(
    ("fill", "text"), [(-9999.0, "-9999"), (-32768.0, "-32768"), (3.4028234663852886e38, r"3\.40282e\+38")]
)
def test_a_target_that_is_a_fill_value_is_refused(tmp_path, fill, text):
    gap = METRES.copy()
    gap[0, :2] = fill
    write(tmp_path, METRES, gap)
    with pytest.raises(
        ValueError, match=rf"target 'height' is {text} in 2 places \(the first is of sample 1\), and from 2 to 30"
    ):
        read(HEIGHT, tmp_path)


def test_a_declared_fill_of_targets_is_missing(tmp_path):
    gap = METRES.copy()
    gap[0, :2] = -9999
    write(tmp_path, gap, nodata=-9999)
    np.testing.assert_array_equal(read(HEIGHT, tmp_path).labels[0][..., 0], np.where(gap == -9999, np.nan, gap))


def test_numbers_that_could_be_a_fill_and_are_measured_stay(tmp_path):
    wide = np.linspace(-500.0, 9999.0, 16, dtype=np.float32).reshape(4, 4)
    write(tmp_path, wide)
    np.testing.assert_array_equal(read(HEIGHT, tmp_path).labels[0][..., 0], wide)


def test_an_infinite_target_of_a_raster_is_missing_and_one_of_a_table_is_refused(tmp_path):
    endless = np.where(METRES > 29, np.inf, METRES)
    write(tmp_path, endless)
    np.testing.assert_array_equal(read(HEIGHT, tmp_path).labels[0][..., 0], np.where(METRES > 29, np.nan, METRES))
    labels = np.array([[12.0], [np.inf], [25.0]], np.float32)
    table = in_memory(labels, kind=KINDS["image_regression"], codes=(), ignored=(), targets=("clay",), layout="soil")
    with pytest.raises(ValueError, match="target 'clay' of sample tile 1 is infinite; write NaN"):
        targets.judge(table)


def test_targets_of_another_unit_are_refused(tmp_path):
    write(tmp_path, METRES, METRES, units=("m", "cm"))
    with pytest.raises(ValueError, match=r"1\.tif: the unit of target 'height' is 'cm', and mine\.toml states 'm'"):
        read(HEIGHT, tmp_path)
    unstated = dataclasses.replace(HEIGHT, target_units=())
    with pytest.raises(ValueError, match=r"1\.tif: the units of its targets are 'cm', and those of .*0\.tif are 'm'"):
        read(unstated, tmp_path)


def test_packed_labels_of_arrays_are_unpacked_once(tmp_path):
    stored = np.rint(METRES * 10).astype(np.int16)
    stored[0, 0] = -1
    labels = in_hdf5(tmp_path, stored[None], HEIGHT, scale_factor=0.1, _FillValue=np.int16(-1)).labels
    np.testing.assert_allclose(labels[0, ..., 0], np.where(stored == -1, np.nan, stored * 0.1), rtol=1e-6)


def test_the_fill_of_an_array_of_codes_is_ignored_and_a_class_is_none(tmp_path):
    filled = np.where(CODES == 0, 255, CODES)[None].astype(np.uint8)
    np.testing.assert_array_equal(in_hdf5(tmp_path, filled, _FillValue=np.uint8(255)).labels[0], INDEX)
    with pytest.raises(ValueError, match=r"train\.h5: 'y': it declares 1 as nodata, and 1 is a class"):
        in_hdf5(tmp_path, CODES[None], _FillValue=np.uint8(1))


def test_labels_that_are_no_numbers_or_of_other_targets_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"train\.h5: expected numbers in 'y', got complex64"):
        in_hdf5(tmp_path, CODES[None].astype(np.complex64))
    with pytest.raises(ValueError, match=r"labels that end in an axis of the 1 targets height, got \[1, 4, 4, 2\]"):
        in_hdf5(tmp_path, np.zeros((1, 4, 4, 2), np.float32), HEIGHT)
