"""The protocols hold the published numbers, say what was changed, and draw labels in proportion."""

import dataclasses

import numpy as np
import pytest
from made import tiny_adapt
from made.tiny_tasks import in_memory

from spectral_jax.adapt import protocols
from spectral_jax.adapt.fit.adapted import head_of, merging
from spectral_jax.adapt.parts import label_fraction
from spectral_jax.adapt.protocols import (
    PANGAEA,
    SPECTRALEARTH_FM_FROZEN,
    STUDY_AS_PUBLISHED,
    STUDY_CORRECTED,
    TERRAMIND_STUDY,
)
from spectral_jax.model.heads.temporal import TemporalConfig


def test_the_terramind_study_is_as_published():
    p = TERRAMIND_STUDY
    assert (p.epochs, p.patience, p.seeds, p.schedule, p.regression_schedule) == (100, 20, 10, "cosine", "plateau")
    assert (p.plateau_factor, p.plateau_patience, p.head, p.head_width, p.regression_width) == (0.5, 5, "fcn", 256, 256)
    assert not p.frozen


def test_the_terramind_study_as_its_code_has_it():
    p = STUDY_AS_PUBLISHED
    assert (p.learning_rate, p.weight_decay, p.lowest_rate, p.epochs, p.patience, p.least_gain) == (
        3e-5,
        1e-4,
        1e-5,
        100,
        15,
        1e-4,
    )
    assert (p.head, p.head_width, p.dropout, p.batch, p.seeds, p.schedule, p.monitor) == (
        "fcn",
        256,
        0.21,
        16,
        10,
        "cosine",
        "loss",
    )
    assert not p.frozen


def test_two_versions_of_the_study_differ_in_their_statistics_alone():
    fields = [f.name for f in dataclasses.fields(STUDY_CORRECTED)]
    apart = {f for f in fields if getattr(STUDY_CORRECTED, f) != getattr(STUDY_AS_PUBLISHED, f)}
    assert apart == {"name", "statistics"}
    assert (STUDY_AS_PUBLISHED.statistics, STUDY_CORRECTED.statistics) == ("task_as_published", "task")
    assert protocols.label(STUDY_AS_PUBLISHED) == "terramind_study/as_published"


def test_spectralearth_fms_frozen_protocol_is_as_published():
    p = SPECTRALEARTH_FM_FROZEN
    assert (p.learning_rate, p.weight_decay, p.batch, p.epochs, p.head, p.head_width) == (1e-4, 1e-3, 8, 100, "multitap", 128)
    assert p.frozen
    assert p.patience is None


def test_pangaea_is_as_published():
    p = PANGAEA
    assert (p.learning_rate, p.betas, p.weight_decay, p.batch, p.epochs) == (1e-4, (0.9, 0.999), 0.05, 8, 80)
    assert (p.schedule, p.milestones, p.head, p.head_width, p.dropout) == ("multistep", (0.6, 0.9), "upernet", 512, 0.1)
    assert (p.frozen, p.window, p.evaluate_every, p.monitor) == (True, True, 5, "metric")
    assert protocols.LABEL_FRACTIONS == (1.0, 0.5, 0.1)


def test_a_changed_protocol_keeps_its_name_and_says_what_differs():
    changed = dataclasses.replace(PANGAEA, epochs=3)
    assert protocols.changes(changed) == ("epochs 3 (published 80)",)
    assert protocols.label(changed) == "pangaea, changed"
    assert protocols.label(PANGAEA) == "pangaea"


def test_an_unknown_protocol_is_refused_with_the_closest_first():
    with pytest.raises(ValueError, match="'pangea'.*closest first: pangaea, "):
        protocols.published("pangea")


@pytest.mark.parametrize(
    ("field", "value"), [("schedule", "linear"), ("monitor", "iou"), ("label_fraction", 0.0), ("epochs", 0), ("patience", 0)]
)
def test_a_number_out_of_range_is_refused_by_name(field, value):
    with pytest.raises(ValueError, match=f"protocol.{field}: expected"):
        dataclasses.replace(TERRAMIND_STUDY, **{field: value})


def test_heads_follow_the_kind_of_task():
    assert (head_of(tiny_adapt.SPEC, PANGAEA).kind, head_of(tiny_adapt.SPEC, PANGAEA).outputs) == ("upernet", 2)
    soil = dataclasses.replace(tiny_adapt.SPEC, kind="image_regression", codes=(), class_names=(), targets=("P", "K", "pH"))
    head = head_of(soil, TERRAMIND_STUDY)
    assert (head.kind, head.outputs, head.hidden) == ("regression", 3, 256)
    change = dataclasses.replace(tiny_adapt.SPEC, kind="change")
    assert head_of(change, PANGAEA) == head_of(tiny_adapt.SPEC, PANGAEA)
    assert merging(change, PANGAEA, 2).kind == "concatenation"
    assert merging(tiny_adapt.SPEC, PANGAEA, 6) == TemporalConfig("ltae", 6)
    assert merging(tiny_adapt.SPEC, PANGAEA, 1) is None


def test_half_of_the_labels_keeps_the_share_of_each_kind_of_tile():
    # 40 tiles of class 0 alone and 20 of class 1 alone: half of them are 20 and 10.
    labels = np.repeat([0, 1], [40, 20])[:, None, None] * np.ones((1, 2, 2), np.int16)
    data = in_memory(labels.astype(np.int16))
    rows = label_fraction.draw(data, range(60), 0.5, seed=3)
    assert len(rows) == len(set(rows)) == 30
    assert abs(int((rows < 40).sum()) - 20) <= 1
    assert not np.array_equal(rows, label_fraction.draw(data, range(60), 0.5, seed=4))
    np.testing.assert_array_equal(rows, label_fraction.draw(data, range(60), 0.5, seed=3))
    np.testing.assert_array_equal(label_fraction.draw(data, [5, 2], 1.0, seed=0), [2, 5])


def test_a_tenth_of_a_few_labels_is_one():
    data = in_memory(np.zeros((4, 2, 2), np.int16))
    assert len(label_fraction.draw(data, range(4), 0.1, seed=0)) == 1
    with pytest.raises(ValueError, match="share in"):
        label_fraction.draw(data, [], 0.5, seed=0)
