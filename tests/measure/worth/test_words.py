import json

import numpy as np
import pytest

from spectral_jax.measure.worth import words
from spectral_jax.measure.worth.judge import Judged
from spectral_jax.measure.worth.question import Question

QUESTION = Question(labelled=480, unseen=100, labels=(20, 480), draws=3)


def scores(few, many, seeds):
    noise = np.array([[-0.01, 0.0, 0.01]] * seeds) + 0.001 * np.arange(seeds)[:, None]
    return {probe: {20: few + noise, 480: many + noise**2} for probe in ("place", "day")}


def judged(seeds=2, own=0.6):
    levels = {"stage1": scores(0.25, own, seeds)}
    return Judged("mine", tuple(range(seeds)), {"stage1": 64, "stage3": 1536}, levels, {"bands": scores(0.2, 0.5, seeds)})


def test_tables_hold_rivals_levels_and_leads_of_place_and_day():
    place, lead, day, _ = words.tables(judged(), QUESTION)
    assert place.title == (
        "mine, training seeds 0, 1: mean R2 over 11 ground parameters of the place, 100 unseen SIMULATED places, ENMAP alone"
    )
    assert place.head == ("features", "20 labels", "all labels")
    assert place.rows == [("bands", "0.201", "0.500"), ("stage1, 64 numbers", "0.251", "0.600")]
    assert lead.rows[0] == ("best rival", "bands", "bands")
    assert lead.rows[1] == ("stage1", "+0.050 (+0.050 to +0.050) ahead", "+0.100 (+0.100 to +0.100) ahead")
    assert "4 changes of the day, those with two dates of 100 unseen SIMULATED places" in day.title


def test_a_table_as_text_and_as_markdown():
    table = words.Table("T", ("a", "bb"), [("ccc", "d")])
    assert table.plain() == "T\n  a    bb\n  ccc  d"
    assert table.markdown() == "T\n\n| a | bb |\n| --- | --- |\n| ccc | d |"


@pytest.mark.parametrize(
    ("seeds", "own", "sentence"),
    [
        (2, 0.6, "mine is ahead of the best rival with every number of labels by stage1."),
        (2, 0.4, "mine is not shown to be ahead of the best rival with every number of labels by any level."),
        (1, 0.6, "One training seed: the intervals are over draws alone. mine is ahead"),
    ],
)
def test_the_closing_words_say_no_more_than_the_numbers(seeds, own, sentence):
    said = words.closing(judged(seeds, own))
    assert said.startswith("Over the limit of 808 numbers and not judged: stage3 (1536).")
    assert sentence in said


def test_numbers_are_json_with_a_verdict_of_each_level():
    out = json.loads(json.dumps(words.numbers(judged(), QUESTION)))
    found = out["probes"]["place"]["480"]
    assert found["best_rival"] == "bands"
    assert found["levels"]["stage1"]["verdict"] == "ahead"
    assert found["levels"]["stage1"]["lead"]["mean"] == pytest.approx(0.1)
    assert len(found["levels"]["stage1"]["by_seed"]) == 2
    assert words.about(QUESTION)["data"] == "simulated, no observations"
