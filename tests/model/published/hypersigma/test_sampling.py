"""Bilinear samples of maps, at places inside and outside, and their slopes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made.oracle_file import difference, part
from reference import numpy_hypersigma

from spectral_jax.model.published.hypersigma.sampling import Attention, sample


def test_samples_agree_with_pytorch(oracles):
    path = oracles / "hypersigma.npz"
    x, grid = (part(path, "ops/grid_sample/input")[name] for name in ("x", "grid"))
    rows, columns = x.shape[2:]
    # Places in tokens, which are offsets of the first token, at row and column 0.
    places = ((grid[0].reshape(-1, 2) + 1) * (columns, rows) - 1) / 2
    maps = x.reshape(1, 3, -1).swapaxes(1, 2)[:, None]
    offsets = np.broadcast_to(places, (1, 1, rows * columns, *places.shape))
    found = sample(jnp.asarray(maps), jnp.asarray(offsets, jnp.float32), (rows, columns))[0, 0, 0]
    expected = part(path, "ops/grid_sample/output")["y"][0].reshape(3, -1).T
    assert difference(found, expected) <= 1e-6


def test_samples_agree_with_plain_numpy(rng):
    maps = rng.normal(size=(2, 2, 12, 3)).astype(np.float32)
    offsets = rng.normal(scale=2.0, size=(2, 2, 12, 5, 2)).astype(np.float32)
    offsets[0, 0, 0] = [[0, 0], [3, 2], [-1, 0], [1e9, 0], [-0.25, 2.5]]
    found = np.asarray(sample(jnp.asarray(maps), jnp.asarray(offsets), (3, 4)))
    for b, a, n, p in np.ndindex(2, 2, 12, 5):
        dx, dy = offsets[b, a, n, p]
        expected = numpy_hypersigma.bilinear_sample(maps[b, a].reshape(3, 4, 3).astype(float), n % 4 + dx, n // 4 + dy)
        np.testing.assert_allclose(found[b, a, n, p], expected, atol=2e-6)


@pytest.mark.slow
def test_places_have_the_slope_of_the_maps():
    # A map that rises by 2 a column and 5 a row.
    maps = jnp.asarray(np.add.outer(5.0 * np.arange(3), 2.0 * np.arange(4)).reshape(1, 1, 12, 1), jnp.float32)
    offsets = jnp.zeros((1, 1, 12, 1, 2)).at[0, 0, 5].set(0.3)
    slope = jax.grad(lambda offsets: sample(maps, offsets, (3, 4))[0, 0, 5, 0, 0])(offsets)
    np.testing.assert_allclose(slope[0, 0, 5, 0], [2.0, 5.0], rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("points", [0, 2])
def test_half_precision_changes_the_type_and_little_else(key, points):
    x = jax.random.normal(key, (2, 12, 10))
    exact = Attention(3, points, jnp.dtype(jnp.float32))
    params = exact.init(key, x, (3, 4))
    half = Attention(3, points, jnp.dtype(jnp.bfloat16)).apply(params, x, (3, 4))
    assert half.dtype == jnp.bfloat16
    expected = np.asarray(exact.apply(params, x, (3, 4)))
    assert np.abs(np.asarray(half, np.float32) - expected).max() < 0.05 * np.abs(expected).max()
