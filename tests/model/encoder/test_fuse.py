"""Fusion of the sensors of a cell; tests/oracles and test_encode have the rest."""

import jax
import jax.numpy as jnp
import numpy as np
from made.plain import random_parameters

from spectral_jax.model.encoder.fuse import Fuse


def test_a_carry_adds_the_mean_of_the_sensors_that_see_a_cell(rng):
    tokens = rng.normal(size=(2, 3, 2, 4)).astype(np.float32)
    mask = np.array([[[True, True], [True, False], [False, False]]] * 2)
    arrays = jnp.asarray(tokens), jnp.asarray(mask), jnp.zeros((2, 2), jnp.int32)
    plain, carried = (Fuse(("A",), 8, 2, jnp.dtype("float32"), carry) for carry in (False, True))
    params = random_parameters(plain, *arrays)
    assert jax.tree.structure(params) == jax.tree.structure(random_parameters(carried, *arrays))
    added = np.asarray(carried.apply(params, *arrays)) - np.asarray(plain.apply(params, *arrays))
    expected = np.stack([tokens[:, 0].mean(axis=1), tokens[:, 1, 0], np.zeros((2, 4))], axis=1)
    np.testing.assert_allclose(added, expected, atol=1e-5)
