import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made.oracle_file import TOLERANCE, difference
from made.published_state import random_state
from reference import numpy_presto

from spectral_jax.interop.monthly import presto
from spectral_jax.interop.names import flatten
from spectral_jax.interop.weights_file import Weights
from spectral_jax.model.published.presto.inputs import GROUPS, PrestoInputs
from spectral_jax.model.published.presto.network import PrestoConfig, apply, config, init, reconstruct, trainable

pytestmark = pytest.mark.slow

SMALL = PrestoConfig(32, 2, 2)
FIXED = ("steps", "months")


@pytest.fixture(scope="module")
def state():
    made = random_state(presto, init, SMALL, FIXED)
    return made | {presto.AGAIN: made[presto.CHANNELS]}


@pytest.fixture(scope="module")
def params(state):
    return presto.read(Weights("small.pt", state), heads=2)[1]


@pytest.fixture(scope="module")
def inputs():
    """Three series of four months, of which unequal parts are seen."""
    rng = np.random.default_rng(5)
    mask = rng.choice([0, 0, 0, 1], size=(3, 4, 17)).astype(np.uint8)
    mask[2] = 1
    mask[2, :, 14:16] = 0
    place = rng.normal(size=(3, 3))
    return PrestoInputs(
        x=rng.normal(size=(3, 4, 17)).astype(np.float32),
        mask=mask,
        dynamic_world=rng.integers(0, 10, (3, 4)).astype(np.int32),
        place=(place / np.linalg.norm(place, axis=1, keepdims=True)).astype(np.float32),
        months=np.array([[10, 11, 0, 1], [3, 3, 4, 9], [0, 1, 2, 3]], np.int32),
    )


def run(params, inputs, function=reconstruct):
    with jax.default_matmul_precision("highest"):
        return jax.jit(function, static_argnames="cfg")(params, inputs, cfg=SMALL)


def test_unequal_series_agree_with_a_plain_forward_pass_of_what_is_seen(state, params, inputs):
    found, channels, logits = run(params, inputs)
    for i in range(3):
        months = inputs.months[i]
        given = (inputs.x[i].astype(float), inputs.mask[i], inputs.dynamic_world[i], inputs.place[i].astype(float), months)
        tokens, seen, pooled = numpy_presto.encode(state, *given, 2, 2)
        np.testing.assert_array_equal(found.seen[i], seen)
        assert difference(np.asarray(found.tokens[i])[seen], tokens) <= TOLERANCE
        assert difference(found.pooled[i], pooled) <= TOLERANCE
        wanted = numpy_presto.decode(state, tokens, seen, months, 2, 2)
        assert difference(channels[i], wanted[0]) <= TOLERANCE
        assert difference(logits[i], wanted[1]) <= TOLERANCE


def test_what_is_masked_changes_nothing(params, inputs):
    found = run(params, inputs, apply)
    masked = np.concatenate([
        np.repeat((inputs.mask[..., list(index)] > 0).any(-1, keepdims=True), len(index), -1)
        for index in numpy_presto.GROUPS.values()
    ], axis=-1)  # fmt: skip
    # Terrain is that of the first step alone.
    masked[:, :, 14:16] = np.where(np.arange(4)[None, :, None] == 0, masked[:, :, 14:16], True)
    other = run(params, inputs._replace(x=np.where(masked, np.float32(50), inputs.x)), apply)
    np.testing.assert_array_equal(found.pooled, other.pooled)


def test_a_place_that_is_not_known_has_no_token(params, inputs):
    found = run(params, inputs._replace(place=None), apply)
    assert not found.seen[:, 0].any()
    assert difference(found.pooled, np.asarray(run(params, inputs, apply).pooled)) > 1e-3


def test_steps_and_months_do_not_train_and_the_decoder_shares_the_table_of_channels(params):
    moves = flatten(trainable(params, SMALL))
    assert {path for path, trains in moves.items() if not trains} == {"steps", "months", "decoder/steps", "decoder/months"}
    assert [path for path in moves if "channels" in path] == ["channels"]


def test_weights_without_a_decoder_do_not_reconstruct(params, inputs):
    cfg = dataclasses.replace(SMALL, decoder_depth=0)
    assert apply(params, inputs, cfg).pooled.shape == (3, 32)
    with pytest.raises(
        ValueError, match="^reconstruct: these weights have no decoder; convert the released file, which has one.$"
    ):
        reconstruct(params, inputs, cfg)


def test_fresh_parameters_start_as_published(key):
    flat = flatten(init(key, config("default")))
    # The released file has the shared table of channels twice.
    assert sum(leaf.size for leaf in flat.values()) + 320 == 823_002
    assert not flat["decoder/mask_token"].any()
    assert 0.9 < float(jnp.std(flat["dynamic_world"])) < 1.1
    assert 0.9 < float(jnp.abs(flat["trunk/block0/attend/qkv/kernel"]).max()) * (512 / 6) ** 0.5 <= 1
    assert not flat["embed_S1/bias"].any()
    assert set(GROUPS) == {path.split("/")[0].removeprefix("embed_") for path in flat if path.startswith("embed_")}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (dict(width=40), "PrestoConfig.width: expected a multiple of 16, .*, got 40."),
        (dict(heads=3), "PrestoConfig.heads: 3 does not divide the width 32; choose a divisor."),
        (
            dict(bands=("B02",)),
            r"PrestoConfig.bands: expected all channels of at least one group, such as S1 \(VV VH\) .*, got B02.",
        ),
        (dict(month=-1), "PrestoConfig.month: expected months from 0 .* got -1; give the month"),
    ],
)
def test_a_config_that_cannot_be_is_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        dataclasses.replace(SMALL, **changes)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            dict(months=np.full((3, 4), 12)),
            r"^months: expected months from 0 \(January\) to 11 \(December\), got 12; subtract 1",
        ),
        (
            dict(dynamic_world=np.full((3, 4), 10)),
            r"^dynamic_world: expected a class from 0 \(water\) to 8 .*, got class 10\.$",
        ),
        (
            dict(mask=np.zeros((3, 4, 18))),
            r"^mask: expected shape \[3, 4, 17\], got \[3, 4, 18\]; build inputs by inputs\.build\.$",
        ),
        (dict(x=np.zeros((3, 25, 17))), "^months: expected a series of 1 to 24 steps, .* got 25; cut it into parts"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(params, inputs, changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        apply(params, inputs._replace(**changes), SMALL)
