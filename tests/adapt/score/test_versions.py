"""What two versions of a study say of two adaptations, against differences written out."""

import dataclasses

import numpy as np
from scipy import stats

from spectral_jax.adapt import lines
from spectral_jax.adapt.protocols import STUDY_CORRECTED
from spectral_jax.adapt.score import versions

ROWS = [f"terramind/{a}/terramind_study/{v}" for v in ("as_published", "corrected") for a in ("nearest", "srf")]
LINES = [lines.parse(row, dataclasses.replace(STUDY_CORRECTED, epochs=3)) for row in ROWS]


def results(*values):
    return [
        {"row": row, "metric": metric, "seed": seed, "value": value}
        for row, scores in zip(ROWS, values, strict=False)
        for seed, value in enumerate(scores)
        for metric in ("iou_macro", "f1_macro")
    ]


def test_the_difference_of_each_version_and_of_both():
    rng = np.random.default_rng(0)
    near, srf = rng.normal(0.5, 0.05, 5), rng.normal(0.4, 0.05, 5)
    better = srf + 0.1 + rng.normal(0, 0.005, 5)
    told = versions.sentences(LINES, results(near, srf, near, better), "iou_macro")
    assert len(told) == 3
    low, high = stats.ttest_1samp(near - srf, 0.0).confidence_interval(0.95)
    mean = (near - srf).mean()
    assert told[0] == (
        f"terramind, nearest less srf by terramind_study/as_published: iou_macro {mean:+.3f} (95 % {low:+.3f} to {high:+.3f}, "
        "5 seeds, paired)."
    )
    assert "by terramind_study/corrected" in told[1]
    change = (better - srf).mean()
    assert told[2].startswith(
        f"The version changes that difference: terramind_study/as_published less terramind_study/corrected is {change:+.3f}"
    )


def test_what_is_not_shown_is_not_said():
    rng = np.random.default_rng(1)
    told = versions.sentences(LINES, results(*rng.normal(0.5, 0.05, (4, 4))), "iou_macro")
    assert told[2].startswith("The version is not shown to change that difference")


def test_without_versions_or_seeds_nothing_is_said():
    plain = [lines.parse("terramind/srf", STUDY_CORRECTED), lines.parse("terramind/nearest/pangaea", STUDY_CORRECTED)]
    assert versions.sentences(plain, results((0.5, 0.6)), "iou_macro") == []
    assert versions.sentences(LINES, results((0.5,), (0.4,), (0.5,), (0.4,)), "iou_macro") == []
    one_version = versions.sentences(LINES[:2], results((0.5, 0.6), (0.4, 0.55)), "iou_macro")
    assert len(one_version) == 1
