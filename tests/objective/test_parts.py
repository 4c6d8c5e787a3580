"""A batch in parts gives what it gives in one piece: statistics of the whole batch, their gradient, and what is drawn."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made import tiny_run

from spectral_jax.batch import Batch, SensorData
from spectral_jax.config import Data, Levels, Objective, SpecTM, Train, Views
from spectral_jax.objective import joint, sigreg
from spectral_jax.objective.levels.contrast import infonce
from spectral_jax.objective.parts import check_parts, in_parts
from spectral_jax.train import partition, state

WIDE = 4096  # hidden numbers of the network below


def batch(rng, size=8):
    pixels = rng.normal(size=(size, 2, 2, 3)).astype(np.float32)
    return Batch({"HSI": SensorData(pixels, np.ones(size, bool), np.zeros(size, np.float32))})


def network(rng):
    shapes = {"first": (12, WIDE), "second": (WIDE, 5)}
    return {name: jnp.asarray(rng.normal(size=s) / np.sqrt(s[0]), jnp.float32) for name, s in shapes.items()}


def loss(params, batch, parts, axis=None):
    """Two views through a network, then what needs the whole batch: SIGReg and InfoNCE, beside a plain sum."""

    def of_locations(batch, numbers):
        # What a location draws hangs on its number alone.
        drawn = jax.vmap(lambda n: jax.random.normal(jax.random.fold_in(jax.random.key(7), n), (2, 12)))(numbers)
        x = batch.sensors["HSI"].pixels.reshape(-1, 12)[None] + 0.1 * jnp.swapaxes(drawn, 0, 1)
        z = jnp.tanh(x @ params["first"]) @ params["second"]
        return {"z": z, "sum": jnp.sum(z**2)[None, None]}, jnp.float32(3.0)

    found, common = in_parts(of_locations, batch, parts, along=1, axis=axis)
    z, there = found["z"], jnp.ones(found["z"].shape[:2])
    unit = sigreg.directions(jax.random.key(1), 5, 16)
    value = sigreg.sigreg(z, there, unit, axis=axis) + infonce(z, there, 1.0 - jnp.eye(2), 0.5, axis)
    plain = found["sum"].sum()
    value = value + common * 0.01 * (plain if axis is None else jax.lax.psum(plain, axis))
    return value, z


def grads(parts):
    return jax.jit(jax.value_and_grad(partial(loss, parts=parts), has_aux=True))


@pytest.mark.slow
def test_loss_and_gradient_of_parts_are_those_of_the_batch(rng):
    params, data = network(rng), batch(rng)
    (expected, z), slope = grads(1)(params, data)
    for parts in (2, 4, 8):
        (found, again), other = grads(parts)(params, data)
        np.testing.assert_allclose(found, expected, rtol=1e-6)
        np.testing.assert_allclose(again, z, atol=1e-6)  # in the order of the batch, with each location's own draw
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * np.abs(b).max()), other, slope)


def test_a_mean_over_parts_would_be_another_loss(rng):
    """Why SIGReg and InfoNCE see the whole batch: of halves by themselves the mean is another number."""
    params, data = network(rng), batch(rng)
    halves = [jax.tree.map(lambda x, s=s: x[s], data) for s in (slice(4), slice(4, 8))]
    (expected, _), mean = grads(1)(params, data), np.mean([float(grads(1)(params, half)[0][0]) for half in halves])
    assert abs(float(expected[0]) - mean) > 0.1


@pytest.mark.slow
def test_one_part_is_the_program_without_parts_and_others_hold_less(rng):
    params, data = network(rng), batch(rng, size=64)
    assert "scan" not in str(jax.make_jaxpr(grads(1))(params, data))
    assert "scan" in str(jax.make_jaxpr(grads(4))(params, data))
    hidden = 2 * 64 * WIDE * 4  # bytes of one hidden layer of both views
    held = {parts: grads(parts).lower(params, data).compile().memory_analysis().temp_size_in_bytes for parts in (1, 4)}
    assert held[4] < held[1] - hidden // 2


@pytest.mark.slow
@pytest.mark.multidevice
def test_every_device_cuts_its_own_share(rng):
    """Under shard_map, and where the compiler parts a global program: no location travels."""
    params, data = network(rng), batch(rng, size=16)
    (expected, _), slope = grads(1)(params, data)
    mesh = partition.make_mesh(tiny_run.config(train=Train(fsdp=2)), jax.devices()[:4])
    lay = partition.batch_sharding(mesh)
    compiled = grads(2).lower(params, jax.device_put(data, lay)).compile()
    (found, _), other = compiled(params, jax.device_put(data, lay))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * np.abs(b).max()), other, slope)
    pixels = [line for line in compiled.as_text().splitlines() if "all-gather" in line and "2,2,3" in line]
    assert not pixels


def test_parts_that_do_not_divide_a_share_are_refused():
    with pytest.raises(ValueError, match=r"train.accumulate: 3 parts do not divide the 4 locations .*take one of \[1, 2, 4\]"):
        check_parts(3, 4)
    with pytest.raises(ValueError, match="3 parts do not divide the 8 locations"):
        loss(network(np.random.default_rng(0)), batch(np.random.default_rng(0)), 3)


@pytest.mark.slow
def test_all_objectives_take_a_batch_in_parts(rng, key):
    """InfoNCE, agreement, cells, bands, joint embedding and SpecTM: loss, every metric and the gradient."""
    cfg = tiny_run.config(
        objective=Objective(jepa=1.0, agreement=1.0, contrast=0.5, dense=1.0, reconstruction=1.0, spectm=0.5),
        levels=Levels(names=("stage1", "pooled"), hidden=8), data=Data(store="none", batch_size=4, lead_days=(6.0, 10.0)),
        spectm=SpecTM(regions_nm=(480.0, 520.0, 630.0, 720.0), hidden=8, indices=("pc_mishra09",)),
        views=Views(local_views=1, dates=2),
    )  # fmt: skip
    cfg = dataclasses.replace(cfg, sensors=(dataclasses.replace(cfg.sensors[0], tokenizer="linear"),))
    now, other, later = (tiny_run.batch(cfg, rng, size=4).sensors for _ in range(3))
    later = {k: dataclasses.replace(d, time=d.time + np.float32(7.0)) for k, d in later.items()}
    data, params = Batch(now, other=other, later=later), state.init_params(jax.random.key(0), cfg)

    def run(parts):
        changed = dataclasses.replace(cfg, train=Train(accumulate=parts))
        return jax.jit(jax.value_and_grad(partial(joint.loss, cfg=changed), has_aux=True))(params, params, data, key)

    (expected, metrics), slope = run(1)
    (found, others), again = run(2)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert set(others) == set(metrics) >= {"cells_agreement", "bands_error", "pooled_contrast", "sigreg", "index", "ahead"}
    for name, value in metrics.items():
        np.testing.assert_allclose(others[name], value, rtol=1e-5, atol=1e-6, err_msg=name)
    largest = max(np.abs(leaf).max() for leaf in jax.tree.leaves(slope))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * largest), again, slope)
