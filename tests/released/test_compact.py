import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spectral_jax.released import compact


def vectors(rng, count=400, width=96):
    """Of 80 directions, of which the largest say nearly all."""
    return (rng.normal(size=(count, 80)) * 0.9 ** np.arange(80)) @ rng.normal(size=(80, width)) + 3.0


def test_numbers_are_components_in_steps_of_their_own(rng):
    x = vectors(rng)
    made = compact.fit("pixels", x)
    found = np.asarray(jax.jit(compact.compact)(made._replace(level=None), jnp.asarray(x, jnp.float32)))
    assert (found.dtype, found.shape) == (np.int8, (400, 64))
    apart = x - x.mean(axis=0)
    _, size, axes = np.linalg.svd(apart, full_matrices=False)
    step = 4.0 * size[:64] / np.sqrt(399) / 127.0
    expected = np.clip(np.round(np.abs(apart @ axes[:64].T) / step), -127, 127)
    # Signs of axes are free, and what lies at half a step is rounded either way.
    assert (np.abs(np.abs(found) - expected) <= 1).all()
    assert (np.abs(np.abs(found) - expected) == 0).mean() > 0.99


def test_vectors_come_back_but_for_the_steps(rng):
    x = vectors(rng)
    made = compact.fit("pixels", x)
    back = np.asarray(compact.expanded(made, compact.compact(made, jnp.asarray(x, jnp.float32))))
    assert ((back - x) ** 2).mean() < 1e-3 * x.var()


def test_too_little_is_refused(rng):
    with pytest.raises(ValueError, match=r"level stage1: expected 64 vectors or more of as many numbers, got \(40, 96\)"):
        compact.fit("stage1", rng.normal(size=(40, 96)))
