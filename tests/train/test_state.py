"""Schedules and the first state."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made import tiny_run

from spectral_jax.config import Jepa, Optim, Train
from spectral_jax.train import state


def test_ema_momentum_follows_a_cosine_from_first_to_last():
    cfg = tiny_run.config(jepa=Jepa(ema=(0.996, 1.0)), train=Train(steps=100))
    found = [float(state.ema_momentum(jnp.int32(i), cfg)) for i in (0, 25, 50, 100, 120)]
    np.testing.assert_allclose(found, [0.996, 0.996 + 0.004 * (1 - np.sqrt(0.5)) / 2, 0.998, 1.0, 1.0], atol=1e-6)


def test_learning_rate_warms_up_from_a_twentieth_and_falls_to_zero():
    cfg = tiny_run.config(optim=Optim(lr=1e-2, warmup_steps=10), train=Train(steps=110))
    rate = state.learning_rate(cfg)
    np.testing.assert_allclose([float(rate(i)) for i in (0, 5, 10, 60, 110)], [5e-4, 5.25e-3, 1e-2, 5e-3, 0.0], atol=1e-7)


@pytest.mark.slow
def test_the_teacher_starts_as_a_copy_that_can_be_donated(key):
    made = state.create(key, tiny_run.config())
    students, teachers = jax.tree.leaves(made.params), jax.tree.leaves(made.teacher)
    assert all((np.asarray(a) == np.asarray(b)).all() for a, b in zip(students, teachers, strict=True))
    assert not {a.unsafe_buffer_pointer() for a in students} & {b.unsafe_buffer_pointer() for b in teachers}
