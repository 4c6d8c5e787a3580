"""A soak of the pretraining command itself, and what is found where its end is another one."""

import dataclasses
import json
import shutil
from pathlib import Path

import jax
import pytest
from made import tiny_run

from spectral_jax.measure.soak import ends, lives
from spectral_jax.train import partition
from spectral_jax.train.checkpoint import Checkpoints

ROOT = Path(__file__).resolve().parents[3]


def finished(folder, cfg, losses, nudge=0.0):
    """A finished run by hand: a checkpoint, whose first parameter is `nudge` more, and its record."""
    state = partition.create_state(cfg, partition.make_mesh(cfg))
    leaves, tree = jax.tree.flatten(state.params)
    params = jax.tree.unflatten(tree, [leaves[0] + nudge, *leaves[1:]])
    with Checkpoints(folder / "checkpoints", cfg) as checkpoints:
        checkpoints.save(3, dataclasses.replace(state, params=params), {"next_batch": 3})
    rows = [json.dumps({"step": step, "loss": loss}) for step, loss in losses.items()]
    (folder / "metrics.jsonl").write_text("\n".join(rows))
    return folder


@pytest.mark.slow
def test_a_parameter_changed_by_hand_a_row_that_is_missing_and_another_loss_are_found(tmp_path):
    cfg = tiny_run.lean()
    alone = finished(tmp_path / "alone", cfg, {1: 0.5, 2: 0.25, 3: 0.125})
    shutil.copytree(alone, tmp_path / "same")
    assert ends.differences(alone, str(tmp_path / "same")) == []
    other = finished(tmp_path / "other", cfg, {1: 0.5, 3: 0.12}, nudge=1e-6)
    count = len(jax.tree.leaves(partition.abstract_state(cfg, partition.make_mesh(cfg)).params))
    assert ends.differences(alone, str(other)) == [
        f"1 of {count} parameters differ", "1 logged steps are missing", "the loss differs at 1 logged steps, first at 3",
    ]  # fmt: skip


@pytest.mark.slow
def test_a_run_killed_three_times_ends_as_one_that_was_left_alone(tmp_path):
    command = [str(ROOT / "experiments" / "pretrain.py"), f"--config={ROOT / 'experiments' / 'configs' / 'soak.py'}"]
    small = ["--config.train.steps=40", "--config.data.synthetic.locations=16"]
    said = []
    outcome = lives.soak([*command, *small], tmp_path / "alone", str(tmp_path / "killed"), 3, 28, said.append, longest=12.0)
    assert outcome.survived, outcome.text()
    assert sum(outcome.strikes.values()) == 3
    assert "against a run that was left alone: the same to the bit" in outcome.text()
