"""Embeddings of DataArrays: where their cells lie, block by block what they are at once, and bad coordinates refused."""

import numpy as np
import pytest
from made import tiny_run, tiny_scene

from spectral_jax.maps import arrays, bands, embedder
from spectral_jax.maps.bands import Known

xarray = pytest.importorskip("xarray", reason="needs the extra spectral-jax[xarray]")
NM = [500.0, 600.0, 700.0]
WKT = 'PROJCS["WGS 84 / UTM zone 33N",...]'


def data_array(rows=21, columns=35, **changes):
    rng = np.random.default_rng(0)
    pixels = rng.uniform(0.05, 0.5, (3, rows, columns)).astype(np.float32)
    pixels[:, 4:8, 6:10] = np.nan
    coordinates = {
        "wavelength": ("band", NM, {"units": "nm"}),
        "y": ("y", 5_800_000.0 - 10.0 * (np.arange(rows) + 0.5), {"units": "m"}),
        "x": ("x", 400_000.0 + 10.0 * (np.arange(columns) + 0.5), {"units": "m"}),
        "spatial_ref": ((), 0, {"crs_wkt": WKT, "GeoTransform": "400000.0 10.0 0.0 5800000.0 0.0 -10.0"}),
    }
    made = xarray.DataArray(pixels, dims=("band", "y", "x"), coords=coordinates | changes, name="lake")
    return made.drop_vars([name for name, value in changes.items() if value is None]) if changes else made


@pytest.fixture
def means(monkeypatch):
    """An encoder that gives cells of 2 x 2 pixels their mean spectrum."""
    params = {"encoder": {"w": np.zeros(1)}}
    cfg = tiny_run.config()

    def known(cfg, params, told, pixel_m, path):
        class Told(Known):
            spec = tiny_scene.SPEC

        return Told(cfg, params, "TINY")

    monkeypatch.setattr(bands, "of_wavelengths", known)
    monkeypatch.setattr(embedder, "of_level", lambda known, level: tiny_scene.embedder())
    return cfg, params


def test_cells_have_their_means_and_their_centres(means):
    scene = data_array()
    found = arrays.embed(scene, means)
    assert found.dims == ("y", "x", "embedding")
    cells = tiny_scene.cell_means(2)(
        np.pad(scene.values, ((0, 0), (0, 1), (0, 1)), constant_values=np.nan).transpose(1, 2, 0)[None]
    )
    np.testing.assert_allclose(found.values, cells[0], atol=1e-6)
    np.testing.assert_allclose(found.x.values[:2], [400_010.0, 400_030.0])
    np.testing.assert_allclose(found.y.values[:2], [5_799_990.0, 5_799_970.0])
    assert found.spatial_ref.attrs == {"crs_wkt": WKT, "GeoTransform": "400000.0 20.0 0.0 5800000.0 0.0 -20.0"}
    assert np.isnan(found.values[2:4, 3:5]).all()
    assert (found.attrs["level"], found.attrs["units"]) == ("means", "1")


def test_axes_in_another_order_are_the_same(means):
    scene = data_array()
    turned = arrays.embed(scene.transpose("y", "x", "band"), means)
    np.testing.assert_array_equal(turned.values, arrays.embed(scene, means).values)


@pytest.mark.parametrize("chunks", [{"y": 8, "x": 10}, {"y": 5, "x": 35, "band": 1}])
def test_dask_is_asked_block_by_block_and_says_the_same(means, chunks):
    pytest.importorskip("dask", reason="needs the extra spectral-jax[xarray]")
    scene = data_array()
    lazy = arrays.embed(scene.chunk(chunks), means)
    assert len(lazy.chunks[0]) > 1
    assert lazy.dtype == np.float32
    np.testing.assert_allclose(lazy.compute().values, arrays.embed(scene, means).values, atol=1e-6)


@pytest.mark.parametrize(
    ("scene", "sentence"),
    [
        (
            lambda: data_array().drop_vars("wavelength"),
            r"data_array lake: expected a coordinate 'wavelength' \(nm\) along its axis",
        ),
        (
            lambda: data_array(wavelength=("band", NM, {"units": "Hz"})),
            "has the units 'hz', which are no length; give it in nanom",
        ),
        (lambda: data_array(wavelength=("band", [60.0, 100.0, 120.0])), "without a unit: neither nanometres nor micrometres"),
        (lambda: data_array()[:, 0], "expected two axes of places and one of bands, got"),
        (lambda: data_array().drop_vars("x"), "expected a coordinate of metres along the axis 'x', and it has none"),
        (
            lambda: data_array(x=("x", np.linspace(11, 12, 35), {"units": "degrees_east"})),
            "the axis 'x' is in degrees; reproject",
        ),
        (lambda: data_array(spatial_ref=((), 0, {"crs_wkt": 'GEOGCS["WGS 84"]'})), "the axis 'y' is in degrees; reproject"),
        (lambda: data_array(x=("x", np.arange(35.0) ** 2)), "expected equal steps along the axis 'x', got 1 to 67"),
        (lambda: data_array(x=("x", np.arange(35.0))), "expected square pixels, got 10 x 1 m; resample it"),
    ],
)
def test_places_and_bands_that_are_not_told_are_refused(scene, sentence):
    with pytest.raises(ValueError, match=sentence):
        arrays.embed(scene(), (tiny_run.config(), {}))


def test_what_is_no_data_array_is_refused():
    with pytest.raises(TypeError, match=r"data_array: expected an xarray.DataArray, got a ndarray"):
        arrays.embed(np.zeros((3, 8, 8)))


def test_numbers_of_another_unit_are_refused(means):
    with pytest.raises(ValueError, match="data_array lake: expected surface reflectance, and .* convert the numbers"):
        arrays.embed(data_array() * 1e4, means)
    scene = data_array()
    scene.attrs["units"] = "K"
    with pytest.raises(ValueError, match="data_array lake"):
        arrays.embed(scene, means)


def test_a_scene_smaller_than_a_patch_is_refused(means):
    with pytest.raises(
        ValueError, match="data_array lake: expected at least 8 x 8 pixels, one patch of the encoder, got 7 x 30"
    ):
        arrays.embed(data_array(7, 30), means)


def test_bands_that_the_encoder_does_not_know_are_refused():
    with pytest.raises(
        ValueError, match=r"expected the bands of a sensor of this encoder, HSI \(6 bands from 450 to 700 nm, 30 m\)"
    ):
        arrays.embed(data_array(), (tiny_run.config(), {}))
