import dataclasses

import jax
import numpy as np
import pytest
from made import tiny_run

from spectral_jax.config import Views
from spectral_jax.measure import flops, step_time


def test_the_text_tells_time_flops_and_that_parts_are_no_sum():
    parts = {"tokenizer": {"seconds": 0.5, "flops": 10e9}, "optimiser and teacher": {"seconds": 0.25, "flops": 0.0}}
    result = {"devices": "1 x cpu", "compile_s": 12.0, "seconds": [4.0, 2.0, 1.0], "batch": 8, "flops": 60e9, "parts": parts}
    result |= {"peak_mib": 900.4, "temporary_mib": 123.4}
    assert step_time.text(result).splitlines() == [
        "devices: 1 x cpu; compile 12.0 s",
        "step: min 1.000 s, median 2.000 s, max 4.000 s; 4.0 samples/s at batch 8",
        "model FLOPs: 60.00 GFLOP a step, 30.0 GFLOP/s",
        "memory: 900 MiB resident at most while steps ran; temporaries of a step, as compiled: 123 MiB",
        "parts of one global view, forward and backward, each timed alone; their sum is not the time of a step:",
        "  tokenizer                0.5000 s     10.00 GFLOP     20.0 GFLOP/s",
        "  optimiser and teacher    0.2500 s",
    ]
    alone = step_time.text(result | {"parts": {}, "temporary_mib": None}).splitlines()
    assert alone[3:] == ["memory: 900 MiB resident at most while steps ran; temporaries of a step, as compiled: not told"]


def test_one_step_is_refused_for_the_first_is_not_counted():
    cfg = tiny_run.config()
    with pytest.raises(ValueError, match=r"--batches: expected 2 steps or more, of which the first is not counted, got 1\."):
        step_time.step(cfg, tiny_run.batch(cfg, np.random.default_rng(0)), steps=1)


@pytest.mark.slow
def test_a_step_is_timed_with_its_parts_and_leaves_a_trace(rng, tmp_path):
    cfg = tiny_run.config(views=Views(global_sensors=2, local_views=0))
    keys = ("HSI", "SAR")
    cfg = dataclasses.replace(cfg, sensors=tuple(cfg.sensor(key) for key in keys))
    result = step_time.step(cfg, tiny_run.batch(cfg, rng), steps=3, trace_to=str(tmp_path))
    assert result["devices"] == f"8 x {jax.devices()[0].device_kind}"
    assert len(result["seconds"]) == 2
    assert min(result["seconds"]) > 0
    assert 0 < result["temporary_mib"] < result["peak_mib"]
    assert result["flops"] == 8 * flops.training_sample(cfg, keys).total
    view = flops.view(cfg, keys)
    counted = {name: part["flops"] / (3 * 8) for name, part in result["parts"].items()}
    assert counted == pytest.approx(
        {
            "tokenizer": view.tokenizer,
            "stages 1 and 2": view.stages,
            "fusion": view.fusion,
            "stage 3": view.shared,
            "projector": view.projector,
            "optimiser and teacher": 0.0,
        }
    )
    assert list(tmp_path.rglob("*.xplane.pb"))
