import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made.oracle_file import channels_last, part
from made.spectf_state import random_state

from spectral_jax.interop import dofa, encode, names, read, spectf, spectralearth, terramind, trainable
from spectral_jax.interop.weights_file import Weights
from spectral_jax.model.published import spectralearth_resnet


def _terramind(oracles):
    path = oracles / "terramind_swiglu_s2_s1.npz"
    cfg, params, _ = terramind.read(read(path), heads=3)
    images = {m.name: jnp.asarray(channels_last(part(path, "input")[m.key])) for m in cfg.modalities}
    return (
        cfg,
        params,
        lambda params, cfg, first: encode(params, images | {"S2L2A": first}, cfg),
        images["S2L2A"],
    )


def _spectralearth(oracles):
    path = oracles / "spectralearth_vit_150bands.npz"
    cfg, params, _ = spectralearth.read(read(path))
    image = jnp.asarray(channels_last(part(path, "input")["image"]))
    return cfg, params, lambda params, cfg, image: encode(params, image, cfg), image


def _dofa(oracles):
    path = oracles / "dofa_v1.npz"
    cfg, params, _ = dofa.read(read(path), "new")
    inputs = part(path, "input")
    waves = jnp.asarray(1000 * inputs["wavelengths_um"])
    image = jnp.asarray(channels_last(inputs["image"]))
    return cfg, params, lambda params, cfg, image: encode(params, image, cfg, wavelengths_nm=waves), image


def _spectf(oracles):
    del oracles
    cfg, params, _ = spectf.read(Weights("a.pt", random_state(np.random.default_rng(0))), "v0.1.0", 4)
    image = jnp.asarray(np.random.default_rng(1).uniform(0, 1, (2, 4, 4, 6)), jnp.float32)
    waves = jnp.linspace(450.0, 2300.0, 6)
    return cfg, params, lambda params, cfg, image: encode(params, image, cfg, wavelengths_nm=waves), image


@pytest.fixture(params=[_terramind, _spectralearth, _dofa, _spectf])
def encoder(request, oracles):
    """Config, parameters, a function of (parameters, config, image), and an image."""
    return request.param(oracles)


@pytest.mark.slow
def test_half_precision_changes_the_type_and_little_else(encoder):
    cfg, params, apply, image = encoder
    apply = jax.jit(apply, static_argnums=1)
    exact, half = apply(params, cfg, image), apply(params, dataclasses.replace(cfg, dtype="bfloat16"), image)
    assert half.blocks[-1].dtype == jnp.bfloat16
    exact, half = (np.asarray(f.blocks[-1], np.float32) for f in (exact, half))
    difference = np.abs(exact - half).max() / np.abs(exact).max()
    assert 0 < difference < 0.1


@pytest.mark.slow
def test_every_parameter_that_trains_and_matters_gets_a_gradient(encoder):
    cfg, params, apply, image = encoder
    weight = jax.random.normal(jax.random.key(1), (cfg.width,))
    gradient = jax.jit(jax.grad(lambda p: (apply(p, cfg, image).pooled @ weight).sum()))(jax.tree.map(jnp.asarray, params))
    still = {path for path, leaf in names.flatten(gradient).items() if not np.any(leaf)}
    fixed = {path for path, trains in names.flatten(trainable(params, cfg)).items() if not trains}
    # The head of clouds says nothing of the embedding.
    assert still == fixed | {path for path in names.flatten(params) if path.startswith("head/")}


@pytest.mark.slow
def test_images_of_a_batch_do_not_see_each_other(encoder):
    cfg, params, apply, image = encoder
    apply = jax.jit(apply, static_argnums=1)
    other = image.at[1].multiply(3.0)
    first, second = apply(params, cfg, image).pooled, apply(params, cfg, other).pooled
    np.testing.assert_array_equal(first[0], second[0])
    assert np.abs(first[1] - second[1]).max() > 1e-3


def test_one_array_is_the_first_modality_and_dofa_asks_for_wavelengths(oracles):
    cfg, params, _, image = _terramind(oracles)
    found = jax.jit(encode, static_argnames=("cfg", "layers"))(params, image, cfg=cfg, layers=(0, 2))
    expected = jax.jit(encode, static_argnames=("cfg", "layers"))(params, {"S2L2A": image}, cfg=cfg, layers=(0, 2))
    np.testing.assert_array_equal(found.maps[1], expected.maps[1])
    cfg, params, _, image = _dofa(oracles)
    with pytest.raises(ValueError, match="wavelengths_nm: DOFA makes its patch embedding from them"):
        encode(params, image, cfg)
    with pytest.raises(ValueError, match="expected the config of one of terramind, .*, got a int"):
        encode(params, image, 3)


@pytest.mark.slow
def test_a_resnet_is_encoded_too():
    cfg = spectralearth_resnet.SpectralEarthResNetConfig(width=2, depths=(1, 1, 1, 1), adapter=(2, 2, 4))
    params = spectralearth_resnet.init(jax.random.key(0), cfg)
    found = jax.jit(encode, static_argnames=("cfg", "layers"))(params, jnp.ones((1, 32, 32, 100)), cfg=cfg, layers=(0, 3))
    assert [m.shape for m in found.maps] == [(1, 16, 16, 8), (1, 2, 2, 64)]
    assert not names.flatten(trainable(params, cfg))["stage0_block0/conv1/norm/mean"]
