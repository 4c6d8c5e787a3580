"""The table of shardings, the mesh, and steps that agree however they are spread."""

import dataclasses
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import pytest
from made import tiny_run

from spectral_jax.config import Config, Data, Train, Views, model_size, spectralearth_sensors
from spectral_jax.measure.pod import collectives
from spectral_jax.train import partition, state

pytestmark = pytest.mark.multidevice
GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "shardings_b_fsdp8.txt"


def abstract(cfg):
    return jax.eval_shape(partial(state.create, cfg=cfg), jax.random.key(0))


@pytest.fixture(scope="module")
def size_b():
    """Lines of the dump of size b on 8 devices that share every parameter."""
    cfg = Config(name="b", sensors=spectralearth_sensors(), model=model_size("b"), train=Train(fsdp=8))
    return partition.dump(abstract(cfg), partition.make_mesh(cfg)).splitlines()


def layouts(lines, prefix):
    """Lines of a dump whose path starts with `prefix`, without it."""
    return [line.removeprefix(prefix) for line in lines if line.startswith(prefix)]


@pytest.mark.slow
def test_shardings_of_size_b_are_the_recorded_ones(size_b):
    assert layouts(size_b, "params/") == [line.removeprefix("params/") for line in GOLDEN.read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("prefix", ["teacher/", "opt_state/0/mu/", "opt_state/0/nu/"])
def test_copies_of_the_parameters_lie_where_the_parameters_lie(size_b, prefix):
    assert layouts(size_b, prefix) == layouts(size_b, "params/")


def test_fsdp_over_8_devices_keeps_an_eighth_of_size_b_on_each():
    sizes = [int(line.split()[-1]) for line in GOLDEN.read_text().splitlines()]
    whole = 4 * (156.15e6 + 6.038e6)
    assert 1 / 8 <= sum(sizes) / whole < 1 / 8 * 1.03


@pytest.mark.slow
def test_a_leaf_without_a_rule_is_named():
    cfg = tiny_run.config()
    rules = tuple(r for r in partition.RULES if "position" not in r[0])
    with pytest.raises(ValueError, match=r"leaf params/encoder/position of shape \(4, 4, 8\) matches no rule"):
        partition.shardings(abstract(cfg), partition.make_mesh(cfg), rules)


def test_a_rule_without_a_leaf_is_named():
    cfg = tiny_run.config()
    with pytest.raises(ValueError, match="rule '/embedding' matches no leaf"):
        partition.shardings(abstract(cfg), partition.make_mesh(cfg), (*partition.RULES, ("/embedding", "columns")))


def test_a_width_that_does_not_divide_is_named_with_the_next_that_does():
    cfg = tiny_run.config(train=Train(fsdp=8))
    cfg = dataclasses.replace(cfg, model=dataclasses.replace(cfg.model, projector_out=6))
    with pytest.raises(ValueError, match=r"projector/out/kernel of shape \(32, 6\) .* has 6 columns; the next .* is 8"):
        partition.shardings(abstract(cfg), partition.make_mesh(cfg))


def test_a_mesh_that_does_not_divide_the_batch_is_refused():
    with pytest.raises(
        ValueError, match="the mesh of 8 devices .* does not divide 12; the nearest batch size that divides is 16"
    ):
        partition.make_mesh(tiny_run.config(data=Data(batch_size=12)))


def test_parts_that_do_not_divide_what_a_device_has_are_refused():
    with pytest.raises(ValueError, match=r"3 parts do not divide the 4 locations that each device .* one of \[1, 2, 4\]"):
        partition.make_mesh(tiny_run.config(data=Data(batch_size=32), train=Train(accumulate=3)))


def test_fsdp_that_does_not_divide_the_devices_is_refused():
    with pytest.raises(
        ValueError, match=r"train.fsdp: 3 does not divide the 8 devices of this run; take one of \[1, 2, 4, 8\]"
    ):
        partition.make_mesh(tiny_run.config(train=Train(fsdp=3)))


# Views that choose their sensors go the longer way through the objective; tests/multiprocess compares the shorter one. MLPs are
# wide enough for the sums of BatchNorm, SIGReg and alarms to be small beside the gradient.
def config(**train):
    cfg = tiny_run.config(views=Views(global_sensors=2, local_views=1), train=Train(steps=6, **train))
    return dataclasses.replace(cfg, model=dataclasses.replace(cfg.model, mlp_ratio=6))


class Step(NamedTuple):
    """A first step: what is compiled, its gradient (as Adam's first moment, a tenth of it), and its metrics."""

    text: str
    mu: dict
    metrics: dict


def first_step(cfg, devices):
    mesh = partition.make_mesh(cfg, devices)
    batch = jax.device_put(tiny_run.batch(cfg, np.random.default_rng(7)), partition.batch_sharding(mesh))
    given = partition.create_state(cfg, mesh), batch, jax.random.key(3)
    compiled = partition.place_step(cfg, mesh).lower(*given).compile()
    after, metrics = compiled(*given)
    # Parameters themselves are not compared: where the true gradient is 0 (the bias of attention keys), Adam turns rounding
    # into whole steps.
    return Step(compiled.as_text(), *jax.tree.map(np.asarray, (after.opt_state[0].mu, metrics)))


# Shared by 8 devices alone, fsdp has the branches of the second; tests/multiprocess has two processes share parameters.
SPREAD = {"data parallel": (config(), 8), "fsdp 2 in two parts": (config(fsdp=2, accumulate=2), 4)}


@pytest.fixture(scope="module")
def one_device():
    return first_step(config(), jax.devices()[:1])


@pytest.fixture(scope="module", params=SPREAD.values(), ids=SPREAD)
def spread(request):
    cfg, devices = request.param
    return cfg, first_step(cfg, jax.devices()[:devices])


@pytest.mark.slow
def test_several_devices_make_the_step_of_one(one_device, spread):
    found, expected = ((step.mu, step.metrics) for step in (spread[1], one_device))
    names = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(found)]
    for name, a, b in zip(names, jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        # Sums in another order differ in the last digits of their largest terms: of leaves above 1, 1e-5 of the largest entry.
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * max(1.0, np.abs(b).max()), err_msg=name)


@pytest.mark.slow
def test_weights_are_gathered_once_a_step_and_gradients_added_up_once(spread):
    """What moves between devices, counted in the compiled step: bytes of the arrays; none in a loop over views or parts."""
    cfg, step = spread
    found = collectives.of(step.text)
    leaves = jax.tree.leaves(abstract(cfg).params)
    weights = 4 * sum(leaf.size for leaf in leaves)
    split = 4 * sum(leaf.size for leaf in leaves if leaf.ndim > 1 and leaf.size > 64)
    assert not [c for c in found if c.in_loop]
    gathered, reduced, scattered = (
        collectives.step_bytes(found, kind) for kind in ("all-gather", "all-reduce", "reduce-scatter")
    )
    if cfg.train.fsdp == 1:
        assert gathered == scattered == 0
        assert weights <= reduced <= 1.1 * weights
    else:  # the student's and the teacher's weights; gradients are scattered over fsdp, and their parts added over data
        assert split <= gathered <= 1.2 * 2 * weights
        assert reduced + scattered <= 1.1 * (weights + weights / cfg.train.fsdp)
