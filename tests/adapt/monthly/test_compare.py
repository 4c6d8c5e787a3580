"""A comparison of encoders of series end to end on a small table."""

import dataclasses
import json

import numpy as np
import pytest
from made import tiny_monthly
from made.published_state import random_state

from spectral_jax import interop
from spectral_jax.adapt.monthly import presto
from spectral_jax.adapt.monthly.compare import compare
from spectral_jax.adapt.monthly.comparison import MonthlyComparison, MonthlyData, MonthlyWeights
from spectral_jax.adapt.monthly.finetune import Recipe
from spectral_jax.interop import models
from spectral_jax.interop.weights_file import Weights

pytest.importorskip("sklearn", reason="needs the extra spectral-jax[eval]")


def cfg(root, *rows, **changes):
    return MonthlyComparison("tiny", MonthlyData("fuel_moisture", str(root)), rows, **changes)


def test_raw_numbers_are_scored_on_the_published_split(tmp_path, capsys):
    arrays = tiny_monthly.write(tmp_path / "data")
    report = compare(cfg(tmp_path / "data", "raw/constant", "raw/ridge", seeds=(0, 1)), tmp_path / "run")
    rows = json.loads((tmp_path / "run" / "results.json").read_text())
    found = {(r["row"], r["seed"]): r["value"] for r in rows if r["metric"].startswith("rmse")}
    test = arrays["is_test"] == 1
    constant = np.sqrt(np.mean((arrays["target"][test] - arrays["target"][~test].mean()) ** 2))
    assert found["raw/constant", 0] == found["raw/constant", 1] == pytest.approx(constant, rel=1e-6)
    assert found["raw/ridge", 0] < 0.8 * constant
    assert {r["weights"] for r in rows} == {"none needed"}
    assert report["leakage"][0]["shared_blocks"] == 0
    page = (tmp_path / "run" / "report.html").read_text()
    assert "RMSE, live fuel moisture content (lower is better)" in page
    assert "mean +- standard deviation over 2 seeds" in capsys.readouterr().out


def test_a_comparison_without_its_folder_says_so(tmp_path):
    with pytest.raises(ValueError, match=r"data\.root: task 'fuel_moisture' needs the folder of its files"):
        compare(cfg("", "raw/constant"), tmp_path)


def test_a_folder_without_weights_is_told_before_anything_is_fitted(tmp_path):
    tiny_monthly.write(tmp_path / "data")
    weights = MonthlyWeights(presto=str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match="nowhere"):
        compare(cfg(tmp_path / "data", "raw/constant", "presto/ridge", weights=weights), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_random_weights_are_called_so_and_differ_with_the_seed(tmp_path, capsys):
    tiny_monthly.write(tmp_path / "data")
    converter = models.CONVERTERS["presto"]
    state = random_state(converter, presto.ENCODER.init, presto.fresh(), ("steps", "months"))
    interop.save(tmp_path / "weights", *models.read("presto", Weights("a.pt", state)))
    weights = MonthlyWeights(presto=str(tmp_path / "weights"))
    rows = ("presto/ridge", "random_presto/ridge", "galileo/ridge")
    report = compare(cfg(tmp_path / "data", *rows, seeds=(0, 1), weights=weights), tmp_path / "run")
    fresh = "random initialisation"
    assert report["weights"] == {"presto/ridge": weights.presto, "random_presto/ridge": fresh, "galileo/ridge": fresh}
    spread = {r["row"]: r["standard_deviation"] for r in report["statistics"]["rows"] if r["metric"] == "r2_mean"}
    assert spread["presto/ridge"] == 0 < spread["random_presto/ridge"]
    assert "The encoder with weights, presto/ridge" in "\n".join(report["verdict"])
    assert "Random weights: random_presto/ridge, galileo/ridge." in capsys.readouterr().out


@pytest.mark.slow
def test_fine_tuning_stops_past_its_best_epoch_and_has_both_states(tmp_path):
    tiny_monthly.write(tmp_path / "data")
    recipe = Recipe(learning_rate=0.03, epochs=12, patience=2, val_groups=2, batch=16)
    rows = ("raw/constant", "random_presto/finetuned", "random_presto/finetuned_last_state")
    report = compare(cfg(tmp_path / "data", *rows, seeds=(0,), recipe=recipe), tmp_path / "run")
    rmse = {r["row"]: r["value"] for r in report["results"] if r["metric"].startswith("rmse")}
    assert rmse["random_presto/finetuned"] < 80  # the first state says 0 of targets from 55 to 150
    assert rmse["random_presto/finetuned"] != rmse["random_presto/finetuned_last_state"]
    with pytest.raises(ValueError, match=r"recipe\.val_groups: expected fewer than the 8 groups of the training part, got 8"):
        compare(cfg(tmp_path / "data", *rows, recipe=dataclasses.replace(recipe, val_groups=8)), tmp_path / "other")
