"""The objective: its parts add up, its teacher gets no gradient, and what is missing does not count."""

import dataclasses
from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made import tiny_run
from reference import numpy_jepa

from spectral_jax.batch import Batch, decode
from spectral_jax.config import Views
from spectral_jax.objective import collapse, encode_views, joint, pictures, sigreg, views
from spectral_jax.train import state


@pytest.fixture(scope="module")
def cfg():
    return tiny_run.config(views=Views(global_sensors=2, local_views=1))


@pytest.fixture(scope="module")
def params(cfg):
    return state.init_params(jax.random.key(0), cfg)


@pytest.fixture(scope="module")
def loss(cfg):
    return jax.jit(jax.value_and_grad(partial(joint.loss, cfg=cfg), argnums=(0, 1), has_aux=True))


@pytest.mark.slow
def test_loss_is_the_mix_of_its_parts(cfg, params, loss, rng, key):
    (value, metrics), _ = loss(params, params, tiny_run.batch(cfg, rng), key)
    o = 0.05 / 0.95 * 128
    mix = o / (8 + o)
    np.testing.assert_allclose(metrics["lambda"], mix, rtol=1e-6)
    np.testing.assert_allclose(value, mix * metrics["sigreg"] + (1 - mix) * metrics["invariance"], rtol=1e-5)
    assert metrics["invariance"] > 0


@pytest.mark.slow
def test_values_are_those_of_a_numpy_reference(rng):
    """From the embeddings of the views on; with three local views of two sensors, views count differently."""
    cfg = tiny_run.config(views=Views(global_sensors=3, local_views=3))
    cfg = dataclasses.replace(cfg, sensors=tuple(dataclasses.replace(s, local_views=s.key != "SAR") for s in cfg.sensors))
    params, teacher = (state.init_params(jax.random.key(i), cfg) for i in range(2))
    batch, key = tiny_run.batch(cfg, rng), jax.random.key(3)
    plan_key, direction_key = jax.random.split(key)

    @jax.jit
    def run(params, teacher):
        """What is tested, and the embeddings that the reference starts from: one program computes them once for both."""
        plan = views.draw_plan(plan_key, tuple(batch.sensors), jnp.arange(8), cfg)
        seen = pictures.make({k: decode(d, cfg.sensor(k).spec) for k, d in batch.sensors.items()}, plan, cfg)
        student = encode_views.pooled(params["encoder"], seen, plan, cfg)
        targets, _ = encode_views.pooled_globals(teacher["encoder"], seen, plan, cfg)
        return joint.loss(params, teacher, batch, key, cfg)[1], *student, targets

    metrics, *embedded = run(params, teacher)
    pooled, filled, targets = (np.asarray(x, np.float64) for x in embedded)
    counted = np.array([1, 1, 1.5, 0.75, 0.75])
    weight = filled * counted[:, None]
    z = numpy_jepa.project(params["projector"], pooled, weight)
    target = numpy_jepa.project(teacher["projector"], targets, np.ones((2, 8)))
    unit = np.asarray(sigreg.directions(direction_key, z.shape[-1], cfg.jepa.directions), np.float64)
    regular = numpy_jepa.sigreg(z, filled, unit, counted, cfg.jepa.knots, cfg.jepa.knot_max)
    np.testing.assert_allclose(metrics["sigreg"], regular, rtol=1e-4)
    np.testing.assert_allclose(metrics["invariance"], numpy_jepa.invariance(z, target, weight), rtol=1e-4)


@pytest.mark.slow
def test_no_gradient_reaches_the_teacher(cfg, params, loss, rng, key):
    teacher = state.init_params(jax.random.key(1), cfg)
    _, (student_grad, teacher_grad) = loss(params, teacher, tiny_run.batch(cfg, rng), key)
    assert all((np.asarray(g) == 0).all() for g in jax.tree.leaves(teacher_grad))
    chex.assert_tree_all_finite(student_grad)
    assert sum((np.asarray(g) != 0).any() for g in jax.tree.leaves(student_grad)) > 0.9 * len(jax.tree.leaves(student_grad))


@pytest.mark.slow
def test_a_location_without_any_data_changes_nothing(cfg, params, loss, rng, key):
    """Its pixels are garbage and it must not enter BatchNorm, the centre, SIGReg or the means."""
    batch = tiny_run.batch(cfg, rng)
    gone = {k: dataclasses.replace(d, present=np.where(np.arange(8) == 3, False, d.present)) for k, d in batch.sensors.items()}
    other = {k: dataclasses.replace(d, pixels=np.where(np.arange(8)[:, None, None, None] == 3, np.int16(31000), d.pixels))
             for k, d in gone.items()}  # fmt: skip
    (first, a), _ = loss(params, params, Batch(gone), key)
    (second, b), _ = loss(params, params, Batch(other), key)
    assert float(first) == float(second)
    assert {k: float(v) for k, v in a.items()} == {k: float(v) for k, v in b.items()}


@pytest.mark.slow
def test_views_differ_from_step_to_step(cfg, params, loss, rng):
    batch = tiny_run.batch(cfg, rng)
    values = [float(loss(params, params, batch, jax.random.key(i))[0][0]) for i in range(2)]
    assert values[0] != values[1]


@pytest.mark.parametrize(("batch_size", "expected"), [(240, 0.0273), (128, 0.05), (440, 0.0151)])
def test_lambda_follows_the_global_batch(cfg, batch_size, expected):
    np.testing.assert_allclose(sigreg.regularisation_weight(jnp.float32(batch_size), cfg), expected, atol=5e-5)


def test_alarms_are_silent_for_spread_embeddings(rng):
    x = rng.normal(size=(4096, 8)).astype(np.float32)
    found = collapse.alarms(jnp.asarray(x), jnp.ones(4096))
    assert abs(float(found["embedding_std"]) - 1.0) < 0.01
    assert 7.9 < float(found["embedding_rank"]) <= 8.0


def test_alarms_fall_when_embeddings_are_alike(rng):
    x = np.ones((64, 8)) + 1e-3 * rng.normal(size=(64, 1)) * np.eye(8)[0]
    found = collapse.alarms(jnp.asarray(x, jnp.float32), jnp.ones(64))
    assert float(found["embedding_std"]) < 1e-3
    assert float(found["embedding_rank"]) < 1.1


def test_rank_is_the_participation_ratio_of_the_covariance(rng):
    x = rng.normal(size=(200, 5)) * np.array([3.0, 1.0, 1.0, 0.5, 0.1])
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    eigenvalues = np.linalg.eigvalsh(np.cov(unit.T, bias=True))
    found = collapse.alarms(jnp.asarray(x, jnp.float32), jnp.ones(200))
    np.testing.assert_allclose(found["embedding_rank"], eigenvalues.sum() ** 2 / (eigenvalues**2).sum(), rtol=1e-4)
    np.testing.assert_allclose(found["embedding_std"], np.sqrt(eigenvalues.sum()), rtol=1e-4)
