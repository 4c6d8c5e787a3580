"""InfoNCE against a loop in NumPy, and what must not count."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spectral_jax.objective.levels.contrast import infonce


def by_loops(z, filled, pairs, temperature):
    unit = z / np.linalg.norm(z, axis=-1, keepdims=True)
    total = counts = 0.0
    for t, s in np.ndindex(pairs.shape):
        for place in np.flatnonzero(filled[t] * filled[s]):
            others = np.flatnonzero(filled[s])
            cosine = unit[s, others] @ unit[t, place] / temperature
            own = cosine[list(others).index(place)]
            total += pairs[t, s] * (np.log(np.exp(cosine).sum()) - own)
            counts += pairs[t, s]
    return total / counts


def test_it_is_the_mean_over_pairs_of_the_loops(rng):
    z = rng.normal(size=(3, 6, 4))
    filled = np.ones((3, 6))
    filled[1, 2] = filled[2, [0, 5]] = 0
    pairs = np.array([[0, 1, 2], [1, 0, 0], [2, 0, 0]], float)
    found = infonce(*(jnp.asarray(x, jnp.float32) for x in (z, filled, pairs)), 0.2)
    np.testing.assert_allclose(found, by_loops(z, filled, pairs, 0.2), rtol=1e-5)


def test_embeddings_that_tell_nothing_cost_the_logarithm_of_the_places():
    found = infonce(jnp.ones((2, 8, 3)), jnp.ones((2, 8)), 1.0 - jnp.eye(2), 0.1)
    np.testing.assert_allclose(found, np.log(8), rtol=1e-6)


@pytest.mark.slow
def test_what_holds_nothing_neither_counts_nor_makes_a_gradient_nan(rng):
    z = jnp.asarray(rng.normal(size=(2, 4, 3)), jnp.float32).at[1].set(0.0)
    empty = jnp.ones((2, 4)).at[1].set(0.0)
    value, slope = jax.jit(jax.value_and_grad(infonce))(z, empty, 1.0 - jnp.eye(2), 0.1)
    assert float(value) == 0.0
    assert not np.asarray(slope).any()


@pytest.mark.slow
@pytest.mark.multidevice
def test_places_of_all_devices_are_chosen_among(rng):
    mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    z, filled = jnp.asarray(rng.normal(size=(3, 16, 4)), jnp.float32), jnp.ones((3, 16)).at[2, 3].set(0.0)
    pairs, spec = 1.0 - jnp.eye(3), jax.sharding.PartitionSpec(None, "data")

    def whole(z):
        run = jax.shard_map(
            lambda z, filled: infonce(z, filled, pairs, 0.1, "data"), mesh=mesh, in_specs=(spec, spec),
            out_specs=jax.sharding.PartitionSpec(),
        )  # fmt: skip
        return run(z, filled)

    value, slope = jax.jit(jax.value_and_grad(whole))(z)
    alone, its_slope = jax.jit(jax.value_and_grad(lambda z: infonce(z, filled, pairs, 0.1)))(z)
    np.testing.assert_allclose(value, alone, rtol=1e-5)
    np.testing.assert_allclose(slope, its_slope, rtol=1e-4, atol=1e-6)
