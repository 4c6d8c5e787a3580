"""Decoders against plain NumPy, and the functions that make and call them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference import numpy_maps as ref

from spectral_jax.model import resize
from spectral_jax.model.heads import decoders
from spectral_jax.model.heads.task_heads import HeadConfig, call_head, init_head

PYRAMID = ((12, 8, 6), (6, 4, 5), (3, 2, 7))
ONE_SCALE = ((4, 3, 6),) * 4


def made(cfg, shapes, size, pooled_width=3):
    """Random parameters and maps of a batch of two."""
    shape_of = jax.eval_shape(lambda k: init_head(k, cfg, shapes, pooled_width, size), jax.random.key(0))
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda s: jnp.asarray(rng.normal(scale=0.5, size=s.shape), jnp.float32), shape_of)
    maps = tuple(jnp.asarray(rng.normal(size=(2, *s)), jnp.float32) for s in shapes)
    return params, maps, jnp.asarray(rng.normal(size=(2, pooled_width)), jnp.float32)


def agree(cfg, shapes, size, expected):
    """Compares a head with a function (params, maps of one image) in NumPy."""
    params, maps, pooled = made(cfg, shapes, size)
    got = jax.jit(call_head, static_argnums=(1, 4))(params, cfg, maps, pooled, size)
    assert got.shape == (2, *size, cfg.outputs)
    assert got.dtype == jnp.float32
    for b in range(2):
        wanted = expected(params, [np.asarray(x[b], np.float64) for x in maps])
        np.testing.assert_allclose(got[b], wanted, atol=2e-4 * np.abs(wanted).max())


@pytest.mark.parametrize("size", [(10, 3), (4, 11), (5, 7), (3, 2)])
def test_bilinear_is_that_of_pytorch_without_antialiasing(rng, size):
    x = rng.normal(size=(2, 5, 7, 3)).astype(np.float32)
    got = resize.bilinear(jnp.asarray(x), size)
    np.testing.assert_allclose(got, [ref.bilinear(image.astype(np.float64), size) for image in x], atol=1e-6)


def test_bilinear_gives_pytorchs_documented_numbers():
    # torch.nn.Upsample(scale_factor=2, mode="bilinear") of [[1, 2], [3, 4]], in its documentation.
    got = resize.bilinear(jnp.asarray([[1.0, 2.0], [3.0, 4.0]])[None, :, :, None], (4, 4))[0, :, :, 0]
    expected = [[1.0, 1.25, 1.75, 2.0], [1.5, 1.75, 2.25, 2.5], [2.5, 2.75, 3.25, 3.5], [3.0, 3.25, 3.75, 4.0]]
    np.testing.assert_allclose(got, expected, atol=1e-6)


@pytest.mark.parametrize("shape", [(14, 16), (7, 6), (2, 3)])
@pytest.mark.parametrize("bins", [1, 2, 3, 6])
def test_adaptive_average_has_pytorchs_bins(rng, shape, bins):
    x = rng.normal(size=(1, *shape, 2)).astype(np.float32)
    got = resize.adaptive_average(jnp.asarray(x), bins)[0]
    np.testing.assert_allclose(got, ref.adaptive_average(x[0].astype(np.float64), bins), atol=1e-6)


def test_bins_that_do_not_divide_share_samples():
    # 14 samples in 6 bins: floor(14 i / 6) up to ceil(14 (i + 1) / 6).
    expected = [(0, 3), (2, 5), (4, 7), (7, 10), (9, 12), (11, 14)]
    for row, (first, last) in zip(resize.bin_weights(14, 6), expected, strict=True):
        np.testing.assert_array_equal(np.flatnonzero(row), np.arange(first, last))


def test_the_linear_head_is_one_convolution_on_the_last_map():
    agree(
        HeadConfig("linear", 5), PYRAMID, (9, 10),
        lambda p, maps: ref.bilinear(ref.conv(maps[-1], p["out"]), (9, 10)),
    )  # fmt: skip


@pytest.mark.parametrize(("size", "stages"), [((12, 8), 2), ((10, 8), 2), ((3, 2), 0)])
def test_the_fcn_decoder_doubles_as_often_as_the_size_takes(size, stages):
    def expected(p, maps):
        x = maps[-1]
        for i in range(stages):
            x = ref.conv(ref.double(x, p[f"stage{i}_up"]), p[f"stage{i}_conv"])
            x = ref.gelu(ref.layer_norm(x, p[f"stage{i}_norm"]))
        assert len(p) == 3 * stages + 1
        return ref.bilinear(ref.conv(x, p["out"]), size)

    agree(HeadConfig("fcn", 3, width=8), PYRAMID, size, expected)


def test_stages_are_counted_up_to_the_longer_side():
    assert decoders.stages((14, 14), (224, 224)) == 4
    assert decoders.stages((14, 14), (225, 14)) == 5
    assert decoders.stages((32, 32), (128, 128)) == 2
    assert decoders.stages((8, 8), (8, 8)) == decoders.stages((8, 8), (4, 4)) == 0


def test_the_multitap_decoder_fuses_all_taps_at_the_finest():
    def expected(p, maps):
        taps = [ref.bilinear(ref.conv(x, p[f"tap{i}"]), (12, 8)) for i, x in enumerate(maps)]
        x = ref.conv(np.concatenate(taps, axis=-1), p["fuse"])
        return ref.bilinear(ref.conv(np.maximum(ref.group_norm(x, p["norm"], 8), 0), p["out"]), (24, 16))

    agree(HeadConfig("multitap", 4, width=16), PYRAMID, (24, 16), expected)


def upernet(p, levels, size):
    top = levels[-1]
    pooled = [ref.bilinear(ref.unit(ref.adaptive_average(top, b), p[f"pool{b}"]), top.shape[:2]) for b in (1, 2, 3, 6)]
    fused = [ref.unit(np.concatenate([top, *pooled], axis=-1), p["pyramid"])]
    sums = [fused[0]]
    for i in range(len(levels) - 2, -1, -1):
        sums.insert(0, ref.unit(levels[i], p[f"lateral{i}"]) + ref.bilinear(sums[0], levels[i].shape[:2]))
    smooth = [ref.unit(x, p[f"smooth{i}"]) for i, x in enumerate(sums[:-1])] + [sums[-1]]
    x = np.concatenate([ref.bilinear(x, levels[0].shape[:2]) for x in smooth], axis=-1)
    return ref.bilinear(ref.conv(ref.unit(x, p["fuse"]), p["out"]), size)


def test_upernet_uses_a_pyramid_as_it_is():
    agree(HeadConfig("upernet", 3, width=8), PYRAMID, (12, 8), lambda p, maps: upernet(p, maps, (12, 8)))


@pytest.mark.slow
def test_upernet_rescales_the_maps_of_a_vision_transformer():
    def expected(p, maps):
        r = p["rescale"]
        first = ref.double(ref.gelu(ref.layer_norm(ref.double(maps[0], r["first_up1"]), r["first_norm"])), r["first_up2"])
        levels = [first, ref.double(maps[1], r["second_up"]), maps[2], ref.max_pool(maps[3])]
        assert [x.shape[:2] for x in levels] == [(16, 12), (8, 6), (4, 3), (2, 1)]
        return upernet(p, levels, (20, 14))

    agree(HeadConfig("upernet", 3, width=8), ONE_SCALE, (20, 14), expected)


def test_published_widths_and_stages_are_the_default():
    def of(kind):
        return jax.eval_shape(lambda k: init_head(k, HeadConfig(kind, 10), ((14, 14, 768),) * 4, 768), jax.random.key(0))

    fcn = of("fcn")
    assert sorted(fcn) == ["out"] + [f"stage{i}_{part}" for i in range(4) for part in ("conv", "norm", "up")]
    assert fcn["stage0_up"]["kernel"].shape == (2, 2, 768, 256)
    assert fcn["out"]["kernel"].shape == (1, 1, 256, 10)
    assert of("upernet")["fuse"]["conv"]["kernel"].shape == (3, 3, 4 * 512, 512)
    assert of("multitap")["fuse"]["kernel"].shape == (3, 3, 4 * 128, 128)
    assert [HeadConfig(kind, 2).rate for kind in ("upernet", "multitap", "fcn")] == [0.1, 0.0, 0.0]


def test_weights_start_as_in_pytorch(key):
    kernel = init_head(key, HeadConfig("linear", 200), ((4, 4, 100),), 3)["out"]["kernel"]
    assert 0.099 < np.abs(kernel).max() <= 0.1  # 1 / sqrt(100)
    assert np.std(kernel) == pytest.approx(0.1 / np.sqrt(3), rel=0.02)


def test_dropout_drops_whole_channels_of_a_share_and_only_with_a_key(key):
    cfg = HeadConfig("linear", 1, dropout=0.25)
    params = {"out": {"kernel": jnp.ones((1, 1, 4000, 1)), "bias": jnp.zeros(1)}}
    maps, pooled = (jnp.ones((2, 2, 2, 4000)),), jnp.zeros((2, 3))
    np.testing.assert_array_equal(call_head(params, cfg, maps, pooled, (2, 2)), 4000.0)
    dropped = np.asarray(call_head(params, cfg, maps, pooled, (2, 2), key))
    np.testing.assert_allclose(dropped, np.broadcast_to(dropped[:, :1, :1], dropped.shape), rtol=1e-5)
    kept = dropped[:, 0, 0, 0] * 0.75 / 4000  # what is kept is scaled by 1 / 0.75
    assert np.abs(kept - 0.75).max() < 0.03
    assert kept[0] != kept[1]


def test_bfloat16_changes_little_and_gives_float32():
    cfg = HeadConfig("upernet", 3, width=8, dtype="bfloat16")
    params, maps, pooled = made(cfg, PYRAMID, (12, 8))
    call = jax.jit(call_head, static_argnums=(1, 4))
    exact = call(params, HeadConfig("upernet", 3, width=8), maps, pooled, (12, 8))
    low = call(params, cfg, tuple(x.astype(jnp.bfloat16) for x in maps), pooled, (12, 8))
    assert low.dtype == jnp.float32
    difference = np.abs(low - exact).mean() / np.abs(exact).mean()
    assert 1e-5 < difference < 0.05


@pytest.mark.slow
def test_every_parameter_of_every_decoder_gets_a_gradient():
    for kind in ("linear", "fcn", "upernet", "multitap"):
        cfg = HeadConfig(kind, 2, width=None if kind == "linear" else 8)
        params, maps, pooled = made(cfg, ONE_SCALE, (8, 6))
        loss = lambda p: jnp.sum(call_head(p, cfg, maps, pooled, (8, 6), jax.random.key(1)) ** 2)  # noqa: B023, E731
        slopes = jax.jit(jax.grad(loss))(params)
        still = [jax.tree_util.keystr(k) for k, g in jax.tree_util.tree_leaves_with_path(slopes) if not g.any()]
        assert not still, kind


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (dict(kind="fnc", outputs=2), r"HeadConfig.kind: no head is called 'fnc'; the names are, closest first: fcn, "),
        (dict(kind="fcn", outputs=0), "HeadConfig.outputs: expected at least 1 class or quantity, got 0."),
        (dict(kind="linear", outputs=2, width=8), "the head 'linear' has no hidden layer, and got width 8; leave it None."),
        (dict(kind="multitap", outputs=2, width=12), "expected a positive multiple of 8 for the kind 'multitap', got 12."),
        (dict(kind="fcn", outputs=2, width=0), "expected a positive multiple of 1 for the kind 'fcn', got 0."),
        (dict(kind="fcn", outputs=2, dropout=1.0), "HeadConfig.dropout: expected a share from 0 up to, not including, 1, got"),
        (dict(kind="fcn", outputs=2, dtype="int8"), "HeadConfig.dtype: expected one of float32, bfloat16, float16, got 'int8"),
    ],
)  # fmt: skip
def test_a_wrong_config_is_refused(fields, sentence):
    with pytest.raises(ValueError, match=sentence):
        HeadConfig(**fields)


@pytest.mark.parametrize(
    ("shapes", "sentence"),
    [
        ((), "maps: a head of kind 'upernet' needs at least one map of the encoder, and got none."),
        (ONE_SCALE[:3], "upernet makes its pyramid of 4 maps of one scale, each at least 2 x 2, and got 3 of 4 x 3; choose 4"),
        (((1, 1, 6),) * 4, "and got 4 of 1 x 1; choose 4 layers of the encoder, or a head for one map"),
        (PYRAMID[::-1], "expects a pyramid's maps from the finest to the coarsest, got 3 x 2, 6 x 4, 12 x 8; reorder them."),
    ],
)
def test_maps_without_a_pyramid_are_refused(key, shapes, sentence):
    with pytest.raises(ValueError, match=sentence):
        init_head(key, HeadConfig("upernet", 2, width=8), shapes, 3)


def test_parameters_for_other_maps_or_sizes_are_refused(key):
    cfg = HeadConfig("fcn", 2, width=8)
    params, maps, pooled = made(cfg, PYRAMID, (12, 8))
    with pytest.raises(ValueError, match=r"and a result of \(24, 16\) has \(8,\) at stage2_conv/bias, and the parameters "
                                         r"have nothing; make them with init_head for these shapes"):  # fmt: skip
        call_head(params, cfg, maps, pooled, (24, 16))
    with pytest.raises(ValueError, match=r"has \(2, 2, 6, 8\) at stage0_up/kernel, and the parameters have \(2, 2, 7, 8\)"):
        call_head(params, cfg, (jnp.zeros((2, 3, 2, 6)),), pooled, (12, 8))
    with pytest.raises(ValueError, match="size: expected the rows and columns of the result, both at least 1, got"):
        call_head(params, cfg, maps, pooled, (0, 8))
