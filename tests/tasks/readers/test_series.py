"""Tasks that are series of dates, each layout written as it is published and read back, and what does not fit together."""

import dataclasses
import json

import numpy as np
import pytest
from made.tiny_geotiffs import write_tif
from made.tiny_tasks import with_options

from spectral_jax.tasks.read import read
from spectral_jax.tasks.spec import TaskSpec

PASTIS, SUDAN = TaskSpec.load("pastis_r"), TaskSpec.load("crop_type_mapping_south_sudan")
EARTH, BIOMASS = TaskSpec.load("dynamic_earth_net"), TaskSpec.load("biomassters")
S2_BANDS = ["B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12"]
RADAR = PASTIS.channels[1].sensor
SIZE = (2, 3)


def numbered(*shape, dtype=np.int16):
    """Every number differs from the others: an axis in the wrong place cannot hide."""
    return (np.arange(np.prod(shape)).reshape(shape) + 1).astype(dtype)


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)


def write_pastis(folder, folds=(("100", 1), ("200", 4), ("300", 5)), optical=12, radar=6, bands=10, codes=None, size=SIZE):
    features = []
    for name, fold in folds:
        save(folder / "DATA_S2" / f"S2_{name}.npy", numbered(optical, bands, *SIZE) + np.int16(int(name)))
        save(folder / "DATA_S1A" / f"S1A_{name}.npy", -numbered(radar, 3, *SIZE, dtype=np.float16))
        codes = np.arange(np.prod(size)).reshape(size) if codes is None else np.asarray(codes)
        # Planes 1 and 2 hold other things, which are no classes.
        save(folder / "ANNOTATIONS" / f"TARGET_{name}.npy", np.stack([codes, codes + 70, codes + 90]).astype(np.uint8))
        dates = {str(i): 20180900 + 100 * i + 5 if i < 4 else 20190000 + 100 * (i - 3) + 5 for i in range(optical)}
        passes = {str(i): 20180901 + i for i in range(radar)}
        row = {"ID_PATCH": int(name), "Fold": fold, "TILE": "T30UXV", "dates-S2": dates, "dates-S1A": json.dumps(passes)}
        features.append({"type": "Feature", "properties": row})
    (folder / "metadata.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))


def test_pastis_is_read_with_evenly_spaced_dates(tmp_path):
    write_pastis(tmp_path, codes=[[0, 1, 18], [19, 2, 3]])
    stored = np.load(tmp_path / "DATA_S2" / "S2_100.npy")
    stored[2, 4, 1, 2] = -10000
    np.save(tmp_path / "DATA_S2" / "S2_100.npy", stored)
    radar = np.load(tmp_path / "DATA_S1A" / "S1A_100.npy")
    radar[5, 0, 0, 0] = np.nan
    np.save(tmp_path / "DATA_S1A" / "S1A_100.npy", radar)
    data = read("pastis_r", tmp_path)
    assert (data.names, data.split) == (("100", "200", "300"), ("train", "val", "test"))
    assert (data.scene, data.block) == (("T30UXV",) * 3, ("100", "200", "300"))
    assert data.images[0].shape == data.valid[0].shape == (2, 3, 78)
    assert data.images[0].dtype == np.float32
    expected = [stored[t, c] for t in (0, 2, 4, 6, 8, 11) for c in range(10)]
    expected += [radar[t, c] for t in range(6) for c in range(3)]
    np.testing.assert_array_equal(data.images[0], np.stack(expected, axis=-1).astype(np.float32))
    wrong = np.argwhere(~data.valid[0]).tolist()
    assert wrong == [[0, 0, 75], [1, 2, 14]]
    np.testing.assert_array_equal(data.labels[0], [[0, 1, 18], [-1, 2, 3]])
    np.testing.assert_array_equal(data.months, [[9, 11, 1, 3, 5, 8]] * 3)
    assert "evenly spaced" in data.notes[0]


def test_channels_go_date_by_date_within_a_sensor(tmp_path):
    write_pastis(tmp_path)
    data = read("pastis_r", tmp_path)
    assert [c.name for c in data.channels[10:20]] == S2_BANDS
    assert [c.name for c in data.channels[-3:]] == ["VV", "VH", "VV-VH"]
    assert [c.date for c in data.channels] == [d for d in range(6) for _ in range(10)] + [d for d in range(6) for _ in range(3)]
    np.testing.assert_array_equal(data.channel_index("sentinel2a_l2a", 1), np.arange(10, 20))
    np.testing.assert_array_equal(data.channel_index(RADAR, 5), [75, 76, 77])
    assert data.wavelength_nm[[0, 10, 50]] == pytest.approx(492.73)
    assert np.isnan(data.wavelength_nm[60:]).all()
    assert {c.unit for c in data.channels} == {"reflectance * 1e4", "dB"}


def test_pastis_reads_the_parts_asked_for_and_selects(tmp_path):
    write_pastis(tmp_path, folds=(("1", 1), ("2", 2), ("3", 3), ("5", 5)))
    assert read("pastis_r", tmp_path).split == ("train", "train", "train", "test")
    assert read("pastis_r", tmp_path, ("test",)).names == ("5",)
    with pytest.raises(ValueError, match="task pastis_r: no sample of val in"):
        read("pastis_r", tmp_path, ("val",))
    data = read("pastis_r", tmp_path)
    np.testing.assert_array_equal(data.select([3]).images[0], data.images[3])
    images, valid, labels = data.stack([0, 3])
    assert (images.shape, valid.shape, labels.shape) == ((2, 2, 3, 78), (2, 2, 3, 78), (2, 2, 3))


def test_one_date_is_the_last(tmp_path):
    write_pastis(tmp_path)
    data = read(dataclasses.replace(PASTIS, dates=1), tmp_path, ("train",))
    np.testing.assert_array_equal(data.images[0][..., :10], np.load(tmp_path / "DATA_S2" / "S2_100.npy")[-1].transpose(1, 2, 0))
    np.testing.assert_array_equal(data.months, [[8]])


def test_arrays_of_one_type_keep_it(tmp_path):
    write_pastis(tmp_path)
    optical = with_options(dataclasses.replace(PASTIS, channels=PASTIS.channels[:1]), series=("S2",))
    assert read(optical, tmp_path).images[0].dtype == np.int16


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            dict(codes=[[0, 1, 25], [2, 2, 25]]),
            r"TARGET_100.npy: expected the classes 0, 1, .*\(ignored: 19\), and 2 labels hold 25",
        ),
        (dict(codes=np.full(SIZE, 19)), "expected labels of the 19 classes of pastis_r, and every pixel of all 3 label"),
        (dict(bands=9), "S2_100.npy: expected the 10 bands of sentinel2a_l2a that the task states, got 9"),
        (
            dict(size=(2, 4)),
            r"S2_100.npy and .*TARGET_100.npy: expected an image and labels of one size, got 2 x 3 against 2 x 4",
        ),
        (
            dict(optical=5),
            "S2_100.npy: expected a series of at least 6 dates, got 5; take the sample out, or lower dates of .*toml",
        ),
        (dict(radar=4), "S1A_100.npy: expected a series of at least 6 dates, got 4"),
        (dict(folds=(("100", 6),)), "metadata.geojson: expected folds 1 to 5, and patch 100 is in fold 6"),
    ],
)
def test_pastis_that_does_not_fit_is_refused(tmp_path, change, sentence):
    write_pastis(tmp_path, **change)
    with pytest.raises(ValueError, match=sentence):
        read("pastis_r", tmp_path)


def test_pastis_with_missing_or_broken_files_is_refused(tmp_path):
    write_pastis(tmp_path)
    with pytest.raises(
        ValueError, match=r"pastis_r.toml: expected a series for each of the 2 groups of channels, got S2; correct"
    ):
        read(with_options(PASTIS, series=("S2",)), tmp_path)
    save(tmp_path / "DATA_S2" / "S2_100.npy", numbered(11, 10, *SIZE))
    with pytest.raises(ValueError, match="S2_100.npy: expected the 12 dates that metadata.geojson lists, got 11; fetch both"):
        read("pastis_r", tmp_path)
    save(tmp_path / "DATA_S2" / "S2_100.npy", numbered(10, *SIZE))
    with pytest.raises(ValueError, match=r"S2_100.npy: expected an array of 4 axes, got \[10, 2, 3\]; is this"):
        read("pastis_r", tmp_path)
    (tmp_path / "DATA_S2" / "S2_100.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(ValueError, match="S2_100.npy: expected a whole NumPy array, and it cannot be read .*; fetch it again"):
        read("pastis_r", tmp_path)
    (tmp_path / "DATA_S2" / "S2_100.npy").unlink()
    with pytest.raises(FileNotFoundError, match="task pastis_r: expected a series of a patch at .*S2_100.npy, and nothing is"):
        read("pastis_r", tmp_path)
    (tmp_path / "ANNOTATIONS" / "TARGET_100.npy").unlink()
    with pytest.raises(FileNotFoundError, match="expected the labels of a patch at .*TARGET_100.npy"):
        read("pastis_r", tmp_path)
    held = json.loads((tmp_path / "metadata.geojson").read_text())
    held["features"] = held["features"][1:]
    held["features"][0]["properties"]["dates-S2"]["3"] = 20181399
    (tmp_path / "metadata.geojson").write_text(json.dumps(held))
    with pytest.raises(ValueError, match="metadata.geojson: expected days such as 20180924 or 2018-09-24, got 20181399"):
        read("pastis_r", tmp_path)
    del held["features"][0]["properties"]["dates-S2"]
    (tmp_path / "metadata.geojson").write_text(json.dumps(held))
    with pytest.raises(
        ValueError, match="expected dates-S2 of patch 200, and it has ID_PATCH, Fold, .*; is this PASTIS without"
    ):
        read("pastis_r", tmp_path)


def write_sudan(folder, rows=((7, 0), (12, 1), (345, 2)), dates=8, s1_bands=3, s2_bands=10, codes=None, size=SIZE):
    root = folder / "southsudan"
    for name in ("npy", "truth", "s1", "s2"):
        (root / name).mkdir(parents=True)
    (root / "list_eval_partition.csv").write_text("".join(["id,partition\n", *(f"{i},{part}\n" for i, part in rows)]))
    codes = np.array([[0, 1, 2], [3, 4, 9]]) if codes is None else codes
    for number, _ in rows:
        name = f"southsudan_{number:06d}"
        s2 = numbered(s2_bands, *SIZE, dates, dtype=np.uint16) + np.uint16(number)
        s1 = -numbered(s1_bands, *SIZE, dates + 1, dtype=np.float64)
        np.savez_compressed(root / "npy" / f"{name}.npz", s1=s1, s2=s2, planet=numbered(4, 5, 5, 2))
        np.savez_compressed(root / "truth" / f"{name}.npz", truth=np.broadcast_to(codes, size) if size != SIZE else codes)
        days = {"s2": [f"2017-{i + 2:02d}-11" for i in range(dates)], "s1": [f"2016-0{i + 1}-03" for i in range(dates + 1)]}
        for key, listed in days.items():
            (root / key / f"{key}_{name}.json").write_text(json.dumps({"dates": listed}))


def test_south_sudan_is_read_with_its_latest_dates(tmp_path):
    write_sudan(tmp_path)
    data = read(SUDAN.name, tmp_path)
    assert data.names == ("southsudan_000007", "southsudan_000012", "southsudan_000345")
    assert (data.split, data.block, data.scene) == (("train", "val", "test"), data.names, data.names)
    held = np.load(tmp_path / "southsudan" / "npy" / "southsudan_000012.npz")
    expected = [held["s2"][c, ..., t] for t in range(2, 8) for c in range(10)]
    expected += [held["s1"][c, ..., t] for t in range(3, 9) for c in range(2)]
    np.testing.assert_array_equal(data.images[1], np.stack([x.astype(np.float32) for x in expected], axis=-1))
    assert (data.images[1].dtype, data.images[1].shape, data.valid[1].all()) == (np.float32, (2, 3, 72), True)
    np.testing.assert_array_equal(data.labels, [[[-1, 0, 1], [2, 3, -1]]] * 3)
    np.testing.assert_array_equal(data.months, [[4, 5, 6, 7, 8, 9]] * 3)
    assert [c.name for c in data.channels[60:64]] == ["VV", "VH", "VV", "VH"]
    np.testing.assert_array_equal(data.channel_index(SUDAN.channels[1].sensor, 1), [62, 63])
    assert data.notes == ()
    assert read(SUDAN.name, tmp_path, ("val",)).names == ("southsudan_000012",)


def test_dates_in_another_order_are_put_in_order(tmp_path):
    write_sudan(tmp_path, rows=((7, 0),), dates=6)
    path = tmp_path / "southsudan" / "s2" / "s2_southsudan_000007.json"
    path.write_text(json.dumps({"dates": ["2017-12-01", *(f"2017-0{i}-01" for i in (5, 4, 3, 2, 1))]}))
    data = read(SUDAN.name, tmp_path)
    np.testing.assert_array_equal(data.months, [[1, 2, 3, 4, 5, 12]])
    held = np.load(tmp_path / "southsudan" / "npy" / "southsudan_000007.npz")["s2"]
    np.testing.assert_array_equal(data.images[0][..., 0], held[0, ..., 5])
    np.testing.assert_array_equal(data.images[0][..., 50], held[0, ..., 0])


def test_damaged_archives_are_left_out_with_a_note(tmp_path):
    write_sudan(tmp_path)
    path = tmp_path / "southsudan" / "npy" / "southsudan_000012.npz"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    data = read(SUDAN.name, tmp_path)
    assert data.names == ("southsudan_000007", "southsudan_000345")
    assert data.notes == ("Damaged archives were left out: southsudan_000012.",)
    # Damage in the data and not in the header of an array shows when it is read.
    np.savez(path.with_name("x.npz"), s1=numbered(2, 40, 40, 9), s2=numbered(10, 40, 40, 8, dtype=np.uint16))
    whole = bytearray(path.with_name("x.npz").read_bytes())
    whole[-100_000] ^= 1
    path.write_bytes(whole)
    np.savez(path.parent.parent / "truth" / path.name, truth=np.ones((40, 40)))
    data = read(SUDAN.name, tmp_path, ("val",))
    with pytest.raises(
        ValueError, match="southsudan_000012.npz: expected a whole archive, and 's2' is damaged .*; fetch it again"
    ):
        data.images[0]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (dict(dates=5), "southsudan_000007.npz: expected a series of at least 6 dates, got 5"),
        (dict(s2_bands=12), "southsudan_000007.npz: expected the 10 bands of sentinel2a_l2a that the task states, got 12"),
        (dict(s1_bands=1), "southsudan_000007.npz: expected the 2 bands of sentinel1.* that the task states, got 1"),
        (dict(size=(4, 3), codes=[1, 2, 3]), r"npy.southsudan_000007.npz and .*truth.* of one size, got 2 x 3 against 4 x 3"),
        (
            dict(codes=np.zeros(SIZE)),
            "expected labels of the 4 classes of crop_type_mapping_south_sudan, and every pixel of all 3",
        ),
        (
            dict(codes=np.full(SIZE, 1.5)),
            "truth.southsudan_000007.npz: expected class codes, which are whole numbers, and it ho",
        ),
        (dict(rows=((7, 3),)), "list_eval_partition.csv: expected the partitions 0, 1 and 2, and location 7 is in '3'"),
    ],
)
def test_south_sudan_that_does_not_fit_is_refused(tmp_path, change, sentence):
    write_sudan(tmp_path, **change)
    with pytest.raises(ValueError, match=sentence):
        read(SUDAN.name, tmp_path)


def test_south_sudan_with_missing_parts_is_refused(tmp_path):
    write_sudan(tmp_path, rows=((7, 0),))
    root = tmp_path / "southsudan"
    (root / "s2" / "s2_southsudan_000007.json").write_text(json.dumps({"dates": ["2017-01-01"] * 7}))
    with pytest.raises(
        ValueError, match=r"npz: expected 's2' of bands, rows, columns and the 7 dates of s2_.*json, got \[10, 2, 3, 8\]"
    ):
        read(SUDAN.name, tmp_path)
    (root / "s2" / "s2_southsudan_000007.json").unlink()
    with pytest.raises(FileNotFoundError, match="expected the dates of a location at .*s2_southsudan_000007.json"):
        read(SUDAN.name, tmp_path)
    np.savez(root / "npy" / "southsudan_000007.npz", s1=np.zeros(3))
    with pytest.raises(ValueError, match="southsudan_000007.npz: expected the array 's2', and the archive has s1; is this"):
        read(SUDAN.name, tmp_path)
    (root / "npy" / "southsudan_000007.npz").unlink()
    with pytest.raises(FileNotFoundError, match="expected the images of a location at .*npy.southsudan_000007.npz"):
        read(SUDAN.name, tmp_path)
    (root / "list_eval_partition.csv").write_text("id,split\n7,0\n")
    with pytest.raises(
        ValueError, match=r"partition.csv: expected the columns id, partition, and partition is missing \(it has id, sp"
    ):
        read(SUDAN.name, tmp_path)


CUBES = (("train", "1311_3077_13", "2018-01"), ("train", "1311_3077_13", "2018-02"), ("val", "1417_3281_13", "2019-12"))
DAYS = ("01", "05", "10", "15", "20", "25")


def marked(codes, bands=7):
    """A label raster of one band a class, 255 where it is."""
    return np.stack([np.where(np.asarray(codes) == band, 255, 0) for band in range(bands)]).astype(np.uint8)


def write_earth(folder, cubes=CUBES, unpacked="planet", codes=((0, 1, 2), (5, 6, 3)), bands=4, label_bands=7, **grid):
    (folder / "dynnet_training_splits").mkdir(parents=True, exist_ok=True)
    lines = {"train": "", "val": "", "test": ""}
    for split, cube, month in cubes:
        label = f"/labels/{cube}/{month}.tif"
        lines[split] += f"/reprocess-cropped/UTM-24000/{cube}/PF-SR {label} {month}\n"
        write_tif(folder / label[1:], marked(codes, label_bands), 3.0, **grid)
        for i, day in enumerate(DAYS):
            pixels = numbered(bands, *SIZE, dtype=np.uint16) + np.uint16(1000 * i + int(month[-2:]))
            write_tif(folder / unpacked / cube / "PF-SR" / f"{month}-{day}.tif", pixels, 3.0)
    for split, text in lines.items():
        (folder / "dynnet_training_splits" / f"{split}.txt").write_text(text)


@pytest.mark.parametrize("unpacked", ["planet", "reprocess-cropped/UTM-24000"])
def test_dynamic_earth_net_is_read(tmp_path, unpacked):
    write_earth(tmp_path, unpacked=unpacked)
    data = read("dynamic_earth_net", tmp_path)
    assert data.names == ("1311_3077_13 2018-01", "1311_3077_13 2018-02", "1417_3281_13 2019-12")
    assert data.block == data.scene == ("1311_3077_13", "1311_3077_13", "1417_3281_13")
    assert data.split == ("train", "train", "val")
    base = np.arange(24).reshape(4, 2, 3) + 1
    expected = np.concatenate([base + 1000 * i + 12 for i in range(6)]).transpose(1, 2, 0)
    np.testing.assert_array_equal(data.images[2], expected)
    assert (data.images[2].dtype, data.valid[2].all()) == (np.uint16, True)
    np.testing.assert_array_equal(data.labels[0], [[0, 1, 2], [5, -1, 3]])
    np.testing.assert_array_equal(data.months, [[1] * 6, [2] * 6, [12] * 6])
    assert [(c.name, c.date) for c in data.channels[3:6]] == [("NIR", 0), ("B", 1), ("G", 1)]
    assert (data.georeference[0].epsg, data.georeference[0].bounds) == (32633, (5e5, 5799994.0, 500009.0, 58e5))
    assert data.select([2]).labels[0].shape == SIZE
    assert data.stack([0, 2])[2].shape == (2, 2, 3)


def test_of_several_marks_the_last_counts_and_a_pixel_without_is_ignored(tmp_path):
    write_earth(tmp_path, cubes=CUBES[:1])
    raster = marked([[0, 1, 2], [5, 5, 5]])
    raster[:, 1, 0], raster[4, 0, 0], raster[6, 0, 2] = 0, 255, 255
    write_tif(tmp_path / "labels" / "1311_3077_13" / "2018-01.tif", raster, 3.0)
    np.testing.assert_array_equal(read("dynamic_earth_net", tmp_path).labels[0], [[4, 1, -1], [-1, 5, 5]])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (dict(bands=3), f"2018-01-01.tif: expected the 4 bands of {EARTH.channels[0].sensor} that the task states, got 3"),
        (
            dict(label_bands=6),
            r"2018-01.tif: expected a band for each of the 7 classes \(ignored ones too\), got 6; correct .clas",
        ),
        (
            dict(codes=[[1, 1]]),
            r"2018-01-01.tif and .*labels.*: expected an image and labels of one size, got 2 x 3 against 1 x 2",
        ),
        (dict(crs="EPSG:32634"), "2018-01-01.tif and .*2018-01.tif: expected one grid, and the coordinate systems differ"),
        (dict(left=500003.0), "expected one grid, and the bounds differ"),
        (dict(codes=np.full(SIZE, 6)), "expected labels of the 6 classes of dynamic_earth_net, and every pixel of all 3"),
    ],
)
def test_dynamic_earth_net_that_does_not_fit_is_refused(tmp_path, change, sentence):
    write_earth(tmp_path, **change)
    with pytest.raises(ValueError, match=sentence):
        read("dynamic_earth_net", tmp_path)


def test_dynamic_earth_net_with_missing_or_other_files_is_refused(tmp_path):
    write_earth(tmp_path)
    with pytest.raises(
        ValueError, match="dynamic_earth_net.toml: expected a day for each of the 6 dates, got 1; correct .layout"
    ):
        read(with_options(EARTH, days=(1,)), tmp_path)
    write_tif(tmp_path / "labels" / "1311_3077_13" / "2018-01.tif", marked([[0, 1, 2], [5, 6, 3]]) // 2, 3.0)
    with pytest.raises(
        ValueError, match="2018-01.tif: expected 255 where a class is and 0 elsewhere, and 6 pixels hold 127; is"
    ):
        read("dynamic_earth_net", tmp_path)
    (tmp_path / "planet" / "1311_3077_13" / "PF-SR" / "2018-01-15.tif").unlink()
    with pytest.raises(FileNotFoundError, match="expected an image of train.txt at .*planet.*2018-01-15.tif, and nothing is"):
        read("dynamic_earth_net", tmp_path)
    (tmp_path / "labels" / "1311_3077_13" / "2018-01.tif").unlink()
    with pytest.raises(FileNotFoundError, match="expected a label raster of train.txt at .*2018-01.tif"):
        read("dynamic_earth_net", tmp_path)
    lists = tmp_path / "dynnet_training_splits"
    (lists / "train.txt").write_text("/a /b\n")
    with pytest.raises(
        ValueError, match="train.txt: expected a folder, a label raster and a month such as 2018-01 in each line, got '/a"
    ):
        read("dynamic_earth_net", tmp_path)
    (lists / "val.txt").unlink()
    with pytest.raises(FileNotFoundError, match="expected the list of val months at .*val.txt"):
        read("dynamic_earth_net", tmp_path, ("val",))


CHIPS = (("train", "0003d2eb"), ("val", "aabbccdd"), ("test", "fe0849ef"))


def write_chip(folder, chip, side, months=range(12), s2_bands=11, target=None, size=SIZE):
    for month in months:
        s2 = numbered(s2_bands, *size, dtype=np.uint16) + np.uint16(1000 * month)
        s1 = -numbered(4, *size, dtype=np.float32) - 1000 * month
        s1[0, 0, 0] = -9999
        for name, pixels in (("S2", s2), ("S1", s1)):
            write_tif(folder / f"{side}_features" / f"{chip}_{name}_{month:02d}.tif", pixels, 1.0, crs=None)
    target = np.arange(6.0).reshape(1, *SIZE) * 10 if target is None else target
    write_tif(folder / f"{side}_agbm" / f"{chip}_agbm.tif", target.astype(np.float32), 1.0, crs=None)


def write_biomass(folder, lists=True, **more):
    for split, chip in CHIPS:
        write_chip(folder, chip, "test" if split == "test" else "train", **more)
        if lists:
            (folder / f"{split}_Data_list.csv").write_text(f"chip_id,filename\n{chip},x\n")


def test_biomassters_is_read_by_months(tmp_path):
    write_biomass(tmp_path)
    data = read("biomassters", tmp_path)
    assert (data.names, data.split) == (("0003d2eb", "aabbccdd", "fe0849ef"), ("train", "val", "test"))
    assert data.names == data.block == data.scene
    assert (data.images[1].shape, data.images[1].dtype, data.georeference) == ((2, 3, 180), np.float32, ())
    s2 = np.concatenate([np.arange(66).reshape(11, 2, 3) + 1 + 1000 * month for month in range(12)])
    s1 = np.concatenate([-np.arange(24.0).reshape(4, 2, 3) - 1 - 1000 * month for month in range(12)])
    s1[::4, 0, 0] = -9999
    np.testing.assert_array_equal(data.images[1], np.concatenate([s2, s1]).transpose(1, 2, 0).astype(np.float32))
    expected = np.ones((2, 3, 180), bool)
    expected[0, 0, 132::4] = False
    np.testing.assert_array_equal(data.valid[1], expected)
    np.testing.assert_array_equal(data.labels[1], (np.arange(6.0).reshape(2, 3, 1) * 10))
    assert data.labels[1].dtype == np.float32
    np.testing.assert_array_equal(data.months, [[9, 10, 11, 12, 1, 2, 3, 4, 5, 6, 7, 8]] * 3)
    assert [c.name for c in data.channels[9:12]] == ["B12", "CLP", "B02"]
    assert [c.name for c in data.channels[-4:]] == ["ASC_VV", "ASC_VH", "DSC_VV", "DSC_VH"]
    np.testing.assert_array_equal(data.channel_index(BIOMASS.channels[1].sensor, 11), [176, 177, 178, 179])
    assert np.isnan(data.wavelength_nm[10])
    assert data.notes == ()


def test_a_month_without_file_is_not_valid_and_a_target_may_be_missing(tmp_path):
    target = np.arange(6.0).reshape(1, *SIZE)
    target[0, 1, 1] = np.nan
    write_biomass(tmp_path, target=target)
    (tmp_path / "train_features" / "0003d2eb_S2_03.tif").unlink()
    data = read("biomassters", tmp_path, ("train",))
    lost = data.channel_index("sentinel2a_l2a", 3)
    assert not data.images[0][..., lost].any()
    assert not data.valid[0][..., lost].any()
    assert data.valid[0][..., data.channel_index("sentinel2a_l2a", 4)].all()
    np.testing.assert_array_equal(data.labels[0][..., 0], [[0, 1, 2], [3, np.nan, 5]])
    assert data.notes == ("1 of 24 monthly images have no file: they hold zeros and are not valid.",)


def test_without_lists_the_metadata_of_the_publishers_tells_train_from_test(tmp_path):
    write_biomass(tmp_path, lists=False)
    with pytest.raises(
        FileNotFoundError, match="expected train_Data_list.csv and its like, or the metadata of the publishers at"
    ):
        read("biomassters", tmp_path)
    rows = ["filename,chip_id,satellite,split", "a,fe0849ef,S2,test", "b,aabbccdd,S1,train", "c,aabbccdd,S2,train"]
    (tmp_path / "The_BioMassters_-_features_metadata.csv.csv").write_text("\n".join(rows) + "\n")
    data = read("biomassters", tmp_path)
    assert (data.names, data.split) == (("aabbccdd", "fe0849ef"), ("train", "test"))
    assert read("biomassters", tmp_path, ("train",)).names == ("aabbccdd",)
    with pytest.raises(ValueError, match="task biomassters: no sample of val in"):
        read("biomassters", tmp_path, ("val",))


def test_biomassters_that_does_not_fit_is_refused(tmp_path):
    with pytest.raises(ValueError, match="biomassters.toml: expected at most the 12 months of a year, got 13 dates"):
        read(dataclasses.replace(BIOMASS, dates=13), tmp_path)
    write_biomass(tmp_path, s2_bands=10)
    with pytest.raises(
        ValueError, match="0003d2eb_S2_00.tif: expected the 11 bands of sentinel2a_l2a that the task states, got 10"
    ):
        read("biomassters", tmp_path).images[0]
    write_biomass(tmp_path, size=(4, 4))
    with pytest.raises(
        ValueError, match=r"S2_00.tif and .*_agbm.tif: expected an image and labels of one size, got 4 x 4 against 2 x"
    ):
        read("biomassters", tmp_path).images[0]
    write_biomass(tmp_path, target=np.zeros((2, *SIZE)))
    with pytest.raises(
        ValueError, match="_agbm.tif: expected a band for each of the targets above-ground biomass, got 2; corr"
    ):
        read("biomassters", tmp_path)
    (tmp_path / "val_Data_list.csv").write_text("id\naabbccdd\n")
    with pytest.raises(ValueError, match="val_Data_list.csv: expected the columns chip_id, and chip_id is missing"):
        read("biomassters", tmp_path, ("val",))
    (tmp_path / "val_Data_list.csv").unlink()
    with pytest.raises(FileNotFoundError, match="expected the list of val chips at .*val_Data_list.csv"):
        read("biomassters", tmp_path, ("val",))
    (tmp_path / "test_agbm" / "fe0849ef_agbm.tif").unlink()
    with pytest.raises(FileNotFoundError, match="expected the target of a chip at .*test_agbm.fe0849ef_agbm.tif"):
        read("biomassters", tmp_path, ("test",))
    for month in range(12):
        (tmp_path / "test_features" / f"fe0849ef_S1_{month:02d}.tif").unlink()
    write_tif(tmp_path / "test_agbm" / "fe0849ef_agbm.tif", np.zeros((1, *SIZE), np.float32), 1.0, crs=None)
    with pytest.raises(
        FileNotFoundError, match="expected images such as fe0849ef_S1_00.tif in .*, and chip fe0849ef has none of S1"
    ):
        read("biomassters", tmp_path, ("test",))
