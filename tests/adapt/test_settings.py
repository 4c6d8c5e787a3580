"""A comparison's config: files of earlier runs are read, and every encoder has its folder of weights."""

import json

import pytest

from spectral_jax import configure
from spectral_jax.adapt.encoders.table import ENCODERS
from spectral_jax.adapt.settings import AdaptData, Comparison, Size, WeightFolders

# What the class called `Adapt`, before it was called `Comparison`, wrote of experiments/configs/adapt_quickstart.py.
WRITTEN_BEFORE = """
    {"name": "adapt_quickstart", "data": {"task": "simulated", "root": "", "sensor": "", "resize_px": 0, "tiles":
    10, "footprint_m": 480.0, "split": "block", "block_m": 1000.0, "buffer_m": 0.0, "fractions": [0.6, 0.2, 0.2],
    "vary": true, "near_m": 1000.0}, "rows": ["terramind/nearest", "terramind/srf", "terramind/learned_linear",
    "terramind/wavelength_attention", "terramind/convolutional_adapter", "spectralearth/none", "dofa/none",
    "ours/none"], "target": "sentinel2a_l2a", "uncovered": "leave_out", "size": {"name": "", "width": 48, "depth":
    2, "heads": 3, "patch": 2, "px": 16}, "weights": {"terramind": "", "spectralearth": "",
    "spectralearth_resnet": "", "dofa": "", "ours": ""}, "protocol": {"name": "terramind_study", "frozen": false,
    "head": "multitap", "head_width": 32, "learning_rate": 0.001, "weight_decay": 0.1, "epochs": 20, "batch": 2,
    "schedule": "cosine", "regression_schedule": "plateau", "regression_width": 256, "dropout": 0.0, "betas":
    [0.9, 0.999], "plateau_factor": 0.5, "plateau_patience": 5, "milestones": [0.6, 0.9], "milestone_factor": 0.1,
    "patience": 10, "evaluate_every": 1, "monitor": "loss", "augment": true, "series": "ltae", "change":
    "concatenation", "window": false, "label_fraction": 1.0, "seeds": 10}, "seeds": 3, "baseline": true, "maps":
    3}
"""


def test_a_config_that_was_written_before_names_moved_is_read_and_written_alike():
    cfg = configure.from_json(WRITTEN_BEFORE, kind=Comparison)
    assert (cfg.name, cfg.data, cfg.size) == (
        "adapt_quickstart",
        AdaptData(tiles=10, footprint_m=480.0),
        Size(width=48, depth=2, px=16),
    )
    assert [line.name for line in cfg.lines()][-2:] == ["dofa/none", "ours/none"]
    # Encoders that came later have no folder either.
    written, before = json.loads(configure.to_json(cfg)), json.loads(WRITTEN_BEFORE)
    later = {"lowest_rate": 0.0, "least_gain": 0.0, "statistics": "encoder"}
    before["protocol"] |= later
    before["keep"] = True  # models are kept unless told otherwise
    assert written | {"weights": before["weights"]} == before
    assert written["weights"] == before["weights"] | dict.fromkeys(ENCODERS, "")


def test_a_folder_of_weights_is_named_by_its_encoder():
    cfg = configure.override(Comparison("mine"), "--config.weights.dofa=converted", "--config.weights.ours=run")
    assert cfg.weights == WeightFolders(dofa="converted", ours="run")
    assert list(vars(cfg.weights)) == list(ENCODERS)
    with pytest.raises(ValueError, match="weights.*dofo"):
        configure.override(Comparison("mine"), "--config.weights.dofo=converted")


def test_a_side_that_is_no_whole_number_of_patches_is_refused():
    assert Size(patch=4, px=32).grid == 8
    with pytest.raises(ValueError, match=r"size\.px: expected a multiple of size\.patch = 3 px, got 32"):
        _ = Size(patch=3, px=32).grid
