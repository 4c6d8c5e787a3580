import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made.oracle_file import TOLERANCE, assert_same_state, channels_last, difference, part
from reference import numpy_dofa, numpy_positions, numpy_vit
from reference.numpy_dofa import GENERATOR

from spectral_jax.interop import dofa, names, read
from spectral_jax.interop.weights_file import Weights
from spectral_jax.model.published.dofa import DofaConfig
from spectral_jax.model.published.dofa import apply as apply_dofa
from spectral_jax.model.published.dofa import config as dofa_config
from spectral_jax.model.published.dofa import init as init_dofa
from spectral_jax.model.published.dofa import trainable as dofa_trainable


def run(params, image, wavelengths_nm, cfg, **options):
    with jax.default_matmul_precision("highest"):
        apply = jax.jit(apply_dofa, static_argnames=("cfg", "layers"))
        return apply(params, jnp.asarray(image), jnp.asarray(wavelengths_nm, jnp.float32), cfg=cfg, **options)


def version_2(rng, width=12, patch=3, grid=3, depth=2):
    """A narrow state dict of version 2 by its published names."""
    cfg = DofaConfig(width=width, depth=depth, heads=3, layout="new", patch=patch, grid=grid, version=2)
    shapes = names.flatten(jax.eval_shape(lambda: init_dofa(jax.random.key(0), cfg)))
    state = {leaf.name: leaf.published_shape(shapes[leaf.path].shape) for leaf in dofa.leaves(cfg)}
    return {k: (rng.normal(size=s) * (3 if "fc_weight" in k else 0.2)).astype(np.float32) for k, s in state.items()}


def test_features_agree_with_the_published_code(oracles):
    path = oracles / "dofa_v1.npz"
    cfg, params, _ = dofa.read(read(path), "new")
    assert (cfg.width, cfg.depth, cfg.heads, cfg.patch, cfg.grid, cfg.pool_norm) == (48, 2, 3, 8, 4, True)
    inputs = part(path, "input")
    found = run(params, channels_last(inputs["image"]), 1000 * inputs["wavelengths_um"], cfg)
    assert difference(found.pooled, part(path, "output")["features"]) <= TOLERANCE
    assert found.maps[0].shape == (2, 4, 4, 48)


@pytest.mark.parametrize("layout", ["new", "old"])
def test_both_layouts_agree_with_plain_numpy(oracles, layout):
    path = oracles / "dofa_v1.npz"
    cfg, params, _ = dofa.read(read(path), layout)
    inputs, state = part(path, "input"), part(path, "state")
    image, wavelengths = channels_last(inputs["image"]), 1000 * inputs["wavelengths_um"]
    found = run(params, image, wavelengths, cfg, layers=(0,))
    expected = numpy_dofa.tokens(state, image[0], wavelengths.astype(float), layout, 8, 3)
    for tokens, value in zip(found.blocks, expected, strict=True):
        assert difference(tokens[0], value) <= TOLERANCE
    assert difference(found.maps[0][0, 1, 3], expected[0][1 + 4 + 3]) <= TOLERANCE


def test_the_layout_matters_and_is_asked_for(oracles):
    path = oracles / "dofa_v1.npz"
    inputs = part(path, "input")
    image, wavelengths = channels_last(inputs["image"]), 1000 * inputs["wavelengths_um"]
    cfg, params, _ = dofa.read(read(path), "old")
    assert difference(run(params, image, wavelengths, cfg).pooled, part(path, "output")["features"]) > 0.01
    with pytest.raises(TypeError, match="layout"):
        dofa.read(read(path))
    with pytest.raises(ValueError, match="DofaConfig.layout: expected one of old, new, got 'newer'"):
        dofa.read(read(path), "newer")


def test_the_way_back_is_bit_identical_and_every_key_is_accounted_for(oracles):
    path = oracles / "dofa_v1.npz"
    cfg, params, account = dofa.read(read(path), "new")
    state = part(path, "state")
    assert_same_state(dofa.publish(params, cfg), state)
    assert {r.key for r in account.rows} == set(state)


def test_the_published_file_lacks_the_norm_of_pooled_tokens_and_has_more(oracles):
    path = oracles / "dofa_v1.npz"
    state = {k: v for k, v in part(path, "state").items() if not k.startswith("fc_norm")}
    more = ("mask_token", "norm.weight", "norm.bias", "projector.weight", "projector.bias", "head.weight")
    full = state | {k: np.zeros(3, np.float32) for k in more}
    cfg, params, account = dofa.read(Weights("dofa.pth", full), "new", heads=3)
    assert {r.key for r in account.rows if r.outcome == "ignored"} == set(more)
    assert [(r.key, r.outcome) for r in account.rows if r.outcome == "absent"] == [("fc_norm", "absent")]
    assert_same_state(dofa.publish(params, cfg), state)
    inputs = part(path, "input")
    found = run(params, channels_last(inputs["image"]), 1000 * inputs["wavelengths_um"], cfg)
    # As with a LayerNorm of scale 1 and bias 0.
    pooled = np.asarray(found.blocks[-1], float)[:, 1:].mean(1)
    centred = pooled - pooled.mean(1, keepdims=True)
    assert difference(found.pooled, centred / np.sqrt((centred**2).mean(1, keepdims=True) + 1e-6)) <= TOLERANCE


@pytest.mark.slow
def test_version_2_agrees_with_plain_numpy(rng):
    state = version_2(rng)
    cfg, params, account = dofa.read(Weights("dofa2.pth", state), "new", heads=3)
    assert (cfg.version, cfg.patch, cfg.grid, cfg.width) == (2, 3, 3, 12)
    assert {r.key for r in account.rows} == set(state)
    assert_same_state(dofa.publish(params, cfg), state)
    image, wavelengths = rng.normal(size=(1, 9, 9, 4)).astype(np.float32), np.array([443.0, 560.0, 865.0, 1610.0])
    found = run(params, image, wavelengths, cfg)
    expected = numpy_dofa.tokens(state, image[0], wavelengths, "new", 3, 3, "model.")
    last = numpy_vit.norm(expected[-1], {k: v.astype(float) for k, v in state.items()}, "model.norm")
    assert difference(found.blocks[0][0], expected[0]) <= TOLERANCE
    assert difference(found.blocks[1][0], last) <= TOLERANCE
    assert difference(found.pooled[0], last[1:].mean(0)) <= TOLERANCE


def test_base_has_the_published_structure():
    for version, positions, numbers in ((1, 197, 16 * 16 * 768), (2, 257, 14 * 14 * 768)):
        cfg = dofa_config("base", "new", version)
        shapes = names.flatten(jax.eval_shape(lambda cfg=cfg: init_dofa(jax.random.key(0), cfg)))
        published = {leaf.name: leaf.published_shape(shapes[leaf.path].shape) for leaf in dofa.leaves(cfg)}
        trunk = "model." if version == 2 else ""
        assert published[f"{trunk}pos_embed"] == (1, positions, 768)
        assert published[f"{GENERATOR}fc_weight.weight"] == (numbers, 128)
        assert published[f"{GENERATOR}fc_bias.weight"] == (768, 128)
        assert published[f"{GENERATOR}transformer_encoder.layers.0.linear1.weight"] == (2048, 128)
        assert published[f"{GENERATOR}bias_token"] == (1, 128)
        assert published[f"{trunk}blocks.11.mlp.fc2.weight"] == (768, 3072)
        assert ("model.blocks.11.ls2.gamma" in published) is (version == 2)
        assert ("fc_norm.weight" in published) is False
    with pytest.raises(ValueError, match="expected a version and size of 1 small, .*, 2 large, got 2 'huge'"):
        dofa_config("huge", "new", 2)


def test_only_fixed_positions_do_not_train(rng, oracles):
    cfg, params, _ = dofa.read(read(oracles / "dofa_v1.npz"), "new")
    moves = names.flatten(dofa_trainable(params, cfg))
    assert [path for path, trains in moves.items() if not trains] == ["class/positions"]
    cfg, params, _ = dofa.read(Weights("dofa2.pth", version_2(rng)), "new", heads=3)
    assert all(jax.tree.leaves(dofa_trainable(params, cfg)))


@pytest.mark.slow
@pytest.mark.parametrize("size", [(3, 6), (7, 7)])
@pytest.mark.parametrize("version", [1, 2])
def test_positions_are_interpolated_for_another_size(oracles, rng, version, size):
    """Version 1 as TerraTorch's loading code does it, bilinearly; version 2 as timm does it."""
    if version == 1:
        state, patch, trunk, rule = part(oracles / "dofa_v1.npz", "state"), 8, "", numpy_positions.bilinear
    else:
        state, patch, trunk, rule = version_2(rng, grid=4), 3, "model.", numpy_positions.antialiased
    cfg, params, _ = dofa.read(Weights("dofa.pth", state), "new", heads=3)
    assert (cfg.grid, cfg.version) == (4, version)
    image, wavelengths = rng.normal(size=(1, size[0] * patch, size[1] * patch, 3)), [443.0, 560.0, 2202.0]
    found = run(params, image.astype(np.float32), wavelengths, cfg, layers=(0,))
    table = numpy_positions.resize(state[f"{trunk}pos_embed"][0], size, rule)
    expected = numpy_dofa.tokens(state, image[0], wavelengths, "new", patch, 3, trunk, table)
    assert difference(found.blocks[0][0], expected[0]) <= TOLERANCE
    assert found.maps[0].shape == (1, *size, cfg.width)
    assert difference(found.maps[0][0, 1, 1], expected[0][1 + size[1] + 1]) <= TOLERANCE


def test_patches_of_two_pixels_are_one_more_a_side_than_the_image_has(rng):
    # The padding of 1 px at both edges is a patch then; the table of positions is interpolated for it.
    state = version_2(rng, patch=2, grid=3)
    cfg, params, _ = dofa.read(Weights("dofa2.pth", state), "new", heads=3)
    image, wavelengths = rng.normal(size=(1, 6, 4, 2)), [500.0, 900.0]
    found = run(params, image.astype(np.float32), wavelengths, cfg)
    assert found.maps[0].shape == (1, 4, 3, 12)
    table = numpy_positions.resize(state["model.pos_embed"][0], (4, 3), numpy_positions.antialiased)
    expected = numpy_dofa.tokens(state, image[0], wavelengths, "new", 2, 3, "model.", table)
    assert difference(found.blocks[0][0], expected[0]) <= TOLERANCE


def test_images_that_do_not_fit_are_refused(oracles):
    cfg, params, _ = dofa.read(read(oracles / "dofa_v1.npz"), "new")
    for shape in ((1, 32, 36, 3), (1, 0, 32, 3), (32, 32, 3)):
        said = f"image: expected [B H W C] with H and W multiples of the patch of 8 px, got shape {shape}; crop or pad it."
        with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
            apply_dofa(params, jnp.zeros(shape), jnp.ones(3), cfg)
    with pytest.raises(ValueError, match=r"expected one for each of the C = 3 bands, got shape \(2,\)"):
        apply_dofa(params, jnp.zeros((1, 32, 32, 3)), jnp.ones(2), cfg)
