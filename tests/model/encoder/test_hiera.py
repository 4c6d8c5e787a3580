"""Windows, packs and stages; tests/oracles compares the stages with the published code."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made.plain import random_parameters

from spectral_jax.model import attention
from spectral_jax.model.encoder import hiera
from spectral_jax.model.encoder.hiera import Stage, to_grid, to_windows


@pytest.mark.parametrize("abreast", [1, 2, 4])
def test_windows_are_squares_of_the_grid_and_come_back(abreast):
    grid = jnp.arange(2 * 8 * 8 * 3.0).reshape(2, 8, 8, 3)
    windows = to_windows(grid, 4, abreast)
    assert windows.shape == (2, 4 // abreast, 16, abreast, 3)
    np.testing.assert_array_equal(windows[1, 3 // abreast, 6, 3 % abreast], grid[1, 5, 6])
    np.testing.assert_array_equal(to_grid(windows, 8, 8), grid)


def test_a_pack_is_one_window_on_a_cpu_and_a_register_s_rows_on_a_tpu(monkeypatch):
    grids = [jnp.zeros((1, 4, columns, 3)) for columns in (4, 24, 32, 40)]
    assert [to_windows(grid, 4).shape[3] for grid in grids] == [1, 1, 1, 1]
    monkeypatch.setattr(hiera, "platform_of", lambda x: "tpu")
    assert [to_windows(grid, 4).shape[3] for grid in grids] == [1, 6, 8, 5]


@pytest.mark.slow
def test_a_stage_of_packs_gives_the_numbers_of_windows_one_by_one(monkeypatch, rng):
    """Pooling, attention in windows and over the whole map, with masks, as a TPU lays them out; values and gradients."""
    grid, seen = jnp.asarray(rng.normal(size=(2, 8, 16, 6)), jnp.float32), jnp.asarray(rng.random((2, 8, 16)) < 0.6)
    stage = Stage(width=8, heads=2, depth=2, mlp_ratio=2, dtype=jnp.dtype("float32"), pool=True, whole=True)
    params = random_parameters(stage, to_windows(grid, 4), to_windows(seen, 4))

    def run(params, grid):
        x, valid = stage.apply(params, to_windows(grid, 4), to_windows(seen, 4))
        return jnp.where(to_grid(valid, 4, 8)[..., None], to_grid(x, 4, 8), 0.0)

    def both():
        def loss(params, grid):
            out = run(params, grid)
            return (out**2).sum(), out

        return jax.jit(jax.grad(loss, argnums=(0, 1), has_aux=True))(params, grid)

    alone = both()
    for module in (hiera, attention):
        monkeypatch.setattr(module, "platform_of", lambda x: "tpu")
    assert to_windows(grid, 4).shape == (2, 1, 16, 8, 6)
    for a, b in zip(*map(jax.tree.leaves, (both(), alone)), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4 * max(1.0, np.abs(b).max()))


@pytest.mark.slow
def test_what_is_carried_past_the_maximum_is_the_mean_of_the_valid_tokens_of_four(rng):
    grid, seen = rng.normal(size=(1, 4, 8, 6)).astype(np.float32), rng.random((1, 4, 8)) < 0.6
    seen[0, :2, :2] = False  # four tokens without a valid one
    stage = Stage(width=8, heads=2, depth=1, mlp_ratio=2, dtype=jnp.dtype("float32"), pool=True, carry=True)
    windows = to_windows(jnp.asarray(grid), 4), to_windows(jnp.asarray(seen), 4)
    params = jax.tree.map(jnp.zeros_like, random_parameters(stage, *windows))
    kernel = rng.normal(size=(6, 8)).astype(np.float32)
    params["params"]["block0"]["carry"]["kernel"] = jnp.asarray(kernel)
    x, valid = stage.apply(params, *windows)
    four = grid.reshape(1, 2, 2, 4, 2, 6).swapaxes(2, 3).reshape(1, 2, 4, 4, 6)
    good = seen.reshape(1, 2, 2, 4, 2).swapaxes(2, 3).reshape(1, 2, 4, 4)
    mean = (four * good[..., None]).sum(3) / np.maximum(good.sum(3), 1)[..., None]
    np.testing.assert_allclose(to_grid(x, 2, 4), mean @ kernel, atol=1e-5)
    np.testing.assert_array_equal(to_grid(valid, 2, 4), good.any(3))
    whole, _ = stage.apply(params, windows[0], None)
    np.testing.assert_allclose(to_grid(whole, 2, 4), four.mean(3) @ kernel, atol=1e-5)
