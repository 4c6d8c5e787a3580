"""Scenes with gaps: what is missing in the scene is missing in the prediction, and nothing else is; georeferencing stays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral_jax.ingest.raster import scene, tiled

rasterio = pytest.importorskip("rasterio", reason="needs the extra spectral-jax[geo]")
SIDE = 96
GAP = (slice(40, 45), slice(20, 24))


def pixels(seed=0):
    return np.random.default_rng(seed).uniform(0.05, 0.4, (SIDE, SIDE, 3)).astype(np.float32)


def whole_tile(tiles):
    """Looks at its whole tile, as a transformer does: one NaN is NaN everywhere."""
    return np.broadcast_to(tiles.mean(axis=(1, 2, 3), keepdims=True, dtype=np.float64), (*tiles.shape[:3], 1))


def own_pixel(tiles):
    return tiles.astype(np.float32).sum(axis=-1, keepdims=True)


def predicted(read, shape, function, tile=32, overlap=16, **more):
    bands = []
    tiled.predict_scene(read, shape, function, tile, overlap, lambda rows, columns, values: bands.append(values), **more)
    return np.concatenate(bands)


def write(path, values, mask=None, tags=None, **profile):
    profile = dict(crs="EPSG:32633", transform=rasterio.Affine(10, 0, 5e5, 0, -10, 58e5)) | profile
    after = {name: profile.pop(name) for name in ("scales", "offsets", "rpcs", "colorinterp") if name in profile}
    height, width, count = values.shape
    with rasterio.open(
        path, "w", driver="GTiff", count=count, height=height, width=width, dtype=values.dtype, **profile
    ) as file:
        file.write(values.transpose(2, 0, 1))
        file.update_tags(**(tags or {}))
        for name, value in after.items():
            setattr(file, name, value)
        if mask is not None:
            file.write_mask(mask)
    return path


def through_files(source, made, function, names=("p",), **more):
    with scene.open_scene(source) as opened, scene.create_prediction(made, opened, names, **more) as file:
        tiled.predict_scene(opened.read, opened.shape, function, 32, 16, file.write, batch=4)
    with rasterio.open(made) as file:
        return file.read(1), file.nodata


def test_a_tile_without_weight_and_a_tile_of_nan_beside_others_take_nothing_away():
    values = pixels()
    values[GAP] = np.nan
    found = predicted(lambda r, c: values[r, c], (SIDE, SIDE), whole_tile)[..., 0]
    axis = tiled.plan(SIDE, 32, 16)
    good = np.zeros((SIDE, SIDE))
    for top, down in zip(axis.starts, axis.weights, strict=True):
        for left, across in zip(axis.starts, axis.weights, strict=True):
            window = slice(top, top + 32), slice(left, left + 32)
            if np.isfinite(values[window]).all():
                good[window] += down[:, None] * across
    assert np.array_equal(np.isfinite(found), good > 0)
    assert 0 < np.isnan(found).sum() < 0.2 * found.size
    assert abs(np.nanmean(found) - np.nanmean(values)) < 0.01  # renormalised: no half weights


def test_a_number_in_place_of_a_gap_keeps_it_where_it_is():
    values = pixels()
    values[GAP] = np.nan
    valid = lambda r, c: np.isfinite(values[r, c]).all(axis=-1)  # noqa: E731
    found = predicted(lambda r, c: values[r, c], (SIDE, SIDE), whole_tile, valid=valid, fill=0.2)[..., 0]
    assert np.array_equal(np.isnan(found), ~np.isfinite(values).all(axis=-1))


def test_masked_arrays_and_empty_tiles():
    values = np.ma.array((pixels() * 1e4).astype(np.int16), mask=np.zeros((SIDE, SIDE, 3), bool))
    values.mask[:50, :, 1] = True
    calls = []

    def function(tiles):
        calls.append(len(tiles))
        return own_pixel(tiles)

    found = predicted(lambda r, c: values[r, c], (SIDE, SIDE), function)[..., 0]
    assert np.isnan(found[:50]).all()
    np.testing.assert_array_equal(found[50:], values.data[50:].sum(axis=-1))
    assert sum(calls) == 3 * 5  # tiles from rows 0 and 16 are never shown to the model
    values.mask[:] = True
    with pytest.raises(ValueError, match="expected a scene of 96 x 96 px with at least one valid pixel, and all are missing"):
        predicted(lambda r, c: values[r, c], (SIDE, SIDE), function)


@pytest.mark.parametrize("carrier", ["nodata", "tag", "mask", "alpha", "nan"])
@pytest.mark.parametrize(("dtype", "nodata"), [("float32", float("nan")), ("float32", -9999.0), ("int16", -1), ("uint8", 255)])
def test_missing_in_missing_out(tmp_path, carrier, dtype, nodata):
    values, missing = (pixels() * 100).astype(np.int16), np.zeros((SIDE, SIDE), bool)
    missing[GAP] = True
    more = {}
    if carrier in ("nodata", "tag"):
        values[GAP] = -7
        more = {"nodata": -7} if carrier == "nodata" else {"tags": {"_FillValue": "-7"}}
    elif carrier == "nan":
        values = np.where(missing[..., None], np.float32(np.nan), values)
    elif carrier == "mask":
        more = {"mask": ~missing}
    else:
        values = np.concatenate([values, np.where(missing, 0, 255)[..., None]], axis=-1).astype(np.int16)
        more = {"photometric": "RGB", "alpha": "YES"}
    source = write(tmp_path / "in.tif", values, **more)
    found, said = through_files(
        source, tmp_path / "out.tif", lambda x: np.full((*x.shape[:3], 1), x.shape[-1]), dtype=dtype, nodata=nodata
    )
    assert said == nodata or np.isnan(nodata)
    assert np.array_equal(np.isnan(found) if np.isnan(nodata) else found == nodata, missing)
    assert (found[~missing] == 3).all()  # the alpha band is no channel


def test_classes_of_missing_pixels_are_nodata():
    values = np.array([[[0.1, 0.9], [np.nan, np.nan]]], np.float32)
    assert tiled.classes(values, 255)[..., 0].tolist() == [[1, 255]]
    with pytest.raises(ValueError, match="nodata: expected a number of uint8 beside the classes 0 to 1, got 1"):
        tiled.classes(values, 1)


def test_scale_and_offset_are_applied_by_physical_only(tmp_path):
    stored = (pixels() * 1e4 + 1000).astype(np.uint16)
    stored[GAP] = 0
    source = write(tmp_path / "in.tif", stored, nodata=0, scales=[1e-4] * 3, offsets=[-0.1] * 3)
    window = slice(0, SIDE), slice(0, SIDE)
    with scene.open_scene(source) as opened:
        np.testing.assert_array_equal(opened.read(*window), stored)
        found = opened.physical(*window)
    missing = (stored == 0).any(axis=-1)
    assert np.isnan(found[missing]).all()
    np.testing.assert_allclose(found[~missing], stored[~missing] * 1e-4 - 0.1, atol=1e-6)


def _points():
    return [
        rasterio.control.GroundControlPoint(row=r, col=c, x=14 + c * 1e-4, y=52 - r * 1e-4) for r in (0, 95) for c in (0, 95)
    ]


def _rpcs():
    ones = [1.0] + [0.0] * 19
    return rasterio.rpc.RPC(100.0, 50.0, 52.0, 0.1, ones, ones, 48.0, 48.0, 14.0, 0.1, ones, ones, 48.0, 48.0)


@pytest.mark.parametrize(
    "kind", ["control points", "rotated", "south up", "nothing", "degrees", "point", "rational polynomials"]
)
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_every_form_of_georeferencing_is_kept(tmp_path, kind):
    from rasterio import Affine

    profile, tags = {
        "control points": (dict(gcps=_points(), crs="EPSG:4326", transform=None), {}),
        "rotated": (dict(transform=Affine(9.9, 1, 5e5, 1, -9.9, 58e5)), {}),
        "south up": (dict(transform=Affine(10, 0, 5e5, 0, 10, 57e5)), {}),
        "nothing": (dict(crs=None, transform=None), {}),
        "degrees": (dict(crs="EPSG:4326", transform=Affine(1e-4, 0, 14, 0, -1e-4, 52)), {}),
        "point": ({}, {"AREA_OR_POINT": "Point"}),
        "rational polynomials": (dict(crs=None, transform=None, rpcs=_rpcs()), {}),
    }[kind]
    source, made = write(tmp_path / "in.tif", pixels(), tags=tags, **profile), tmp_path / "out.tif"
    through_files(source, made, own_pixel)
    with rasterio.open(source) as before, rasterio.open(made) as after:
        assert (after.crs, after.transform, after.gcps[1]) == (before.crs, before.transform, before.gcps[1])
        assert [p.asdict() | {"id": ""} for p in after.gcps[0]] == [p.asdict() | {"id": ""} for p in before.gcps[0]]
        assert after.tags()["AREA_OR_POINT"] == before.tags()["AREA_OR_POINT"] if tags else True
        assert (after.rpcs is None) == (before.rpcs is None) == (kind != "rational polynomials")
        assert after.rpcs is None or after.rpcs.to_dict() == before.rpcs.to_dict()
        assert len(before.gcps[0]) == (4 if kind == "control points" else 0)


def test_a_prediction_that_cannot_be_written_is_refused_at_once(tmp_path):
    source = write(tmp_path / "in.tif", pixels())
    with (
        scene.open_scene(source) as opened,
        pytest.raises(ValueError, match="cannot be written .* name a file in a folder that exists"),
        scene.create_prediction(tmp_path / "no" / "p.tif", opened, ("p",)),
    ):
        pass


@pytest.mark.slow
@given(st.data())
def test_a_pixelwise_prediction_is_the_function_where_there_is_data_and_nan_elsewhere(data):
    tile = data.draw(st.integers(1, 12))
    overlap = data.draw(st.integers(0, tile // 2))
    margin = data.draw(st.none() | st.integers(0, overlap // 2))
    height, width = data.draw(st.tuples(st.integers(1, 30), st.integers(1, 30)))
    kind = data.draw(st.sampled_from(["uint8", "int16", "uint16", "float32"]))
    rng = np.random.default_rng(data.draw(st.integers(0, 1 << 30)))
    good = rng.random((height, width)) >= data.draw(st.sampled_from([0.0, 0.02, 0.3, 0.95]))
    good[rng.integers(height), rng.integers(width)] = True
    values = rng.integers(0, 200, (height, width, 2)).astype(kind)
    seen = values.copy()
    seen[~good] = np.nan if kind == "float32" else 255
    found = predicted(
        lambda r, c: seen[r, c], (height, width), own_pixel, tile, overlap, batch=data.draw(st.integers(1, 4)), margin=margin,
        valid=lambda r, c: good[r, c], fill=data.draw(st.sampled_from([None, 0.0, 7.0])),
    )[..., 0]  # fmt: skip
    np.testing.assert_array_equal(np.isnan(found), ~good)
    np.testing.assert_array_equal(found[good], values.astype(np.float32).sum(axis=-1)[good])
