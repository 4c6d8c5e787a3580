"""Presto's recipe of fine-tuning: who validates, and what one step does."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from made import tiny_monthly

from spectral_jax.adapt.monthly import finetune, presto, series
from spectral_jax.adapt.monthly.finetune import Recipe, State
from spectral_jax.tasks.read import read


def test_sites_of_the_training_part_validate_and_change_with_the_seed():
    groups, train = np.repeat(np.arange(12), 4), np.arange(40)
    drawn = []
    for seed in (0, 0, 1):
        rest, held = finetune.validation(groups, train, Recipe(val_groups=3), seed)
        assert sorted([*rest, *held]) == list(range(40))
        assert set(groups[rest]) & set(groups[held]) == set()
        drawn.append(set(groups[held].tolist()))
    assert drawn[0] == drawn[1] != drawn[2]
    assert {len(one) for one in drawn} == {3}


@pytest.mark.slow
def test_a_step_is_adamw_on_the_huber_loss_that_spares_vectors_and_tables(tmp_path):
    tiny_monthly.write(tmp_path)
    points = series.of_task(read("fuel_moisture", tmp_path))
    inputs = jax.tree.map(lambda x: np.asarray(x)[:3], series.presto_inputs(points))
    config = dataclasses.replace(presto.fresh(), width=32, depth=1, heads=2)
    head = {"kernel": jnp.full((32, 1), 0.1), "bias": jnp.ones(1)}
    params = {"encoder": presto.ENCODER.init(jax.random.key(0), config), "head": head}
    recipe = Recipe(learning_rate=0.01, weight_decay=0.5, huber=2.0)
    values, counts = np.float32([30.0, -20.0, 0.5]), np.float32([1, 1, 0])

    def loss(params):
        said = (presto.embed(params["encoder"], inputs, config) @ params["head"]["kernel"])[:, 0] + params["head"]["bias"]
        away = jnp.abs(said[:2] - values[:2])
        return jnp.mean(jnp.where(away <= 2.0, away**2 / 2, 2.0 * (away - 1.0)))

    value, grads = jax.jit(jax.value_and_grad(loss))(params)
    state = State(jnp.int32(0), params, finetune._optimiser(recipe, params, config).init(params))
    after, metrics = finetune._step(state, (inputs, values, counts), None, config=config, recipe=recipe)
    assert float(metrics["loss"]) == pytest.approx(float(value), rel=1e-5)
    assert float(metrics["grad_norm"]) == pytest.approx(float(optax.tree.norm(grads)), rel=1e-4)
    # Adam's first step is the sign of the gradient times the rate; matrices decay by rate times decay beside it.
    for path, before in (("kernel", np.full((32, 1), 0.1)), ("bias", np.ones(1))):
        decayed = before * (1 - 0.005) if path == "kernel" else before
        wanted = decayed - 0.01 * np.sign(np.asarray(grads["head"][path]))
        np.testing.assert_allclose(after.params["head"][path], wanted, rtol=1e-4)
    for table in ("steps", "months"):
        np.testing.assert_array_equal(after.params["encoder"][table], params["encoder"][table])
    assert int(after.step) == 1
