"""The encoder's public functions: precision, rematerialisation, parts of a patch, errors."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spectral_jax.batch import Batch
from spectral_jax.model.encoder import encode


@pytest.fixture(scope="module")
def batch(cfg, make_batch):
    return make_batch(cfg, ("HSI", "SAR"), spoil=0.2)


@pytest.fixture(scope="module")
def gradient(params, batch):
    """Of a loss on one branch with spectral tokens, traced and computed for a config."""
    data = batch.sensors["HSI"]

    def of(cfg):
        def loss(params):
            return jnp.sum(jnp.sin(encode.encode_branch(params, "HSI", data.pixels, data.valid, cfg).stage2))

        branch = {"position": params["position"], "branches": {"HSI": params["branches"]["HSI"]}}
        traced = jax.jit(jax.grad(loss)).trace(branch)
        return str(traced.jaxpr), traced.lower().compile()(branch)

    return of


@pytest.fixture(scope="module")
def reference(gradient, small_config):
    return gradient(small_config(remat="none"))


# Windows and cells of its tokenizer always, and two blocks of the tiny encoder's branch, or the branch as a whole, in which
# windows and cells stand twice.
@pytest.mark.parametrize(("remat", "pieces"), [("blocks", 4), ("branches", 5)])
@pytest.mark.slow
def test_computing_again_in_the_backward_pass_changes_no_gradient(small_config, gradient, reference, remat, pieces):
    jaxpr, grads = gradient(small_config(remat=remat))
    assert (reference[0].count("prevent_cse="), jaxpr.count("prevent_cse=")) == (2, pieces)
    for ours, theirs in zip(jax.tree.leaves(grads), jax.tree.leaves(reference[1]), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5 * max(1.0, float(np.abs(theirs).max())))


@pytest.mark.slow
def test_bfloat16_stays_near_float32(small_config, run, params, batch):
    half = jax.jit(partial(encode.encode, cfg=small_config(dtype="bfloat16")))(params, batch)
    full = run(params, batch)
    assert half.tokens.dtype == half.stage1["HSI"].dtype == jnp.bfloat16
    assert half.pooled.dtype == jnp.float32
    error = np.abs(half.pooled - full.pooled).max()
    assert 0 < error < 0.1 * np.abs(full.pooled).max()


@pytest.mark.slow
def test_part_of_a_patch_takes_its_own_positions(run_branch, cfg, params, make_batch):
    # Windows do not see each other before fusion, and SAR has one pixel a token: a part must equal its place in the whole.
    data = make_batch(cfg).sensors["SAR"]
    whole = run_branch(params, "SAR", data.pixels, data.valid)
    part = jax.jit(lambda o: encode.encode_branch(params, "SAR", data.pixels[:, 4:], data.valid[:, 4:], cfg, position_offset=o))
    np.testing.assert_allclose(part(jnp.asarray([4, 0])).stage2, whole.stage2[:, 2:], atol=1e-5)
    assert np.abs(part(jnp.asarray([0, 0])).stage2 - whole.stage2[:, 2:]).max() > 1e-3


@pytest.mark.slow
def test_sensor_of_a_slot_may_be_traced(cfg, params):
    tokens = jax.random.normal(jax.random.key(0), (1, 2, 4, 4, cfg.model.widths[1]))
    mask = jnp.ones((1, 2, 4, 4), bool)
    run = jax.jit(lambda s: encode.encode_shared(params, tokens, mask, s, cfg).pooled)
    by_key = jax.jit(lambda: encode.encode_shared(params, tokens, mask, ("SAR", "HSI"), cfg).pooled)()
    np.testing.assert_allclose(run(jnp.asarray([2, 0])), by_key, atol=1e-5)
    assert np.abs(run(jnp.asarray([0, 2])) - by_key).max() > 1e-4


@pytest.mark.slow
def test_order_of_sensors_in_the_config_does_not_matter(run, cfg, params, batch):
    other = dataclasses.replace(cfg, sensors=cfg.sensors[::-1])
    reordered = jax.jit(partial(encode.encode, cfg=other))(params, batch)
    np.testing.assert_allclose(run(params, batch).pooled, reordered.pooled, atol=1e-5)


@pytest.mark.slow
def test_config_is_a_static_argument_and_batch_is_vmapped(run, cfg, params, batch):
    static = jax.jit(encode.encode, static_argnames="cfg")
    stacked = jax.tree.map(lambda x: jnp.stack([x, x]), batch)
    both = jax.vmap(lambda b: static(params, b, cfg).pooled)(stacked)
    np.testing.assert_allclose(both[1], run(params, batch).pooled, atol=1e-5)


def test_wrong_patch_size_is_named(cfg, params):
    with pytest.raises(ValueError, match=r"pixels of HSI: expected H \(patch row\) = 16, .* multiple of 8 .* got 12; crop"):
        encode.encode_branch(params, "HSI", jnp.zeros((1, 12, 16, 9)), jnp.ones((1, 12, 16), bool), cfg)
    with pytest.raises(ValueError, match=r"expected W \(patch column\) = 16, .* got 24"):
        encode.encode_branch(params, "HSI", jnp.zeros((1, 16, 24, 9)), jnp.ones((1, 16, 24), bool), cfg)


def test_wrong_number_of_bands_is_named(cfg, params):
    with pytest.raises(ValueError, match=r"pixels of HSI: expected \[B H W C\] with C \(band\) = 9, got 8 at axis 3"):
        encode.encode_branch(params, "HSI", jnp.zeros((1, 16, 16, 8)), jnp.ones((1, 16, 16), bool), cfg)


def test_wrong_tokens_are_named(cfg, params):
    with pytest.raises(ValueError, match=r"tokens: expected \[B M R Q D\] with D \(width\) = 32, got 16"):
        encode.encode_shared(params, jnp.zeros((1, 1, 4, 4, 16)), jnp.ones((1, 1, 4, 4), bool), ("HSI",), cfg)
    with pytest.raises(ValueError, match=r"multiples of half model.mask_unit = 2, got 3 and 4"):
        encode.encode_shared(params, jnp.zeros((1, 1, 3, 4, 32)), jnp.ones((1, 1, 3, 4), bool), ("HSI",), cfg)
    with pytest.raises(ValueError, match=r"sensors: expected \[M\] with M \(sensors stacked for fusion\) = 1, got 2"):
        encode.encode_shared(params, jnp.zeros((1, 1, 4, 4, 32)), jnp.ones((1, 1, 4, 4), bool), ("HSI", "SAR"), cfg)


def test_unknown_sensor_and_empty_batch_are_named(cfg, params, batch):
    with pytest.raises(ValueError, match="config 'small': no sensor is called 'EO1'; the names are, closest first: "):
        encode.encode(params, Batch({"EO1": batch.sensors["HSI"]}), cfg)
    with pytest.raises(ValueError, match="batch: expected at least one sensor"):
        encode.encode(params, Batch({}), cfg)


def test_branch_shared_by_unlike_sensors_is_refused(cfg):
    sensors = (cfg.sensors[1], dataclasses.replace(cfg.sensors[2], branch="MSI"))
    with pytest.raises(ValueError, match=r"sensors MSI and SAR share branch 'MSI', but .* \(4, 1, 6\) against linear with"):
        encode.init_encoder(jax.random.key(0), dataclasses.replace(cfg, sensors=sensors))
