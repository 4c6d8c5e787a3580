"""Sets of tiles and patches, each written in its published layout and read back, and what does not fit together."""

import dataclasses
import json
import warnings

import numpy as np
import pytest
from made.tiny_geotiffs import rasterio, write_tif
from made.tiny_tasks import SPEC, with_options, write_pair

from spectral_jax.adapt.parts.source import source_of
from spectral_jax.sensors import SensorSpec
from spectral_jax.tasks.read import read
from spectral_jax.tasks.spec import TaskSpec

PARTS = ("train", "val", "test")


def write_png(path, pixels):
    """An 8-bit PNG with pixels [C H W]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = pixels.shape
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(path, "w", driver="PNG", count=count, height=height, width=width, dtype="uint8") as file:
            file.write(pixels.astype(np.uint8))


def write_disaster(folder, name, seed=0, damage=None):
    """Both images of one place and the mask after the event; returns the images [6 H W] and the mask [H W]."""
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 3, 4))
    mask = np.arange(12).reshape(3, 4) % 5 if damage is None else damage
    write_png(folder / "images" / f"{name}_pre_disaster.png", pixels[:3])
    write_png(folder / "images" / f"{name}_post_disaster.png", pixels[3:])
    write_png(folder / "masks" / f"{name}_post_disaster.png", mask[None])
    return pixels, mask


def write_xview2(folder):
    """Two events of ten places in each of the learning folders, a third one to test."""
    out = {}
    for i, (part, event) in enumerate((p, e) for p in ("train", "tier3") for e in ("palu-tsunami", "joplin-tornado")):
        for number in range(10):
            name = f"{event}_{10 * i + number:08d}"
            out[name] = write_disaster(folder / part, name, seed=10 * i + number)
    out["guatemala-volcano_00000001"] = write_disaster(folder / "test", "guatemala-volcano_00000001", seed=99)
    return out


@pytest.mark.slow
def test_xview2_has_the_image_before_and_the_one_after(tmp_path):
    written = write_xview2(tmp_path)
    data = read("xview2", tmp_path)
    assert [data.split.count(part) for part in PARTS] == [36, 4, 1]
    for name, image, label in zip(data.names, data.images, data.labels, strict=True):
        np.testing.assert_array_equal(image, written[name][0].transpose(1, 2, 0))
        np.testing.assert_array_equal(label, written[name][1])
    assert data.images[0].dtype == np.uint8
    assert [(c.name, c.date, c.sensor) for c in data.channels] == [
        (name, date, "maxar_rgb") for date in (0, 1) for name in "RGB"
    ]
    np.testing.assert_array_equal(data.channel_index(date=1), [3, 4, 5])
    assert (data.names[-1], data.scene[-1]) == ("guatemala-volcano_00000001", "guatemala-volcano")
    held = [scene for scene, part in zip(data.scene, data.split, strict=True) if part == "val"]
    assert sorted(held) == ["joplin-tornado"] * 2 + ["palu-tsunami"] * 2
    assert (data.task, data.georeference) == (TaskSpec.load("xview2"), ())


@pytest.mark.slow
def test_xview2_validates_on_the_published_tenth(tmp_path):
    written = write_xview2(tmp_path)
    from sklearn.model_selection import train_test_split

    # Sorted within a folder; the folder train comes first.
    order = [sorted(name for name in written if (tmp_path / p / "images" / f"{name}_pre_disaster.png").exists())
             for p in ("train", "tier3")]  # fmt: skip
    order = order[0] + order[1]
    events = [name.split("_")[0] for name in order]
    expected = train_test_split(np.arange(40), test_size=0.1, random_state=23, stratify=events)[1]
    assert set(read("xview2", tmp_path, ("val",)).names) == {order[i] for i in expected}
    assert read("xview2", tmp_path, ("test",)).names == ("guatemala-volcano_00000001",)


@pytest.mark.slow
def test_xview2_that_lacks_or_mixes_something_is_refused(tmp_path):
    write_xview2(tmp_path)
    here, name = tmp_path / "test", "guatemala-volcano_00000001"
    write_png(here / "masks" / f"{name}_post_disaster.png", np.full((1, 3, 4), 7))
    with pytest.raises(ValueError, match=r"post_disaster.png: expected the classes 0, 1, 2, 3, 4, and 12 labels hold 7"):
        read("xview2", tmp_path, ("test",))
    write_png(here / "masks" / f"{name}_post_disaster.png", np.zeros((1, 4, 4)))
    with pytest.raises(ValueError, match="expected one grid, and the sizes in pixels differ: 3 x 4 against 4 x 4"):
        read("xview2", tmp_path, ("test",))
    write_disaster(here, name)
    write_png(here / "images" / f"{name}_post_disaster.png", np.zeros((2, 3, 4)))
    with pytest.raises(ValueError, match="post_disaster.png: expected the 3 bands of maxar_rgb that the task states, got 1"):
        read("xview2", tmp_path, ("test",))
    (here / "masks" / f"{name}_post_disaster.png").unlink()
    with pytest.raises(
        FileNotFoundError,
        match="expected the damage mask of an image at .*masks.*; labels are published as polygons: draw them",
    ):
        read("xview2", tmp_path, ("test",))
    (here / "images" / f"{name}_post_disaster.png").unlink()
    with pytest.raises(FileNotFoundError, match="expected the image after the event at .*_post_disaster.png"):
        read("xview2", tmp_path, ("test",))
    (here / "images" / f"{name}_pre_disaster.png").unlink()
    with pytest.raises(
        FileNotFoundError, match="expected images that end in _pre_disaster.png in test of .*, and there is none"
    ):
        read("xview2", tmp_path, ("test",))


def test_xview2_of_too_few_places_has_no_published_split(tmp_path):
    for event in ("palu-tsunami", "joplin-tornado"):
        write_disaster(tmp_path / "train", f"{event}_00000001")
    (tmp_path / "tier3" / "images").mkdir(parents=True)
    with pytest.raises(ValueError, match="to take a tenth of each event, got 2 of 2 events .*; fetch the whole set"):
        read("xview2", tmp_path, ("train",))


AREA = "L15-0331E-1257N_1327_3160_13"
OTHER = "L15-0387E-1276N_1549_3087_13"
# Web Mercator, as Planet's mosaics.
GRID = dict(crs="EPSG:3857", left=1000.0, top=9000.0)


def write_mosaic(folder, area, year, month, size=8, seed=0, grid=GRID, **change):
    """Colours and alpha of one month and its buildings; returns the pixels [4 H W] and the labels [H W]."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(1, 256, (4, size, size)).astype(np.uint8)
    pixels[3] = 255
    pixels[3, 0, 1] = 0
    labels = rng.integers(0, 2, (size, size)).astype(np.uint8) * 255
    pixels, labels = change.get("pixels", pixels), change.get("labels", labels)
    stem = f"global_monthly_{year}_{month:02d}_mosaic_{area}"
    write_tif(folder / "train" / area / "images_masked" / f"{stem}.tif", pixels, 5.0, **grid)
    write_tif(folder / "train" / area / "labels_raster" / f"{stem}_Buildings.tif", labels[None], 5.0, **grid)
    return pixels, labels


def write_months(folder, **areas):
    rows = {
        area: [dict(aoi_id=area, year=y, month=m, mask=masked, label=there) for y, m, masked, there in months]
        for area, months in areas.items()
    }
    (folder / "metadata_train.json").write_text(json.dumps(rows))


def spacenet_task(**options):
    """Scenes of 8 pixels in tiles of 4; one area to learn from, one to test."""
    task = dataclasses.replace(TaskSpec.load("spacenet7"), image_px=4)
    return with_options(task, **({"scene_px": 8, "train": (AREA,), "val": (), "test": (OTHER,)} | options))


def test_spacenet7_is_cut_into_tiles_of_the_usable_months(tmp_path):
    first = write_mosaic(tmp_path, AREA, 2018, 3)
    second = write_mosaic(tmp_path, OTHER, 2019, 12, seed=1)
    months = [(2018, 3, False, True), (2018, 4, True, True), (2018, 5, False, False)]
    write_months(tmp_path, **{AREA: months, OTHER: [(2019, 12, False, True)]})
    data = read(spacenet_task(), tmp_path)
    assert data.split == ("train",) * 4 + ("test",) * 4
    assert data.names[:4] == tuple(f"{AREA}_2018_03_r{row}_c{column}" for row in (0, 4) for column in (0, 4))
    assert (data.scene, data.block) == ((AREA,) * 4 + (OTHER,) * 4,) * 2
    for at, (pixels, labels) in ((0, first), (4, second)):
        for i, (row, column) in enumerate(((0, 0), (0, 4), (4, 0), (4, 4))):
            cut = np.s_[row : row + 4, column : column + 4]
            np.testing.assert_array_equal(data.images[at + i], pixels[:3][(slice(None), *cut)].transpose(1, 2, 0))
            np.testing.assert_array_equal(data.labels[at + i], labels[cut] == 255)
    assert np.argwhere(~data.valid[0]).tolist() == [[0, 1, 0], [0, 1, 1], [0, 1, 2]]
    assert data.valid[1].all()
    assert [c.name for c in data.channels] == ["R", "G", "B"]
    np.testing.assert_array_equal(data.wavelength_nm, [630.0, 545.0, 485.0])
    assert data.months.tolist() == [[3]] * 4 + [[12]] * 4
    assert (data.georeference[3].epsg, data.georeference[3].bounds) == (3857, (1020.0, 8960.0, 1040.0, 8980.0))
    only = data.select([5])
    np.testing.assert_array_equal(only.images[0], data.images[5])
    np.testing.assert_array_equal(only.labels[0], data.labels[5])
    images, valid, labels = data.stack([0, 7])
    assert (images.shape, valid.shape, labels.shape) == ((2, 4, 4, 3), (2, 4, 4, 3), (2, 4, 4))


def test_spacenet7_scenes_of_another_size_are_brought_to_the_scene(tmp_path):
    pixels, labels = write_mosaic(tmp_path, AREA, 2018, 3, size=4)
    write_months(tmp_path, **{AREA: [(2018, 3, False, True)]})
    data = read(spacenet_task(), tmp_path, ("train",))
    np.testing.assert_array_equal(data.images[0], np.kron(pixels[:3, :2, :2], np.ones((1, 2, 2))).transpose(1, 2, 0))
    np.testing.assert_array_equal(data.labels[3], np.kron(labels[2:, 2:] // 255, np.ones((2, 2))))
    assert data.georeference[3].bounds == (1010.0, 8980.0, 1020.0, 8990.0)


def test_spacenet7_labels_need_no_coordinate_system(tmp_path):
    _, labels = write_mosaic(tmp_path, AREA, 2018, 3)
    stem = f"global_monthly_2018_03_mosaic_{AREA}_Buildings.tif"
    plain = dict(crs=None, transform=rasterio.Affine(1, 0, 0, 0, 1, 0))
    write_tif(tmp_path / "train" / AREA / "labels_raster" / stem, labels[None], 5.0, **plain)
    write_months(tmp_path, **{AREA: [(2018, 3, False, True)]})
    np.testing.assert_array_equal(read(spacenet_task(), tmp_path, ("train",)).labels[0], labels[:4, :4] == 255)
    write_tif(tmp_path / "train" / AREA / "labels_raster" / stem, labels[None, :6], 5.0, **plain)
    with pytest.raises(ValueError, match="expected one grid, and the sizes in pixels differ: 8 x 8 against 6 x 8; draw the"):
        read(spacenet_task(), tmp_path, ("train",))


def test_spacenet7_that_lacks_or_mixes_something_is_refused(tmp_path):
    write_mosaic(tmp_path, AREA, 2018, 3)
    with pytest.raises(FileNotFoundError, match="expected the list of the months of each area at .*metadata_train.json"):
        read(spacenet_task(), tmp_path)
    write_months(tmp_path, **{AREA: [(2018, 3, False, True)]})
    with pytest.raises(ValueError, match=f"expected the months of area {OTHER} of the split test, and the 1 listed areas are"):
        read(spacenet_task(), tmp_path)
    with pytest.raises(ValueError, match="task spacenet7: no sample of val in"):
        read(spacenet_task(), tmp_path, ("val",))
    labels = tmp_path / "train" / AREA / "labels_raster" / f"global_monthly_2018_03_mosaic_{AREA}_Buildings.tif"
    write_tif(labels, np.zeros((1, 8, 8), np.uint8), 5.0, **(GRID | dict(left=2000.0)))
    with pytest.raises(ValueError, match=r"expected one grid, and the bounds differ: \(1000.0, .* against \(2000.0"):
        read(spacenet_task(), tmp_path, ("train",))
    write_mosaic(tmp_path, AREA, 2018, 3, pixels=np.zeros((3, 8, 8), np.uint8))
    with pytest.raises(ValueError, match="expected the 3 bands of planetscope_visual and an alpha band, got 3 bands; is this"):
        read(spacenet_task(), tmp_path, ("train",))
    labels.unlink()
    with pytest.raises(FileNotFoundError, match="expected the buildings of a mosaic at .*_Buildings.tif"):
        read(spacenet_task(), tmp_path, ("train",))


def test_spacenet7_areas_stand_in_one_split_each():
    task = TaskSpec.load("spacenet7")
    areas = [task.option(part) for part in PARTS]
    assert [len(one) for one in areas] == [30, 15, 14]
    assert len({area for one in areas for area in one}) == 59


FBP = np.array([[0, 1, 24], [3, 3, 12]], np.uint8)
FBP_INDEX = np.array([[-1, 0, 23], [2, 2, 11]])


def write_crop(folder, part, image, label=None, seed=0, codes=FBP, bands=4):
    here = folder / part
    return write_pair(here / "imgs" / image, here / "labels" / (label or image), codes, seed, bands, np.uint8)


def test_five_billion_pixels_pairs_crops_by_order(tmp_path):
    written = []
    for i, part in enumerate(PARTS):
        product = f"GF2_PMS1__L1A000106445{i}-MSS1"
        written.append(write_crop(tmp_path, part, f"{product}_0_520.tif", f"{product}_24label_0_520.tif", seed=i))
    data = read("five_billion_pixels", tmp_path)
    assert data.split == PARTS
    for image, pixels in zip(data.images, written, strict=True):
        np.testing.assert_array_equal(image, pixels.transpose(1, 2, 0))
    np.testing.assert_array_equal(np.stack(list(data.labels)), np.stack([FBP_INDEX] * 3))
    assert data.scene == data.block == ("L1A0001064450", "L1A0001064451", "L1A0001064452")
    assert [(c.name, c.centre_nm) for c in data.channels] == [("NIR", 830.0), ("R", 660.0), ("G", 555.0), ("B", 485.0)]
    assert data.notes == ("Images and labels have different names and were paired by their order.",)


def test_five_billion_pixels_that_does_not_fit_is_refused(tmp_path):
    write_crop(tmp_path, "train", "a.tif")
    assert read("five_billion_pixels", tmp_path, ("train",)).notes == ()
    write_crop(tmp_path, "train", "b.tif", codes=FBP + 1)
    data = read("five_billion_pixels", tmp_path, ("train",))
    with pytest.raises(ValueError, match=r"b.tif: expected the classes 1, .*, 24 \(ignored: 0\), and 1 labels hold 25"):
        data.select([1]).labels[0]
    (tmp_path / "train" / "labels" / "b.tif").unlink()
    with pytest.raises(ValueError, match="expected a label raster for each of the 2 images of .*imgs, got 1; fetch or cut"):
        read("five_billion_pixels", tmp_path, ("train",))
    write_crop(tmp_path, "val", "a.tif", bands=3)
    with pytest.raises(ValueError, match="a.tif: expected the 4 bands of gaofen2_pms that the task states, got 3"):
        read("five_billion_pixels", tmp_path, ("val",))
    write_crop(tmp_path, "test", "a.tif", codes=np.zeros((2, 3), np.uint8))
    with pytest.raises(ValueError, match="every pixel of all 1 label rasters is ignored"):
        read("five_billion_pixels", tmp_path, ("test",))
    write_tif(tmp_path / "test" / "labels" / "a.tif", np.ones((1, 4, 4), np.uint8), 10.0)
    with pytest.raises(ValueError, match="expected one grid, and the sizes in pixels differ: 2 x 3 against 4 x 4"):
        read("five_billion_pixels", tmp_path, ("test",))
    for path in (tmp_path / "test" / "imgs").iterdir():
        path.unlink()
    with pytest.raises(FileNotFoundError, match="expected files that end in .tif in .*imgs, and there is none"):
        read("five_billion_pixels", tmp_path, ("test",))


def write_lists(folder, **names):
    folder.mkdir(parents=True, exist_ok=True)
    for part, listed in names.items():
        (folder / f"{part}.txt").write_text("".join(f"{name}\n" for name in listed))


def test_gaofen5_over_wuhan_is_one_scene(tmp_path):
    codes = np.array([[0, 5, 41], [11, 33, 6]], np.uint8)
    names = [f"wuhan_pr000_pc00{i}.tif" for i in range(3)]
    written = [
        write_pair(tmp_path / "images" / name, tmp_path / "labels" / name, codes, i, 116, np.float32)
        for i, name in enumerate(names)
    ]
    write_lists(tmp_path / "splits" / "gaofen5_wuhan", train=names[:1], val=names[1:2], test=names[2:])
    data = read("gaofen5_wuhan", tmp_path)
    assert data.split == PARTS
    assert data.names == ("wuhan_pr000_pc000", "wuhan_pr000_pc001", "wuhan_pr000_pc002")
    assert (data.scene, data.block) == (("wuhan",) * 3, data.names)
    for image, pixels in zip(data.images, written, strict=True):
        np.testing.assert_array_equal(image, pixels.transpose(1, 2, 0))
    np.testing.assert_array_equal(data.labels[0], [[-1, 0, 12], [2, 11, 1]])
    np.testing.assert_allclose(data.wavelength_nm[[0, 79, 80, 95, 96, 115]], [420, 1200, 1500, 1740, 1970, 2350])
    assert data.task.class_names[12] == "Inland wetlands"


def test_patch_lists_that_do_not_fit_are_refused(tmp_path):
    lists, codes = tmp_path / "splits" / "gaofen5_wuhan", np.full((2, 3), 21, np.uint8)
    write_pair(tmp_path / "images" / "a.tif", tmp_path / "labels" / "a.tif", codes, bands=116)
    write_lists(lists, train=["a.tif"], val=["a.tif"], test=["b.tif"])
    with pytest.raises(ValueError, match="val.txt: patch a.tif is listed in train already; a patch stands in one split, once"):
        read("gaofen5_wuhan", tmp_path, ("train", "val"))
    with pytest.raises(FileNotFoundError, match="expected a patch of test.txt at .*images.b.tif"):
        read("gaofen5_wuhan", tmp_path, ("test",))
    write_pair(tmp_path / "images" / "b.tif", tmp_path / "labels" / "b.tif", codes + 3, bands=116)
    with pytest.raises(ValueError, match=r"b.tif: expected the classes 5, 6, .* \(ignored: 0\), and 6 labels hold 24"):
        read("gaofen5_wuhan", tmp_path, ("test",))
    write_pair(tmp_path / "images" / "b.tif", tmp_path / "labels" / "b.tif", codes, bands=330)
    with pytest.raises(ValueError, match="b.tif: expected the 116 bands of gaofen5_wuhan that the task states, got 330"):
        read("gaofen5_wuhan", tmp_path, ("test",))
    (tmp_path / "labels" / "b.tif").unlink()
    with pytest.raises(FileNotFoundError, match="expected the labels of a patch of test.txt at .*labels.b.tif"):
        read("gaofen5_wuhan", tmp_path, ("test",))


MINERALS = "random_patch_f0p1_minerals3ghk_seed42"


def write_minerals(folder, name, presence, seed=0, bands=244):
    """A patch of reflectances with one missing number, and the presence of each mineral [K H W]; returns the pixels [C H W]."""
    pixels = np.random.default_rng(seed).integers(1, 9000, (bands, *presence.shape[1:])).astype(np.float32)
    pixels[7, 0, 1] = -9999
    write_tif(folder / "images" / name, pixels, 60.0)
    write_tif(folder / "labels" / "minerals3ghk" / name, presence.astype(np.uint8), 60.0)
    return pixels


def test_minerals_are_present_absent_or_without_label(tmp_path):
    presence = np.array([[[1, 0], [255, 0]], [[1, 1], [255, 0]], [[0, 1], [255, 0]]])
    names = ["2300801x009_2302003x009_00_r0_c384_w64_h64.tif", "2300801x009_2302003x009_03_r64_c0_w64_h64.tif",
             "2305103x010_2305502x002_02_r0_c0_w64_h64.tif"]  # fmt: skip
    written = [write_minerals(tmp_path, name, presence, i) for i, name in enumerate(names)]
    write_lists(tmp_path / "splits" / "oxhyperminerals_emit_l2a" / MINERALS, train=names[:2], val=names[2:], test=[])
    data = read("oxhyperminerals_emit", tmp_path)
    assert data.split == ("train", "train", "val")
    assert data.scene == ("2300801x009_2302003x009",) * 2 + ("2305103x010_2305502x002",)
    assert data.block == ("2300801x009_2302003x009_00", "2300801x009_2302003x009_03", "2305103x010_2305502x002_02")
    for image, valid, pixels in zip(data.images, data.valid, written, strict=True):
        np.testing.assert_array_equal(image, pixels.transpose(1, 2, 0))
        assert np.argwhere(~valid).tolist() == [[0, 1, 7]]
    expected = [[[1, 1, 0], [0, 1, 1]], [[np.nan] * 3, [0, 0, 0]]]
    np.testing.assert_array_equal(data.labels, np.array([expected] * 3, np.float32))
    assert data.labels.dtype == np.float32
    assert data.wavelength_nm[[0, -1]] == pytest.approx([381.0, 2492.9])
    assert len(data.channels) == 244
    assert not ((data.wavelength_nm > 1325) & (data.wavelength_nm < 1435)).any()
    with pytest.raises(ValueError, match="task oxhyperminerals_emit: no sample of test in"):
        read("oxhyperminerals_emit", tmp_path, ("test",))


def test_minerals_that_do_not_fit_are_refused(tmp_path):
    one = np.ones((3, 2, 2), int)
    lists = tmp_path / "splits" / "oxhyperminerals_emit_l2a" / MINERALS
    write_lists(lists, train=["a.tif"], val=["b.tif"], test=["c.tif"])
    write_minerals(tmp_path, "a.tif", 2 * one)
    with pytest.raises(ValueError, match=r"a.tif: expected 0 or 1 for each mineral \(255: no label\), and 12 labels hold 2"):
        read("oxhyperminerals_emit", tmp_path, ("train",))
    write_minerals(tmp_path, "a.tif", 255 * one)
    with pytest.raises(ValueError, match="expected labels of Goethite, Hematite, Kaolinite, and every pixel of all 1 label"):
        read("oxhyperminerals_emit", tmp_path, ("train",))
    write_minerals(tmp_path, "b.tif", np.ones((10, 2, 2), int))
    with pytest.raises(
        ValueError, match="b.tif: expected a band for each of the targets Goethite, Hematite, Kaolinite, got 10"
    ):
        read("oxhyperminerals_emit", tmp_path, ("val",))
    write_minerals(tmp_path, "c.tif", one, bands=285)
    with pytest.raises(ValueError, match="c.tif: expected the 244 bands of emit_l2a that the task states, got 285"):
        read("oxhyperminerals_emit", tmp_path, ("test",))


def test_the_sensors_of_the_sets_have_files_and_physical_values(tmp_path):
    for name in ("xview2", "five_billion_pixels", "spacenet7", "dynamic_earth_net", "gaofen5_wuhan", "oxhyperminerals_emit"):
        for group in TaskSpec.load(name).channels:
            spec = SensorSpec.load(group.sensor)
            assert set(group.bands) <= {band.name for band in spec.bands}
            assert group.bands or group.count == len(spec.used)
    write_crop(tmp_path, "train", "a.tif")
    source = source_of(read("five_billion_pixels", tmp_path, ("train",)))
    # Blue, green, red, near infrared: by wavelength, though the files have the near infrared first.
    assert source.index == ((3, 2, 1, 0),)
    assert source.scale == pytest.approx(1 / 255)


def test_a_task_without_a_known_layout_says_what_to_do(tmp_path):
    with pytest.raises(
        ValueError,
        match=r"task tiny: the layout of the published files is not known here; put pairs of GeoTIFFs, HDF5 files or Zarr "
        r"groups in .* and complete \[layout\] of tiny.toml \(geotiff_pairs, split_lists, hdf5 or zarr\)",
    ):
        read(dataclasses.replace(SPEC, layout="unknown"), tmp_path)
