"""Merging of dates against plain NumPy and literal numbers, with dates that nothing was seen of."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference import numpy_maps as ref

from spectral_jax.model.heads.temporal import KINDS, TemporalConfig, call_temporal, init_temporal

SHAPES = ((4, 3, 32), (2, 2, 32))
PYRAMID = ((4, 3, 20), (2, 2, 48), (1, 2, 32))
SEEN = np.array([[True, False, True], [True, True, True]])
call = jax.jit(call_temporal, static_argnums=1)


def made(cfg, shapes, batch=2):
    """Random parameters and maps."""
    shape_of = jax.eval_shape(lambda k: init_temporal(k, cfg, shapes), jax.random.key(0))
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda s: jnp.asarray(rng.normal(scale=0.3, size=s.shape), jnp.float32), shape_of)
    return params, tuple(jnp.asarray(rng.normal(size=(batch, cfg.dates, *s)), jnp.float32) for s in shapes)


def linear(x, p):
    return x @ np.asarray(p["kernel"], np.float64) + np.asarray(p["bias"], np.float64)


def ltae(p, x):
    """L-TAE of the seen dates of one position, [T D] to [D], a head at a time."""
    _, width = x.shape
    x = ref.group_norm(x[None], p["in_norm"], 16)[0]  # a map of T x 1 pixels: statistics over the dates
    x = linear(x, p["in"])
    keys, queries, heads = linear(x, p["keys"]), np.asarray(p["query"], np.float64), []
    for a in range(16):
        weights = np.exp(keys[:, 4 * a : 4 * a + 4] @ queries[a] / 2.0)
        heads.append(weights / weights.sum() @ x[:, a * width // 16 : (a + 1) * width // 16])
    x = np.maximum(ref.layer_norm(linear(np.concatenate(heads), p["out"]), p["norm"]), 0)
    return ref.group_norm(x[None, None], p["out_norm"], 16)[0, 0]


def positions(function, x):
    """Applies [T D] to [D] at each position of [T h w D]."""
    return np.stack([[function(x[:, i, j]) for j in range(x.shape[2])] for i in range(x.shape[1])])


@pytest.mark.slow
@pytest.mark.parametrize("shapes", [SHAPES, PYRAMID], ids=["one width", "widths"])
def test_ltae_is_the_published_one_on_the_seen_dates(shapes):
    cfg = TemporalConfig("ltae", 3)
    params, maps = made(cfg, shapes)
    got = call(params, cfg, maps, jnp.asarray(SEEN))
    assert ("widen0" in params) == (shapes is PYRAMID)
    for i, (x, y) in enumerate(zip(maps, got, strict=True)):
        assert y.dtype == jnp.float32
        assert y.shape == (2, *shapes[i][:2], max(width for _, _, width in shapes))
        for b in range(2):
            seen = np.asarray(x[b], np.float64)[SEEN[b]]
            seen = linear(seen, params[f"widen{i}"]) if shapes is PYRAMID else seen
            np.testing.assert_allclose(y[b], positions(lambda z: ltae(params["encode"], z), seen), rtol=1e-5, atol=1e-5)


def test_ltae_leaves_unseen_dates_out_whatever_they_hold():
    params, maps = made(TemporalConfig("ltae", 4), SHAPES)
    seen = jnp.asarray([[True, False, True, False]] * 2)
    wild = tuple(x.at[:, 1].set(jnp.nan).at[:, 3].set(1e6) for x in maps)
    got = call(params, TemporalConfig("ltae", 4), wild, seen)
    expected = call(params, TemporalConfig("ltae", 2), tuple(x[:, ::2] for x in maps), jnp.ones((2, 2), bool))
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_ltae_does_not_look_at_the_order_of_dates():
    cfg = TemporalConfig("ltae", 3)
    params, maps = made(cfg, SHAPES)
    got = call(params, cfg, maps, jnp.asarray(SEEN))
    order = np.array([2, 0, 1])
    for a, b in zip(got, call(params, cfg, tuple(x[:, order] for x in maps), jnp.asarray(SEEN[:, order])), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_linear_weighs_the_dates_and_takes_unseen_ones_for_zeros():
    cfg = TemporalConfig("linear", 3)
    params = {"dates": {"kernel": jnp.asarray([[1.0], [10.0], [100.0]]), "bias": jnp.asarray([0.5])}}
    x = jnp.asarray([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])[None, :, None, None, :]
    x = jnp.concatenate([x, x.at[:, 1].set(jnp.nan)])
    first, second = call(params, cfg, (x, 2.0 * x), jnp.asarray([[True] * 3, [True, False, True]]))
    np.testing.assert_array_equal(first[:, 0, 0], [[531.5, 642.5], [501.5, 602.5]])
    np.testing.assert_array_equal(second[:, 0, 0], [[1062.5, 1284.5], [1002.5, 1204.5]])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("difference", [[4.0, -3.0], [0.0, 0.0]]),
        ("concatenation", [[1.0, 2.0, 5.0, -1.0], [1.0, 2.0, 0.0, 0.0]]),
    ],
)  # fmt: skip
def test_two_dates_are_compared_in_their_order_without_parameters(key, kind, expected):
    cfg = TemporalConfig(kind, 2)
    assert init_temporal(key, cfg, ((3, 2, 2),)) == {}
    dates = jnp.asarray([[1.0, 2.0], [5.0, -1.0]])[:, None, None, :]
    x = jnp.broadcast_to(dates[None], (2, 2, 3, 2, 2))
    (got,) = call({}, cfg, (x,), jnp.asarray([[True, True], [True, False]]))
    wanted = jnp.asarray(expected)[:, None, None, :]
    np.testing.assert_array_equal(got, jnp.broadcast_to(wanted, (2, 3, 2, wanted.shape[-1])))


@pytest.mark.slow
def test_dropout_is_of_ltae_and_only_with_a_key(key):
    cfg = TemporalConfig("ltae", 3)
    params, maps = made(cfg, SHAPES)
    maps, seen = (maps[0], maps[0]), jnp.asarray(SEEN)
    still, again = call(params, cfg, maps, seen)
    np.testing.assert_array_equal(still, again)
    one, two = call(params, cfg, maps, seen, key)
    assert np.all(np.any(one != two, axis=-1))  # each map, and each position, draws its own
    np.testing.assert_array_equal(call(params, cfg, maps, seen, key)[0], one)
    assert np.all(np.any(one != still, axis=-1))
    assert np.any(one != call(params, cfg, maps, seen, jax.random.key(1))[0])
    cfg = TemporalConfig("linear", 3)
    params, maps = made(cfg, SHAPES)
    np.testing.assert_array_equal(call(params, cfg, maps, seen, key)[0], call(params, cfg, maps, seen)[0])


@pytest.mark.slow
def test_dropout_of_dates_and_of_channels_have_their_published_shares(key, monkeypatch):
    cfg, shape = TemporalConfig("ltae", 2), (8, 8, 256)
    params, maps = made(cfg, (shape,))
    encode = jax.tree.map(jnp.zeros_like, params["encode"])
    encode["in"]["bias"] += 1.0  # each head gives the sum of its weights, 1/2 for each date
    encode["out_norm"]["scale"] += 1.0
    encode["norm"]["bias"] += 10.0  # nothing for the ReLU to cut
    (y,) = call_temporal({"encode": encode}, cfg, maps, jnp.ones((2, 2), bool), key)
    assert np.mean(y < 0.0) == pytest.approx(0.2, abs=0.01)  # below the mean of their groups, where all others are alike
    monkeypatch.setattr("spectral_jax.model.heads.ltae.DROPOUT", 0.0)
    encode["norm"]["scale"] += 1.0
    # Channel i of each head goes to group i, so that the norm of groups compares heads: alike but for their dates.
    encode["out"]["kernel"] = jnp.eye(256).reshape(16, 16, 256).swapaxes(0, 1).reshape(256, 256)
    (y,) = call_temporal({"encode": encode}, cfg, maps, jnp.ones((2, 2), bool), key)
    both = y > np.max(y, axis=-1, keepdims=True) - 0.1
    assert np.mean(both) == pytest.approx(0.9**2, abs=0.03)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shapes", [SHAPES, PYRAMID], ids=["one width", "widths"])
@pytest.mark.slow
def test_samples_without_any_date_are_finite_and_so_are_gradients(kind, shapes, key):
    cfg = TemporalConfig(kind, 2)
    params, maps = made(cfg, shapes, batch=3)
    maps = tuple(x.at[2, 1].set(jnp.nan) for x in maps)
    seen = jnp.asarray([[True, True], [False, False], [True, False]])

    def loss(params, maps):
        merged = call_temporal(params, cfg, maps, seen, key)
        return sum(jnp.sum(y**2) for y in merged), merged

    (slopes, of_maps), merged = jax.jit(jax.grad(loss, argnums=(0, 1), has_aux=True))(params, maps)
    chex.assert_tree_all_finite((slopes, of_maps, merged))
    assert all(not x[1].any() and not x[2, 1].any() for x in of_maps)
    assert all(x[0].any() for x in of_maps)
    # Keys differ by their bias alike at all dates, so that no weight depends on it.
    still = [jax.tree_util.keystr(k) for k, g in jax.tree_util.tree_leaves_with_path(slopes) if np.abs(g).max() < 1e-4]
    assert still == (["['encode']['keys']['bias']"] if kind == "ltae" else [])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.slow
def test_vmap_is_a_call_for_each(kind):
    cfg = TemporalConfig(kind, 2)
    params, maps = made(cfg, SHAPES, batch=4)
    seen = jnp.asarray([[True, True], [True, False], [False, True], [True, True]])
    split = lambda x: x.reshape(2, 2, *x.shape[1:])  # noqa: E731
    mapped = jax.vmap(lambda maps, seen: call_temporal(params, cfg, maps, seen))
    for a, b in zip(mapped(tuple(split(x) for x in maps), split(seen)), call(params, cfg, maps, seen), strict=True):
        np.testing.assert_allclose(a, split(b), atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_changes_little_and_is_the_dtype_of_the_result(kind):
    params, maps = made(TemporalConfig(kind, 2), SHAPES)
    seen = jnp.ones((2, 2), bool)
    (exact, _), (low, _) = (call(params, TemporalConfig(kind, 2, dtype), maps, seen) for dtype in ("float32", "bfloat16"))
    assert low.dtype == jnp.bfloat16
    assert np.abs(low.astype(jnp.float32) - exact).mean() / np.abs(exact).mean() < 0.05


def test_weights_start_as_published(key):
    encode = init_temporal(key, TemporalConfig("ltae", 2), ((4, 4, 400),))["encode"]
    assert np.std(encode["keys"]["kernel"]) == pytest.approx(2**-0.5, rel=0.02)
    assert np.std(encode["query"]) == pytest.approx(2**-0.5, rel=0.3)
    for leaf in (encode["keys"]["bias"], encode["in"]["kernel"], encode["in"]["bias"], encode["out"]["bias"]):
        assert 0.04 < np.abs(leaf).max() <= 0.05  # 1 / sqrt(400)
    dates = init_temporal(key, TemporalConfig("linear", 10000), ((4, 4, 3),))["dates"]
    assert dates["kernel"].shape == (10000, 1)
    assert 0.0099 < np.abs(dates["kernel"]).max() <= 0.01
    assert 0 < np.abs(dates["bias"][0]) <= 0.01


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (dict(kind="ltea", dates=3), "no way to merge dates is called 'ltea'; the names are, closest first: ltae, "),
        (dict(kind="ltae", dates=1), "TemporalConfig.dates: expected at least 2 dates, got 1; leave single dates to the head"),
        (dict(kind="difference", dates=3), "the kind 'difference' compares exactly 2 dates, got 3; choose 2 of them, or th"),
        (dict(kind="concatenation", dates=4), "the kind 'concatenation' compares exactly 2 dates, got 4; choose 2 of them"),
        (dict(kind="ltae", dates=2, dtype="int8"), "TemporalConfig.dtype: expected one of float32, bfloat16, float16, got 'in"),
    ],
)  # fmt: skip
def test_a_wrong_config_is_refused(fields, sentence):
    with pytest.raises(ValueError, match=sentence):
        TemporalConfig(**fields)


@pytest.mark.parametrize(
    ("shapes", "sentence"),
    [
        (((4, 4, 32), (4, 4, 40)), r"a multiple of 16 from 32 on; got width 40 of \[32, 40\]; take the kind 'linear', or"),
        (((4, 4, 16),), r"at least 2 channels each, and expects a multiple of 16 from 32 on; got width 16 of \[16\]; take the"),
        ((), "maps: merging dates of kind 'ltae' needs at least one map of the encoder, and got none."),
    ],
)  # fmt: skip
def test_maps_that_heads_cannot_share_are_refused(key, shapes, sentence):
    with pytest.raises(ValueError, match=sentence):
        init_temporal(key, TemporalConfig("ltae", 2), shapes)


def test_other_dates_or_maps_than_those_of_the_config_are_refused():
    cfg = TemporalConfig("linear", 3)
    params, maps = made(cfg, SHAPES)
    with pytest.raises(ValueError, match=r"with the T = 3 of TemporalConfig.dates, got \(2, 2, 2, 2, 32\) in map 1; give all"):
        call_temporal(params, cfg, (maps[0], maps[1][:, :2]), jnp.asarray(SEEN))
    with pytest.raises(ValueError, match=r"got \(2, 4, 3, 32\) in map 0; give all dates, also those of which nothing was seen"):
        call_temporal(params, cfg, (maps[0][:, 0],), jnp.asarray(SEEN))
    with pytest.raises(ValueError, match=r"seen: expected a bool for each sample and date, \(2, 3\) as in map 0, got \(2,\)."):
        call_temporal(params, cfg, maps, jnp.ones(2, bool))


def test_parameters_for_other_maps_are_refused():
    cfg = TemporalConfig("ltae", 3)
    params, _ = made(cfg, SHAPES)
    _, maps = made(cfg, PYRAMID)
    for_others = (
        r"params: merging 3 dates of kind 'ltae' in maps of widths \[20, 48, 32\] has \(48,\) at encode/in/bias, and the "
        r"parameters have \(32,\); make them with init_temporal for this config and these shapes."
    )
    with pytest.raises(ValueError, match=for_others):
        call_temporal(params, cfg, maps, jnp.asarray(SEEN))
    with pytest.raises(ValueError, match=r"'linear' .* has \(1,\) at dates/bias, and the parameters have nothing; make them"):
        call_temporal({}, TemporalConfig("linear", 3), maps, jnp.asarray(SEEN))
    with pytest.raises(ValueError, match="'difference' .* has nothing at encode/in/bias, and the parameters have"):
        call_temporal(params, TemporalConfig("difference", 2), tuple(x[:, :2] for x in maps), jnp.asarray(SEEN[:, :2]))
