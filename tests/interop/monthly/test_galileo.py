import re

import numpy as np
import pytest
from made.oracle_file import assert_same_state
from made.published_state import random_state

from spectral_jax.interop import models, read
from spectral_jax.interop.monthly import galileo
from spectral_jax.interop.weights_file import Weights
from spectral_jax.model.published.galileo.network import GalileoConfig, init

SMALL = GalileoConfig(32, 2, 2)


@pytest.fixture(scope="module")
def state():
    return random_state(galileo, init, SMALL, ("embed/steps", "embed/months"))


def taken(state, **options):
    return models.read("galileo", Weights("encoder.pt", state), **{"heads": 2, **options})


@pytest.mark.slow
def test_every_key_is_accounted_for_and_the_way_back_is_bit_identical(state):
    cfg, params, account = taken(state)
    assert cfg == SMALL
    assert {row.key for row in account.rows} == set(state)
    assert account.counts()["ignored"] == account.counts()["absent"] == 0
    assert_same_state(galileo.publish(params, cfg), state)


def test_the_released_file_is_nano_and_comes_back_bit_by_bit(released):
    weights = read(released / "galileo_nano" / "encoder.pt")
    assert models.recognised(weights.tensors) == "galileo nano (128 wide)"
    cfg, params, account = models.read("galileo", weights, size="nano")
    assert (cfg.width, cfg.depth, cfg.heads, cfg.size, cfg.steps) == (128, 4, 8, 8, 24)
    assert account.counts() == {"loaded": 65, "reshaped": 41, "ignored": 0, "absent": 0}
    assert sum(value.size for value in weights.tensors.values()) == 1_037_856
    assert_same_state(galileo.publish(params, cfg), weights.tensors)


def test_keys_are_taken_by_name_in_any_order(state):
    shuffled = {key: state[key] for key in sorted(state, key=lambda key: key[::-1])}
    assert_same_state(galileo.publish(taken(shuffled)[1], SMALL), state)


def test_a_decoder_beside_it_is_ignored_with_a_reason(state):
    more = {"decoder.blocks.0.norm1.weight": np.ones(3, np.float32)}
    _, _, account = taken(state | more)
    assert [(r.key, r.detail) for r in account.rows if r.outcome == "ignored"] == [(*more, "decoder of pretraining")]


def changed(state, **values):
    return {key: values.get(key.replace(".", "_"), value) for key, value in state.items()}


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        (
            "pos_embed",
            np.zeros((24, 8), np.float32),
            "encoder.pt: pos_embed is a table that does not train, and it differs by 1 from "
            "the formula of the released version",
        ),
        ("month_embed.weight", np.zeros((13, 8), np.float32), "month_embed.weight has shape [13, 8], expected [12, 8]"),
        ("norm.bias", np.full(32, np.nan, np.float32), "encoder.pt: norm.bias has 32 NaN of 32 numbers"),
        (
            "blocks.1.attn.q.weight",
            np.zeros((32, 31), np.float32),
            "blocks.1.attn.q.weight has shape [32, 31], expected [32, 32]",
        ),
        ("norm.weight", np.zeros((0,), np.float32), "expected norm.weight with 1 axes, got shape [0]; it looks like galileo"),
        ("space_embed.DEM.proj.bias", np.zeros(32, np.float32), "space_embed.DEM.proj.bias is no key of this model"),
    ],
)
def test_a_file_of_another_version_is_named_by_what_was_found(state, key, value, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        taken(state | {key: value})


def test_a_missing_group_is_named(state):
    with pytest.raises(ValueError, match=r"time_embed\.VIIRS\.bias is missing\. It looks like galileo \(32 wide\)"):
        taken({key: value for key, value in state.items() if key != "time_embed.VIIRS.bias"})


def test_another_size_or_family_is_named_by_what_was_found(state, released):
    with pytest.raises(ValueError, match=r"looks like galileo \(32 wide\), expected nano \(128 wide\); give another file"):
        taken(state, size="nano")
    with pytest.raises(ValueError, match="size: expected one of nano, got 'base'"):
        taken(state, size="base")
    presto = read(released / "presto" / "default_model.pt")
    with pytest.raises(ValueError, match=r"default_model\.pt looks like presto default \(128 wide\), expected galileo: no key"):
        models.read("galileo", presto)


def test_heads_of_an_unknown_width_are_asked_for_where_they_are_needed(state):
    assert taken(state, heads=None)[0].heads is None
    with pytest.raises(ValueError, match=r"GalileoConfig\.heads: 5 does not divide the width 32"):
        taken(state, heads=5)
