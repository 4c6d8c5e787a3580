"""What SpectralEarth's encoders start from: draws as in the published code, and statistics of data on request."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spectral_jax.interop import models
from spectral_jax.model.published import dofa, spectral_adapter, spectralearth, terramind
from spectral_jax.model.published.spectralearth_resnet import SpectralEarthResNetConfig
from spectral_jax.model.published.terramind import Modality

CFG = spectralearth.SpectralEarthConfig(width=12, depth=1, heads=3, patch=2, grid=2)


@pytest.fixture
def images(rng):
    """Standardised spectra of 202 bands, in which neighbouring bands go together as in nature."""
    waves = np.cos(np.linspace(0, 3, 202)[None] * np.arange(1, 6)[:, None])
    mixed = rng.normal(size=(2, 6, 10, 5)) @ waves
    return jnp.asarray((mixed - mixed.mean((0, 1, 2))) / mixed.std((0, 1, 2)), jnp.float32)


@pytest.mark.slow
def test_the_adapter_starts_as_pytorch_starts_a_convolution(key):
    """Uniform within +-1/sqrt(fan in), weights and biases alike (kaiming_uniform with a = sqrt(5))."""
    params = models.init(key, CFG)["adapter"]
    for i, fan_in in enumerate((7, 7 * 32, 5 * 64)):
        bound = fan_in**-0.5
        for values in (params[f"kernel{i}"], params[f"bias{i}"]):
            assert 0.85 * bound < np.abs(values).max() <= bound
        assert np.std(params[f"kernel{i}"]) == pytest.approx(bound / 3**0.5, rel=0.15)


@pytest.mark.slow
def test_a_resnet_starts_as_timm_does(key):
    params = models.init(key, SpectralEarthResNetConfig(width=16, depths=(2, 1, 1, 1)))
    own, other = params["stage0_block0"], params["stage0_block1"]
    assert np.abs(own["conv2"]["kernel"]).max() <= (9 * 64) ** -0.5
    assert np.std(other["conv2"]["kernel"]) == pytest.approx((2 / (9 * 16)) ** 0.5, rel=0.1)
    assert np.all(own["conv3"]["norm"]["scale"] == 1)
    assert not np.any(other["conv3"]["norm"]["scale"])
    assert not np.any(params["stage1_block0"]["conv3"]["norm"]["scale"])
    assert np.all(other["conv2"]["norm"]["scale"] == 1)


@pytest.mark.slow
def test_statistics_of_data_let_spectra_differ(key, images):
    params = models.init(key, CFG)
    found = jax.jit(models.with_statistics, static_argnames="cfg")(params, images, cfg=CFG)
    before, after = (np.asarray(spectralearth.adapt(p, images, CFG)).reshape(-1, 128) for p in (params, found))
    assert before.std(0).mean() < 0.1
    assert after.std(0).mean() > 0.3
    # Nothing but the statistics moved.
    changed = jax.tree_util.tree_map_with_path(lambda path, a, b: path[-1].key if np.any(a != b) else "", params, found)
    assert set(jax.tree.leaves(changed["adapter"])) == {"", "mean", "var", "batches"}
    assert not any(jax.tree.leaves({k: v for k, v in changed.items() if k != "adapter"}))


@pytest.mark.slow
def test_statistics_are_those_that_each_layer_sees(key, images):
    params = jax.device_get(models.with_statistics(models.init(key, CFG), images, CFG)["adapter"])
    x, count = np.asarray(images, float).reshape(-1, 202, 1), 2 * 6 * 10
    for i, (length, stride) in enumerate(spectral_adapter.SPECTRAL):
        padded = np.pad(x, ((0, 0), (1, 1), (0, 0)))
        starts = range(0, padded.shape[1] - length + 1, stride)
        kernel = np.asarray(params[f"kernel{i}"], float)
        x = np.stack([np.tensordot(padded[:, s : s + length], kernel, 2) for s in starts], 1) + params[f"bias{i}"]
        norm, n = params[f"norm{i}"], count * len(starts)
        np.testing.assert_allclose(norm["mean"], x.mean((0, 1)), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(norm["var"], x.var((0, 1)) * n / (n - 1), rtol=1e-4)
        assert norm["batches"] == 1
        x = np.maximum((x - x.mean((0, 1))) / np.sqrt(x.var((0, 1)) + 1e-5), 0)


@pytest.mark.slow
def test_encoders_without_batch_normalisation_stay_as_they_are(key):
    bands = Modality("S2L2A", "untok_sen2l2a@224", ("BLUE",))
    for cfg in (
        terramind.TerraMindConfig(width=12, depth=1, heads=3, mlp="gelu", modalities=(bands,), patch=2, grid=2),
        dofa.DofaConfig(width=12, depth=1, heads=3, layout="new", patch=4, grid=2),
    ):
        params = models.init(key, cfg)
        assert models.with_statistics(params, jnp.zeros((1, 8, 8, 1)), cfg) is params


def test_images_that_give_no_statistics_are_refused(key):
    params = models.init(key, CFG)
    with pytest.raises(ValueError, match="with C >= 75 bands, which the strides of the spectral adapter need, got"):
        models.with_statistics(params, jnp.zeros((1, 4, 4, 60)), CFG)
    with pytest.raises(ValueError, match="expected at least two values a channel to take statistics of, got 1 at norm2; give"):
        models.with_statistics(params, jnp.zeros((1, 1, 1, 75)), CFG)
