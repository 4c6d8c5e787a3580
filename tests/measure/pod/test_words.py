import dataclasses

from spectral_jax.measure.pod import chips, predict, words
from spectral_jax.measure.pod.collectives import Collective
from spectral_jax.measure.pod.fit import Tried
from spectral_jax.measure.pod.program import Compiled
from spectral_jax.measure.pod.report import GroupReport, Run

GIB = 2**30
V5E = chips.slices("v5e:4x4")
ADDED = Collective("all-reduce", "f32", 4 * 10**6, 16, count=2, runs=3, in_loop=True)
STEP = Compiled(
    True, 4 * GIB, argument_bytes=GIB, temporary_bytes=2 * GIB, program_bytes=GIB, moved_bytes=10**9, hlo_lines=12345,
    collectives=(ADDED,), compile_wall_s=61.0, host_bytes=3 * GIB,
)  # fmt: skip
FITS = GroupReport(
    "triplet", ("ENMAP", "S1"), 2, 1e12, STEP, Tried("", True, 4 * GIB - V5E.chip.hbm_usable_bytes, 4 * GIB),
    step=predict.step(STEP, V5E, 2, 1e12, "none"), searched=((2, True), (4, False)),
)  # fmt: skip
RUN = Run("b", "v5e:4x4", 1, 16, 1000, (FITS,), 2.0, 32.0, 2.0, 64.0)


def test_a_step_that_fits_is_told_with_memory_collectives_and_time():
    text = words.text(RUN)
    assert text.startswith("b on 1 x v5e:4x4: 16 chips. Predicted; nothing ran.")
    assert "compiled in 61 s (0 CPU s), most host memory 3.0 GiB" in text
    assert (
        "memory a chip, GiB: 4.00 of 15.75: arguments 1.00, temporaries 2.00, results 0.00, program 1.000; 12,345 lines" in text
    )
    assert "    all-reduce                 24.00                 45.00           2                   2\n" in text
    assert "batches tried: 2 fits, 4 does not" in text
    assert "arithmetic binds\n" in text
    assert "all-reduce, slices" not in text
    assert "Whole run, 1,000 samples: 2.0 h, 32 chip-hours, 64 dollars at 2 a chip-hour." in text


def test_the_compilers_own_estimate_is_told_where_there_is_one():
    assert "own estimate" not in words.text(RUN)
    step = dataclasses.replace(STEP, estimated_cycles=60_000_000)
    told = dataclasses.replace(FITS, compiled=step, estimate_s=0.04)
    # Two samples of 1 TFLOP in 40 ms are 50 TFLOP/s.
    assert (
        "  by the compiler's own estimate 60 million cycles, 40 ms, 25 % of the peak, without Pallas kernels and collectives"
    ) in words.text(dataclasses.replace(RUN, groups=(told,)))


def test_numbers_carried_over_are_marked():
    carried = dataclasses.replace(FITS.step, where="v5e:16x16", chips=256, compiled=False, longest_s=2 * FITS.step.longest_s)
    text = words.text(dataclasses.replace(RUN, groups=(dataclasses.replace(FITS, scaling=(FITS.step, carried)),)))
    assert "binds  not compiled\n" in text
    assert "weak scaling from 16 to 256 chips keeps 50 % of the speed a chip" in text


def test_loops_of_unknown_length_are_admitted():
    doubtful = dataclasses.replace(FITS, compiled=dataclasses.replace(STEP, loops_unknown=3))
    text = words.text(dataclasses.replace(RUN, groups=(doubtful,)))
    assert "3 computations in loops of unknown length count once: the times are too short" in text


def test_what_does_not_fit_is_told_with_what_was_tried():
    tried = (
        Tried("model.remat=blocks", False, GIB, 17 * GIB), Tried("train.fsdp=8", True, -GIB, 15 * GIB),
        Tried("train.fsdp=32", False, 0, 0, "partition: it cannot be split."),
    )  # fmt: skip
    large = dataclasses.replace(FITS, fit=Tried("", False, 2 * GIB, 18 * GIB), ways_in=tried, step=None)
    text = words.text(dataclasses.replace(RUN, groups=(large,), hours=None))
    assert "does not fit: needs 18.00 GiB a chip, 2.00 more than there are; tried, each by compiling:" in text
    assert "    model.remat=blocks: does not fit, 1.00 GiB too many (17.00 GiB)\n" in text
    assert "    train.fsdp=8: fits (15.00 GiB)\n    train.fsdp=32: partition: it cannot be split.\n" in text
    assert text.endswith("The run as a whole is not predicted: a group does not fit.")
