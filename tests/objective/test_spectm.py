import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made import tiny_run

from spectral_jax import configure
from spectral_jax.batch import Batch, SensorData
from spectral_jax.config import Data, Objective, SensorInput, SpecTM, Views
from spectral_jax.objective import joint, spectm
from spectral_jax.sensors import Band, SensorSpec
from spectral_jax.train import partition, state

NM = (443.0, 490.0, 560.0, 620.0, 630.0, 665.0, 675.0, 681.0, 709.0, 715.0)
WATER = SensorSpec(
    name="tiny_water", kind="optical", quantity="remote-sensing reflectance", unit="sr-1", gsd_m=60.0, dtype="int16",
    scale=1e-5, nodata=-32768, bands=tuple(Band(f"{nm:g}", nm, 5.0) for nm in NM), token_edges_nm=(600.0,),
    mean=(0.01,) * 10, std=(0.005,) * 10, low=0.0, high=1.0,
)  # fmt: skip


def config(spectm_=None, **changes):
    parts = dict(
        sensors=(SensorInput("WATER", WATER, "grouped"), SensorInput("SAR", tiny_run.SAR, local_views=False)),
        views=Views(global_sensors=2, local_views=0),
        objective=Objective(jepa=0.0, spectm=1.0),
        spectm=spectm_ or SpecTM(hidden=16, indices=("ci", "ndci")),
    )  # fmt: skip
    parts["data"] = Data(store="none", batch_size=8, lead_days=(6.0, 10.0))
    return tiny_run.config(**(parts | changes))


def batch(cfg, rng, size=8):
    made = tiny_run.batch(cfg, rng, size)
    later = tiny_run.batch(cfg, rng, size).sensors
    later = {k: dataclasses.replace(d, time=d.time + np.float32(8.5)) for k, d in later.items()}
    return dataclasses.replace(made, later=later)


@pytest.fixture(scope="module")
def run():
    cfg = config()
    params = state.init_params(jax.random.key(0), cfg)
    # Fresh stand-ins are 0; others would show a mix-up of bands.
    params["spectm"]["WATER"]["hidden_band"] = jnp.arange(10.0) / 10
    return cfg, params, batch(cfg, np.random.default_rng(7))


@pytest.fixture(scope="module")
def masked(run):
    """`encode_masked` with this run's config; which policy drew what is hidden is not its business."""
    return jax.jit(partial(spectm.encode_masked, cfg=run[0]))


@pytest.fixture(scope="module")
def loss(run):
    return jax.jit(partial(spectm.loss, cfg=run[0]))


def hidden_by(cfg, size=8, key=0):
    return {"WATER": spectm.draw(jax.random.key(key), "WATER", jnp.arange(size), cfg)}


def changed_where_hidden(data: Batch, hidden, rng) -> Batch:
    water = data.sensors["WATER"]
    noise = rng.integers(0, 6000, water.pixels.shape).astype(np.int16)
    pixels = np.where(np.asarray(hidden["WATER"])[:, None, None], noise, water.pixels)
    return dataclasses.replace(data, sensors=data.sensors | {"WATER": dataclasses.replace(water, pixels=pixels)})


@pytest.mark.parametrize("kind", ["targeted", "random", "block"])
@pytest.mark.slow
def test_nothing_of_a_hidden_band_reaches_the_encoder(run, masked, rng, kind):
    cfg, params, data = run
    cfg = dataclasses.replace(cfg, spectm=dataclasses.replace(cfg.spectm, masks=(kind,)))
    hidden = hidden_by(cfg)
    assert np.asarray(hidden["WATER"]).sum(-1).tolist() == [6] * 8  # 620 630 665 675 709 715 and as many elsewhere
    outputs = [masked(params, b, hidden) for b in (data, changed_where_hidden(data, hidden, rng))]
    for a, b in zip(*(jax.tree.leaves(o[:2]) for o in outputs), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(outputs[0][2]["WATER"][0], outputs[1][2]["WATER"][0])


@pytest.mark.slow
def test_what_is_shown_does_reach_it(run, masked, rng):
    cfg, params, data = run
    hidden = hidden_by(cfg)
    shown = {"WATER": ~hidden["WATER"]}
    a, b = (masked(params, x, hidden)[1].pooled for x in (data, changed_where_hidden(data, shown, rng)))
    assert np.abs(a - b).max() > 1e-3


@pytest.mark.slow
def test_the_losses_are_those_of_numpy(run, masked, loss):
    cfg, params, data = run
    hidden = hidden_by(cfg)
    branches, encoded, _ = masked(params, data, hidden)
    value, metrics = loss(params, data, jax.random.key(3))
    predicted = spectm.spectral_heads.call(params["spectm"], "WATER", cfg, "spectra", branches["WATER"].stage1, encoded.pooled)
    rrs = data.sensors["WATER"].pixels.astype(np.float64) * 1e-5
    seen = (rrs - 0.01) / 0.005
    at = np.flatnonzero([615 <= nm <= 640 or 660 <= nm <= 680 or 695 <= nm <= 720 for nm in NM])
    expected = ((np.asarray(predicted) - seen)[..., at] ** 2).mean()
    assert float(metrics["reconstruction"]) == pytest.approx(expected, rel=1e-4)
    mean = rrs.mean((1, 2))
    red, peak, edge = (mean[:, NM.index(nm)] for nm in (665.0, 681.0, 709.0))
    ci = (edge - red) * (681 - 665) / (709 - 665) - (peak - red)
    ndci = (edge - red) / (edge + red)
    found, defined = spectm.index_targets(data, "WATER", cfg)
    np.testing.assert_allclose(found, np.stack([ci, ndci], 1), rtol=1e-3, atol=1e-6)
    assert np.asarray(defined).all()
    z = np.stack([np.arcsinh(x / np.abs(x).mean()) for x in (ci, ndci)], 1)
    z = (z - z.mean(0)) / z.std(0)
    inferred = np.asarray(spectm.spectral_heads.call(params["spectm"], "WATER", cfg, "infer", encoded.pooled))
    assert float(metrics["index"]) == pytest.approx(((inferred - z) ** 2).mean(), rel=1e-3)
    later = (data.later["WATER"].pixels.astype(np.float64) * 1e-5 - 0.01) / 0.005
    still = ((seen.mean((1, 2)) - later.mean((1, 2))) ** 2).mean()
    assert float(metrics["WATER_persistence"]) == pytest.approx(still, rel=1e-4)
    total = sum(float(metrics[n]) for n in ("reconstruction", "index", "ahead"))
    assert float(value) == pytest.approx(total, rel=1e-5)


@pytest.mark.slow
def test_the_forecast_is_told_the_true_time_between_the_dates(run, loss):
    _, params, data = run
    later = {k: dataclasses.replace(d, time=d.time - np.float32(2.0)) for k, d in data.later.items()}
    a, b = (float(loss(params, x, jax.random.key(0))[1]["ahead"]) for x in (data, dataclasses.replace(data, later=later)))
    assert abs(a - b) > 1e-6


@pytest.mark.slow
def test_samples_without_a_later_date_do_not_count(run, loss):
    _, params, data = run
    water = data.later["WATER"]
    absent = SensorData(np.full_like(water.pixels, -32768), np.zeros(8, bool), np.zeros(8, np.float32))
    value, metrics = loss(params, dataclasses.replace(data, later=data.later | {"WATER": absent}), jax.random.key(0))
    assert float(metrics["ahead"]) == 0.0
    assert np.isfinite(float(value))


@pytest.mark.slow
def test_a_task_of_weight_0_is_left_out(run):
    cfg, params, data = run
    cfg = dataclasses.replace(cfg, spectm=dataclasses.replace(cfg.spectm, index=0.0, ahead=0.0, reconstruction=2.0))
    loss, metrics = jax.jit(partial(spectm.loss, cfg=cfg))(params, data, jax.random.key(0))
    assert not {"index", "ahead"} & set(metrics)
    assert float(loss) == pytest.approx(2 * float(metrics["reconstruction"]), rel=1e-6)


@pytest.mark.slow
def test_both_objectives_in_one_run_add_up(run):
    cfg, params, data = run
    both = dataclasses.replace(cfg, objective=Objective(jepa=0.5, spectm=2.0))
    key = jax.random.key(1)
    loss, metrics = jax.jit(joint.loss, static_argnames="cfg")(params, params, data, key, both)
    parts = {n: float(metrics[n]) for n in ("reconstruction", "index", "ahead", "invariance", "sigreg", "lambda")}
    embedding = parts["lambda"] * parts["sigreg"] + (1 - parts["lambda"]) * parts["invariance"]
    expected = 0.5 * embedding + 2 * (parts["reconstruction"] + parts["index"] + parts["ahead"])
    assert float(loss) == pytest.approx(expected, rel=1e-4)


@pytest.mark.multidevice
@pytest.mark.slow
def test_shard_map_and_jit_take_the_same_step(run):
    _, _, data = run
    states = {}
    for path in ("jit", "shard_map"):
        cfg = config(SpecTM(masks=("targeted", "random"), shares=(1.0, 1.0), hidden=16, indices=("ci",)))
        cfg = dataclasses.replace(cfg, train=dataclasses.replace(cfg.train, path=path))
        mesh = partition.make_mesh(cfg)
        placed = jax.device_put(data, partition.batch_sharding(mesh))
        made, metrics = partition.place_step(cfg, mesh)(partition.create_state(cfg, mesh), placed, jax.random.key(5))
        # Adam's first moment is the gradient. Parameters are not compared: where the true gradient is 0, Adam turns rounding
        # into whole steps.
        kept = {k: float(v) for k, v in metrics.items()}
        states[path] = made.opt_state[0].mu, kept
    assert states["jit"][1] == pytest.approx(states["shard_map"][1], rel=1e-4, abs=1e-5)
    leaves = (jax.tree_util.tree_leaves_with_path(s[0]) for s in states.values())
    for (name, a), (_, b) in zip(*leaves, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * max(1.0, np.abs(b).max()), err_msg=jax.tree_util.keystr(name))


@pytest.mark.slow
def test_bad_input_is_a_sentence(run):
    cfg, params, data = run
    with pytest.raises(ValueError, match="the batch has no later date; set data.lead_days"):
        jax.eval_shape(partial(spectm.loss, cfg=cfg), params, dataclasses.replace(data, later=None), jax.random.key(0))
    with pytest.raises(ValueError, match="none of the sensors SAR has a band in each of"):
        spectm.masked_sensors(("SAR",), cfg)
    with pytest.raises(ValueError, match=r"spectm.ahead predicts a later date; set data.lead_days"):
        configure.override(cfg, "--config.data.lead_days=none")
    with pytest.raises(ValueError, match="one of them above 0, got jepa 0.0, spectm 0.0"):
        configure.override(cfg, "--config.objective.spectm=0")
    with pytest.raises(ValueError, match="one share a mask and regions_nm in pairs"):
        configure.override(cfg, "--config.spectm.masks=targeted,random")
