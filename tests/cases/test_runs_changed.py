"""Runs that go on with other values, start from another run, or are refused at the start; expectations are literal."""

import dataclasses
import json
import shutil

import jax
import numpy as np
import optax
import pytest
from made import tiny_run

import spectral_jax
from spectral_jax import configure
from spectral_jax.config import Data, Optim, Train
from spectral_jax.pretrain.run import pretrain
from spectral_jax.sensors import Band
from spectral_jax.train import checkpoint, partition, record, state, warm_start
from spectral_jax.train.checkpoint import CheckpointError


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tiny_run.write_store(tmp_path_factory.mktemp("store") / "store.zarr", tiny_run.lean())


def config(store, steps=2, **changes):
    return tiny_run.lean(
        data=Data(store=str(store), batch_size=8), train=Train(steps=steps, log_every=1, save_every=2), **changes
    )


@pytest.fixture(scope="module")
def first(store, tmp_path_factory):
    """A run of two steps that came to its end; tests that go on in it take a copy."""
    folder = tmp_path_factory.mktemp("first")
    pretrain(config(store), folder)
    return folder


@pytest.mark.slow
def test_the_optimisers_state_is_one_with_and_without_clipping_and_clipping_is_optaxs():
    cfg = tiny_run.config(optim=Optim(lr=1e-3, clip_norm=0.5, warmup_steps=0))
    params, grads = {"a": jax.numpy.ones(4)}, {"a": jax.numpy.full(4, 3.0)}
    plain = state.optimiser(dataclasses.replace(cfg, optim=dataclasses.replace(cfg.optim, clip_norm=None)))
    ours = state.optimiser(cfg)
    assert jax.tree.structure(ours.init(params)) == jax.tree.structure(plain.init(params))
    chained = optax.chain(optax.clip_by_global_norm(0.5), plain)
    with jax.numpy_dtype_promotion("standard"):
        (a, _), (b, _) = (o.update(grads, o.init(params), params) for o in (ours, chained))
    np.testing.assert_array_equal(a["a"], b["a"])


def test_the_list_of_what_may_change():
    cfg = tiny_run.config()
    other = dataclasses.replace(cfg, optim=Optim(lr=0.5, clip_norm=1.0, warmup_steps=9), train=Train(steps=99, start_from="x"))
    assert configure.another_run(cfg, other) == []
    assert configure.changed_on_the_way(cfg, other) == {
        "optim.lr": [0.001, 0.5], "optim.warmup_steps": [2, 9], "optim.clip_norm": [None, 1.0], "train.steps": [6, 99],
    }  # fmt: skip
    for part in (dict(jepa=dataclasses.replace(cfg.jepa, knots=9)), dict(data=Data(store="none", batch_size=8, seed=3))):
        assert configure.another_run(cfg, dataclasses.replace(cfg, **part))


@pytest.mark.slow
def test_a_run_goes_on_slower_clipped_and_longer_and_keeps_what_changed(store, first, tmp_path, capsys):
    shutil.copytree(first, tmp_path / "run")
    assert not (tmp_path / "run" / "changes.jsonl").exists()
    slower = config(store, steps=4, optim=Optim(lr=1e-4, warmup_steps=2, clip_norm=1.0))
    pretrain(slower, tmp_path / "run")
    assert "From step 2 on: optim.lr is 0.0001 (was 0.001), optim.clip_norm is 1.0 (was None), train.steps is 4 (was 2)." in (
        capsys.readouterr().out
    )
    fields = {"optim.lr": [0.001, 0.0001], "optim.clip_norm": [None, 1.0], "train.steps": [2, 4]}
    assert json.loads((tmp_path / "run" / "changes.jsonl").read_text()) == {"step": 2, "fields": fields}
    assert checkpoint.about(tmp_path / "run" / "checkpoints" / "4")["changes"] == [{"step": 2, "fields": fields}]
    rows = record.read_metrics(tmp_path / "run")
    assert [r["step"] for r in rows] == [1, 2, 3, 4]
    assert rows[2]["learning_rate"] == pytest.approx(1e-4)  # the end of the warm-up of the new schedule
    assert configure.read(str(tmp_path / "run" / "config.json")) == slower


@pytest.mark.slow
def test_a_warm_start_has_the_parameters_of_the_other_run_and_its_own_schedule(store, first, tmp_path):
    # A learning rate of almost nothing, so that after one step the parameters are still those taken over.
    cfg = config(store, steps=1, optim=Optim(lr=1e-12, weight_decay=0.0, warmup_steps=0))
    cfg = dataclasses.replace(cfg, train=dataclasses.replace(cfg.train, start_from=str(first)))
    pretrain(cfg, tmp_path / "second")
    before, after = (spectral_jax.load(folder)[1] for folder in (first, tmp_path / "second"))
    for a, b in zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-9)
    assert checkpoint.about(tmp_path / "second" / "checkpoints" / "1")["started_from"] == {
        "folder": str(first / "checkpoints" / "2"), "name": "tiny", "step": 2,
    }  # fmt: skip
    wide = dataclasses.replace(cfg, model=dataclasses.replace(cfg.model, projector_out=16))
    with pytest.raises(ValueError, match=r"do not fit this run: projector/out/bias is 8 there and 16 here"):
        pretrain(wide, tmp_path / "third")
    nearer = dataclasses.replace(tiny_run.MSI, bands=(Band("red", 640.0, 30.0), Band("nir", 860.0, 30.0)))
    assert not (tmp_path / "third" / "config.json").exists()
    moved = dataclasses.replace(cfg, sensors=(dataclasses.replace(cfg.sensors[0], spec=nearer),))
    with pytest.raises(ValueError, match="was trained with a sensor MSI of its own: .*wavelength"):
        warm_start.begin(moved, partition.make_mesh(moved))


@pytest.mark.slow
def test_a_warm_start_from_nowhere_is_a_sentence(store, tmp_path):
    cfg = config(store)
    cfg = dataclasses.replace(cfg, train=dataclasses.replace(cfg.train, start_from=str(tmp_path / "none")))
    with pytest.raises(CheckpointError, match="none holds no finished checkpoint"):
        pretrain(cfg, tmp_path / "run")


@pytest.mark.slow
def test_a_config_of_a_run_that_never_made_a_step_binds_nobody(store, tmp_path):
    """An earlier version wrote config.json before it looked at anything else."""
    other = config(store, optim=Optim(lr=0.5, betas=(0.1, 0.2)))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text(configure.to_json(other))
    cfg = config(store, optim=Optim(lr=1e-3))
    cfg = dataclasses.replace(cfg, train=dataclasses.replace(cfg.train, start_from=str(tmp_path / "none")))
    with pytest.raises(CheckpointError, match="none holds no finished checkpoint"):  # far beyond the look at config.json
        pretrain(cfg, tmp_path / "run")


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (-32768, "in group all not one pixel of the patches looked at is valid in any of MSI"),
        (30_000, "group all, sensor MSI: expected surface reflectance, and the median of the numbers is 3"),
    ],
)
def test_a_store_of_which_nothing_can_be_learned_is_refused_before_anything_is_written(tmp_path, value, sentence):
    spoil = dict.fromkeys(range(16), value)
    path = tiny_run.write_store(tmp_path / "store.zarr", tiny_run.lean(), spoil=spoil)
    with pytest.raises(ValueError, match=sentence):
        pretrain(config(path), tmp_path / "run")
    assert not (tmp_path / "run").exists()
