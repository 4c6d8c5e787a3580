"""The whole way, slow: two rows, one seed, twelve steps, simulated places; then the same command again."""

import dataclasses
import json

import pytest

from spectral_jax.config import Config, Data, Jepa, SensorInput, Synthetic, Train, Views, model_size
from spectral_jax.measure.ablation.rows import STEPS, Ablation
from spectral_jax.measure.ablation.run import ablate
from spectral_jax.measure.worth.question import Question
from spectral_jax.measure.worth.report import report
from spectral_jax.sensors import SensorSpec

CFG = Config(
    "tiny-scenes",
    (SensorInput("S2", SensorSpec.load("sentinel2a_l2a")),),
    model_size("tiny", footprint_m=240.0, width=16, heads=1, depths=(1, 1, 1), fusion_width=16, projector_hidden=32),
    Data(store="synthetic", synthetic=Synthetic(locations=48, groups=("enmap_only",)), batch_size=8),
    Views(local_views=0),
    Jepa(directions=16),
    train=Train(steps=12, save_every=12),
)
QUESTION = Question(sensor="S2", seed=9, labelled=40, unseen=60, labels=(20, 40), draws=5)


@pytest.mark.slow
def test_rows_are_trained_judged_and_compared_and_nothing_is_done_twice(tmp_path):
    two = dataclasses.replace(CFG, name="two", views=dataclasses.replace(CFG.views, dates=2))
    said = []
    ablation = Ablation({"one date": CFG, "two dates": two}, STEPS)  # a budget of seconds: test_training and test_work
    rows = ablate(ablation, tmp_path, [0], QUESTION, said.append)
    assert [row.name for row in rows] == ["one date", "two dates"]
    assert [row.trained[0].steps for row in rows] == [12, 12]
    # In so short a run what is saved and drawn costs more than its steps.
    assert all(1.0 < row.cpu_s < 120.0 for row in rows)
    written = json.loads((tmp_path / "ablation.json").read_text())
    assert set(written["rows"][1]["scores"]["pooled"]) == {"place", "day"}
    assert "| two dates | pooled |" in (tmp_path / "ablation.md").read_text()
    again = []
    ablate(ablation, tmp_path, [0], QUESTION, again.append)
    assert not any("a step" in line or "Simulating" in line for line in again)
    assert json.loads((tmp_path / "ablation.json").read_text())["rows"] == written["rows"]
    # Its runs are run folders like any other.
    verdict = []
    report([tmp_path / "one_date" / "seed0"], tmp_path, QUESTION, sensors=True, say=verdict.append)
    assert any("the linear tokenizer of S2 takes no sensor but the one it was trained for" in line for line in verdict)
    found = json.loads((tmp_path / "worth.json").read_text())["candidates"]
    assert [candidate["seeds"] for candidate in found] == [[0]]
    assert "SIMULATED" in (tmp_path / "worth.md").read_text()
