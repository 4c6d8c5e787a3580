"""Whatever a labelled file looks like: a sample holds the reflectance that NumPy computes, or a sentence says why not."""

import json

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import assume, given
from made.tiny_geotiffs import rasterio, write_tif

from spectral_jax.adapt.parts.part import Part
from spectral_jax.adapt.parts.source import source_of
from spectral_jax.sensors import SensorSpec
from spectral_jax.tasks.read import read
from spectral_jax.tasks.spec import ChannelGroup, TaskSpec

h5py = pytest.importorskip("h5py", reason="needs the extra spectral-jax[pace]")
SENSOR = SensorSpec.load("planetscope_sr")
SIDE, FILES = 8, 2
# What stands in a file for 1, and what reflectance stands for 0.
PACKINGS = {"plain": (1.0, 0.0), "product": (1e4, 0.0), "own": (2e4, 0.1)}
UNITS = {"1": 1.0, "reflectance * 1e4": 1e4}
RASTERS, ARRAYS = ("geotiff", "cog"), ("hdf5", "zarr")


@st.composite
def cases(draw):
    return {
        "container": draw(st.sampled_from(RASTERS + ARRAYS)),
        "dtype": draw(st.sampled_from(["u1", "i2", "u2", "i4", "f4", "f8"])),
        "packing": draw(st.sampled_from(list(PACKINGS))),
        "stated": draw(st.booleans()),
        "fill": draw(st.sampled_from(["declared", "nan", "mask", "none"])),
        "unit": draw(st.sampled_from(list(UNITS))),
        "orders": [draw(st.permutations(range(4))) for _ in range(FILES)],
        "seed": draw(st.integers(0, 99)),
    }


def numbers(case):
    """Stored numbers [N 4 H W] in the sensor's order, the reflectance that they stand for, and where they are data."""
    per_one, zero = PACKINGS[case["packing"]]
    kind = np.dtype(case["dtype"])
    exact = (np.random.default_rng(case["seed"]).uniform(0.12, 0.5, (FILES, 4, SIDE, SIDE)) - zero) * per_one
    stored = exact.astype(kind) if kind.kind == "f" else np.clip(np.rint(exact), 0, np.iinfo(kind).max).astype(kind)
    reflectance = stored.astype(np.float64) / per_one + zero
    there = np.ones((FILES, SIDE, SIDE), bool)
    there[:, :2] = case["fill"] == "none"
    fill = {"nan": np.nan}.get(case["fill"], 1 if kind.kind in "iu" else -9999.0)
    if case["fill"] in ("declared", "nan"):
        stored = np.where(there[:, None], stored, np.array(fill if kind.kind == "f" or fill == fill else 1, kind))
    return stored, reflectance, there, fill


def write(folder, case):
    from rasterio.shutil import copy

    stored, reflectance, there, fill = numbers(case)
    per_one, zero = PACKINGS[case["packing"]]
    codes = np.random.default_rng(1).integers(1, 3, (FILES, SIDE, SIDE)).astype(np.uint8)
    centres = [band.centre_nm for band in SENSOR.bands]
    if case["container"] in RASTERS:
        for i, order in enumerate(case["orders"]):
            tags = [{"wavelength": f"{centres[k]}", "wavelength_units": "nm"} for k in order]
            more = {"scales": (1 / per_one,) * 4, "offsets": (zero,) * 4} if case["stated"] else {}
            more |= {"nodata": fill} if case["fill"] == "declared" else {}
            more["photometric"] = "minisblack"
            path = write_tif(folder / "images" / f"{i}.tif", stored[i][list(order)], 3.0, band_tags=tags, **more)
            if case["fill"] == "mask":
                with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as file:
                    file.write_mask(there[i])
            if case["container"] == "cog":
                copy(path, folder / "cog.tif", driver="COG")
                (folder / "cog.tif").replace(path)
            write_tif(folder / "labels" / f"{i}.tif", codes[i][None], 3.0)
        options = {"images": "images", "labels": "labels"}
        return task("geotiff_pairs", case, options), reflectance, there
    said = {"scale_factor": 1 / per_one, "add_offset": zero} if case["stated"] else {}
    said |= {"_FillValue": fill} if case["fill"] == "declared" else {}
    for i, part in enumerate(("train", "test")):
        order = list(case["orders"][i])
        arrays = {
            "images": (stored[i][order].transpose(1, 2, 0)[None], said), "labels": (codes[i][None].astype(np.int16), {}),
            "nm": (np.array(centres)[order], {"units": "nm"}),
        }  # fmt: skip
        if case["container"] == "hdf5":
            with h5py.File(folder / f"{part}.h5", "w") as file:
                for name, (values, attributes) in arrays.items():
                    file[name] = values
                    file[name].attrs.update(attributes)
        else:
            for name, (values, attributes) in arrays.items():
                write_zarr(folder / f"{part}.zarr" / name, values, attributes)
    return task(case["container"], case, {"images": "images", "labels": "labels", "wavelength": "nm"}), reflectance, there


def write_zarr(path, values, attributes):
    path.mkdir(parents=True)
    shape = list(values.shape)
    about = {
        "zarr_format": 2, "shape": shape, "chunks": shape, "dtype": values.dtype.str, "compressor": None, "order": "C",
        "fill_value": None, "filters": None,
    }  # fmt: skip
    (path / ".zarray").write_text(json.dumps(about))
    (path / ".zattrs").write_text(json.dumps(attributes))
    (path / ".".join("0" * values.ndim)).write_bytes(np.ascontiguousarray(values).tobytes())


def task(layout, case, options):
    group = ChannelGroup("planetscope_sr", count=4, unit=case["unit"])
    return TaskSpec(
        "mine", "two classes", "segmentation", (group,), codes=((1,), (2,)), layout=layout, options=tuple(options.items()),
        path="mine.toml",
    )  # fmt: skip


@pytest.mark.slow
@given(cases())
def test_the_right_reflectance_or_a_sentence(tmp_path_factory, case):
    per_one, zero = PACKINGS[case["packing"]]
    # A file that says nothing is in the unit of the task; another packing that nobody tells may be that of other ground.
    assume(case["stated"] or case["packing"] != "own")
    assume(case["fill"] != "mask" or case["container"] in RASTERS)
    assume(case["fill"] != "nan" or np.dtype(case["dtype"]).kind == "f")
    assume(case["stated"] or case["dtype"] != "u1")
    folder = tmp_path_factory.mktemp("task")
    spec, reflectance, there = write(folder, case)
    try:
        data = read(spec, folder)
        part = Part(data, source_of(data), range(FILES))
        samples = [part.sample(i) for i in range(FILES)]
    except ValueError as error:
        told = str(error)
        # A scale of 1 is what GDAL says where nobody stated one.
        right = (case["stated"] and case["packing"] != "plain") or UNITS[case["unit"]] == per_one
        whole = np.dtype(case["dtype"]).kind in "iu"
        # Whole numbers do not hold fractions, and 8 bits no ten-thousandths.
        holds = not (whole and case["packing"] == "plain") and case["dtype"] != "u1"
        if right and holds:
            raise
        assert len(told) > 60
        return
    for (image, valid, _), truth, present in zip(samples, reflectance, there, strict=True):
        np.testing.assert_array_equal(valid[0], present)
        np.testing.assert_allclose(image[0][present], truth.transpose(1, 2, 0)[present], atol=2e-6)
