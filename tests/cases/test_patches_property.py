"""Whatever a GeoTIFF of Sentinel-2 looks like: a store holds the reflectance that NumPy computes, or a sentence says why."""

import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import assume, given
from made.tiny_geotiffs import rasterio, write_tif

from spectral_jax.ingest.patches.products import product, table
from spectral_jax.sensors import SensorSpec

S2 = SensorSpec.load("sentinel2a_l2a")
NAMES = [band.name for band in S2.bands]
SOURCE = table.ProductFolder("sentinel2", "chips")
SIDE = 8
# How the reflectance of a file is written: what stands in the file for 1, and what for 0.
PACKINGS = {
    "product": (1e4, 0.0),
    "tenth": (1e3, 0.0),
    "shifted": (1e4, -0.1),
    "fractions": (1.0, 0.0),
    "percent": (100.0, 0.0),
}
STATED = ("gdal", "cf", "both", "nobody")
FILLS = ("zero", "own", "nodata", "cf", "mask", "alpha", "nan", "none")
DTYPES = ("uint8", "int16", "uint16", "int32", "float32", "float64")


@st.composite
def files(draw):
    return {
        "dtype": draw(st.sampled_from(DTYPES)),
        "packing": draw(st.sampled_from(list(PACKINGS))),
        "stated": draw(st.sampled_from(STATED)),
        "fill": draw(st.sampled_from(FILLS)),
        "order": draw(st.permutations(range(12))),
        "named": draw(st.booleans()),
        "unit": draw(st.sampled_from(["", "1", "reflectance", "reflectance * 10000", "%", "mW/m2"])),
        "layout": draw(st.sampled_from([{}, {"tiled": True, "blockxsize": 16, "blockysize": 16}, {"interleave": "pixel"}])),
        "seed": draw(st.integers(0, 99)),
    }


def write(path, case):
    """Writes the file; gives the reflectance in its numbers [12 H W] in the spec's order, and where it is data."""
    rng = np.random.default_rng(case["seed"])
    truth = rng.uniform(0.03, 0.24, (12, SIDE, SIDE))
    per_one, zero_at = PACKINGS[case["packing"]]
    exact = (truth - zero_at) * per_one
    kind = np.dtype(case["dtype"])
    stored = exact.astype(kind) if kind.kind == "f" else np.clip(np.rint(exact), 0, np.iinfo(kind).max).astype(kind)
    there = np.ones((SIDE, SIDE), bool)
    there[:3, :3] = case["fill"] == "none"
    fill = {"zero": 0, "own": -32768, "nan": math.nan}.get(case["fill"], 1 if kind.kind in "iu" else -9999)
    if not there.all() and case["fill"] not in ("mask", "alpha"):
        if kind.kind in "iu" and not (not math.isnan(fill) and np.iinfo(kind).min <= fill <= np.iinfo(kind).max):
            fill = 0
        stored[:, ~there] = fill
    scale = {"scales": (1 / per_one,) * 12, "offsets": (zero_at,) * 12} if case["stated"] in ("gdal", "both") else {}
    tags = {"scale_factor": repr(1 / per_one), "add_offset": repr(zero_at)} if case["stated"] in ("cf", "both") else {}
    tags |= {"_FillValue": str(fill)} if case["fill"] == "cf" else {}
    order, more = list(case["order"]) if case["named"] else list(range(12)), dict(case["layout"])
    more |= {"nodata": fill} if case["fill"] == "nodata" else {}
    out, names = stored[order], [NAMES[i] for i in order]
    if case["fill"] == "alpha":
        top = np.iinfo(kind).max if kind.kind in "iu" else 255
        out = np.concatenate([out, np.where(there, top, 0).astype(kind)[None]])
    units = (case["unit"],) * len(out)
    more |= {"descriptions": [*names, None][: len(out)]} if case["named"] else {}
    write_tif(path, out, 10.0, band_tags=[tags] * 12, units=units, **scale_of(scale, len(out)), **more)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as file:
        if case["fill"] == "mask":
            file.write_mask(there)
        if case["fill"] == "alpha":
            file.colorinterp = [rasterio.enums.ColorInterp.undefined] * 12 + [rasterio.enums.ColorInterp.alpha]
    return stored.astype(np.float64) / per_one + zero_at, there


def scale_of(scale, count):
    return {name: values + values[:1] * (count - 12) for name, values in scale.items()}


def must_pass(case):
    """Whether the file is one of those whose meaning nothing leaves open, which may not be refused."""
    whole = np.dtype(case["dtype"]).kind in "iu"
    signed = case["dtype"] in ("int16", "int32")
    return (
        case["unit"] in ("", "1", "reflectance", "reflectance * 10000")
        and (case["dtype"] != "uint8" or case["packing"] == "percent")
        and (
            case["packing"] in ("product", "percent", "tenth") and (case["stated"] != "nobody" or case["packing"] == "product")
        )
        and (case["fill"] not in ("own", "nan") or not whole or signed)
    )


@pytest.mark.slow
@given(files())
def test_the_right_numbers_or_a_sentence(tmp_path_factory, case):
    # A tenth of the reflectance that nothing tells is the reflectance of darker ground, and so are numbers cut off at 255.
    assume(case["stated"] != "nobody" or (case["packing"] != "tenth" and case["dtype"] != "uint8"))
    path = tmp_path_factory.mktemp("s2") / "x.tif"
    reflectance, there = write(path, case)
    refused = ""
    try:
        chip = product.look(SOURCE.read(), path)
        pixels = product.stored(chip, (0, 0, SIDE)).pixels
    except ValueError as error:
        refused = str(error)
    if refused:
        assert not must_pass(case), refused
        assert "x.tif" in refused
        return
    assert case["unit"] not in ("%", "mW/m2")
    values = np.where(pixels == -32768, np.nan, pixels * 1e-4)
    # 0 is the product's own "no data": it is missing in whatever form a file has it.
    zero = PACKINGS[case["packing"]][1]
    np.testing.assert_allclose(values, np.where(there & (reflectance != zero), reflectance, np.nan), atol=0.5001e-4)


def test_the_numbers_of_a_known_file_are_as_written_by_hand(tmp_path):
    """The writer above is itself checked on one case."""
    case = {
        "dtype": "uint16", "packing": "shifted", "stated": "gdal", "fill": "nodata", "order": list(range(12)), "named": True,
        "unit": "", "layout": {}, "seed": 0,
    }  # fmt: skip
    reflectance, there = write(tmp_path / "x.tif", case)
    with rasterio.open(tmp_path / "x.tif") as file:
        raw = file.read()
        assert (file.scales[0], file.offsets[0], file.nodata) == (1e-4, -0.1, 1.0)
    assert raw[0, 5, 5] * 1e-4 - 0.1 == pytest.approx(reflectance[0, 5, 5])
    assert (raw[:, :3, :3] == 1).all()
    assert there.sum() == SIDE * SIDE - 9
