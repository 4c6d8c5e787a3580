"""One compilation a form of batch, and its seconds kept apart."""

import jax
import jax.numpy as jnp
import numpy as np

from spectral_jax.train.programs import Programs


def test_batches_of_one_form_share_a_program_and_give_what_the_step_gives():
    traced = []

    def step(state, batch, key):
        traced.append({name: x.shape for name, x in batch.items()})
        return state + sum(x.sum() for x in batch.values()), jax.random.uniform(key)

    run, key = Programs(jax.jit(step)), jax.random.key(0)
    state = jnp.float32(1)
    for batch in ({"a": np.ones(2)}, {"a": np.ones(2)}, {"a": np.ones(3)}, {"b": np.ones(2)}, {"a": np.zeros(2)}):
        state, drawn = run(state, {k: v.astype(np.float32) for k, v in batch.items()}, key)
    assert float(state) == 1 + 2 + 2 + 3 + 2
    assert float(drawn) == float(jax.random.uniform(key))
    assert traced == [{"a": (2,)}, {"a": (3,)}, {"b": (2,)}]
    assert len(run) == 3


def test_compiling_is_counted_once():
    run = Programs(jax.jit(lambda state, batch, key: (state, batch)))
    assert run.seconds == 0.0
    run(jnp.float32(1), np.ones(2, np.float32), jax.random.key(0))
    once = run.seconds
    run(jnp.float32(1), np.ones(2, np.float32), jax.random.key(0))
    assert run.seconds == once > 0
