"""SIGReg against LeJEPA's own numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spectral_jax.objective.sigreg import directions, epps_pulley, knots, sigreg


@pytest.fixture(scope="module")
def oracle(oracles):
    return np.load(oracles / "sigreg_epps_pulley.npz")


def close(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-5 * np.abs(wanted).max())


def test_statistic_equals_the_published_one(oracle):
    projected = oracle["input/embeddings"] @ oracle["input/directions"]
    close(epps_pulley(jnp.asarray(projected), jnp.ones(64)), oracle["output/statistic_per_direction"])


def test_gradient_equals_the_published_one(oracle):
    projected = jnp.asarray(oracle["input/embeddings"] @ oracle["input/directions"])
    close(jax.grad(lambda p: epps_pulley(p, jnp.ones(64)).mean())(projected), oracle["output/grad_projected"])


def test_sigreg_of_one_view_equals_the_published_mean(oracle):
    z, unit = jnp.asarray(oracle["input/embeddings"]), jnp.asarray(oracle["input/directions"])
    close(sigreg(z[None], jnp.ones((1, 64)), unit), oracle["output/mean"])


def test_samples_of_weight_zero_do_not_count(oracle):
    z, unit = oracle["input/embeddings"], jnp.asarray(oracle["input/directions"])
    padded = jnp.asarray(np.concatenate([z, np.full_like(z[:16], 1e3)]))
    weight = jnp.concatenate([jnp.ones(64), jnp.zeros(16)])
    close(sigreg(padded[None], weight[None], unit), oracle["output/mean"])


@pytest.mark.parametrize("samples", [64, 1024])
def test_statistic_of_gaussian_samples_is_of_order_one_for_any_count(samples):
    z = jax.random.normal(jax.random.key(3), (1, samples, 16))
    value = float(sigreg(z, jnp.ones((1, samples)), directions(jax.random.key(4), 16, 256)))
    assert 0.1 < value < 3.0


def test_knots_integrate_a_gaussian_over_the_whole_line():
    t, weight = knots(17, 3.0)
    # integral of exp(-t^2/2) over [-3, 3] is sqrt(2 pi) erf(3 / sqrt 2) = 2.49986
    assert t.dtype == np.float32
    np.testing.assert_allclose(weight.sum(), 2.49986, atol=2e-3)


def test_directions_have_unit_length():
    np.testing.assert_allclose(jnp.linalg.norm(directions(jax.random.key(0), 7, 5), axis=0), np.ones(5), rtol=1e-6)


def test_a_wrong_weight_is_named():
    with pytest.raises(ValueError, match="weight: expected 4 numbers, one a sample, got 3"):
        epps_pulley(jnp.zeros((4, 2)), jnp.ones(3))
