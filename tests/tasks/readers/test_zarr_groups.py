"""Tasks in Zarr groups of version 2 and 3, written by TensorStore alone, and what is wrong with a group."""

import dataclasses
import json

import numpy as np
import pytest
import tensorstore as ts
from made.tiny_tasks import SPEC, with_options

from spectral_jax.data import store
from spectral_jax.tasks.read import read
from spectral_jax.tasks.spec import ChannelGroup

DRIVERS = ("zarr", "zarr3")


def write_zarr(folder, part, driver, **arrays):
    """A group with these arrays; a version 3 group has a node, as the specification asks for."""
    group = folder / f"{part}.zarr"
    group.mkdir(parents=True, exist_ok=True)
    if driver == "zarr3":
        (group / "zarr.json").write_text(json.dumps({"zarr_format": 3, "node_type": "group", "attributes": {}}))
    else:
        (group / ".zgroup").write_text('{"zarr_format": 2}')
    for name, value in arrays.items():
        value = np.asarray(value)
        spec = {"driver": driver, "kvstore": {"driver": "file", "path": f"{group / name}/"}}
        ts.open(spec, create=True, delete_existing=True, dtype=value.dtype, shape=value.shape).result().write(value).result()
    return group


def zarr_task(**options):
    spec = dataclasses.replace(SPEC, layout="zarr", channels=(ChannelGroup("lab"),))
    return with_options(spec, images="x", labels="y", **options)


@pytest.mark.parametrize("driver", DRIVERS)
def test_groups_of_either_version_and_order(tmp_path, driver):
    rng = np.random.default_rng(0)
    images, codes = rng.integers(0, 9, (3, 4, 2, 5)).astype(np.uint16), rng.integers(0, 3, (3, 2, 5)).astype(np.int32)
    images[1, 3, 1, 4] = 65535
    names = np.zeros((3, 8), np.uint8)
    for row, text in zip(names, (b"Ghana", b"India", b"India"), strict=True):
        row[: len(text)] = list(text)
    nm = np.array([500.0, 450.0, 600.0, 700.0])
    write_zarr(tmp_path, "train", driver, x=images, y=codes, nm=nm, w=nm / 100, scene=names, site=np.array([4, 5, 5]))
    write_zarr(tmp_path, "test", driver, x=images[:1], y=codes[:1], nm=nm, w=nm / 100, scene=names[:1], site=np.array([7]))
    task = zarr_task(order="NCHW", wavelength="nm", fwhm="w", scene="scene", block="site", missing=(65535,))
    data = read(task, tmp_path)
    assert data.split == ("train", "train", "train", "test")
    assert data.names == ("train_00000", "train_00001", "train_00002", "test_00000")
    assert data.scene == ("Ghana", "India", "India", "Ghana")
    assert data.block == ("4", "5", "5", "7")
    for i in range(3):
        np.testing.assert_array_equal(data.images[i], images[i].transpose(1, 2, 0))
    assert data.images[0].dtype == np.uint16
    np.testing.assert_array_equal(data.labels, np.concatenate([codes, codes[:1]]) - 1)
    np.testing.assert_array_equal(data.wavelength_nm, nm)
    np.testing.assert_array_equal(data.fwhm_nm, [5.0, 4.5, 6.0, 7.0])
    assert np.argwhere(~data.valid[1]).tolist() == [[1, 4, 3]]
    plain = read(zarr_task(), tmp_path, ("test",))
    np.testing.assert_array_equal(plain.images[0], images[0])
    assert (plain.scene, plain.images[0].shape) == (("test_00000",), (4, 2, 5))


@pytest.mark.parametrize("driver", DRIVERS)
def test_regressions_label_sets_and_image_classes(tmp_path, driver):
    images, target = np.ones((2, 1, 1, 3), np.float32), np.array([[1.5], [np.nan]])
    write_zarr(tmp_path, "train", driver, x=images, y=target)
    task = dataclasses.replace(zarr_task(), kind="image_regression", codes=(), ignored=(), targets=("carbon",))
    np.testing.assert_array_equal(read(task, tmp_path).labels, target.astype(np.float32))
    write_zarr(tmp_path, "train", driver, x=images, y=np.array([[1, 0], [1, 1]], np.uint8))
    sets = dataclasses.replace(zarr_task(), kind="multilabel")
    assert read(sets, tmp_path).labels.tolist() == [[True, False], [True, True]]
    write_zarr(tmp_path, "train", driver, x=images, y=np.array([2, 0]))
    assert read(dataclasses.replace(sets, kind="classification"), tmp_path).labels.tolist() == [1, -1]
    with pytest.raises(ValueError, match=r"train.zarr: expected labels \[N 2\], one column a class, got \[2\]"):
        read(sets, tmp_path)


@pytest.mark.parametrize("driver", DRIVERS)
def test_what_is_wrong_with_a_group(tmp_path, driver):
    images = np.ones((2, 1, 1, 3), np.float32)
    with pytest.raises(FileNotFoundError, match="task tiny: expected val.zarr or test.zarr in .*, and none is there"):
        read(zarr_task(), tmp_path, ("val", "test"))
    write_zarr(tmp_path, "train", driver, x=images, y=np.array([[[7]], [[1]]]))
    with pytest.raises(ValueError, match=r"train.zarr: expected the classes 1, 2 \(ignored: 0\), and 1 labels hold 7"):
        read(zarr_task(), tmp_path)
    with pytest.raises(ValueError, match="train.zarr: expected the array 'z', and the file has x, y; correct"):
        read(zarr_task(scene="z"), tmp_path)
    with pytest.raises(ValueError, match="train.zarr: expected the 4 bands of lab that the task states, got 3"):
        read(dataclasses.replace(zarr_task(), channels=(ChannelGroup("lab", count=4),)), tmp_path)
    write_zarr(tmp_path, "train", driver, x=images, y=np.array([1]))
    with pytest.raises(ValueError, match="train.zarr: 'y' has 1 rows for 2 images; expected one for each"):
        read(zarr_task(), tmp_path)
    write_zarr(tmp_path, "train", driver, x=images, y=np.zeros((2, 1, 1), int))
    with pytest.raises(ValueError, match="every pixel of all 2 label rasters is ignored"):
        read(zarr_task(), tmp_path)


def test_a_group_without_arrays_a_damaged_one_and_none(tmp_path):
    group = write_zarr(tmp_path, "train", "zarr3")
    assert store.open_arrays(group) == {}
    with pytest.raises(ValueError, match="train.zarr: expected the array 'x', and the file has none; correct"):
        read(zarr_task(), tmp_path)
    (group / "x").mkdir()
    (group / "x" / "zarr.json").write_text('{"shape": [')
    with pytest.raises(ValueError, match="x.zarr.json is not JSON .*; the store is truncated"):
        read(zarr_task(), tmp_path)
    (group / "x" / "zarr.json").write_text('{"shape": [2], "zarr_format": 3, "node_type": "array"}')
    with pytest.raises(ValueError, match="expected the array x, and it cannot be opened"):
        read(zarr_task(), tmp_path)
    with pytest.raises(FileNotFoundError, match="Zarr group .*none: expected a folder, and there is none"):
        store.open_arrays(tmp_path / "none")


@pytest.mark.parametrize("driver", DRIVERS)
def test_chunks_that_were_not_written_hold_the_fill_value(tmp_path, driver):
    group = write_zarr(tmp_path, "train", driver, y=np.array([[[1]], [[2]]]))
    spec = {"driver": driver, "kvstore": {"driver": "file", "path": f"{group / 'x'}/"}}
    ts.open(spec, create=True, dtype=ts.float32, shape=(2, 1, 1, 3), fill_value=-1.0).result()
    data = read(zarr_task(missing=(-1,)), tmp_path)
    np.testing.assert_array_equal(data.images[1], np.full((1, 1, 3), -1.0))
    assert not data.valid[1].any()
