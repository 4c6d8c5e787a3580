"""What a comparison says: how lines are trained, their scores, and verdicts no stronger than the numbers."""

import dataclasses

from spectral_jax.adapt import lines, words
from spectral_jax.adapt.protocols import PANGAEA, TERRAMIND_STUDY
from spectral_jax.adapt.score import tables

WITHOUT = "pixel logistic regression/none"


def rows(row, values, metric="iou_macro"):
    encoder, adaptation = row.split("/")[:2]
    line = {"row": row, "encoder": encoder, "adaptation": adaptation, "task": "t", "protocol": "p"}
    return [r for seed, v in enumerate(values) for r in tables.rows(line, seed, {metric: v}, "random initialisation")]


def test_how_a_line_is_trained_is_one_sentence():
    shorter = dataclasses.replace(TERRAMIND_STUDY, epochs=5)
    assert words.how(lines.parse("dofa/none", PANGAEA)) == "Protocol pangaea, as published."
    assert words.how(lines.parse("dofa/none", shorter)) == "Protocol terramind_study, changed: epochs 5 (published 100)."
    assert words.how(lines.parse("dofa/none/knn_probe", PANGAEA)).startswith("knn_probe: nothing is trained, ")


def test_scores_stand_seed_by_seed_and_a_dash_where_there_is_none():
    results = rows("dofa/none", (0.5, float("nan"), 0.25)) + rows("dofa/srf", (0.75,)) + rows("dofa/none", (0.1,), "f1_macro")
    assert words.scored(results, "dofa/none", "iou_macro", 12.4) == f"  {'dofa/none':<32s} iou_macro 0.500, -, 0.250  (12 s)"


def test_verdicts_are_of_bands_of_each_encoder_and_of_the_baseline():
    values = {"dofa/none": (0.8, 0.82, 0.81), "dofa/srf": (0.6, 0.63, 0.62), WITHOUT: (0.9, 0.92, 0.91)}
    results = [r for row, scores in values.items() for r in rows(row, scores)]
    compared = [lines.parse(row, TERRAMIND_STUDY) for row in ("dofa/none", "dofa/srf")]
    report = {"columns": ["iou_macro"], "results": results, "baseline": WITHOUT}
    report["statistics"] = tables.statistics(results, ("iou_macro",))
    told = words.verdicts(compared, report)
    assert [" ".join(text.split(":")[0].split()[-6:]) for text in told[:2]] == ["the best on projected bands, dofa/srf"] * 2
    assert told[2].startswith(f"The baseline without an encoder, {WITHOUT}, beats the best encoder, dofa/none: iou_macro")
    assert len(words.verdicts(compared, report | {"baseline": ""})) == 2
