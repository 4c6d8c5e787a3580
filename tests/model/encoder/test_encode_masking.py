"""What is invalid or absent has no influence, and nothing is ever NaN."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spectral_jax.batch import Batch
from spectral_jax.model.encoder import encode


@pytest.fixture(scope="module")
def gradient(cfg):
    def loss(params, batch):
        out = encode.encode(params, batch, cfg)
        return jnp.sum(jnp.sin(out.pooled + 1.0)) + sum(jnp.sum(x) for x in out.stage1.values()), out

    return jax.jit(jax.grad(loss, has_aux=True))


def _arrays(encoded, keys=("HSI", "MSI", "SAR")):
    maps = [encoded.stage1[k] for k in keys] + [encoded.stage2[k] for k in keys]
    return [np.asarray(x) for x in (*maps, encoded.fused, encoded.tokens, encoded.pooled)]


def _replace(batch, key, **fields):
    return Batch(batch.sensors | {key: dataclasses.replace(batch.sensors[key], **fields)})


@pytest.mark.slow
def test_absent_sensor_gives_the_numbers_of_a_batch_without_it(run, params, cfg, make_batch):
    batch = make_batch(cfg, spoil=0.3)
    masked = run(params, _replace(batch, "MSI", present=jnp.zeros(2, bool)))
    absent = run(params, make_batch(cfg, ("HSI", "SAR"), spoil=0.3))
    np.testing.assert_allclose(masked.pooled, absent.pooled, atol=1e-5)
    np.testing.assert_allclose(masked.tokens, absent.tokens, atol=1e-5)
    np.testing.assert_array_equal(masked.valid, absent.valid)
    assert np.abs(run(params, batch).pooled - absent.pooled).max() > 1e-3


@pytest.mark.slow
def test_order_of_sensors_does_not_matter(run, params, cfg, make_batch):
    one = run(params, make_batch(cfg, ("HSI", "MSI", "SAR")))
    two = jax.jit(lambda p, b: encode.encode(p, Batch({k: b.sensors[k] for k in ("SAR", "HSI", "MSI")}), cfg))(
        params, make_batch(cfg)
    )
    np.testing.assert_allclose(one.pooled, two.pooled, atol=1e-5)
    np.testing.assert_allclose(one.fused, two.fused, atol=1e-5)


@pytest.mark.parametrize("value", [1e6, np.nan])
@pytest.mark.slow
def test_values_of_invalid_pixels_change_nothing(run, params, cfg, make_batch, value):
    batch = make_batch(cfg, spoil=0.6)
    spoiled = {}
    for key, data in batch.sensors.items():
        pixels = jnp.where(data.valid[..., None], data.pixels, jnp.float32(value))
        spoiled[key] = dataclasses.replace(data, pixels=pixels)
    for ours, theirs in zip(_arrays(run(params, batch)), _arrays(run(params, Batch(spoiled))), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
def test_branch_ignores_invalid_pixels_without_decode(run_branch, params, cfg, make_batch):
    data = make_batch(cfg, spoil=0.6).sensors["HSI"]
    nan = jnp.where(data.valid[..., None], data.pixels, jnp.nan)
    one = run_branch(params, "HSI", data.pixels, data.valid)
    two = run_branch(params, "HSI", nan, data.valid)
    np.testing.assert_array_equal(one.stage2, two.stage2)


@pytest.mark.slow
def test_one_valid_token_decides_its_window_alone(run_branch, params, cfg, make_batch):
    # SAR has one pixel a token. Two patches share only the pixel at (5, 6); with all others invalid they must agree.
    a, b = (make_batch(cfg, seed=s).sensors["SAR"].pixels for s in (1, 2))
    b = b.at[:, 5, 6].set(a[:, 5, 6])
    valid = jnp.zeros((2, 8, 8), bool).at[:, 5, 6].set(True)
    one, two = (run_branch(params, "SAR", x, valid) for x in (a, b))
    np.testing.assert_array_equal(one.stage2, two.stage2)
    assert np.argwhere(np.asarray(one.valid1[0])).tolist() == [[5, 6]]
    assert np.argwhere(np.asarray(one.valid2[0])).tolist() == [[2, 3]]
    assert np.count_nonzero(np.abs(one.stage2[0]).sum(-1)) == 1


@pytest.mark.slow
def test_nothing_valid_gives_zero_and_finite_gradients(gradient, params, cfg, make_batch):
    grads, out = gradient(params, make_batch(cfg, ("HSI", "SAR"), spoil=1.1))
    assert not out.valid.any()
    np.testing.assert_array_equal(out.pooled, 0.0)
    chex.assert_tree_all_finite(grads)


@pytest.mark.slow
def test_partly_empty_windows_give_finite_gradients(gradient, params, cfg, make_batch):
    grads, out = gradient(params, make_batch(cfg, ("HSI", "SAR"), spoil=0.995))
    assert 0 < out.valid.sum() < out.valid.size
    chex.assert_tree_all_finite(grads)
    assert np.abs(grads["branches"]["HSI"]["tokenize"]["bands"]["kernel"]).max() > 0


@pytest.mark.slow
def test_pooled_is_the_mean_of_the_valid_tokens(run, params, cfg, make_batch):
    valid = jnp.ones((2, 16, 16), bool).at[0, :8].set(False)
    batch = _replace(make_batch(cfg, ("HSI", "SAR")), "HSI", valid=valid)
    batch = _replace(batch, "SAR", present=jnp.zeros(2, bool))
    out = run(params, batch)
    assert np.asarray(out.valid).tolist() == [[False, False, True, True], [True] * 4]
    np.testing.assert_allclose(out.pooled[0], np.asarray(out.tokens)[0, 2:].mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(out.pooled[1], np.asarray(out.tokens)[1].mean(axis=0), rtol=1e-6)
