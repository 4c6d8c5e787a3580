"""Galileo's and Presto's records: what they are made of, what they refuse, and maps of what they see."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made import tiny_adapt
from made.oracle_file import TOLERANCE, difference
from made.published_state import random_state

from spectral_jax import interop
from spectral_jax.adapt.encoders import table
from spectral_jax.adapt.encoders.encoder import Bands, Pixels, Size
from spectral_jax.adapt.fit import line, prepared
from spectral_jax.adapt.parts.part import Part
from spectral_jax.adapt.parts.source import source_of
from spectral_jax.interop import models
from spectral_jax.interop.weights_file import Weights
from spectral_jax.model.published.galileo.channels import NORMALISATION
from spectral_jax.sensors import SensorSpec

pytestmark = pytest.mark.slow

S2, S1, ENMAP = (SensorSpec.load(name) for name in ("sentinel2a_l2a", "sentinel1_grd", "enmap_l2a"))
ALL = tuple(range(12))
SIZE = Size(width=32, depth=2, heads=2, patch=2, px=8)


@pytest.fixture(params=["galileo", "presto"])
def encoder(request):
    return table.ENCODERS[request.param]


@pytest.fixture
def folder(encoder, tmp_path):
    """Converted random weights of a small size."""
    converter = models.CONVERTERS[encoder.name]
    cfg = dataclasses.replace(encoder.fresh(SIZE, Bands(S2, S2, ())), bands=converter.MODELS[encoder.name].config.bands)
    state = random_state(converter, converter.MODELS[encoder.name].init, cfg, ("steps", "months"))
    interop.save(tmp_path, *models.read(encoder.name, Weights("a.pt", state), heads=2))
    return str(tmp_path)


def maps(encoder, config, params, values, spec):
    pixels = Pixels(jnp.asarray(values, jnp.float32), jnp.ones(values.shape[:3], bool), spec.centre_nm)
    run = jax.jit(lambda p, x: encoder.features(p, pixels._replace(values=x), config, encoder.taps(config)))
    return run(params, pixels.values)


def test_a_fresh_one_has_maps_at_each_quarter_of_its_depth(encoder, rng):
    config = encoder.fresh(SIZE, Bands(ENMAP, S2, ALL))
    assert config.bands == tuple(band.name for band in S2.used)
    assert encoder.taps(config) == (0, 1)
    assert encoder.side(config) is None
    found, pooled = maps(encoder, config, encoder.init(jax.random.key(0), config), rng.normal(size=(2, 8, 8, 12)), S2)
    side = 4 if encoder.name == "galileo" else 8
    assert [m.shape for m in found] == [(2, side, side, 32)] * 2
    assert pooled.shape == (2, 32)


def test_radar_goes_in_as_it_is(encoder, rng):
    config = encoder.fresh(SIZE, Bands(S1, S2, ()))
    assert config.groups == ("S1",)
    found, _ = maps(encoder, config, encoder.init(jax.random.key(0), config), rng.normal(size=(1, 8, 8, 2)), S1)
    assert np.isfinite(found[0]).all()


def test_weights_bring_what_their_pixels_are_normalised_by(encoder, folder):
    config, params, (shift, divisor) = encoder.read(folder, Bands(S2, S2, ()))
    place = [band.name for band in S2.used].index("B11")
    wanted = [x / 1e4 for x in NORMALISATION["B11"]] if encoder.name == "galileo" else [0.0, 1.0]
    np.testing.assert_allclose([shift[place], divisor[place]], wanted)
    config, params, (shift, divisor) = encoder.read(folder, Bands(S1, S2, ()))
    np.testing.assert_allclose(shift, [NORMALISATION[p][0] for p in ("VV", "VH")] if encoder.name == "galileo" else [-25, -25])
    assert params["trunk"]["block0"]["attend"]["out"]["kernel"].shape == (32, 32)


def test_bands_that_it_has_not_change_nothing(encoder, folder, rng):
    config, params, _ = encoder.read(folder, Bands(S2, S2, ()))
    values = rng.uniform(0.1, 0.4, (1, 8, 8, 12))
    before, pooled = maps(encoder, config, params, values, S2)
    names = [band.name for band in S2.used]
    values[..., [names.index("B01"), names.index("B09")]] = 77.0
    after, again = maps(encoder, config, params, values, S2)
    np.testing.assert_array_equal(before[-1], after[-1])
    np.testing.assert_array_equal(pooled, again)


def test_presto_sees_no_neighbours_and_galileo_does(encoder, folder, rng):
    config, params, _ = encoder.read(folder, Bands(S2, S2, ()))
    values = rng.uniform(0.1, 0.4, (1, 8, 8, 12))
    before = np.asarray(maps(encoder, config, params, values, S2)[0][-1])
    values[0, 7, 7] *= 0.3
    away = np.abs(np.asarray(maps(encoder, config, params, values, S2)[0][-1]) - before)
    assert away[0, -1, -1].max() > 1e-3
    assert bool(away[0, 0, 0].max() > 1e-6) is (encoder.name == "galileo")


def test_ndvi_is_of_reflectance_alone(rng):
    """Presto computes it where the numbers are reflectance, as for weights; a fresh one sees standardised numbers."""
    presto = table.ENCODERS["presto"]
    config = presto.fresh(SIZE, Bands(S2, S2, ()))
    assert "NDVI" not in config.groups
    assert "NDVI" in dataclasses.replace(config, ndvi=True).groups
    assert "NDVI" not in table.ENCODERS["galileo"].fresh(SIZE, Bands(S2, S2, ())).groups


def test_a_published_size_takes_its_width(encoder):
    name = "nano" if encoder.name == "galileo" else "default"
    assert encoder.fresh(Size(name=name), Bands(S2, S2, ())).width == 128
    with pytest.raises(ValueError, match=f"^size: expected one of {name}, got 'tiny'.$"):
        encoder.fresh(Size(name="tiny"), Bands(S2, S2, ()))


@pytest.mark.parametrize(
    ("bands", "sentence"),
    [
        (Bands(ENMAP, S2, ()), "enmap_l2a has .* bands of which some are not Sentinel-2's; .*/srf.$"),
        (Bands(ENMAP, S2, (0, 1, 4)), "Config.bands: expected all channels of at least one .* got B01, B02, B05.$"),
    ],
)
def test_bands_that_show_nothing_are_refused(encoder, folder, bands, sentence):
    with pytest.raises(ValueError, match=sentence):
        encoder.fresh(SIZE, bands)
    with pytest.raises(ValueError, match=sentence):
        encoder.read(folder, bands)


def test_weights_of_another_encoder_are_refused(encoder, folder):
    other = {"galileo": "presto", "presto": "galileo"}[encoder.name]
    with pytest.raises(ValueError, match=f"^weights.{other}: .* holds a .*Config, expected weights of {other}; convert those"):
        table.ENCODERS[other].read(folder, Bands(S2, S2, ()))


def test_projected_pixels_and_pixels_of_the_sensor_itself_are_one(encoder, folder, rng):
    direct, projected = (encoder.read(folder, bands)[:2] for bands in (Bands(S2, S2, ()), Bands(S2, S2, ALL)))
    values = rng.uniform(0.1, 0.4, (1, 8, 8, 12))
    found = [np.asarray(maps(encoder, config, params, values, S2)[1]) for config, params in (direct, projected)]
    assert difference(*found) <= TOLERANCE


@pytest.mark.parametrize("row", ["galileo/srf", "presto/learned_linear"])
def test_a_row_of_the_table_is_fitted(row):
    """The whole way of a comparison, from a spectrometer's bands to scores, for one epoch."""
    data = tiny_adapt.segmentation()
    cfg = tiny_adapt.run((row,), size=SIZE, protocol=dataclasses.replace(tiny_adapt.PROTOCOL, epochs=1, patience=1))
    source = source_of(data)
    ready = prepared.prepare(cfg.lines()[0], cfg, data.task, source)
    parts = (Part(data, source, rows) for rows in (range(4), range(4, 6), range(6, 8)))
    scores = line.fit(cfg.lines()[0], ready, *parts, seed=0)
    assert ready.weights == prepared.RANDOM
    assert 0 <= scores.metrics["iou_macro"] <= 1
