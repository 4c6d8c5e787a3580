import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made.oracle_file import TOLERANCE, difference
from made.plain import softmax

from spectral_jax.model.layers import mean_of_valid
from spectral_jax.model.published.monthly import masked_blocks
from spectral_jax.model.published.monthly.masked_blocks import attend


@pytest.fixture
def sample(rng):
    """Queries, keys and values of two samples with three heads, and which tokens are seen; of the second, few are."""
    seen = np.ones((2, 9), bool)
    seen[0, [0, 5]] = False
    seen[1, 2:] = False
    return tuple(rng.normal(size=(2, 3, 9, 4)).astype(np.float32) for _ in range(3)), seen


@pytest.mark.parametrize("one_by_one", [1, 100])
def test_heads_one_by_one_and_together_attend_to_what_is_seen(sample, monkeypatch, one_by_one):
    monkeypatch.setattr(masked_blocks, "ONE_BY_ONE", one_by_one)
    arrays, seen = sample
    with jax.default_matmul_precision("highest"):
        found = attend(*map(jnp.asarray, arrays), jnp.asarray(seen))
    q, k, v = (y.astype(float) for y in arrays)
    for i in range(2):
        for head in range(3):
            weights = softmax(q[i, head] @ k[i, head, seen[i]].T / 2)
            assert difference(found[i, head], weights @ v[i, head, seen[i]]) <= TOLERANCE


@pytest.mark.slow
def test_gradients_are_the_same_both_ways(sample, monkeypatch):
    arrays, seen = sample
    made = []
    for one_by_one in (1, 100):
        monkeypatch.setattr(masked_blocks, "ONE_BY_ONE", one_by_one)
        made.append(jax.grad(lambda *qkv: jnp.sin(attend(*qkv, jnp.asarray(seen))).sum(), (0, 1, 2))(*map(jnp.asarray, arrays)))
    for first, second in zip(*made, strict=True):
        assert difference(first, np.asarray(second)) <= TOLERANCE
    # Nothing reaches a token that is not seen.
    assert not np.asarray(made[0][1])[1, :, 2:].any()


def test_of_nothing_there_is_nothing_and_no_nan(sample):
    arrays, seen = sample
    found = attend(*map(jnp.asarray, arrays), jnp.zeros_like(jnp.asarray(seen)))
    np.testing.assert_array_equal(found, np.zeros((2, 3, 9, 4)))
    np.testing.assert_array_equal(mean_of_valid(jnp.ones((2, 3, 4)), jnp.zeros((2, 3), bool)), np.zeros((2, 4)))


def test_a_mean_is_of_what_is_seen(rng):
    x, seen = rng.normal(size=(2, 5, 3)).astype(np.float32), np.array([[1, 0, 1, 0, 0], [1, 1, 1, 1, 1]], bool)
    found = mean_of_valid(jnp.asarray(x), jnp.asarray(seen))
    assert difference(found, np.stack([x[0, [0, 2]].mean(0), x[1].mean(0)])) <= TOLERANCE
