"""Attention against plain NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made.plain import random_parameters, softmax

from spectral_jax.model import attention

FLOAT = jnp.dtype("float32")


@pytest.mark.slow
def test_masked_softmax_is_the_softmax_of_the_kept_and_zero_where_none_is():
    scores = jnp.asarray([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
    mask = jnp.asarray([[True, False, True], [False, False, False]])
    weights, grad = jax.value_and_grad(lambda s: jnp.sum(attention.masked_softmax(s, mask)[:, 0]))(scores)
    got = attention.masked_softmax(scores, mask)
    np.testing.assert_allclose(got[0, [0, 2]], softmax(np.array([1.0, 3.0])), rtol=1e-6)
    np.testing.assert_array_equal(got[1], 0.0)
    assert np.isfinite(grad).all()
    np.testing.assert_array_equal(grad[1], 0.0)


@pytest.mark.slow
def test_query_pool_agrees_with_ordinary_multi_head_attention():
    x = np.random.default_rng(1).normal(size=(3, 5, 8))
    mask = np.array([[1, 1, 1, 1, 1], [1, 0, 1, 0, 0], [0, 0, 0, 0, 1]], bool)
    module = attention.QueryPool(2, FLOAT)
    state = random_parameters(module, jnp.zeros((3, 5, 8)), None)
    p = jax.tree.map(np.asarray, state["params"])
    packed = lambda y: y @ p["qkv"]["kernel"] + p["qkv"]["bias"]  # noqa: E731
    q, k, v = packed(p["query"])[:8], packed(x)[..., 8:16], packed(x)[..., 16:]
    heads = []
    for a in (slice(0, 4), slice(4, 8)):
        scores = np.where(mask, k[..., a] @ q[a] / 2.0, -np.inf)
        heads.append(np.einsum("bm,bmd->bd", softmax(scores), v[..., a]))
    expected = np.concatenate(heads, axis=-1) @ p["out"]["kernel"] + p["out"]["bias"]
    got = module.apply(state, jnp.asarray(x, jnp.float32), jnp.asarray(mask))
    np.testing.assert_allclose(got, expected, atol=1e-5)


@pytest.mark.slow
def test_attention_agrees_with_numpy_and_ignores_masked_keys():
    x = np.random.default_rng(1).normal(size=(1, 2, 4, 6))
    valid = np.array([[[1, 1, 0, 1], [1, 1, 1, 1]]], bool)
    module = attention.Attention(6, 2, FLOAT)
    state = random_parameters(module, jnp.zeros((1, 2, 4, 1, 6)), None)
    p = jax.tree.map(np.asarray, state["params"])
    q, k, v = np.split(x @ p["qkv"]["kernel"] + p["qkv"]["bias"], 3, axis=-1)
    heads = []
    for a in (slice(0, 3), slice(3, 6)):
        scores = np.einsum("bwqd,bwkd->bwqk", q[..., a], k[..., a]) / np.sqrt(3.0)
        heads.append(softmax(np.where(valid[:, :, None], scores, -np.inf)) @ v[..., a])
    expected = np.concatenate(heads, axis=-1) @ p["out"]["kernel"] + p["out"]["bias"]
    got = module.apply(state, jnp.asarray(x, jnp.float32)[:, :, :, None], jnp.asarray(valid)[..., None])
    np.testing.assert_allclose(got[:, :, :, 0], expected, atol=1e-5)


def _plain_attention(q, k, v, valid, heads):
    out = []
    for a, b, c in zip(*(np.split(y, heads, axis=-1) for y in (q, k, v)), strict=True):
        scores = np.where(valid[:, :, None], np.einsum("bwqd,bwkd->bwqk", a, b) / np.sqrt(a.shape[-1]), -1e30)
        out.append(softmax(scores) * valid.any(axis=-1)[:, :, None, None] @ c)
    return np.concatenate(out, axis=-1)


def in_packs(x, abreast):
    """Windows [B W N ...] in packs, [B P N T ...]."""
    x = np.asarray(x)
    return np.moveaxis(x.reshape(x.shape[0], -1, abreast, *x.shape[2:]), 2, 3)


@pytest.mark.slow
@pytest.mark.parametrize(("abreast", "together"), [(1, 1), (1, 2), (1, 6), (2, 1), (2, 3), (3, 2), (6, 1)])
@pytest.mark.parametrize("queries", [4, 1])
def test_windows_that_share_a_product_do_not_see_one_another(abreast, together, queries, rng):
    """With fewer queries than keys too, as where queries are pooled; a window without a valid key gives zeros."""
    q = rng.normal(size=(2, 6, queries, 6)).astype(np.float32)
    k, v = rng.normal(size=(2, 2, 6, 4, 6)).astype(np.float32)
    valid = rng.random((2, 6, 4)) < 0.7
    valid[0, 3] = False

    def run(q, k, v, abreast=abreast, together=together):
        return attention.attend(q, k, v, jnp.asarray(in_packs(valid, abreast)), 2, together)

    packed = [in_packs(x, abreast) for x in (q, k, v)]
    expected = _plain_attention(q, k, v, valid, 2)
    np.testing.assert_allclose(run(*packed), in_packs(expected, abreast), atol=1e-6)
    grads = jax.grad(lambda *given: (run(*given) ** 2).sum(), argnums=(0, 1, 2))(*packed)
    apart = jax.grad(lambda *given: (run(*given, 1, 1) ** 2).sum(), argnums=(0, 1, 2))(*(in_packs(x, 1) for x in (q, k, v)))
    for a, b in zip(grads, apart, strict=True):
        np.testing.assert_allclose(a, in_packs(np.asarray(b)[:, :, :, 0], abreast), atol=1e-5)


@pytest.mark.parametrize(
    ("packs", "tokens", "abreast", "expected"),
    [
        (256, 16, 1, 8),
        (256, 4, 1, 32),
        (12, 4, 1, 4),
        (5, 4, 1, 1),
        (64, 256, 1, 1),
        (32, 16, 8, 1),
        (32, 4, 8, 4),
        (6, 4, 8, 2),
    ],
)
def test_so_many_packs_share_a_product_as_a_tpu_has_rows(packs, tokens, abreast, expected):
    assert attention._packs_together(jnp.zeros((1, packs, tokens, abreast, 8))) == expected


@pytest.mark.slow
def test_on_a_tpu_windows_share_products(monkeypatch, rng):
    x, valid = jnp.asarray(rng.normal(size=(2, 8, 16, 1, 6)), jnp.float32), jnp.asarray(rng.random((2, 8, 16, 1)) < 0.8)
    module = attention.Attention(6, 2, FLOAT, pool=True)
    params = random_parameters(module, x, valid)
    apart = module.apply(params, x, valid)
    monkeypatch.setattr(attention, "platform_of", lambda x: "tpu")
    asked = []
    monkeypatch.setattr(attention, "attend", lambda *given, do=attention.attend: asked.append(given[-1]) or do(*given))
    np.testing.assert_allclose(module.apply(params, x, valid), apart, atol=1e-5)
    assert asked == [8]
