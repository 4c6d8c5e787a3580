"""Rows trained in processes of their own; most tests put a fake in the place of the process."""

import dataclasses
import json

import pytest
from made import tiny_run

from spectral_jax import configure
from spectral_jax.measure.ablation import training, work
from spectral_jax.measure.ablation.rows import STEPS, Ablation

CFG = tiny_run.config()


@pytest.fixture
def children(monkeypatch):
    """Children that train in no time: what was asked of them, and whether a run is finished."""
    asked, finished = [], set()

    def child(job, cfg, folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / work.WANTED).write_text(configure.to_json(cfg))
        asked.append((job, folder.name, cfg.train.seed, cfg.train.steps))
        if job == "pace":
            (folder / work.PACE).write_text(json.dumps({"a_step_s": 0.25, "steps": 20}))
        else:
            piece = {"start": 0, "stop": cfg.train.steps, "counted": cfg.train.steps - 1, "cpu_s": 0.25 * (cfg.train.steps - 1)}
            (folder / work.PIECES).write_text(json.dumps(piece) + "\n")
            finished.add(folder)

    monkeypatch.setattr(training, "_child", child)
    monkeypatch.setattr(training, "_finished", lambda folder, steps: folder in finished)
    return asked


def test_every_seed_trains_for_the_steps_that_the_budget_pays_for_and_pace_is_measured_once(children, tmp_path):
    said = []
    found = training.train_all(Ablation({"a row": CFG}, 10.0), tmp_path, [0, 5], said.append)
    assert [(job, seed, steps) for job, _, seed, steps in children] == [("pace", 0, 6), ("train", 0, 40), ("train", 5, 40)]
    assert [one.cpu_s for one in found["a row"]] == pytest.approx([10.0, 10.0])
    assert found["a row"][1].folder == tmp_path / "a_row" / "seed5"
    assert said == [
        "tiny: 0.250 CPU s a step, by 20 steps after compiling.",
        "a row, seed 0: 40 steps, 10.0 CPU s of training.",
        "a row, seed 5: 40 steps, 10.0 CPU s of training.",
    ]


def test_what_is_finished_is_not_done_again(children, tmp_path):
    ablation = Ablation({"a row": CFG}, 10.0)
    training.train_all(ablation, tmp_path, [0], lambda _: None)
    before = len(children)
    training.train_all(ablation, tmp_path, [0, 1], lambda _: None)
    assert [(job, seed) for job, _, seed, _ in children[before:]] == [("train", 1)]


def test_a_budget_of_steps_is_that_of_each_config(children, tmp_path):
    training.train_all(Ablation({"a row": CFG}, STEPS), tmp_path, [0], lambda _: None)
    assert [(job, steps) for job, _, _, steps in children] == [("train", 6)]


def test_a_folder_of_another_row_is_told(children, tmp_path):
    training.train_all(Ablation({"a row": CFG}, STEPS), tmp_path, [0], lambda _: None)
    other = dataclasses.replace(CFG, optim=dataclasses.replace(CFG.optim, lr=0.5))
    with pytest.raises(ValueError, match=r"seed0 holds another row: optim.lr: 0.001 against 0.5 \(there against here\)"):
        training.train_all(Ablation({"a row": other}, STEPS), tmp_path, [0], lambda _: None)


@pytest.mark.slow
def test_a_child_that_fails_is_told_with_the_last_it_said(tmp_path):
    cfg = dataclasses.replace(CFG, data=dataclasses.replace(CFG.data, store=str(tmp_path / "none.zarr")))
    with pytest.raises(
        RuntimeError, match=r"tiny, seed 0: pace ended with code 1 \(.*none.zarr.*\); .*pace.txt has all it said"
    ):
        training.train_all(Ablation({"a row": cfg}, 10.0), tmp_path, [0], lambda _: None)
