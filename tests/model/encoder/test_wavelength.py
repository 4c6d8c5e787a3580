"""One tokenizer for any optical sensor: seen, unseen, reordered, split."""

import dataclasses
from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spectral_jax.config import SensorInput
from spectral_jax.model.encoder import encode
from spectral_jax.model.encoder.tokenize import token_px
from spectral_jax.model.encoder.wavelength import WavelengthTokenizer, WeightGenerator, band_features, place_features, window_of
from spectral_jax.sensors import Band, SensorSpec

EDGES = (500.0, 600.0, 700.0, 800.0, 900.0)
NM = np.linspace(420, 990, 115)


def _spec(centres, gsd_m=60.0, fwhm_nm=6.0):
    bands = tuple(Band(f"b{i}", float(c), fwhm_nm) for i, c in enumerate(centres))
    return SensorSpec("camera", "optical", "reflectance", "1", gsd_m, "float32", bands)


@pytest.fixture(scope="module")
def model(small_config):
    return small_config(wavelength_edges_nm=EDGES, wavelength_hidden=32).model


@pytest.fixture(scope="module")
def state(model):
    one = jnp.zeros((1, 4, 4, len(NM)))
    return jax.jit(WavelengthTokenizer(_spec(NM), model).init)(jax.random.key(0), one, jnp.ones((1, 4, 4), bool))


def _spectra(nm):
    """Two smooth spectra, of vegetation's and of soil's kind, at wavelengths `nm`."""
    leaf = 0.05 + 0.45 / (1 + np.exp(-(nm - 720) / 15)) + 0.05 * np.exp(-(((nm - 550) / 40) ** 2))
    soil = 0.05 + 0.3 * (nm - 400) / 600
    return np.stack([leaf, soil])


def _tokens(model, state, centres, gsd_m=60.0):
    """The token of every spectrum [2 D], spread over a patch of 4x4 tokens, as the sensor sees it."""
    spec = _spec(centres, gsd_m)
    n = 4 * token_px(spec, model)
    pixels = jnp.asarray(np.broadcast_to(_spectra(np.asarray(centres))[:, None, None], (2, n, n, len(centres))), jnp.float32)
    x, valid = jax.jit(WavelengthTokenizer(spec, model).apply)(state, pixels, jnp.ones((2, n, n), bool))
    assert valid.all()
    return np.asarray(x[:, 1, 1])


def _distance(a, b):
    return np.linalg.norm(a - b) / np.sqrt(np.linalg.norm(a) * np.linalg.norm(b))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("centres", "gsd_m"), [(NM[::2], 60.0), (NM[1::2], 60.0), (NM[::3] + 2.0, 60.0), (NM, 30.0), (NM, 10.0), (NM, 20.0)]
)
def test_two_band_sets_agree_on_a_spectrum_better_than_two_spectra_do(model, state, centres, gsd_m):
    reference, other = _tokens(model, state, NM), _tokens(model, state, centres, gsd_m)
    between_spectra = _distance(reference[0], reference[1])
    assert max(_distance(reference[i], other[i]) for i in range(2)) < 0.5 * between_spectra


def test_order_of_bands_does_not_matter(model, state):
    np.testing.assert_allclose(_tokens(model, state, NM[::-1]), _tokens(model, state, NM), atol=1e-4)


def test_sensor_covering_half_the_spectrum_ignores_empty_windows(model, state):
    # With bands in the first window only, what is learned for the others cannot matter.
    few = NM[NM < 500]
    before = _tokens(model, state, few)
    changed = jax.tree.map(lambda x: x, state)
    changed["params"]["spectrum"]["group"] = state["params"]["spectrum"]["group"].at[1:, 0].add(1e3)
    changed["params"]["bias"] = state["params"]["bias"].at[1:, 0].add(1e3)
    np.testing.assert_allclose(_tokens(model, changed, few), before, atol=1e-5)
    changed["params"]["bias"] = state["params"]["bias"].at[0, 0].add(1.0)
    assert np.abs(_tokens(model, changed, few) - before).max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(("count", "gsd_m"), [(6, 60.0), (200, 60.0), (12, 10.0), (50, 30.0)])
def test_spectral_tokens_start_near_one_for_any_number_of_bands_and_pixels(model, state, count, gsd_m):
    spec = _spec(np.linspace(420, 990, count), gsd_m)
    generate = WeightGenerator(model.wavelength_hidden, model.spectral_width)
    features = band_features(spec.centre_nm, spec.fwhm_nm), place_features(token_px(spec, model))
    weights, _ = generate.apply({"params": state["params"]["generate"]}, *features)
    tokens = np.einsum("cijd,c->d", weights, _spectra(spec.centre_nm)[0]) / np.prod(weights.shape[:3])
    assert 0.2 < np.sqrt((tokens**2).mean()) < 3.0


def test_window_edges_belong_to_the_window_above():
    assert window_of(np.array([400.0, 500.0, 599.9, 950.0]), EDGES).tolist() == [0, 1, 1, 5]


def test_features_span_the_optical_range_and_the_token():
    bands = band_features(np.array([300.0, 2600.0]), np.array([10.0, 20.0]))
    np.testing.assert_allclose(bands[:, 0], [-1.0, 1.0], atol=1e-6)
    np.testing.assert_allclose(bands[:, -1], [0.0, np.log(2.0)], atol=1e-6)
    places = place_features(2)
    assert places.shape[:2] == (3, 3)
    np.testing.assert_allclose(places[1, 1], [0, 0, 0, 0, 1, 1, 1], atol=1e-6)
    np.testing.assert_allclose(places[0, 2, :2], [-1.0, 1.0], atol=1e-6)


@pytest.fixture(scope="module")
def wavelength_cfg(small_config):
    cfg = small_config(wavelength_edges_nm=EDGES)
    optical = tuple(SensorInput(s.key, s.spec, "wavelength") for s in cfg.sensors[:2])
    return dataclasses.replace(cfg, sensors=(*optical, cfg.sensors[2]))


@pytest.mark.slow
def test_one_set_of_parameters_serves_seen_and_unseen_sensors(wavelength_cfg, make_batch):
    params = encode.init_encoder(jax.random.key(0), wavelength_cfg)
    assert sorted(params["branches"]) == sorted(params["fuse"]["sensor"]) == ["SAR", "optical"]
    unseen = SensorInput("NEW", _spec(NM[::4], 20.0), "wavelength")
    new = dataclasses.replace(wavelength_cfg, sensors=(unseen,))
    batch = make_batch(new)
    out = jax.jit(partial(encode.encode, cfg=new))(params, batch)
    assert np.isfinite(out.pooled).all()
    np.testing.assert_array_equal(out.valid, True)

    data = batch.sensors["NEW"]
    by_spec = jax.jit(lambda p, x, v: encode.encode_branch(p, "HSI", x, v, wavelength_cfg, spec=unseen.spec))
    np.testing.assert_allclose(by_spec(params, data.pixels, data.valid).stage2, out.stage2["NEW"], atol=1e-5)


@pytest.mark.slow
def test_gradient_reaches_the_weight_generator(model, state):
    pixels = jnp.asarray(np.random.default_rng(0).uniform(size=(1, 4, 4, len(NM))), jnp.float32)
    valid = jnp.ones((1, 4, 4), bool).at[0, 0, 0].set(False)

    def loss(params):
        return jnp.sum(jnp.sin(WavelengthTokenizer(_spec(NM), model).apply({"params": params}, pixels, valid)[0]))

    grads = jax.jit(jax.grad(loss))(state["params"])
    for part in ("hidden0", "hidden1", "weight", "weight_bias"):
        assert np.abs(grads["generate"][part]["kernel"]).max() > 0
    chex.assert_tree_all_finite(grads)
