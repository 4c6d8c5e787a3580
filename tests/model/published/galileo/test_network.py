import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made.oracle_file import TOLERANCE, difference
from made.published_state import random_state
from reference import numpy_galileo

from spectral_jax.interop import models
from spectral_jax.interop.monthly import galileo
from spectral_jax.interop.names import flatten
from spectral_jax.interop.weights_file import Weights
from spectral_jax.model.published.galileo.channels import GROUPS, KINDS
from spectral_jax.model.published.galileo.inputs import GalileoInputs, blank
from spectral_jax.model.published.galileo.network import GalileoConfig, apply, config, init, trainable

pytestmark = pytest.mark.slow

SMALL = GalileoConfig(32, 2, 2, patch=3, gsd_m=20.0)
PUBLISHED = ("s_t_x", "s_t_m", "sp_x", "sp_m", "t_x", "t_m", "st_x", "st_m", "months")


@pytest.fixture(scope="module")
def state():
    return random_state(galileo, init, SMALL, ("embed/steps", "embed/months"))


@pytest.fixture(scope="module")
def params(state):
    return galileo.read(Weights("small.pt", state), heads=2)[1]


@pytest.fixture(scope="module")
def inputs():
    """Two samples of two steps, each with other groups masked by 1 or 2."""
    rng = np.random.default_rng(3)
    shapes = blank(2, 6, 3, 2)
    drawn = {}
    for kind in KINDS:
        values, mask = getattr(shapes, kind.name), getattr(shapes, f"{kind.name}_mask")
        drawn[kind.name] = rng.normal(size=values.shape).astype(np.float32)
        drawn[f"{kind.name}_mask"] = rng.choice([0, 0, 1, 2], size=mask.shape).astype(np.uint8)
    return GalileoInputs(**drawn, months=np.array([[11, 0], [4, 7]], np.int32))


@pytest.fixture(scope="module")
def run():
    def precise(*args, **options):
        with jax.default_matmul_precision("highest"):
            return jax.jit(apply, static_argnames=("cfg", "groups", "exit_after", "final_norm"))(*args, **options)

    return precise


def test_unequal_masks_agree_with_a_plain_forward_pass_of_what_is_seen(state, params, inputs, run):
    found = run(params, inputs, cfg=SMALL)
    for i in range(2):
        sample = dict(zip(PUBLISHED, (np.asarray(part[i]) for part in inputs), strict=True))
        start, seen = numpy_galileo.embedded(state, sample, 3, 20.0)
        tokens, _ = numpy_galileo.tokens(state, sample, 3, 20.0, 2, 2)
        np.testing.assert_array_equal(found.seen[i], seen)
        assert difference(found.embedded[i], start) <= TOLERANCE
        assert difference(found.tokens[i], tokens) <= TOLERANCE
        assert difference(found.pooled[i], tokens[seen].mean(0)) <= TOLERANCE
        for row in range(2):
            # Of two rows of one patch: fourteen tokens of space and time each, three of space, and all without a place.
            here = [*range(14 * row, 14 * row + 14), *range(28 + 3 * row, 31 + 3 * row), *range(34, 44)]
            assert difference(found.places[i, row, 0], tokens[here][seen[here]].mean(0)) <= TOLERANCE


def test_what_is_masked_changes_nothing(params, inputs, run):
    found = run(params, inputs, cfg=SMALL)
    changed = {}
    for kind in KINDS:
        hidden = np.asarray(getattr(inputs, f"{kind.name}_mask")) > 0
        for i, group in enumerate(kind.groups):
            start = kind.channels.index(kind.groups[group][0])
            values = changed.setdefault(kind.name, np.array(getattr(inputs, kind.name)))
            part = values[..., start : start + len(kind.groups[group])]
            # The mask of a patch is that of its upper left pixel.
            mask = hidden[..., i]
            if kind.spatial:
                mask = np.repeat(np.repeat(mask[:, ::3, ::3], 3, axis=1), 3, axis=2)
            part[mask] = 1e3
    other = run(params, inputs._replace(**changed), cfg=SMALL)
    np.testing.assert_array_equal(found.tokens, other.tokens)
    np.testing.assert_array_equal(found.places, other.places)


def test_groups_that_are_left_out_are_as_if_masked(params, inputs, run):
    groups = ("S1", "S2_RGB", "NDVI", "SRTM", "location")
    masks = {
        f"{kind.name}_mask": np.where([g in groups for g in kind.groups], getattr(inputs, f"{kind.name}_mask"), 1)
        for kind in KINDS
    }
    masked = run(params, inputs._replace(**masks), cfg=SMALL)
    left_out = run(params, inputs, cfg=SMALL, groups=groups)
    assert left_out.tokens.shape[1] < masked.tokens.shape[1] == 28 + 6 + 6 + 4
    assert difference(left_out.pooled, np.asarray(masked.pooled)) <= TOLERANCE
    assert difference(left_out.places, np.asarray(masked.places)) <= TOLERANCE
    with pytest.raises(
        ValueError, match="groups: no group of Galileo is called 'S2'; the names are, closest first: S2_RGB, S1, "
    ):
        apply(params, inputs, SMALL, groups=("S2",))


def test_a_sample_of_which_nothing_is_seen_is_no_nan(params, run):
    found = run(params, blank(1, 3, 3, 1), cfg=SMALL)
    np.testing.assert_array_equal(found.pooled, np.zeros((1, 32)))
    np.testing.assert_array_equal(found.places, np.zeros((1, 1, 1, 32)))
    np.testing.assert_array_equal(found.tokens[0], np.tile(params["norm"]["bias"], (17, 1)))


def test_an_early_exit_without_norm_is_the_block_itself(params, inputs, run):
    whole = run(params, inputs, cfg=SMALL)
    early = run(params, inputs, cfg=SMALL, exit_after=1, final_norm=False)
    seen = np.asarray(whole.seen)
    assert difference(np.asarray(early.tokens)[seen], np.asarray(whole.blocks[0])[seen]) <= TOLERANCE
    assert not np.asarray(early.tokens)[~seen].any()
    for wrong in (0, 3):
        with pytest.raises(ValueError, match=rf"^exit_after: expected 1 to 2 blocks, got {wrong}\.$"):
            apply(params, inputs, SMALL, exit_after=wrong)


def test_half_precision_changes_little_and_keeps_the_first_attention_exact(params, inputs, run):
    exact, half = (run(params, inputs, cfg=dataclasses.replace(SMALL, dtype=dtype)) for dtype in ("float32", "bfloat16"))
    assert half.tokens.dtype == jnp.bfloat16
    away = difference(np.asarray(half.pooled, np.float32), np.asarray(exact.pooled))
    assert 0 < away < 0.05


def test_steps_and_months_do_not_train_and_the_rest_has_gradients(params, inputs):
    seen = {f"{kind.name}_mask": np.zeros_like(getattr(inputs, f"{kind.name}_mask")) for kind in KINDS}
    mix = jax.random.normal(jax.random.key(1), (32,))
    loss = jax.jit(jax.grad(lambda p: (apply(p, inputs._replace(**seen), SMALL).pooled @ mix).sum()))
    moved = {path for path, leaf in flatten(loss(jax.tree.map(jnp.asarray, params))).items() if np.any(leaf)}
    trains = {path for path, trains in flatten(trainable(params, SMALL)).items() if trains}
    # What is added to all keys alike changes no attention: that gradient is 0, or rounding.
    keys = {f"trunk/block{i}/attend/k/bias" for i in range(2)}
    assert moved | keys == trains
    assert set(flatten(params)) - trains == {"embed/steps", "embed/months"}


def test_fresh_parameters_start_as_published(key):
    flat = flatten(init(key, config("nano")))
    assert sum(leaf.size for leaf in flat.values()) == 1_037_856
    assert all(not leaf.any() for path, leaf in flat.items() if path.endswith("_channels"))
    assert all(not leaf.any() for path, leaf in flat.items() if path.startswith("trunk") and path.endswith("bias"))
    kernel = flat["embed/S1/kernel"]
    assert 0.9 < jnp.abs(kernel).max() * (64 * 2) ** 0.5 <= 1
    assert 0.9 < jnp.abs(flat["trunk/block0/attend/q/kernel"]).max() * (256 / 6) ** 0.5 <= 1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (dict(width=24), "GalileoConfig.width: expected a multiple of 16, .*, got 24."),
        (dict(heads=5), "GalileoConfig.heads: 5 does not divide the width 32; choose a divisor."),
        (dict(patch=9), "GalileoConfig.patch: expected 1 to 8 pixels, the side of the kernels, got 9; resize the image"),
        (dict(gsd_m=0.0), "GalileoConfig.gsd_m: expected the side of a pixel in metres, above 0, got 0.0."),
        (dict(month=12), r"GalileoConfig.month: expected months from 0 \(January\) to 11 \(December\), got 12; subtract 1"),
        (
            dict(bands=("B02", "B05")),
            r"GalileoConfig.bands: expected all channels of at least one of S1 \(VV VH\), .*; got B02, B05.",
        ),
    ],
)
def test_a_config_that_cannot_be_is_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        dataclasses.replace(SMALL, **changes)


@pytest.mark.parametrize(
    ("shape", "months", "sentence"),
    [
        (
            (1, 7, 6, 1),
            0,
            "^images: expected H and W multiples of the patch of 3 px, got 7 x 6 px; crop or pad them, or take another patch.$",
        ),
        (
            (1, 3, 3, 25),
            0,
            "^months: expected a series of 1 to 24 steps, since the table of steps has no more rows, got 25; cut it "
            "into parts, or take one date a month.$",
        ),
        (
            (1, 3, 3, 1),
            12,
            r"^months: expected months from 0 \(January\) to 11 \(December\), got 12; subtract 1, as 12 says that "
            "they count from 1.$",
        ),
        ((1, 3, 3, 1), -1, "got -1; give the month of the year of each step.$"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(params, shape, months, sentence):
    inputs = blank(*shape)
    with pytest.raises(ValueError, match=sentence):
        apply(params, inputs._replace(months=inputs.months + months), SMALL)


def test_arrays_that_disagree_are_named(params):
    inputs = blank(2, 3, 3, 1)
    with pytest.raises(
        ValueError, match=r"^time_mask: expected shape \[2, 1, 3\], got \[1, 1, 3\]; build inputs by inputs\.build\.$"
    ):
        apply(params, inputs._replace(time_mask=inputs.time_mask[:1]), SMALL)


def test_every_group_is_seen_by_one_who_reads_the_table():
    assert len(GROUPS) == 17
    assert models.recognised(random_state(galileo, init, SMALL, ())) == "galileo (32 wide)"
