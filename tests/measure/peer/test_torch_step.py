"""The PyTorch step against ours, at a size that compiles in seconds."""

import dataclasses

import numpy as np
import pytest
from made import tiny_run

from spectral_jax.config import Views
from spectral_jax.measure.peer import inputs, ours

pytest.importorskip("torch")
pytestmark = pytest.mark.slow

from spectral_jax.measure.peer import torch_step  # noqa: E402  torch is not everywhere


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    cfg = tiny_run.config(views=Views(global_sensors=3, local_views=4))
    # Two sensors may be shown locally, and the sensors are not in the order of their names.
    sar, msi, hsi = cfg.sensors[::-1]
    cfg = dataclasses.replace(cfg, sensors=(sar, dataclasses.replace(msi, local_views=True), hsi))
    where = tmp_path_factory.mktemp("peer")
    inputs.write(where, cfg, inputs.random_batch(cfg), steps=3)
    return where


@pytest.fixture(scope="module")
def steps(folder):
    """Embeddings before three steps of ours, and what those report; the views are PyTorch's."""
    torch_step.TorchStep(folder, "eager").embed(folder)
    mine = ours.Ours(folder)
    return mine.embed(folder), [mine.checked_step() for _ in range(3)]


@pytest.mark.parametrize("folded", [False, True])
def test_embeddings_losses_and_gradients_agree_for_three_steps(folder, steps, folded):
    theirs = torch_step.TorchStep(folder, "eager")
    for network in (theirs.student, theirs.teacher):
        for module in network.modules():
            if hasattr(module, "folded"):
                module.folded = folded
    pooled, expected = steps
    assert np.abs(theirs.embed(folder) - pooled).max() < 1e-4 * np.abs(pooled).max()
    for step in expected:
        found = theirs.checked_step()
        assert found["loss"] == pytest.approx(step["loss"], rel=1e-4)
        assert found["grad_norm"] == pytest.approx(step["grad_norm"], rel=1e-3)


def test_another_view_is_seen_in_the_loss(folder, steps):
    theirs = torch_step.TorchStep(folder, "eager")
    theirs.plans["local/flip"] = ~theirs.plans["local/flip"]
    assert theirs.checked_step()["loss"] != pytest.approx(steps[1][0]["loss"], rel=1e-3)


def test_another_rate_is_seen_in_the_second_loss(folder, steps):
    theirs = torch_step.TorchStep(folder, "eager")
    theirs.plans["rate"] = theirs.plans["rate"] * 1.5
    assert theirs.checked_step()["loss"] == pytest.approx(steps[1][0]["loss"], rel=1e-4)
    assert theirs.step() != pytest.approx(steps[1][1]["loss"], rel=1e-4)


def test_parameters_that_are_not_used_are_told(folder):
    theirs = torch_step.TorchStep(folder, "eager")
    params = dict(np.load(folder / "params.npz")) | {"encoder/more": np.zeros(1)}
    with pytest.raises(ValueError, match="ours has 1 parameters that PyTorch's network lacks, encoder/more the first"):
        torch_step.copy_parameters(theirs.student, params, theirs.cfg)
    del params["encoder/position"]
    with pytest.raises(ValueError, match="PyTorch's network has encoder/position"):
        torch_step.copy_parameters(theirs.student, params, theirs.cfg)
