"""Norms of a state and of its last change, against the change itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made import tiny_run

from spectral_jax.config import Optim
from spectral_jax.train import norms, state, step


def euclidean(tree) -> float:
    return np.sqrt(sum(np.sum(np.square(np.asarray(leaf, np.float64))) for leaf in jax.tree.leaves(tree)))


@pytest.mark.slow
@pytest.mark.parametrize("clip_norm", [None, 0.5])
def test_norms_of_a_state_are_those_of_what_the_update_did(rng, clip_norm):
    cfg = tiny_run.config(optim=Optim(lr=3e-3, warmup_steps=2, weight_decay=0.1, clip_norm=clip_norm))
    draw = lambda: {"a": jnp.asarray(rng.normal(size=(5, 7)), jnp.float32), "b": jnp.asarray(rng.normal(size=3), jnp.float32)}  # noqa: E731
    now, batch = state.around(draw(), cfg), tiny_run.batch(cfg, rng, size=2)
    for _ in range(3):
        grads = draw()
        before = now.params
        now, _ = step.update(now, batch, jax.random.key(0), cfg, gradient=lambda *_, grads=grads: ({}, grads))
        found = {name: float(value) for name, value in norms.of(now, cfg).items()}
        added = jax.tree.map(lambda a, b: np.asarray(a, np.float64) - np.asarray(b, np.float64), now.params, before)
        apart = jax.tree.map(lambda a, b: np.asarray(a, np.float64) - np.asarray(b, np.float64), now.params, now.teacher)
        assert found["update_norm"] == pytest.approx(euclidean(added), rel=1e-4)
        assert found["param_norm"] == pytest.approx(euclidean(now.params), rel=1e-6)
        assert found["teacher_distance"] == pytest.approx(euclidean(apart), rel=1e-5)
