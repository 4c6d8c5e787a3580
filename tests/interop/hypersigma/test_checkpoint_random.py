"""HyperSIGMA on random numbers against plain NumPy, and what its files hold beside what is used."""

import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made import hypersigma_state
from made.oracle_file import assert_same_state, difference
from reference import numpy_hypersigma

from spectral_jax.interop import models, names
from spectral_jax.interop.hypersigma import checkpoint, keys
from spectral_jax.interop.weights_file import Weights
from spectral_jax.model.published.hypersigma import fusion, spatial, spectral, trunk
from spectral_jax.model.published.hypersigma.fusion import FusionConfig
from spectral_jax.model.published.hypersigma.spatial import SpatialConfig
from spectral_jax.model.published.hypersigma.spectral import SpectralConfig

pytestmark = pytest.mark.slow

TOLERANCE = 5e-6


@pytest.mark.parametrize(("task", "patch", "px"), [("classes", 2, 9), ("map", 8, 32), ("target", 1, 4), ("anomaly", 1, 4)])
def test_fusions_agree_with_plain_numpy(rng, task, patch, px):
    cfg = hypersigma_state.fused(task, patch, px)
    state = hypersigma_state.random_state(rng, cfg)
    found, params, account = models.read("hypersigma", Weights("a.pth", state), heads=3, taps=(0, 0, 1, 1))
    assert found == cfg
    assert account.counts()["ignored"] == 0
    assert_same_state(checkpoint.publish(params, cfg), state)
    image, target = rng.normal(size=(px, px, 5)), rng.normal(size=5) if task == "target" else None
    expected = numpy_hypersigma.fused(image, state, 3, (0, 0, 1, 1), 9, task, target)
    more = () if target is None else (jnp.asarray(target[None], jnp.float32),)
    with jax.default_matmul_precision("highest"):
        got = jax.jit(fusion.apply, static_argnames="cfg")(params, jnp.asarray(image[None], jnp.float32), cfg, *more)
    assert difference(got.output[0], expected) <= TOLERANCE


@pytest.mark.parametrize("patch", [4, 11, 16])
def test_the_pyramid_agrees_with_plain_numpy(rng, patch):
    cfg = SpatialConfig(hypersigma_state.trunk(layer_scale=True), 3, patch, None)
    state = hypersigma_state.random_state(rng, cfg)
    found, params, _ = models.read("hypersigma", Weights("a.pth", state), heads=3, taps=(0, 0, 1, 1))
    assert found == cfg
    image = rng.normal(size=(4 * patch, 5 * patch, 3))
    state = {name: value.astype(float) for name, value in state.items()}
    blocks, grid = numpy_hypersigma.spatial(image, state, 3)
    expected = numpy_hypersigma.pyramid([blocks[i].reshape(*grid, -1) for i in (0, 0, 1, 1)], state, patch)
    with jax.default_matmul_precision("highest"):
        got = spatial.apply(params, jnp.asarray(image[None], jnp.float32), cfg)
    for maps, value in zip(got.maps, expected, strict=True):
        assert difference(maps[0], value) <= TOLERANCE


def test_what_published_files_hold_and_never_use_is_named(rng):
    cfg = hypersigma_state.fused("classes")
    state = hypersigma_state.random_state(rng, cfg)
    more = {
        "spat_encoder.classifier.0.weight": "head", "spat_encoder.cls.bias": "head", "spat_encoder.classifier1.2.bias": "head",
        "spat_encoder.norm.weight": "final norm", "spec_encoder.norm.bias": "final norm", "conv.weight": "layer",
        "spec_encoder.conv_q.0.weight": "projections", "spec_encoder.conv_v.3.bias": "projections",
        "conv_features.weight": "layer",
    }  # fmt: skip
    wrapped = {f"module.{name}": value for name, value in (state | dict.fromkeys(more, np.ones(3, np.float32))).items()}
    found, params, account = models.read("hypersigma", Weights("a.pth", wrapped), heads=3, taps=(0, 0, 1, 1))
    assert found == cfg
    assert_same_state(checkpoint.publish(params, cfg), state)
    ignored = {row.key.removeprefix("module."): row.detail for row in account.rows if row.outcome == "ignored"}
    assert set(ignored) == set(more)
    assert all(detail.startswith(more[key]) for key, detail in ignored.items())


def test_heads_of_the_spatial_encoder_alone_are_told_by_what_stands_beside_them(rng):
    cfg = SpatialConfig(hypersigma_state.trunk(), 3, 4, (4, 4), "classes", 3)
    state = hypersigma_state.random_state(rng, cfg)
    said = dict(heads=3, taps=(0, 0, 1, 1))

    def task(more, **options):
        return models.read("hypersigma", Weights("a.pth", state | more), **said, **options)[0].task

    spare = {n: {"DR.weight": np.ones((1,) * n, np.float32)} for n in (3, 4)}
    assert [task(spare[3]), task(spare[4]), task({}, task="map")] == ["classes", "map", "map"]
    with pytest.raises(ValueError, match=re.escape("a.pth holds SpatSIGMA with the head of 'map', expected 'classes'")):
        task(spare[4], task="classes")
    with pytest.raises(
        ValueError, match="nothing tells whether it is for classes of images or maps of them; say --task=classes"
    ):
        task({})
    with pytest.raises(ValueError, match="task: expected one of classes, map, got 'mapp'"):
        task({}, task="mapp")


def test_pretraining_is_read_without_its_decoder(rng):
    cfg = SpatialConfig(hypersigma_state.trunk(interval=1, points=8), 4, 8, (8, 8), "tokens")
    state = hypersigma_state.random_state(rng, cfg)
    decoder = ("mask_token", "decoder_pos_embed", "decoder_embed.weight", "decoder_blocks.0.norm1.weight", "norm.weight")
    weights = Weights("a.pth", state | dict.fromkeys(decoder, np.ones(3, np.float32)))
    found, _, account = models.read("hypersigma", weights, heads=3, taps=(0, 0, 1, 1))
    assert found == cfg
    assert {row.key for row in account.rows if row.outcome == "ignored"} == set(decoder)


def test_published_sizes_have_the_published_numbers():
    for size, millions in (("base", 86.2), ("large", 307.6), ("huge", 638.9)):
        cfg = SpatialConfig(trunk.of_size(size), 100, 8, (8, 8), "tokens")
        shapes = jax.eval_shape(lambda cfg=cfg: spatial.init(jax.random.key(0), cfg))
        count = sum(leaf.size for leaf in jax.tree.leaves(shapes["trunk"]))
        assert count == pytest.approx(1e6 * millions, abs=5e4)
        if size == "base":
            published = {leaf.name: leaf.published_shape(names.flatten(shapes)[leaf.path].shape) for leaf in keys.leaves(cfg)}
            assert published["pos_embed"] == (1, 64, 768)
            assert published["patch_embed.proj.weight"] == (768, 100, 8, 8)
            assert published["blocks.0.attn.sampling_offsets.weight"] == (192, 768)
            assert "blocks.2.attn.sampling_offsets.weight" not in published
    cfg = SpectralConfig(trunk.of_size("base", interval=1), 100, 4096, summary=False)
    shapes = names.flatten(jax.eval_shape(lambda: spectral.init(jax.random.key(0), cfg)))
    published = {leaf.name: leaf.published_shape(shapes[leaf.path].shape) for leaf in keys.leaves(cfg)}
    assert (published["pos_embed"], published["spat_map.weight"]) == ((1, 100, 768), (768, 4096))
    full = [i for i in range(32) if not trunk.of_size("huge").samples(i)]
    assert full == [7, 15, 23, 31]
    with pytest.raises(ValueError, match="size: expected one of base, large, huge, got 'small'"):
        trunk.of_size("small")


@pytest.mark.parametrize(("task", "taps"), [("classes", (0, 0, 1, 1)), ("map", (0,)), ("target", (1,))])
def test_a_file_of_a_published_size_tells_all(rng, monkeypatch, task, taps):
    monkeypatch.setitem(trunk.SIZES, "tiny", dict(width=10, depth=2, heads=3, interval=2, taps=(0, 0, 1, 1)))
    cfg = hypersigma_state.fused(task, 1, 8)
    state = hypersigma_state.random_state(rng, cfg)
    found, _, _ = models.read("hypersigma", Weights("a.pth", state), size="tiny")
    spectrum = dataclasses.replace(cfg.spectral, trunk=dataclasses.replace(cfg.spectral.trunk, taps=taps))
    assert found == dataclasses.replace(cfg, spectral=spectrum)


def test_a_fusion_without_head_comes_out_and_goes_in(rng):
    cfg = hypersigma_state.fused("features", 1, 8)
    state = hypersigma_state.random_state(rng, cfg)
    found, params, _ = models.read("hypersigma", Weights("a.pth", state), heads=3, taps=(0, 0, 1, 1))
    assert found == cfg
    assert_same_state(checkpoint.publish(params, cfg), state)


def test_the_published_classification_of_base_size_has_its_shapes():
    blocks = trunk.of_size("base")
    cfg = FusionConfig(SpatialConfig(blocks, 30, 2, (16, 16)), SpectralConfig(blocks, 100, 33 * 33), "classes", 17)
    assert cfg.size == (33, 33)
    params = jax.eval_shape(lambda: fusion.init(jax.random.key(0), cfg))
    image = jax.ShapeDtypeStruct((2, 33, 33, 30), jnp.float32)
    found = jax.eval_shape(lambda p, x: fusion.apply(p, x, cfg), params, image)
    assert [maps.shape for maps in found.maps] == [(2, side, side, 128) for side in (32, 16, 8, 4)]
    assert (found.output.shape, found.summary.shape) == ((2, 17), (2, 100))


def test_no_spectral_block_after_the_first_taken_out_reaches_the_output(rng):
    cfg = hypersigma_state.fused("classes")
    _, params, _ = models.read(
        "hypersigma", Weights("a.pth", hypersigma_state.random_state(rng, cfg)), heads=3, taps=(0, 0, 1, 1)
    )
    image = jnp.asarray(rng.normal(size=(2, 8, 8, 5)), jnp.float32)
    params = jax.tree.map(jnp.asarray, params)
    gradient = jax.jit(jax.grad(lambda p: (fusion.apply(p, image, cfg).output ** 2).sum()))(params)
    still = {path for path, leaf in names.flatten(gradient).items() if not np.any(leaf)}
    assert still == {f"spectral/trunk/block1/{path}" for path in names.flatten(params["spectral"]["trunk"]["block1"])}


def test_images_of_a_batch_do_not_see_each_other(rng):
    cfg = hypersigma_state.fused("map", 8, 32)
    _, params, _ = models.read(
        "hypersigma", Weights("a.pth", hypersigma_state.random_state(rng, cfg)), heads=3, taps=(0, 0, 1, 1)
    )
    image = jnp.asarray(rng.normal(size=(2, 32, 32, 5)), jnp.float32)
    run = jax.jit(models.encode, static_argnames=("cfg", "layers"))
    first, second = (run(params, x, cfg=cfg, layers=(0, 3)) for x in (image, image.at[1].multiply(3.0)))
    np.testing.assert_array_equal(first.maps[1][0], second.maps[1][0])
    assert first.pooled.shape == (2, 512)
    assert np.abs(first.pooled[1] - second.pooled[1]).max() > 1e-3
    assert all(jax.tree.leaves(models.trainable(params, cfg)))
