"""Kinds of tasks: what each is labelled with and ranked by, and that a task takes its kind by name."""

import dataclasses

import pytest
from made.tiny_tasks import SPEC

from spectral_jax.tasks.kinds import KINDS, Kind

# Name: labels of pixels, one class, classes by codes of the files, ranked by, dates.
EXPECTED = {
    "segmentation": (True, True, True, "iou_macro", 1),
    "change": (True, True, True, "iou_macro", 2),
    "classification": (False, True, True, "accuracy_overall", 1),
    "multilabel": (False, False, True, "map", 1),
    "pixel_multilabel": (True, False, False, "iou_macro", 1),
    "image_regression": (False, False, False, "r2_mean", 1),
    "pixel_regression": (True, False, False, "r2_mean", 1),
}


def test_the_kinds_are_these():
    told = {
        name: (kind.of == "pixels", kind.labels == "class", kind.has_codes, kind.headline, kind.dates)
        for name, kind in KINDS.items()
    }
    assert told == EXPECTED
    assert [kind.name for kind in KINDS.values()] == list(KINDS)
    assert {name for name, kind in KINDS.items() if kind.is_map} == {"segmentation", "change"}


@pytest.mark.parametrize("name", KINDS)
def test_a_task_takes_its_kind_or_the_name_of_it(name):
    of = {} if KINDS[name].has_codes else dict(codes=(), ignored=(), targets=("height",))
    by_name = dataclasses.replace(SPEC, kind=name, **of)
    assert isinstance(by_name.kind, Kind)
    assert by_name == dataclasses.replace(SPEC, kind=KINDS[name], **of)
    assert hash(by_name) == hash(dataclasses.replace(by_name))
