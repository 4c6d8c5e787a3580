"""Levels are trained by what their views agree on: pairs that count, values of a reference, gradients where they belong."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made import tiny_run, tiny_stem
from reference import numpy_jepa

from spectral_jax.batch import Batch, SensorData
from spectral_jax.config import Levels, Objective, Views
from spectral_jax.objective import encode_views, joint, pictures, sigreg
from spectral_jax.objective.levels import agree
from spectral_jax.objective.slots import Facts
from spectral_jax.train import state


def config(objective, **levels):
    return tiny_run.config(views=Views(global_sensors=3, local_views=2, dates=2), objective=objective, levels=Levels(**levels))


def batch(cfg, rng):
    return dataclasses.replace(tiny_run.batch(cfg, rng), other=tiny_run.batch(cfg, rng).sensors)


def facts():
    return Facts(jnp.asarray([1.0, 1.0, 1.0, 0.5]), jnp.asarray([0, 1, 0, 0], jnp.int32), np.array([0, 0, 1, 0], np.int32))


def test_with_two_dates_another_crop_of_one_picture_is_no_pair():
    found = agree.pairs(facts(), config(Objective(contrast=1.0)))
    np.testing.assert_allclose(found, [[0, 1, 1, 0], [1, 0, 1, 0.5], [1, 1, 0, 0.5], [0, 0.5, 0.5, 0]])


def test_a_view_of_several_sensors_is_a_pair_of_another_date_alone():
    """It holds the picture of a view of one of its sensors at the same date."""
    several = Facts(jnp.ones(4), jnp.asarray([-1, -1, 0, 0], jnp.int32), np.array([0, 1, 0, 1], np.int32))
    found = agree.pairs(several, config(Objective(contrast=1.0)))
    np.testing.assert_allclose(found, [[0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0]])


def test_with_one_date_all_others_are_pairs():
    found = agree.pairs(facts(), tiny_run.config())
    np.testing.assert_allclose(found, np.array([[0, 1, 1, 0.5], [1, 0, 1, 0.5], [1, 1, 0, 0.5], [0.5, 0.5, 0.5, 0]]))


@pytest.mark.slow
def test_agreement_is_that_of_a_numpy_reference(rng, key):
    cfg = config(Objective(agreement=1.0))
    z, filled, counted = rng.normal(size=(3, 8, 4)), np.ones((3, 8)), np.array([1.0, 1.0, 0.5])
    filled[1, 3] = 0
    found = agree.agreement(*(jnp.asarray(x, jnp.float32) for x in (z, filled, counted)), key, cfg)
    weight = filled * counted[:, None]
    centre = (z * weight[..., None]).sum(0) / weight.sum(0)[:, None]
    invariance = (((z - centre) ** 2).mean(-1) * weight).sum() / weight.sum()
    unit = np.asarray(sigreg.directions(key, 4, cfg.jepa.directions), np.float64)
    regular = numpy_jepa.sigreg(z, filled, unit, counted, cfg.jepa.knots, cfg.jepa.knot_max)
    mix = cfg.jepa.lambda_numerator / (8 + cfg.jepa.lambda_numerator)
    np.testing.assert_allclose(found, mix * regular + (1 - mix) * invariance, rtol=1e-4)


@pytest.mark.slow
def test_vectors_of_slots_are_those_of_the_encoder_alone(rng, key):
    """A level's vector of a sensor in a view is what `readout` says of that view's pictures alone."""
    from spectral_jax.model.encoder import encode, readout

    cfg = config(Objective(agreement=1.0))
    params, data = state.init_params(jax.random.key(0), cfg)["encoder"], batch(cfg, rng)
    seen, plan = pictures.show(data, key, cfg)
    names = ("stage1", "stage2", "fused", "stage3", "pooled")
    out = jax.jit(lambda params, seen, plan: encode_views.encoded(params, seen, plan, cfg, names, "stage1"))(params, seen, plan)
    known = out.facts.of_slots
    np.testing.assert_array_equal(known.sensor, [0, 1, 2, 0, 1, 2, 0, 0])  # two global views of three sensors, two local ones
    np.testing.assert_array_equal(known.date, [0, 0, 0, 1, 1, 1, 0, 1])

    alone = jax.jit(encode.encode_branch, static_argnums=(1, 4))

    def branch(pictures, key, view):
        return alone(params, key, pictures[key].pixels[view], pictures[key].valid[view], cfg)

    outputs = {view: {k: branch(seen.globals, k, view) for k in seen.globals} for view in range(2)}
    outputs[2] = {"HSI": branch(seen.locals, "HSI", 1)}
    for slot, (view, k) in {1: (0, "MSI"), 3: (1, "HSI"), 7: (2, "HSI")}.items():
        one = outputs[view][k]
        for name, level in (("stage1", (one.stage1, one.valid1)), ("stage2", (one.stage2, one.valid2))):
            expected = readout.summary(readout.Level(*level))
            np.testing.assert_allclose(out.levels[name].vectors[slot], expected, atol=2e-5)
        np.testing.assert_allclose((out.maps[0] if slot < 6 else out.maps[1]).tokens[slot % 6], one.stage1, atol=2e-5)
    whole = outputs[1]
    tokens, mask = (jnp.stack([getattr(o, name) for o in whole.values()], axis=1) for name in ("stage2", "valid2"))
    maps = readout.levels(encode.encode_shared(params, tokens, mask, tuple(whole), cfg))
    for name in ("fused", "stage3"):
        np.testing.assert_allclose(out.levels[name].vectors[1], readout.summary(maps[name]), atol=5e-5)


@pytest.mark.slow
def test_each_part_reaches_what_it_trains_and_nothing_else(rng, key):
    cfg = config(
        Objective(jepa=0.0, agreement=1.0, contrast=0.5, dense=1.0, reconstruction=1.0), names=("stage1", "stage3"), hidden=8
    )
    params, data = state.init_params(jax.random.key(0), cfg), batch(cfg, rng)
    run = jax.jit(jax.value_and_grad(partial(joint.loss, cfg=cfg), has_aux=True))
    (value, metrics), grads = run(params, params, data, key)
    parts = [0.5 * (metrics[f"{name}_agreement"] + 0.5 * metrics[f"{name}_contrast"]) for name in ("stage1", "stage3")]
    np.testing.assert_allclose(value, sum(parts) + metrics["cells_agreement"] + metrics["bands_error"], rtol=1e-5)
    assert {"stage1_std", "stage1_rank", "stage3_std", "stage3_rank"} <= set(metrics)
    reached = {part: any(np.asarray(g).any() for g in jax.tree.leaves(grads[part])) for part in grads}
    assert reached == {"encoder": True, "projector": False, "levels": True}
    assert all(np.isfinite(g).all() for g in jax.tree.leaves(grads))
    assert all(np.asarray(g).any() for g in jax.tree.leaves(grads["levels"]))


@pytest.mark.slow
def test_vectors_of_pixels_are_those_of_the_stem(tmp_path, rng, key):
    """Of sensors that have one; the others hold nothing there, and are no pair."""
    from spectral_jax.model.encoder import encode, readout

    cfg = tiny_stem.config(tmp_path, keys=("HSI", "MSI"))
    plain = dataclasses.replace(cfg.sensors[1], tokenizer="linear", whitening=None)
    cfg = dataclasses.replace(
        cfg, sensors=(cfg.sensors[0], plain), views=Views(local_views=1), objective=Objective(jepa=0.0, contrast=1.0),
        levels=Levels(names=("pixels", "stage1")),
    )  # fmt: skip
    params = state.init_params(jax.random.key(0), cfg)
    sensors = {
        s.key: SensorData(
            rng.uniform(0, 0.6, (4, cfg.patch_px(s.key), cfg.patch_px(s.key), len(s.spec.used))).astype(np.float32),
            np.ones(4, bool), np.zeros(4, np.float32),
        )
        for s in cfg.sensors
    }  # fmt: skip
    seen, plan = pictures.show(Batch(sensors), key, cfg)
    run = jax.jit(lambda params, seen, plan: encode_views.encoded(params, seen, plan, cfg, cfg.levels.names))
    out = run(params["encoder"], seen, plan)
    found = out.levels["pixels"]
    local = int(np.asarray(plan.sensor)[0] == 0)
    np.testing.assert_array_equal(found.filled[:, 0], [1, 0, 1, 0, local])
    view = seen.globals["HSI"]
    alone = jax.jit(encode.encode_branch, static_argnums=(1, 4))(params["encoder"], "HSI", view.pixels[1], view.valid[1], cfg)
    expected = readout.summary(readout.Level(alone.pixels, alone.valid_pixels))
    np.testing.assert_allclose(found.vectors[2], expected, atol=2e-5)
    value, metrics = jax.jit(partial(joint.loss, cfg=cfg))(params, params, Batch(sensors), key)
    assert np.isfinite(value)
    assert metrics["pixels_contrast"] > 0


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            lambda: Objective(jepa=0.0),
            r"objective: expected weights of 0 or more, one of them above 0, got jepa 0.0, .*reconstruction 0.0",
        ),
        (lambda: Levels(names=("stage4",)), r"levels.names: no level is called 'stage4'.*stage3"),
        (lambda: Levels(names=("stage1", "stage1")), r"expected names, each once, and one share a name or none"),
        (lambda: Levels(shares=(1.0,)), r"got names \('stage1', 'stage2', 'stage3'\) and shares \(1.0,\)"),
        (lambda: Levels(dense="fused"), r"levels.dense: expected one of stage1, stage2, got 'fused'"),
        (
            lambda: config(Objective(contrast=1.0), names=("pixels",)),
            r"levels.names has pixels.*no sensor has it; take tokenizer",
        ),
        (
            lambda: tiny_run.config(views=Views(global_views=1, local_views=0), objective=Objective(agreement=1.0)),
            r"compare views of a place, and there are 1 global and 0 local ones of 1 dates; set views.global_views to 2",
        ),
    ],
)
def test_what_cannot_be_trained_is_a_sentence(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        changes()
