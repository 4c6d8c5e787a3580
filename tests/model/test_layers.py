"""Layers against plain NumPy."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made.plain import random_parameters, softmax

from spectral_jax.model import attention, initialise, layers

FLOAT = jnp.dtype("float32")


@pytest.mark.parametrize("eps", [1e-6, 1e-2])
def test_layer_norm_agrees_with_numpy(eps):
    x = np.random.default_rng(0).normal(3.0, 0.1, size=(4, 7))
    module = layers.LayerNorm(FLOAT, eps)
    params = random_parameters(module, jnp.zeros((4, 7)))
    scale, bias = (np.asarray(params["params"][k]) for k in ("scale", "bias"))
    expected = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + eps) * scale + bias
    np.testing.assert_allclose(module.apply(params, jnp.asarray(x, jnp.float32)), expected, atol=1e-5)


def test_layer_norm_keeps_statistics_in_float32():
    x = jnp.asarray([[300.0, 301.0, 302.0, 303.0]], jnp.bfloat16)  # in bfloat16 these are 300, 300, 302, 304
    got = layers.LayerNorm(jnp.dtype("bfloat16")).apply({"params": {"scale": jnp.ones(4), "bias": jnp.zeros(4)}}, x)
    stored = np.asarray(x, np.float64)
    np.testing.assert_allclose(np.asarray(got, np.float64), (stored - stored.mean()) / stored.std(), atol=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("abreast", [1, 3])
def test_pooling_takes_the_largest_valid_token_of_every_two_by_two(abreast):
    x = jnp.repeat(jnp.arange(16.0).reshape(1, 1, 16, 1, 1), abreast, axis=3)
    valid = jnp.ones((1, 1, 16, abreast), bool).at[0, 0, jnp.asarray([5, 10, 11, 14, 15]), -1].set(False)
    assert layers.pool_tokens(x, None)[..., -1, :].ravel().tolist() == [5, 7, 13, 15]
    assert layers.pool_tokens(x, valid)[..., -1, :].ravel().tolist() == [4, 7, 13, 0]
    assert layers.pool_valid(valid)[..., -1].ravel().tolist() == [True, True, True, False]
    if abreast > 1:  # the other windows of the pack are none the wiser
        assert layers.pool_tokens(x, valid)[..., 0, :].ravel().tolist() == [5, 7, 13, 15]


def test_weights_start_with_the_published_deviation():
    weights = np.asarray(initialise.TRUNCATED(jax.random.key(0), (500, 500), jnp.float32))
    assert weights.std() == pytest.approx(0.02, rel=0.01)
    assert np.abs(weights).max() > 0.06  # not cut at two deviations


def test_gelu_is_x_times_the_normal_distribution_function_with_its_slope():
    x = np.linspace(-6.0, 6.0, 101)
    phi = np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi)
    below = np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in x])
    value, slope = jax.vmap(jax.value_and_grad(layers.gelu))(jnp.asarray(x, jnp.float32))
    np.testing.assert_allclose(value, x * below, atol=1e-6)
    np.testing.assert_allclose(slope, below + x * phi, atol=1e-6)
    assert layers.gelu(jnp.ones(2, jnp.bfloat16)).dtype == jnp.bfloat16
    assert jax.grad(lambda v: layers.gelu(v).sum())(jnp.ones(2, jnp.bfloat16)).dtype == jnp.bfloat16


def test_a_row_is_added_to_every_row_and_its_slope_is_the_sum(rng):
    x, row, weights = (rng.normal(size=size).astype(np.float32) for size in ((300, 5), 5, (300, 5)))
    np.testing.assert_array_equal(layers.add_row(x, row), x + row)
    d_x, d_row = jax.grad(lambda x, row: (layers.add_row(x, row) * weights).sum(), argnums=(0, 1))(x, row)
    np.testing.assert_array_equal(d_x, weights)
    np.testing.assert_allclose(d_row, weights.sum(axis=0, dtype=np.float64), atol=1e-4)


@pytest.mark.parametrize("width", [3, 5, 8])
def test_a_product_has_the_slopes_of_a_product(width, rng):
    """Of a kernel that narrows, a square one and one that widens: the gradient of the first is made another way on a CPU."""
    x, kernel, weights = (rng.normal(size=size).astype(np.float32) for size in ((300, 5), (5, width), (300, width)))
    np.testing.assert_allclose(layers.product(x, kernel), x.astype(np.float64) @ kernel, atol=1e-5)

    def total(x, kernel):
        return (layers.product(x, kernel) * weights).sum()

    d_x, d_kernel = jax.grad(total, argnums=(0, 1))(x, kernel)
    np.testing.assert_allclose(d_x, weights.astype(np.float64) @ kernel.T, atol=1e-5)
    np.testing.assert_allclose(d_kernel, x.T.astype(np.float64) @ weights, atol=1e-4)
    np.testing.assert_array_equal(jax.grad(total, argnums=1)(x, kernel), d_kernel)  # where x is given, as in a first layer
    np.testing.assert_array_equal(jax.grad(total)(x, kernel), d_x)  # where the kernel is frozen
    moved = jax.jvp(total, (x, kernel), (x, np.zeros_like(kernel)))[1]
    np.testing.assert_allclose(moved, total(x, kernel), rtol=1e-5)


def test_the_gradient_of_a_kernel_that_narrows_sums_over_rows_of_no_wide_matrix():
    """As XLA does it, a contraction over the first axes of both, it takes three times as long on a CPU."""
    x, kernel = jnp.ones((300, 8)), jnp.ones((8, 3))
    program = jax.jit(jax.grad(lambda kernel: layers.product(x, kernel).sum())).lower(kernel).as_text()
    over = [line for line in program.splitlines() if "dot_general" in line]
    assert len(over) == 1
    assert "contracting_dims = [1] x [0]" in over[0]


def _slope(function, x, weights):
    """The gradient of the weighted sum of a NumPy function at x, by central differences."""
    steps = np.eye(x.size).reshape(x.size, *x.shape) * 1e-5
    return np.array([((function(x + h) - function(x - h)) * weights).sum() / 2e-5 for h in steps]).reshape(x.shape)


def _standardised(x):
    return (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ours", "plain"), [(lambda x: layers.standardise(x, 1e-2), _standardised), (attention.softmax, softmax)]
)
def test_written_out_slopes_are_those_of_the_plain_formula(ours, plain, rng):
    x, weights = rng.normal(size=(2, 3, 5))
    given, count = jnp.asarray(x, jnp.float32), jnp.asarray(weights, jnp.float32)
    np.testing.assert_allclose(ours(given), plain(x), atol=1e-6)
    np.testing.assert_allclose(jax.grad(lambda x: (ours(x) * count).sum())(given), _slope(plain, x, weights), atol=1e-5)
    _, moved = jax.jvp(ours, (given,), (count,))
    np.testing.assert_allclose(moved, (plain(x + 1e-5 * weights) - plain(x - 1e-5 * weights)) / 2e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.multidevice
def test_the_slope_of_gelu_is_taken_under_shard_map():
    mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    spec = jax.sharding.PartitionSpec("data")
    x = jnp.linspace(-2.0, 2.0, 8)
    split = jax.shard_map(jax.grad(lambda v: layers.gelu(v).sum()), mesh=mesh, in_specs=spec, out_specs=spec)
    np.testing.assert_allclose(split(x), jax.vmap(jax.grad(layers.gelu))(x), atol=1e-6)
