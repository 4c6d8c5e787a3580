import dataclasses
import math

import pytest
from made import tiny_run

from spectral_jax.config import Config, Data, Model, Train, spectralearth_sensors
from spectral_jax.measure.pod import chips, predict, report
from spectral_jax.measure.pod.collectives import Collective
from spectral_jax.measure.pod.program import Compiled
from spectral_jax.measure.pod.report import Wanted

GIB = 2**30
ARCHIVE = Config(
    "archive", spectralearth_sensors(only=("DESIS", "S1")), Model(footprint_m=240.0), Data(batch_size=32),
    train=Train(steps=1000),
)  # fmt: skip
V5E = chips.slices("v5e:4x4")


def compiler(asked, sample_gib=1.0):
    """A compiler for which a chip's sample takes so much memory and traffic; it notes what it was asked for."""

    def compile_step(cfg, group, slices):
        batch = cfg.data.batch_size // slices.chips
        asked.append((group, slices.name, batch))
        total = round((1 + batch * sample_gib) * GIB)
        fits = total <= slices.chip.hbm_usable_bytes
        moved = batch * GIB * (2 if group == "desis_only" else 1)
        added = Collective("all-reduce", "f32", 4 * 10**6, slices.chips)
        return Compiled(fits, total, 0 if fits else 16 * GIB, moved_bytes=moved, gradient_bytes=4 * 10**6, collectives=(added,))

    return compile_step


def make(cfg=ARCHIVE, wanted=None, where=V5E, **compiler_of):
    asked, said = [], []
    run = report.make(
        cfg, where, wanted or Wanted(), lambda cfg, keys: 1e9 * len(keys), compiler(asked, **compiler_of), said.append
    )
    return run, asked, said


def test_every_group_with_a_sensor_is_compiled_at_the_configs_batch():
    run, asked, said = make()
    assert asked[0] == ("enmap_only", "v5e:4x4", 2)
    assert [one.group for one in run.groups] == [group for group, _, _ in asked]
    assert len(run.groups) == 7
    assert said[2] == "compiling desis_only for 1 x v5e:4x4, 2 samples a chip ..."
    assert run.groups[0].sensors == ("S1",)
    assert run.groups[2].sensors == ("DESIS", "S1")
    assert run.groups[2].flops_per_sample == 2e9


def test_the_whole_run_is_the_mean_over_groups_as_they_are_drawn():
    run, _, _ = make(wanted=Wanted(("desis_only", "triplet"), price=2.0))
    desis, triplet = (one.step.samples_per_s for one in run.groups)
    weights = math.sqrt(54_111), math.sqrt(69_242)
    seconds = 32_000 * (weights[0] / desis + weights[1] / triplet) / sum(weights)
    assert run.samples == 32_000
    assert run.hours == pytest.approx(seconds / 3600)
    assert run.chip_hours == pytest.approx(16 * run.hours)
    assert run.dollars == pytest.approx(2 * run.chip_hours)


def test_weak_scaling_is_carried_over_unless_it_is_compiled():
    run, asked, _ = make(wanted=Wanted(("triplet",)))
    rows = run.groups[0].scaling
    assert [(row.where, row.chips, row.compiled) for row in rows] == [
        ("v5e:4x4", 16, True), ("v5e:4x8", 32, False), ("v5e:8x8", 64, False), ("v5e:8x16", 128, False),
        ("v5e:16x16", 256, False),
    ]  # fmt: skip
    assert len(asked) == 1
    again, asked, _ = make(wanted=Wanted(("triplet",), scaling=True))
    assert [row[1:] for row in asked] == [(row.where, 2) for row in rows]
    assert [row.longest_s for row in again.groups[0].scaling] == [row.longest_s for row in rows]
    assert [gpus.compiled for gpus in run.groups[0].gpus] == [False, False]


def test_a_batch_a_chip_changes_the_batch_and_not_the_samples_of_the_run():
    run, asked, _ = make(wanted=Wanted(("triplet",), batch_per_chip=4))
    assert asked == [("triplet", "v5e:4x4", 4)]
    assert (run.samples, run.groups[0].batch_per_chip) == (32_000, 4)


def test_a_search_ends_at_the_largest_batch_that_fits():
    run, asked, _ = make(wanted=Wanted(("triplet",), search=True))
    assert run.groups[0].batch_per_chip == 14  # and the state: 15 of 15.75 GiB
    assert (15, False) in run.groups[0].searched
    assert len(asked) == len(run.groups[0].searched)
    assert run.groups[0].step == predict.step(run.groups[0].compiled, V5E, 14, 2e9, "branches")


def test_what_does_not_fit_is_told_with_what_brings_it_in():
    run, _, _ = make(wanted=Wanted(("triplet",)), sample_gib=10.0)
    one = run.groups[0]
    assert (one.fit.fits, one.fit.missing_bytes, one.step) == (False, 5 * GIB, None)
    assert [(tried.what, tried.fits) for tried in one.ways_in][-1] == ("data.batch_size=16 (1 a chip)", True)
    assert (run.hours, run.dollars) == (None, None)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"data": Data(batch_size=24)},
            "data.batch_size: the mesh of 16 devices .data 16, fsdp 1. does not divide 24; the nearest batch size",
        ),
        ({"train": Train(fsdp=3)}, "train.fsdp: 3 does not divide the 16 devices of this run; take one of .1, 2, 4, 8, 16."),
    ],
)
def test_a_mesh_that_does_not_divide_is_refused_before_anything_is_compiled(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        make(dataclasses.replace(ARCHIVE, **changes), Wanted(search=True))


def test_a_config_without_sensors_of_the_archive_is_one_group():
    run, _, _ = make(tiny_run.config(data=Data(store="none", batch_size=16)))
    assert [one.group for one in run.groups] == ["all"]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"price": -1.0}, "--price: expected dollars for an hour of one chip, 0 or more, got -1.0."),
        ({"price": math.nan}, "--price: expected dollars for an hour of one chip, 0 or more, got nan."),
        ({"price": math.inf}, "--price: expected dollars for an hour of one chip, 0 or more, got inf."),
        ({"batch_per_chip": 0}, "--batch_per_chip: expected samples a chip, 1 or more, got 0."),
    ],
)
def test_numbers_that_cannot_be_are_refused_in_a_sentence(fields, sentence):
    with pytest.raises(ValueError, match=sentence):
        Wanted(**fields)
