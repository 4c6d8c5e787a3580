import re

import numpy as np
import pytest
from made.oracle_file import assert_same_state
from made.published_state import random_state

from spectral_jax.interop import models, read
from spectral_jax.interop.monthly import presto
from spectral_jax.interop.weights_file import Weights
from spectral_jax.model.published.presto.network import PrestoConfig, init

SMALL = PrestoConfig(32, 1, 2, decoder_depth=1)


@pytest.fixture(scope="module")
def state():
    made = random_state(presto, init, SMALL, ("steps", "months"))
    return made | {presto.AGAIN: made[presto.CHANNELS]}


def taken(state, **options):
    return models.read("presto", Weights("default_model.pt", state), **{"heads": 2, **options})


@pytest.mark.slow
def test_every_key_is_accounted_for_and_the_way_back_is_bit_identical(state):
    cfg, params, account = taken(state)
    assert cfg == SMALL
    assert {row.key for row in account.rows} == set(state)
    ignored = [(row.key, row.detail) for row in account.rows if row.outcome == "ignored"]
    assert ignored == [(presto.AGAIN, "the same table as encoder.channel_embed.weight")]
    assert_same_state(presto.publish(params, cfg), state)


def test_the_released_file_comes_back_bit_by_bit(released):
    weights = read(released / "presto" / "default_model.pt")
    assert models.recognised(weights.tensors) == "presto default (128 wide)"
    cfg, params, account = models.read("presto", weights, size="default")
    assert (cfg.width, cfg.depth, cfg.heads, cfg.steps, cfg.decoder_depth) == (128, 2, 8, 24, 2)
    assert account.counts() == {"loaded": 62, "reshaped": 39, "ignored": 1, "absent": 0}
    assert sum(value.size for value in weights.tensors.values()) == 823_002
    assert_same_state(presto.publish(params, cfg), weights.tensors)


def test_groups_are_taken_by_name_and_never_by_their_place_in_the_file(released):
    """The file has NIR_10m, NIR_20m, Red_Edge; tokens and rows of the channel table have Red_Edge, NIR_10m, NIR_20m."""
    tensors = read(released / "presto" / "default_model.pt").tensors
    groups = [key.split(".")[2] for key in tensors if key.startswith(presto.MARK) and key.endswith("bias")]
    assert groups[2:5] == ["S2_NIR_10m", "S2_NIR_20m", "S2_Red_Edge"]
    params = models.read("presto", Weights("a.pt", tensors))[1]
    again = models.read("presto", Weights("a.pt", dict(reversed(tensors.items()))))[1]
    for group in groups:
        kernel = tensors[f"{presto.MARK}{group}.weight"].T
        np.testing.assert_array_equal(params[f"embed_{group}"]["kernel"], kernel)
        np.testing.assert_array_equal(again[f"embed_{group}"]["kernel"], kernel)
    np.testing.assert_array_equal(params["channels"], tensors[presto.CHANNELS])


def test_an_encoder_alone_is_read_too(state):
    alone = {key: value for key, value in state.items() if key.startswith("encoder.")}
    cfg, params, account = taken(alone)
    assert cfg.decoder_depth == 0
    assert "decoder" not in params
    assert {row.key for row in account.rows} == set(alone)
    assert_same_state(presto.publish(params, cfg), alone)


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        (
            presto.AGAIN,
            np.zeros((10, 8), np.float32),
            "default_model.pt: decoder.channel_embeddings.weight differs from "
            "encoder.channel_embed.weight, expected the same numbers: encoder and decoder share one table; fetch the file "
            "again.",
        ),
        (
            "encoder.pos_embed",
            np.zeros((1, 24, 16), np.float32),
            "default_model.pt: encoder.pos_embed is a table that does not train",
        ),
        (
            "decoder.month_embed.weight",
            np.zeros((12, 12), np.float32),
            "decoder.month_embed.weight is a table that does not train",
        ),
        ("encoder.norm.weight", np.full(32, np.inf, np.float32), "encoder.norm.weight has 32 infinite of 32 numbers"),
        (
            "encoder.dw_embed.weight",
            np.zeros((9, 32), np.float32),
            "encoder.dw_embed.weight has shape [9, 32], expected [10, 32]",
        ),
        (
            "encoder.eo_patch_embed.S3.weight",
            np.zeros((32, 1), np.float32),
            "encoder.eo_patch_embed.S3.weight is no key of this",
        ),
    ],
)
def test_a_file_of_another_version_is_named_by_what_was_found(state, key, value, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        taken(state | {key: value})


def test_a_missing_group_and_another_size_are_named(state):
    with pytest.raises(ValueError, match=r"encoder\.eo_patch_embed\.S1\.bias is missing\. It looks like presto \(32 wide\)"):
        taken({key: value for key, value in state.items() if key != "encoder.eo_patch_embed.S1.bias"})
    with pytest.raises(ValueError, match=r"looks like presto \(32 wide\), expected default \(128 wide\); give another file"):
        taken(state, size="default")
