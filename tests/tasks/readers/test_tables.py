"""Tasks in arrays: HYPERVIEW patches, HDF5, fuel moisture, soil and Samson, written in their layout and read back."""

import dataclasses

import numpy as np
import pytest
from made.tiny_tasks import SPEC, with_options

from spectral_jax.tasks.read import read
from spectral_jax.tasks.samples import Channel, TaskData
from spectral_jax.tasks.spec import ChannelGroup, TaskSpec

h5py = pytest.importorskip("h5py", reason="needs the extra spectral-jax[pace]")


def write_hyperview(folder, sizes=((4, 5), (3, 3), (6, 2))):
    (folder / "images").mkdir(parents=True)
    rng, written = np.random.default_rng(0), []
    for i, (height, width) in enumerate(sizes):
        data = rng.integers(0, 3000, (150, height, width)).astype(np.uint16)
        outside = np.broadcast_to(rng.random((height, width)) < 0.4, data.shape)
        np.savez(folder / "images" / f"{i}.npz", data=data, mask=outside)
        written.append((data, outside))
    rows = [f"{i},{70 + i}.5,{200 + i},{150 + i},6.{i}" for i in (2, 0, 1)]
    (folder / "train_gt.csv").write_text("\n".join(["sample_index,P,K,Mg,pH", *rows]) + "\n")
    return written


def test_hyperview_patches_keep_their_field_mask(tmp_path):
    written = write_hyperview(tmp_path)
    data = read("hyperview1", tmp_path)
    assert data.names == ("0", "1", "2")
    for i, (numbers, outside) in enumerate(written):
        np.testing.assert_array_equal(data.images[i], numbers.transpose(1, 2, 0))
        np.testing.assert_array_equal(data.valid[i], ~outside.transpose(1, 2, 0))
        assert 0 < data.valid[i].mean() < 1
    np.testing.assert_allclose(data.labels, [[70.5, 200, 150, 6.0], [71.5, 201, 151, 6.1], [72.5, 202, 152, 6.2]], rtol=1e-6)
    assert data.images[0].dtype == np.uint16
    assert data.split == ("train",) * 3
    assert (data.wavelength_nm[0], data.fwhm_nm[0]) == pytest.approx((462.08, 3.2))


def test_hyperview_split_lists_give_the_split_and_never_the_labels(tmp_path):
    write_hyperview(tmp_path)
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "train.csv").write_text("sample_index,P,K,Mg,pH\n2,0.1,0.2,0.3,0.4\n")
    (tmp_path / "splits" / "val.csv").write_text("sample_index,P,K,Mg,pH\n1,-0.1,0.2,0.3,0.4\n")
    data = read("hyperview1", tmp_path)
    assert (data.names, data.split) == (("2", "1"), ("train", "val"))
    np.testing.assert_allclose(data.labels[:, 0], [72.5, 71.5])
    assert read("hyperview1", tmp_path, ("val",)).names == ("1",)
    (tmp_path / "splits" / "val.csv").write_text("sample_index\n9\n")
    with pytest.raises(ValueError, match="splits: patch 9 is listed, and .*train_gt.csv has no labels of it"):
        read("hyperview1", tmp_path)
    (tmp_path / "splits" / "val.csv").write_text("index\n1\n")
    with pytest.raises(ValueError, match="val.csv: expected rows with the columns sample_index, and sample_index is missing"):
        read("hyperview1", tmp_path)
    (tmp_path / "splits" / "val.csv").write_text("sample_index\n1\n")
    with pytest.raises(ValueError, match="task hyperview1: no sample of test in"):
        read("hyperview1", tmp_path, ("test",))
    (tmp_path / "images" / "1.npz").unlink()
    with pytest.raises(FileNotFoundError, match="task hyperview1: expected a patch at .*1.npz"):
        read("hyperview1", tmp_path)


def write_hdf5(folder, part, images, labels, **more):
    with h5py.File(folder / f"{part}.h5", "w") as file:
        for name, value in {"x": images, "y": labels, **more}.items():
            file[name] = value


def hdf5_task(**options):
    return with_options(
        dataclasses.replace(SPEC, layout="hdf5", channels=(ChannelGroup("lab"),)), images="x", labels="y", **options
    )


def test_hdf5_of_either_order(tmp_path):
    rng = np.random.default_rng(0)
    images, codes = rng.integers(0, 9, (3, 4, 2, 5)).astype(np.uint16), rng.integers(0, 3, (3, 2, 5))
    images[1, 3, 1, 4] = 65535
    extras = dict(nm=[500.0, 450.0, 600.0, 700.0], scene=["p", "q", "q"])
    write_hdf5(tmp_path, "train", images, codes, **extras)
    write_hdf5(tmp_path, "test", images[:1], codes[:1], nm=extras["nm"], scene=["r"])
    data = read(hdf5_task(order="NCHW", wavelength="nm", scene="scene", missing=(65535,)), tmp_path)
    assert data.split == ("train", "train", "train", "test")
    assert data.scene == ("p", "q", "q", "r")
    np.testing.assert_array_equal(data.images[1], images[1].transpose(1, 2, 0))
    np.testing.assert_array_equal(data.labels[:3], codes - 1)
    np.testing.assert_array_equal(data.wavelength_nm, extras["nm"])
    assert np.argwhere(~data.valid[1]).tolist() == [[1, 4, 3]]
    assert data.valid[3].all()
    plain = read(hdf5_task(), tmp_path, ("test",))
    assert plain.images[0].shape == (4, 2, 5)
    assert plain.scene == ("test_00000",)


def test_hdf5_regressions_and_what_is_wrong_with_a_file(tmp_path):
    images, target = np.ones((2, 1, 1, 3)), np.array([[1.5], [np.nan]])
    write_hdf5(tmp_path, "train", images, target)
    task = dataclasses.replace(hdf5_task(), kind="image_regression", codes=(), ignored=(), targets=("carbon",))
    np.testing.assert_array_equal(read(task, tmp_path).labels, target.astype(np.float32))
    with pytest.raises(ValueError, match="train.h5: expected the array 'z', and the file has x, y"):
        read(with_options(task, labels="z"), tmp_path)
    with pytest.raises(FileNotFoundError, match="task tiny: expected val.h5 or test.h5 in"):
        read(task, tmp_path, ("val", "test"))
    with pytest.raises(ValueError, match="train.h5: expected the 4 bands of lab that the task states, got 3"):
        read(dataclasses.replace(task, channels=(ChannelGroup("lab", count=4),)), tmp_path)
    write_hdf5(tmp_path, "train", images, target[:1])
    with pytest.raises(ValueError, match="'y' has 1 rows for 2 images"):
        read(task, tmp_path)
    write_hdf5(tmp_path, "train", images, np.array([[[7]], [[1]]]))
    with pytest.raises(ValueError, match=r"train.h5: expected the classes 1, 2 \(ignored: 0\), and 1 labels hold 7"):
        read(hdf5_task(), tmp_path)
    write_hdf5(tmp_path, "train", images, np.zeros((2, 1, 1), int))
    with pytest.raises(ValueError, match="every pixel of all 2 label rasters is ignored"):
        read(hdf5_task(), tmp_path)


def test_hdf5_label_sets_and_image_classes(tmp_path):
    sets = np.array([[1, 0], [1, 1]], np.uint8)
    write_hdf5(tmp_path, "train", np.ones((2, 1, 1, 3)), sets)
    task = dataclasses.replace(hdf5_task(), kind="multilabel")
    np.testing.assert_array_equal(read(task, tmp_path).labels, sets == 1)
    write_hdf5(tmp_path, "train", np.ones((2, 1, 1, 3)), np.array([2, 0]))
    assert read(dataclasses.replace(task, kind="classification"), tmp_path).labels.tolist() == [1, -1]
    with pytest.raises(ValueError, match=r"train.h5: expected labels \[N 2\], one column a class, got \[2\]"):
        read(task, tmp_path)


def write_fuel(folder, **change):
    rng = np.random.default_rng(0)
    arrays = {
        "s1_s2_era5_srtm": rng.uniform(1, 100, (4, 3, 18)),
        "target": np.array([50.0, 60.0, 70.0, 80.0]),
        "is_test": np.array([0, 1, 0, 1]),
        "site": np.array(["a", "b", "c", "b"]),
        "latlon": np.array([[40.0, -110.0]] * 4),
        "month": np.tile([10, 11, 0], (4, 1)),
        "dynamic_world": rng.integers(0, 9, (4, 3)).astype(np.uint8),
    } | change
    folder.mkdir(exist_ok=True)
    for name, value in arrays.items():
        np.save(folder / f"{name}.npy", value)
    return arrays


def test_fuel_moisture_has_three_dates_and_its_own_ndvi(tmp_path):
    cube = write_fuel(tmp_path)["s1_s2_era5_srtm"]
    cube[0, 1, [4, 8]] = 0.0
    cover = write_fuel(tmp_path, s1_s2_era5_srtm=cube)["dynamic_world"]
    data = read("fuel_moisture", tmp_path)
    for date in range(3):
        found = data.images[:, 0, 0, data.channel_index(date=date)]
        np.testing.assert_allclose(found[:, :17], cube[:, date, :17].astype(np.float32))
        with np.errstate(invalid="ignore"):
            ndvi = (cube[:, date, 8] - cube[:, date, 4]) / (cube[:, date, 8] + cube[:, date, 4])
        np.testing.assert_allclose(found[:, 17], ndvi, rtol=1e-6)
        np.testing.assert_array_equal(found[:, 18], cover[:, date])
    names = [data.channels[i].name for i in data.channel_index(date=0)]
    assert (names[4], names[8], names[17]) == ("B04", "B08", "NDVI")
    assert np.argwhere(~data.valid).tolist() == [[0, 0, 0, 19 + 17]]
    assert data.split == ("train", "test", "train", "test")
    assert data.months.tolist() == [[11, 12, 1]] * 4
    assert data.georeference[0].bounds == (-110.0, 40.0, -110.0, 40.0)
    assert read("fuel_moisture", tmp_path, ("test",)).labels.tolist() == [[60.0], [80.0]]


def test_fuel_moisture_that_mixes_sites_or_versions_is_refused(tmp_path):
    write_fuel(tmp_path, site=np.array(["a", "b", "b", "b"]))
    with pytest.raises(ValueError, match="site b has training and test samples"):
        read("fuel_moisture", tmp_path)
    write_fuel(tmp_path, target=np.zeros(3))
    with pytest.raises(ValueError, match="expected arrays of one length, got .*'target': 3"):
        read("fuel_moisture", tmp_path)
    (tmp_path / "month.npy").unlink()
    with pytest.raises(FileNotFoundError, match="task fuel_moisture: expected an array at .*month.npy"):
        read("fuel_moisture", tmp_path)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (dict(month=np.tile([11, 12, 1], (4, 1))), r"month\.npy: expected months from 0 .* to 11 .*got \[11, 12, 1\] for"),
        (dict(latlon=np.array([[40.0, -110.0], [np.nan, 0.0]] * 2)), r"expected latitude .*got \[nan, 0\.0\] for sample 1"),
        (dict(latlon=np.zeros((4, 3))), r"latlon\.npy: expected \[4, 2\] of the 3 months of fuel_moisture, got \[4, 3\]"),
        (dict(s1_s2_era5_srtm=np.ones((4, 25, 18))), r"expected \[4, 3, 18\] of the 3 months.* got \[4, 25, 18\]"),
    ],
)
def test_months_and_places_that_are_none_are_refused(tmp_path, change, sentence):
    write_fuel(tmp_path, **change)
    with pytest.raises(ValueError, match=sentence):
        read("fuel_moisture", tmp_path)


def test_training_samples_inside_the_published_box_validate(tmp_path):
    months = dict(month=np.zeros((4, 12), int), dynamic_world=np.zeros((4, 12), np.uint8))
    latlon = np.array([[43.0, -93.0], [43.0, -93.0], [42.5, -93.0], [43.0, -92.0]])
    cube = np.random.default_rng(0).uniform(1, 100, (4, 12, 18))
    write_fuel(tmp_path, s1_s2_era5_srtm=cube, latlon=latlon, uid=np.array(["a", "b", "c", "d"]), **months)
    assert read("algae_blooms", tmp_path).split == ("val", "test", "train", "test")


def test_soil_stays_absorbance_and_missing_targets_are_nan(tmp_path):
    wavelength = np.arange(1100.0, 1110.0, 2)
    spectra = np.random.default_rng(0).random((3, 5)).astype(np.float32)
    columns = {"Nt": [1.0, np.nan, 2.0], "Ciso": [np.nan, 3.0, 4.0], "CEC": [5.0, 6.0, 7.0]}
    columns = {k: np.array(v) for k, v in columns.items()}
    np.savez(tmp_path / "nirsoil.npz", spc=spectra, wavelength=wavelength, train=np.array([1.0, 0.0, 1.0]), **columns)
    data = read("soil", tmp_path)
    np.testing.assert_array_equal(data.images[:, 0, 0], spectra)
    assert {c.unit for c in data.channels} == {"absorbance"}
    np.testing.assert_array_equal(data.wavelength_nm, wavelength)
    np.testing.assert_array_equal(data.labels, np.stack(list(columns.values()), axis=1).astype(np.float32))
    assert data.split == ("train", "test", "train")


def test_samson_folds_pixels_down_the_columns(tmp_path):
    from scipy.io import savemat

    row, column = np.mgrid[:4, :6]
    cube = np.stack([row, column, 10 * row + column], axis=-1).astype(float)
    abundance = np.stack([row, column, row * 0], axis=-1) / 10
    savemat(tmp_path / "Samson.mat", {"Y": cube.reshape(-1, 3, order="F").T, "S_GT": abundance})
    data = read(with_options(TaskSpec.load("samson"), tile_px=2), tmp_path)
    assert len(data) == 6
    np.testing.assert_array_equal(data.images[5], cube[2:4, 4:6])
    np.testing.assert_allclose(data.labels[5], abundance[2:4, 4:6], rtol=1e-6)
    assert data.names[5] == "2_4"
    with pytest.raises(ValueError, match="tiles of 5 pixels do not fill 4 x 6"):
        read(with_options(TaskSpec.load("samson"), tile_px=5), tmp_path)


def test_fields_of_another_length_are_refused():
    pixels = np.zeros((2, 1, 1, 1), np.float32)
    samples = ("a", "b")
    whole = dict(
        task=SPEC, images=pixels, valid=pixels > 0, labels=np.zeros((2, 1, 1)), channels=(Channel("1", "lab"),),
        names=samples, scene=samples, block=samples, split=samples,
    )  # fmt: skip
    assert len(TaskData(**whole)) == 2
    with pytest.raises(ValueError, match="task tiny: 1 scene for 2 samples"):
        TaskData(**whole | {"scene": ("a",)})
    with pytest.raises(ValueError, match="task tiny: 1 georeferences for 2 samples"):
        TaskData(**whole | {"georeference": (None,)})
