import json
from pathlib import Path

import numpy as np
import pytest

from spectral_jax.measure.ablation import compare
from spectral_jax.measure.ablation.training import Trained
from spectral_jax.measure.worth.judge import Judged
from spectral_jax.measure.worth.question import Question

QUESTION = Question(labelled=480, unseen=100, labels=(20, 480), draws=4)
DRAWS = np.array([-0.03, -0.01, 0.01, 0.03])


def scores(value, by_seed=(0.0, 0.0)):
    table = {n: value + DRAWS[None] + np.array(by_seed)[:, None] for n in (20, 480)}
    return {"place": table, "day": table}


def row(name, levels, cpu_s=(50.0, 52.0)):
    judged = Judged(name, (0, 1), dict.fromkeys(levels, 64), levels, {"bands": scores(0.45)})
    return compare.Row(name, [Trained(Path(name), 200, cpu) for cpu in cpu_s], judged)


@pytest.fixture
def rows():
    return [
        row("base", {"stage1": scores(0.40), "pooled": scores(0.30)}),
        row("better", {"stem": scores(0.60), "stage1": scores(0.50, by_seed=(0.01, -0.01))}, cpu_s=(60.0, 40.0)),
    ]


def test_rows_cost_what_their_seeds_took(rows):
    table = compare.costs(rows)
    assert list(table.rows) == [
        ("base", "0, 1", "200", "51.0", "50.0 to 52.0"),
        ("better", "0, 1", "200", "50.0", "40.0 to 60.0"),
    ]


def test_a_level_is_compared_with_the_same_level_of_the_first_row_by_draw_and_seed(rows):
    _, place, differences, *_ = compare.tables(rows, QUESTION)
    assert place.head == ("row", "level", "20 labels", "all labels")
    assert place.rows[0] == ("best rival", "-", "0.450 bands", "0.450 bands")
    assert [r[:2] for r in place.rows[1:]] == [("base", "stage1"), ("base", "pooled"), ("better", "stem"), ("better", "stage1")]
    # What all draws share falls out of the difference; the two seeds differ by 0.02, t of one degree of freedom is 12.7.
    assert [r[:2] for r in differences.rows] == [("better", "stage1")]
    assert differences.rows[0][2] == "+0.100 (-0.027 to +0.227) not shown"
    assert compare.difference(rows[1], rows[0], "stage1", "place", 20).mean == pytest.approx(0.1)


def test_numbers_are_json_with_every_seed(rows):
    base, better = json.loads(json.dumps(compare.numbers(rows, QUESTION)))
    found = better["scores"]["stage1"]["place"]["20"]
    assert found["by_seed"] == pytest.approx([0.51, 0.49])
    assert found["to_first_row"]["mean"] == pytest.approx(0.1)
    assert found["lead_over_best_rival"]["mean"] == pytest.approx(0.05)
    assert "to_first_row" not in base["scores"]["stage1"]["place"]["20"]
    assert better["cpu_s"] == [60.0, 40.0]


def test_a_first_row_alone_has_no_differences(rows):
    assert [table.title[:5] for table in compare.tables(rows[:1], QUESTION)] == ["What ", "place", "day: "]
