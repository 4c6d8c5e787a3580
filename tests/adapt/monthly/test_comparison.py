"""Rows of a comparison of encoders of series, and what none can be."""

import pytest

from spectral_jax import configure
from spectral_jax.adapt.monthly import comparison
from spectral_jax.adapt.monthly.comparison import MonthlyComparison, Row, parse
from spectral_jax.adapt.monthly.finetune import Recipe
from spectral_jax.adapt.settings import Comparison


def test_a_row_is_an_encoder_and_a_model():
    assert parse("presto/random_forest") == Row("presto/random_forest", "presto", False, "random_forest")
    assert parse("random_galileo/ridge") == Row("random_galileo/ridge", "galileo", True, "ridge")
    assert parse("raw/constant") == Row("raw/constant", "", False, "constant")


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("presto", "rows: expected encoder/model, such as presto/random_forest, got 'presto'"),
        ("pesto/ridge", "no encoder of monthly series is called 'pesto'.*closest first: presto"),
        ("presto/forest", "no model is called 'forest'.*closest first: random_forest"),
        ("galileo/finetuned", "galileo/finetuned has no published recipe of fine-tuning; presto has one"),
        ("raw/finetuned", "raw/finetuned has no published recipe"),
    ],
)
def test_a_row_that_names_nothing_is_refused(row, sentence):
    with pytest.raises(ValueError, match=sentence):
        MonthlyComparison("mine", rows=(row,))


def test_rows_and_seeds_stand_once():
    with pytest.raises(ValueError, match="seeds: expected at least one, none twice"):
        MonthlyComparison("mine", seeds=(0, 0))
    with pytest.raises(ValueError, match="rows: expected at least one, none twice"):
        MonthlyComparison("mine", rows=())
    with pytest.raises(ValueError, match=r"recipe\.patience: expected"):
        Recipe(patience=0)


def test_the_published_recipe_and_seeds():
    recipe, cfg = Recipe(), MonthlyComparison("mine")
    assert (recipe.learning_rate, recipe.weight_decay, recipe.huber, recipe.batch) == (3e-4, 0.05, 1.0, 64)
    assert (recipe.epochs, recipe.patience, recipe.val_groups, cfg.seeds) == (200, 10, 8, (0, 42, 84))
    assert cfg.rows == comparison.PUBLISHED_ROWS
    # Random weights stand beside every row of an encoder.
    encoders = [row for row in cfg.rows if row.split("/")[0] in comparison.ENCODERS]
    assert {f"random_{row}" for row in encoders} <= set(cfg.rows)


def test_a_json_says_by_its_fields_which_comparison_it_is(tmp_path):
    for cfg in (MonthlyComparison("mine", seeds=(3,)), Comparison("other")):
        (tmp_path / "config.json").write_text(configure.to_json(cfg))
        assert configure.read(str(tmp_path / "config.json"), (), (Comparison, MonthlyComparison)) == cfg
    (tmp_path / "config.py").write_text("def config():\n    return 3\n")
    with pytest.raises(ValueError, match="makes a int, and this command takes a Comparison or a MonthlyComparison"):
        configure.read(str(tmp_path / "config.py"), (), (Comparison, MonthlyComparison))
