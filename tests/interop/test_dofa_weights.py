import jax
import jax.numpy as jnp
import numpy as np
import numpy_vit
import pytest
from oracle_file import TOLERANCE, assert_same_state, channels_last, difference, part

from spectral_jax.interop import dofa, names, read
from spectral_jax.interop.weights_file import Weights
from spectral_jax.model import dofa as model

GENERATOR = "patch_embed.weight_generator."


def run(params, image, wavelengths_nm, cfg, **options):
    with jax.default_matmul_precision("highest"):
        apply = jax.jit(model.apply, static_argnames=("cfg", "layers"))
        return apply(params, jnp.asarray(image), jnp.asarray(wavelengths_nm, jnp.float32), cfg=cfg, **options)


def reference(state, image, wavelengths_nm, layout, patch, heads, trunk=""):
    """Tokens of each block in plain NumPy, float64, for one image [H W C]; `trunk` is the prefix of the transformer's keys."""
    state = {k: v.astype(float) for k, v in state.items()}
    angle = np.outer(wavelengths_nm, 10000.0 ** (-np.arange(64) / 64))
    waves = np.concatenate([np.sin(angle), np.cos(angle)], 1)
    h = np.maximum(numpy_vit.linear(waves, state, "patch_embed.fclayer.w1"), 0)
    waves = waves + np.maximum(numpy_vit.linear(h, state, "patch_embed.fclayer.w2"), 0)
    x = np.concatenate([state[f"{GENERATOR}weight_tokens"], waves, state[f"{GENERATOR}bias_token"]])
    layer = f"{GENERATOR}transformer_encoder.layers.0"
    packed = state[f"{layer}.self_attn.in_proj_weight"], state[f"{layer}.self_attn.in_proj_bias"]
    h = numpy_vit.linear(numpy_vit.attention(x, *packed, 4), state, f"{layer}.self_attn.out_proj")
    x = numpy_vit.norm(x + h, state, f"{layer}.norm1", 1e-5)
    h = numpy_vit.linear(numpy_vit.gelu(numpy_vit.linear(x, state, f"{layer}.linear1")), state, f"{layer}.linear2")
    x = numpy_vit.norm(x + h, state, f"{layer}.norm2", 1e-5)
    kernel = 0.01 * numpy_vit.linear(x[128:-1] + waves, state, f"{GENERATOR}fc_weight")
    bias = 0.01 * numpy_vit.linear(x[-1], state, f"{GENERATOR}fc_bias")
    bands, width = len(wavelengths_nm), len(bias)
    if layout == "new":
        kernel = kernel.reshape(bands, patch, patch, width).transpose(3, 0, 1, 2)
    else:
        kernel = kernel.reshape(width, bands, patch, patch)
    padded = np.pad(image.astype(float), ((1, 1), (1, 1), (0, 0)))
    side = (padded.shape[0] - patch) // patch + 1
    cut = [padded[r * patch : (r + 1) * patch, c * patch : (c + 1) * patch] for r in range(side) for c in range(side)]
    tokens = np.stack([np.einsum("pqc,dcpq->d", p, kernel) + bias for p in cut])
    x = np.concatenate([state[f"{trunk}cls_token"][0], tokens]) + state[f"{trunk}pos_embed"][0]
    depth, kept = 1 + max(int(k.split("blocks.")[1].split(".")[0]) for k in state if "blocks." in k), []
    for i in range(depth):
        x = numpy_vit.block(x, state, f"{trunk}blocks.{i}", heads)
        kept.append(x)
    return kept


def version_2(rng, width=12, patch=3, grid=3, depth=2):
    """A narrow state dict of version 2 by its published names."""
    cfg = model.DofaConfig(width=width, depth=depth, heads=3, layout="new", patch=patch, grid=grid, version=2)
    shapes = names.flatten(jax.eval_shape(lambda: model.init(jax.random.key(0), cfg)))
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
    expected = reference(state, image[0], wavelengths.astype(float), layout, 8, 3)
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


def test_version_2_agrees_with_plain_numpy(rng):
    state = version_2(rng)
    cfg, params, account = dofa.read(Weights("dofa2.pth", state), "new", heads=3)
    assert (cfg.version, cfg.patch, cfg.grid, cfg.width) == (2, 3, 3, 12)
    assert {r.key for r in account.rows} == set(state)
    assert_same_state(dofa.publish(params, cfg), state)
    image, wavelengths = rng.normal(size=(1, 9, 9, 4)).astype(np.float32), np.array([443.0, 560.0, 865.0, 1610.0])
    found = run(params, image, wavelengths, cfg)
    expected = reference(state, image[0], wavelengths, "new", 3, 3, "model.")
    last = numpy_vit.norm(expected[-1], {k: v.astype(float) for k, v in state.items()}, "model.norm")
    assert difference(found.blocks[0][0], expected[0]) <= TOLERANCE
    assert difference(found.blocks[1][0], last) <= TOLERANCE
    assert difference(found.pooled[0], last[1:].mean(0)) <= TOLERANCE


def test_base_has_the_published_structure():
    for version, positions, numbers in ((1, 197, 16 * 16 * 768), (2, 257, 14 * 14 * 768)):
        cfg = model.config("base", "new", version)
        shapes = names.flatten(jax.eval_shape(lambda cfg=cfg: model.init(jax.random.key(0), cfg)))
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
        model.config("huge", "new", 2)


def test_only_fixed_positions_do_not_train(rng, oracles):
    cfg, params, _ = dofa.read(read(oracles / "dofa_v1.npz"), "new")
    moves = names.flatten(model.trainable(params, cfg))
    assert [path for path, trains in moves.items() if not trains] == ["class/positions"]
    cfg, params, _ = dofa.read(Weights("dofa2.pth", version_2(rng)), "new", heads=3)
    assert all(jax.tree.leaves(model.trainable(params, cfg)))


def test_images_that_do_not_fit_are_refused(oracles):
    cfg, params, _ = dofa.read(read(oracles / "dofa_v1.npz"), "new")
    with pytest.raises(ValueError, match=r"H = W = 32 px, for which the positions were made, got shape \(1, 64, 64, 3\)"):
        model.apply(params, jnp.zeros((1, 64, 64, 3)), jnp.ones(3), cfg)
    with pytest.raises(ValueError, match=r"expected one for each of the C = 3 bands, got shape \(2,\)"):
        model.apply(params, jnp.zeros((1, 32, 32, 3)), jnp.ones(2), cfg)
