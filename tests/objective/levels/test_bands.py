"""Targets of band reconstruction: means over the valid pixels of a cell."""

import jax.numpy as jnp
import numpy as np

from spectral_jax.objective.levels import bands


def test_a_cell_is_the_mean_of_its_valid_pixels(rng):
    pixels, valid = rng.normal(size=(2, 3, 4, 6, 5)).astype(np.float32), rng.random((2, 3, 4, 6)) < 0.6
    valid[0, 0, :2, :2] = False
    found = np.asarray(bands.cell_means(jnp.asarray(pixels), jnp.asarray(valid), 2))
    assert found.shape == (2, 3, 2, 3, 5)
    for v, b, r, q in np.ndindex(found.shape[:-1]):
        cell = np.s_[v, b, 2 * r : 2 * r + 2, 2 * q : 2 * q + 2]
        expected = pixels[cell][valid[cell]].mean(axis=0) if valid[cell].any() else np.zeros(5)
        np.testing.assert_allclose(found[v, b, r, q], expected, rtol=1e-5, atol=1e-6)
