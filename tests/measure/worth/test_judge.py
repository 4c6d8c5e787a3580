import numpy as np
import pytest

from spectral_jax.measure.worth.judge import Judged

DRAWS = np.linspace(-0.02, 0.02, 10)


def scores(few, many, day=0.1, by_seed=(0.0, 0.001, -0.001)):
    """Two numbers of labels, three seeds, ten draws that all features share."""
    table = DRAWS[None] + np.array(by_seed)[:, None]
    return {"place": {20: few + table, 480: many + table}, "day": {20: day + table, 480: day + table}}


@pytest.fixture
def judged():
    levels = {"stage1": scores(0.25, 0.60), "pooled": scores(0.10, 0.62)}
    rivals = {"bands": scores(0.05, 0.50), "agreeing": scores(0.18, 0.49), "untrained stage1": scores(0.09, 0.48)}
    return Judged("mine", (0, 1, 2), {"stage1": 64, "stage3": 1536, "pooled": 128}, levels, rivals)


def test_the_best_rival_is_another_with_few_labels_than_with_many(judged):
    assert judged.best_rival("place", 20) == "agreeing"
    assert judged.best_rival("place", 480) == "bands"


def test_leads_are_paired_so_what_draws_and_seeds_share_falls_out(judged):
    lead = judged.lead("stage1", "place", 480)
    assert lead == pytest.approx((0.10, 0.10, 0.10))
    assert judged.lead("pooled", "place", 20).verdict == "behind"


def test_a_lead_that_seeds_do_not_agree_on_is_not_shown(judged):
    judged.levels["stage1"] = scores(0.25, 0.60, by_seed=(0.2, -0.1, -0.1))
    lead = judged.lead("stage1", "place", 480)
    assert lead.mean == pytest.approx(0.10)
    assert lead.verdict == "not shown"


def test_only_what_is_ahead_with_every_number_of_labels_is_worth_keeping(judged):
    assert judged.ahead_everywhere() == ["stage1"]
    assert judged.ahead_everywhere("day") == []
