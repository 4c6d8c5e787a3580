import jax
import pytest
from made import tiny_run

from spectral_jax.config import Data
from spectral_jax.measure.pod import program


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        (
            "RESOURCE_EXHAUSTED: Ran out of memory on HBM, the total memory required for HLO temporaries (360.00G) exceeds "
            "available HBM (15.75G).",
            (360 * 2**30 + 1000, 16_911_433_728),
        ),
        (
            "RESOURCE_EXHAUSTED: XLA:TPU compile permanent error. Ran out of memory in memory space hbm. Used 18.50G of 15.75G "
            "hbm. Exceeded hbm capacity by 2.75G.",
            (19_864_223_744, 16_911_433_728),
        ),
        ("Ran out of memory in memory space vmem. Used 20.1M of 16.0M vmem.", None),
        ("INTERNAL: something else", None),
    ],
)
def test_what_the_compiler_says_of_memory_is_read(text, sizes):
    assert program.too_large(text, argument_bytes=1000) == sizes


def test_a_batch_that_does_not_divide_is_refused_in_the_sentence_of_the_mesh():
    cfg = tiny_run.config(data=Data(store="none", batch_size=12))
    sentence = (
        "data.batch_size: the mesh of 8 devices .data 8, fsdp 1. does not divide 12; the nearest batch size that divides is"
    )
    with pytest.raises(ValueError, match=sentence):
        program.compile_step(cfg, "all", jax.devices())


@pytest.mark.slow
@pytest.mark.multidevice
def test_the_step_that_trains_is_compiled_for_devices():
    cfg = tiny_run.lean()
    found = program.compile_step(cfg, "all", jax.devices())
    assert found.fits
    assert found.gradient_bytes == 4 * found.parameters
    # Student, teacher and both moments of Adam lie whole on every device, beside its share of the batch.
    assert found.argument_bytes > 4 * found.gradient_bytes
    assert found.alias_bytes > 4 * found.gradient_bytes
    added = sum(one.step_bytes for one in found.collectives if one.kind == "all-reduce")
    assert found.gradient_bytes <= added < 2 * found.gradient_bytes
    assert min(found.trace_cpu_s, found.compile_cpu_s, found.hlo_lines, found.moved_bytes) > 0
