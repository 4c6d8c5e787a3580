"""How wide the weights are at the start."""

import jax
import numpy as np
import pytest

from spectral_jax.config import Config, Model, model_size, spectralearth_sensors
from spectral_jax.model.encoder import encode, projector


@pytest.mark.parametrize("tokenizer", ["grouped", "wavelength"])
@pytest.mark.slow
def test_init_std_sets_the_spread_of_normal_draws_and_of_nothing_else(tokenizer, key):
    sensors = spectralearth_sensors(tokenizer, only=("ENMAP", "S1"))
    sizes = dict(model=model_size("tiny", init_std=0.02)), dict(model=model_size("tiny"))
    narrow, wide = (encode.init_encoder(key, Config("init", sensors, **size)) for size in sizes)
    kept = set()
    for (path, a), b in zip(jax.tree_util.tree_leaves_with_path(narrow), jax.tree.leaves(wide), strict=True):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        if not np.asarray(a).any() or not (np.asarray(a) - 1).any():
            np.testing.assert_array_equal(a, b)  # biases and scales
        elif np.array_equal(a, b):
            kept.add("/".join(name.split("/")[-3:]))
        else:
            np.testing.assert_allclose(b, 5.0 * np.asarray(a), rtol=1e-6)
            if a.size > 500:
                np.testing.assert_allclose(np.std(b), 0.1, rtol=0.1, err_msg=name)
    generated = {f"generate/{layer}/kernel" for layer in ("hidden0", "hidden1", "weight")}
    assert kept == {"pool/qkv/kernel"} | (generated if tokenizer == "wavelength" else set())


@pytest.mark.slow
def test_the_projector_starts_with_embeddings_of_variance_1(key, rng):
    params = projector.init_projector(key, Config("init", spectralearth_sensors(only=("S1",)), model=model_size("b")))
    z = np.asarray(projector.project(params, rng.normal(size=(512, 768)).astype(np.float32)))
    np.testing.assert_allclose(z.std(0).mean(), 1.0, rtol=0.1)


def test_init_std_must_be_above_zero():
    with pytest.raises(ValueError, match="model.init_std: expected above 0, got 0.0"):
        Model(init_std=0.0)
