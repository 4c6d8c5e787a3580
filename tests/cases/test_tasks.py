"""What people's labelled files do to a task: the right numbers, or a sentence."""

import json

import numpy as np
import pytest
from made.tiny_geotiffs import rasterio, write_tif

from spectral_jax.adapt.parts.part import Part
from spectral_jax.adapt.parts.source import source_of
from spectral_jax.sensors import SensorSpec
from spectral_jax.tasks.read import read
from spectral_jax.tasks.spec import ChannelGroup, TaskSpec

h5py = pytest.importorskip("h5py", reason="needs the extra spectral-jax[pace]")
ENMAP, S2 = SensorSpec.load("enmap_l2a"), SensorSpec.load("sentinel2a_l2a")
SIDE, BANDS = 8, 224
TRUTH = np.round(np.random.default_rng(0).uniform(0.03, 0.45, (4, BANDS, SIDE, SIDE)), 4)
STORED = np.rint(TRUTH * 1e4).astype(np.int16)
CODES = np.random.default_rng(1).integers(1, 3, (4, SIDE, SIDE)).astype(np.uint8)


def spec(layout="geotiff_pairs", unit="reflectance * 1e4", sensor="enmap_l2a", count=BANDS, **options):
    options = {"images": "images", "labels": "labels"} | options
    channels = (ChannelGroup(sensor, count=count, unit=unit),)
    return TaskSpec(
        "mine", "two classes", "segmentation", channels, codes=((1,), (2,)), ignored=(0,), layout=layout,
        options=tuple(options.items()), path="mine.toml",
    )  # fmt: skip


def tags(order=range(BANDS)):
    return [{"wavelength": f"{ENMAP.bands[i].centre_nm:.3f}", "fwhm": f"{ENMAP.bands[i].fwhm_nm:.3f}"} for i in order]


def write(folder, number, pixels=None, order=range(BANDS), **more):
    """Tile `number`, its bands in an order, with its labels."""
    pixels = STORED[number] if pixels is None else pixels
    write_tif(folder / "images" / f"{number}.tif", pixels[list(order)], 30.0, **({"band_tags": tags(order)} | more))
    write_tif(folder / "labels" / f"{number}.tif", CODES[number][None], 30.0)


def samples(data):
    """Reflectance [N H W C] of the used bands in the order of wavelength, and where it is valid."""
    source = source_of(data)
    part = Part(data, source, range(len(data)))
    read_ = [part.sample(i) for i in range(len(data))]
    return np.stack([image[0] for image, _, _ in read_]), np.stack([valid[0] for _, valid, _ in read_])


def expected(used=ENMAP.used_index):
    return TRUTH[:, list(used)].transpose(0, 2, 3, 1).astype(np.float32)


def test_every_files_bands_are_brought_into_one_order(tmp_path):
    for number in range(4):
        write(tmp_path, number, order=np.random.default_rng(number).permutation(BANDS))
    image, valid = samples(read(spec(), tmp_path))
    np.testing.assert_allclose(image, expected(), rtol=1e-6)
    assert valid.all()


def test_files_of_other_bands_are_refused_with_both_named(tmp_path):
    write(tmp_path, 0)
    moved = [t | {"wavelength": f"{float(t['wavelength']) + 3:.3f}"} for t in tags()]
    write(tmp_path, 1, band_tags=moved)
    with pytest.raises(ValueError, match=r"1.tif and .*0.tif: expected the same bands in both, .* match within 2 nm"):
        read(spec(), tmp_path)


@pytest.mark.parametrize("where", ["all", "the last"])
def test_a_tile_in_another_unit_is_named(tmp_path, where):
    for number in range(4):
        other = where == "all" or number == 3
        write(tmp_path, number, TRUTH[number].astype(np.float32) if other else None)
    name = "0" if where == "all" else "3"
    sentence = rf"task mine: sample {name} \(.*{name}.tif\): expected surface reflectance, and they are at most .* of mine.toml"
    with pytest.raises(ValueError, match=sentence):
        source_of(read(spec(), tmp_path))


@pytest.mark.parametrize("carrier", ["gdal", "cf"])
def test_a_packed_file_beside_a_plain_one_gives_the_same_numbers(tmp_path, carrier):
    packed = np.rint((TRUTH - 0.5) / 2e-5).clip(-32767, 32767).astype(np.int16)
    truth = np.where(np.abs((TRUTH - 0.5) / 2e-5) < 32767, TRUTH, np.nan)
    more = {"scales": (2e-5,) * BANDS, "offsets": (0.5,) * BANDS} if carrier == "gdal" else {}
    marks = {"scale_factor": "2e-05", "add_offset": "0.5"} if carrier == "cf" else {}
    for number in range(4):
        if number % 2:
            write(tmp_path, number, packed[number], band_tags=[t | marks for t in tags()], **more)
        else:
            write(tmp_path, number)
    image, _ = samples(read(spec(), tmp_path))
    right = expected()
    there = np.isfinite(truth[:, list(ENMAP.used_index)].transpose(0, 2, 3, 1))
    np.testing.assert_allclose(image[there], right[there], atol=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize("carrier", ["nothing", "mask", "alpha", "nodata"])
def test_missing_pixels_are_missing_however_a_file_marks_them(tmp_path, carrier):
    there = np.ones((SIDE, SIDE), bool)
    there[:, :2] = False
    for number in range(4):
        pixels = STORED[number].copy()
        more = {}
        if carrier in ("nothing", "nodata"):
            pixels[:, ~there] = -32768 if carrier == "nothing" else -9999
            more = {"nodata": -9999} if carrier == "nodata" else {}
        write(tmp_path, number, pixels, **more)
        if carrier == "mask":
            with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(tmp_path / "images" / f"{number}.tif", "r+") as file:
                file.write_mask(there)
        if carrier == "alpha":
            alpha = np.where(there, 255, 0).astype(np.int16)[None]
            path = tmp_path / "images" / f"{number}.tif"
            write_tif(path, np.concatenate([pixels, alpha]), 30.0, band_tags=tags())
            with rasterio.open(path, "r+") as file:
                file.colorinterp = [rasterio.enums.ColorInterp.undefined] * BANDS + [rasterio.enums.ColorInterp.alpha]
    image, valid = samples(read(spec(), tmp_path))
    np.testing.assert_array_equal(valid, np.broadcast_to(there, valid.shape))
    np.testing.assert_allclose(image[valid], expected()[valid], rtol=1e-6)


def test_an_undeclared_fill_value_is_refused_with_the_file(tmp_path):
    for number in range(4):
        pixels = STORED[number].copy()
        pixels[:, :, :2] = -9999 if number == 2 else pixels[:, :, :2]
        write(tmp_path, number, pixels)
    with pytest.raises(ValueError, match=r"sample 2 \(.*2.tif\): .*exactly -0.9999.* a fill value that the file"):
        source_of(read(spec(), tmp_path))


def test_a_band_that_is_empty_everywhere_is_left_out_and_one_that_is_empty_in_the_first_tile_stays(tmp_path):
    for number in range(4):
        pixels = STORED[number].copy()
        pixels[5] = -32768
        pixels[9] = -32768 if number == 0 else pixels[9]
        write(tmp_path, number, pixels)
    image, valid = samples(read(spec(), tmp_path))
    assert image.shape[-1] == len(ENMAP.used_index) - 1
    assert valid.any(axis=(1, 2)).tolist() == [False, True, True, True]


def test_unsigned_numbers_below_an_offset_do_not_wrap_around(tmp_path):
    names = [band.name for band in S2.bands]
    radar = np.random.default_rng(2).normal(-12, 3, (2, SIDE, SIDE)).astype(np.float32)
    pixels = np.random.default_rng(0).integers(1010, 3000, (12, SIDE, SIDE)).astype(np.uint16)
    pixels[:, 2, 3] = 940
    for kind, values, descriptions in (
        ("S2L2A", pixels, names),
        ("S1RTC", radar, None),
        ("LULC", np.full((1, SIDE, SIDE), 4, np.uint8), None),
    ):
        more = {} if descriptions is None else {"descriptions": descriptions}
        write_tif(tmp_path / kind / "a.tif", values, 10.0, **more)
    data = read("terramesh_lulc", tmp_path)
    image, _, _ = Part(data, source_of(data, "sentinel2a_l2a"), [0]).sample(0)
    np.testing.assert_allclose(image[0, 2, 3], np.full(12, -0.006), rtol=1e-6)
    np.testing.assert_allclose(image[0], ((pixels.astype(float) - 1000) * 1e-4).transpose(1, 2, 0), rtol=1e-4, atol=1e-7)


def zarr_array(path, values, attributes, chosen_fill=None):
    """An array of Zarr version 2 as other programs write it, uncompressed, in one chunk."""
    path.mkdir(parents=True)
    shape = list(values.shape)
    metadata = {
        "zarr_format": 2, "shape": shape, "chunks": shape, "dtype": values.dtype.str, "compressor": None, "order": "C",
        "fill_value": chosen_fill, "filters": None,
    }  # fmt: skip
    (path / ".zarray").write_text(json.dumps(metadata))
    (path / ".zattrs").write_text(json.dumps(attributes))
    (path / ".".join("0" * values.ndim)).write_bytes(np.ascontiguousarray(values).tobytes())


PACKED = {"scale_factor": 2e-5, "add_offset": 0.5, "units": "1"}


def write_arrays(folder, container, images, attributes, order=range(BANDS), part="train", nm=None, **wavelength):
    images = images[..., list(order)]
    nm = np.array([ENMAP.bands[i].centre_nm for i in order]) if nm is None else nm
    arrays = {"images": (images, attributes), "labels": (CODES.astype(np.int16), {}), "wavelength": (nm, wavelength)}
    if container == "hdf5":
        with h5py.File(folder / f"{part}.h5", "w") as file:
            for name, (values, said) in arrays.items():
                file[name] = values
                file[name].attrs.update(said)
    else:
        for name, (values, said) in arrays.items():
            zarr_array(folder / f"{part}.zarr" / name, values, said)
    return spec(container, "1", wavelength="wavelength")


@pytest.mark.parametrize("container", ["hdf5", "zarr"])
def test_arrays_packed_by_xarray_are_unpacked_and_their_fill_is_missing(tmp_path, container):
    truth = TRUTH.transpose(0, 2, 3, 1).copy()
    truth[truth < 0.5 - 32767 * 2e-5] = 0.2
    packed = np.rint((truth - 0.5) / 2e-5).astype(np.int16)
    packed[:, :, :2] = -32768
    fill = -32768 if container == "zarr" else np.int16(-32768)
    image, valid = samples(read(write_arrays(tmp_path, container, packed, PACKED | {"_FillValue": fill}), tmp_path))
    right = truth[..., list(ENMAP.used_index)]
    assert valid.mean() == 0.75
    np.testing.assert_allclose(image[valid], right[valid], atol=1.1e-5)


@pytest.mark.parametrize("container", ["hdf5", "zarr"])
def test_parts_of_another_order_and_lengths_in_micrometres_are_brought_together(tmp_path, container):
    images = TRUTH.transpose(0, 2, 3, 1).astype(np.float32)
    task = write_arrays(tmp_path, container, images, {})
    write_arrays(
        tmp_path, container, images, {}, range(BANDS - 1, -1, -1), "test",
        nm=np.array([b.centre_nm for b in ENMAP.bands[::-1]]) / 1000, units="micrometers",
    )  # fmt: skip
    image, _ = samples(read(task, tmp_path))
    np.testing.assert_allclose(image, np.concatenate([expected(), expected()]), rtol=1e-6)


@pytest.mark.parametrize(
    ("attributes", "sentence"),
    [
        ({"units": "W m-2 sr-1 um-1"}, "'images': the unit 'W m-2 sr-1 um-1' is not known here"),
        ({"scale_factor": "small"}, "'images': attribute scale_factor: expected a number, got 'small'"),
        ({"scale_factor": 0.0}, "'images': expected a scale_factor above or below 0, got 0"),
    ],
)
def test_attributes_that_are_not_understood_are_refused(tmp_path, attributes, sentence):
    task = write_arrays(tmp_path, "hdf5", TRUTH.transpose(0, 2, 3, 1).astype(np.float32), attributes)
    with pytest.raises(ValueError, match=sentence):
        source_of(read(task, tmp_path))


@pytest.mark.parametrize(("factor", "looks"), [(1e4, "packed integers"), (100.0, "percent"), (1e-4, "they are at most")])
def test_arrays_in_another_unit_than_the_task_states_are_refused(tmp_path, factor, looks):
    task = write_arrays(tmp_path, "hdf5", (TRUTH * factor).transpose(0, 2, 3, 1).astype(np.float32), {})
    with pytest.raises(ValueError, match=rf"sample train_00000 \(.*train.h5\): expected surface reflectance, and .*{looks}"):
        source_of(read(task, tmp_path))
