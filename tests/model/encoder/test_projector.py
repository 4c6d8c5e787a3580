"""The projector against NumPy, and its BatchNorm over devices."""

from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from spectral_jax.model.encoder.projector import init_projector, project


@pytest.fixture(scope="module")
def projector(cfg):
    return init_projector(jax.random.key(3), cfg)


@pytest.fixture
def x(cfg):
    return jnp.asarray(np.random.default_rng(0).normal(size=(3, 16, cfg.model.widths[2])), jnp.float32)


def test_projector_agrees_with_numpy(projector, x):
    p = jax.tree.map(lambda a: np.asarray(a, np.float64), projector)
    y = np.asarray(x, np.float64)
    for i in range(2):
        y = y @ p[f"hidden{i}"]["kernel"]
        y = (y - y.mean(axis=(0, 1))) / np.sqrt(y.var(axis=(0, 1)) + 1e-5) * p[f"norm{i}"]["scale"] + p[f"norm{i}"]["bias"]
        y = np.maximum(y, 0)
    expected = y @ p["out"]["kernel"] + p["out"]["bias"]
    np.testing.assert_allclose(project(projector, x), expected, atol=1e-4)


def test_projector_has_no_bias_before_batch_norm(projector):
    assert {k: sorted(v) for k, v in projector.items()} == {
        "hidden0": ["kernel"], "norm0": ["bias", "scale"], "hidden1": ["kernel"], "norm1": ["bias", "scale"],
        "out": ["bias", "kernel"],
    }  # fmt: skip


@pytest.mark.multidevice
def test_statistics_are_those_of_the_whole_batch_over_devices(projector, x):
    mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    split = jax.shard_map(partial(project, axis="data"), mesh=mesh, in_specs=(P(), P(None, "data")), out_specs=P(None, "data"))

    def loss(f):
        return jax.jit(jax.value_and_grad(lambda p: jnp.sum(jnp.sin(f(p, x)))))(projector)

    (one, grad_one), (many, grad_many) = loss(project), loss(split)
    np.testing.assert_allclose(many, one, rtol=1e-5)
    chex.assert_trees_all_close(grad_one, grad_many, rtol=1e-3, atol=2e-4)


def test_bfloat16_stays_near_float32(projector, x):
    half, full = project(projector, x, dtype=jnp.bfloat16), project(projector, x)
    assert half.dtype == jnp.float32
    assert 0 < np.abs(half - full).max() < 0.05 * np.abs(full).max()


def test_wrong_width_is_named(projector):
    with pytest.raises(ValueError, match=r"project: expected x of \[\.\.\. D\] with D \(width\) = 64 .* got shape \(4, 63\)"):
        project(projector, jnp.zeros((4, 63)))
