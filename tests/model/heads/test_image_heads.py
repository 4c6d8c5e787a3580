"""Heads on the embedding of an image, against plain NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference import numpy_maps as ref

from spectral_jax.model.heads.task_heads import HeadConfig, call_head, init_head


def test_classification_is_a_linear_layer(key, rng):
    cfg = HeadConfig("classification", 4)
    params = init_head(key, cfg, (), 6)
    assert {k: v.shape for k, v in params["out"].items()} == {"kernel": (6, 4), "bias": (4,)}
    params["out"]["bias"] = jnp.arange(4.0)
    x = rng.normal(size=(3, 6)).astype(np.float32)
    got = call_head(params, cfg, (), jnp.asarray(x), (1, 1))
    np.testing.assert_allclose(got, x @ np.asarray(params["out"]["kernel"]) + np.arange(4), atol=1e-6)


def test_regression_has_one_hidden_layer_with_gelu(key, rng):
    cfg = HeadConfig("regression", 4)
    params = init_head(key, cfg, ((2, 2, 5),), 6)
    assert params["hidden"]["kernel"].shape == (6, 256)
    x = rng.normal(size=(3, 6)).astype(np.float32)
    got = jax.jit(call_head, static_argnums=(1, 4))(params, cfg, (jnp.zeros((3, 2, 2, 5)),), jnp.asarray(x), (7, 7))
    hidden = ref.gelu(x @ np.asarray(params["hidden"]["kernel"], np.float64))
    np.testing.assert_allclose(got, hidden @ np.asarray(params["out"]["kernel"], np.float64), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_dropout_needs_a_key_and_keeps_the_mean(key, kind):
    cfg = HeadConfig(kind, 1, width=2000 if kind == "regression" else None, dropout=0.5)
    params = jax.tree.map(jnp.ones_like, init_head(key, cfg, (), 2000))
    scale = 1.0 / 2000
    x = jnp.full((4, 2000), scale)
    still = np.asarray(call_head(params, cfg, (), x, (1, 1)))[:, 0]
    moved = np.asarray(call_head(params, cfg, (), x, (1, 1), jax.random.key(3)))[:, 0]
    assert len(set(still)) == 1
    assert len(set(moved)) == 4
    np.testing.assert_allclose(moved.mean() / still[0], 1.0, atol=0.05)


def test_an_embedding_of_another_width_is_refused(key):
    cfg = HeadConfig("classification", 4)
    params = init_head(key, cfg, (), 6)
    with pytest.raises(ValueError, match=r"embedding of width 7 and a result of \(1, 1\) has \(7, 4\) at out/kernel, and the "
                                         r"parameters have \(6, 4\); make them with init_head"):  # fmt: skip
        call_head(params, cfg, (), jnp.zeros((2, 7)), (1, 1))
