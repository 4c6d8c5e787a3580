import dataclasses

import pytest

from spectral_jax.config import Objective
from spectral_jax.measure.ablation import rows

HEAD = """
import dataclasses
BASE = "base.py"
BUDGET = 60
def wider(cfg):
    return dataclasses.replace(cfg, model=dataclasses.replace(cfg.model, width=16))
"""


@pytest.fixture
def written(tmp_path):
    (tmp_path / "base.py").write_text("from made import tiny_run\n\ndef config():\n    return tiny_run.config()\n")

    def write(text):
        file = tmp_path / "ablation.py"
        file.write_text(HEAD + text)
        return file

    return write


def test_rows_are_changed_by_overrides_functions_and_both(written):
    file = written('ROWS = {"plain": (), "two dates": "views.dates=2", "both": ("--config.optim.lr=0.5", wider)}')
    found = rows.read(file)
    assert found.budget == 60.0
    assert list(found.rows) == ["plain", "two dates", "both"]
    assert found.rows["two dates"].views.dates == 2
    assert found.rows["plain"].views.dates == 1
    both = found.rows["both"]
    assert (both.name, both.optim.lr, both.model.width) == ("both", 0.5, 16)


def test_only_some_rows_are_taken_and_the_first_always(written):
    found = rows.read(written('ROWS = {"a": (), "b": "views.dates=2", "c": wider}'))
    assert list(found.only(["c"]).rows) == ["a", "c"]
    with pytest.raises(ValueError, match="--only: no row is called 'd'; the names are, closest first: "):
        found.only(["d"])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "needs BASE .*, ROWS .* and BUDGET .*; missing: ROWS"),
        ("ROWS = {}", "ROWS holds nothing"),
        ('ROWS = {"a": 3}', "row 'a': expected overrides such as views.dates=2 or functions, got 3"),
        ('ROWS = {"a": (3,)}', "row 'a': expected overrides such as views.dates=2 or functions, got 3"),
        ('ROWS = {"a": lambda cfg: 3}', "row 'a': its function gives a int, expected a Config"),
        ('ROWS = {"a b": (), "a-b": ()}', "rows whose names differ in signs alone: a b, a-b; rename one"),
        ('ROWS = {"a": "views.date=2"}', "no field of Views is called 'date'"),
        ('ROWS = {"a": ()}\nBUDGET = "hours"', "budget: expected CPU seconds above 0, or 'steps', got 'hours'"),
        ('ROWS = {"a": ()}\nBUDGET = -1', "budget: expected CPU seconds above 0"),
    ],
)
def test_a_file_that_is_no_ablation_is_told(written, text, sentence):
    with pytest.raises(ValueError, match=sentence):
        rows.read(written(text))


def test_a_budget_may_be_the_steps_of_each_config(written, tmp_path):
    assert rows.read(written('ROWS = {"a": ()}\nBUDGET = "steps"')).budget == rows.STEPS
    with pytest.raises(FileNotFoundError, match="--ablation: .*none.py does not exist"):
        rows.read(tmp_path / "none.py")


def test_the_ablation_of_the_quickstart_has_rows_that_differ():
    root = rows.Path(__file__).resolve().parents[3]
    found = rows.read(root / "experiments" / "ablations" / "quickstart.py").rows
    assert next(iter(found)) == "quickstart"
    assert len({dataclasses.replace(cfg, name="") for cfg in found.values()}) == len(found)
    published = found["as published"]
    assert (published.views.dates, published.objective, published.sensors[0].tokenizer) == (1, Objective(), "grouped")
