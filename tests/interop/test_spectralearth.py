import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made.oracle_file import TOLERANCE, assert_same_state, channels_last, difference, part
from reference import numpy_positions, numpy_spectralearth

from spectral_jax.interop import models, names, read, spectralearth
from spectral_jax.interop.weights_file import Weights
from spectral_jax.model.published import spectral_adapter
from spectral_jax.model.published.spectralearth import adapt as adapt_bands
from spectral_jax.model.published.spectralearth import apply as apply_spectralearth
from spectral_jax.model.published.spectralearth import config as spectralearth_config
from spectral_jax.model.published.spectralearth import init as init_spectralearth
from spectral_jax.model.published.spectralearth import trainable as spectralearth_trainable
from spectral_jax.model.published.spectralearth import vit


@pytest.fixture(params=[150, 202])
def path(request, oracles):
    return oracles / f"spectralearth_vit_{request.param}bands.npz"


def run(function, params, image, cfg, **options):
    with jax.default_matmul_precision("highest"):
        return jax.jit(function, static_argnames=("cfg", *options))(params, image, cfg=cfg, **options)


@pytest.mark.slow
def test_adapter_tokens_and_embedding_agree_with_the_published_code(path):
    cfg, params, _ = spectralearth.read(read(path))
    assert (cfg.width, cfg.depth, cfg.heads, cfg.patch, cfg.grid) == (48, 2, 3, 4, 4)
    image, expected = jnp.asarray(channels_last(part(path, "input")["image"])), part(path, "output")
    assert difference(run(adapt_bands, params, image, cfg), channels_last(expected["adapter"])) <= TOLERANCE
    found = run(apply_spectralearth, params, image, cfg, layers=(0, 1))
    assert difference(found.blocks[-1], expected["tokens"]) <= TOLERANCE
    assert difference(found.pooled, expected["embedding"]) <= TOLERANCE
    # Maps hold the patch tokens alone, in raster order.
    assert [m.shape for m in found.maps] == [(2, 4, 4, 48)] * 2
    assert difference(found.maps[1][:, 2, 1], expected["tokens"][:, 1 + 2 * 4 + 1]) <= TOLERANCE


def test_the_way_back_is_bit_identical_and_every_key_is_accounted_for(path):
    cfg, params, account = spectralearth.read(read(path))
    state = part(path, "state")
    assert_same_state(spectralearth.publish(params, cfg), state)
    assert {r.key for r in account.rows} == set(state)
    assert account.counts()["ignored"] == 0


def test_the_count_of_batches_comes_back_as_a_whole_number(path):
    state = part(path, "state")
    state["spectral_adapter.1.num_batches_tracked"] = np.asarray(123457, np.int64)
    cfg, params, _ = spectralearth.read(Weights("a.pt", state))
    assert_same_state(spectralearth.publish(params, cfg), state)
    state["spectral_adapter.1.num_batches_tracked"] = np.asarray(2**24 + 1, np.int64)
    with pytest.raises(ValueError, match="num_batches_tracked is 16777217; expected a count of batches below 16777216"):
        spectralearth.read(Weights("a.pt", state))


def test_a_masked_autoencoder_stores_modules_twice_and_loads_all_the_same(path):
    state = part(path, "state")
    stored = {"encoder.mask_token": np.zeros((1, 1, 48), np.float32), "decoder.decoder_norm.bias": np.zeros(4, np.float32)}
    for key, value in state.items():
        inner = key.replace("vit_core.patch_embed.proj", "vit_core.patch_embed.original_patch_embed.proj")
        stored[f"encoder.vit.spec_vit.{inner}"] = value
        if key.startswith("spectral_adapter."):
            stored[f"encoder.vit.vit_core.patch_embed.{key}"] = value
        elif key.startswith("vit_core.patch_embed."):
            stored[f"encoder.vit.patch_embed.{key.removeprefix('vit_core.patch_embed.')}"] = value
        else:
            stored[f"encoder.vit.{key.removeprefix('vit_core.')}"] = value
    cfg, params, account = spectralearth.read(Weights("mae.ckpt", stored), heads=3)
    assert_same_state(spectralearth.publish(params, cfg), state)
    assert {r.key for r in account.rows} == set(stored)
    details = {r.key: r.detail for r in account.rows}
    first = "encoder.vit.spec_vit.spectral_adapter.0.weight"
    copy = "encoder.vit.vit_core.patch_embed.spectral_adapter.0.weight"
    assert details[copy] == f"the same numbers as {first}"
    assert details["encoder.mask_token"] == "mask token of pretraining"
    assert details["decoder.decoder_norm.bias"] == "decoder of masked pretraining"
    stored[copy] = stored[copy] + np.float32(1)
    with pytest.raises(ValueError, match=rf"mae\.ckpt: {first} and {copy} are two names of one parameter, and their numbers"):
        spectralearth.read(Weights("mae.ckpt", stored), heads=3)


def test_a_checkpoint_without_an_adapter_is_not_taken(path):
    state = {k: v for k, v in part(path, "state").items() if not k.startswith("spectral_adapter.")}
    with pytest.raises(ValueError, match="looks like a plain vision transformer of timm .*, expected spectralearth"):
        models.read("spectralearth", Weights("a.pt", state))


@pytest.mark.slow
def test_statistics_of_batch_normalisation_do_not_train(path):
    cfg, params, _ = spectralearth.read(read(path))
    image = jnp.asarray(channels_last(part(path, "input")["image"]))[:1]
    gradient = jax.jit(jax.grad(lambda p: jnp.square(adapt_bands(p, image, cfg)).sum()))
    moves = names.flatten(spectralearth_trainable(params))
    fixed = sorted(path for path, trains in moves.items() if not trains)
    assert fixed == sorted(f"adapter/norm{i}/{what}" for i in range(3) for what in ("mean", "var", "batches"))
    held = jax.tree.map(jnp.asarray, vit.held(params, spectral_adapter.STATISTICS))
    assert np.any(gradient(held)["adapter"]["kernel0"])


def test_base_has_the_published_structure():
    """Shapes of the specification: adapter of 56,192 parameters, 128 px at patch 4, so 1 + 32 * 32 positions."""
    cfg = spectralearth_config("base")
    shapes = names.flatten(jax.eval_shape(lambda: init_spectralearth(jax.random.key(0), cfg)))
    published = {leaf.name: leaf.published_shape(shapes[leaf.path].shape) for leaf in spectralearth.leaves(cfg)}
    assert published["vit_core.pos_embed"] == (1, 1025, 768)
    assert published["vit_core.cls_token"] == (1, 1, 768)
    assert published["vit_core.patch_embed.proj.weight"] == (768, 128, 4, 4)
    assert published["spectral_adapter.0.weight"] == (32, 1, 7, 1, 1)
    assert published["spectral_adapter.3.weight"] == (64, 32, 7, 1, 1)
    assert published["spectral_adapter.6.weight"] == (128, 64, 5, 1, 1)
    assert published["vit_core.blocks.11.mlp.fc1.weight"] == (3072, 768)
    assert published["vit_core.blocks.11.attn.qkv.weight"] == (2304, 768)
    moves = names.flatten(spectralearth_trainable(names.nest(shapes)))
    assert sum(s.size for p, s in shapes.items() if p.startswith("adapter/") and moves[p]) == 56_192


@pytest.mark.slow
def test_giant_is_as_large_as_the_code_makes_it():
    cfg = spectralearth_config("giant")
    shapes = jax.eval_shape(lambda: init_spectralearth(jax.random.key(0), cfg))
    assert sum(s.size for s in jax.tree.leaves(shapes)) / 1e9 == pytest.approx(1.14, abs=0.005)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(3, 5), (9, 9)])
def test_positions_are_interpolated_for_another_size(path, rng, size):
    cfg, params, _ = spectralearth.read(read(path))
    image = rng.normal(size=(1, size[0] * 4, size[1] * 4, 150)).astype(np.float32)
    found = run(apply_spectralearth, params, image, cfg, layers=(0,))
    state = part(path, "state")
    table = numpy_positions.resize(state["vit_core.pos_embed"][0], size, numpy_positions.antialiased)
    expected = numpy_spectralearth.tokens(state, np.moveaxis(image[0], -1, 0), 4, 3, table)
    assert difference(found.blocks[0][0], expected[0]) <= TOLERANCE
    assert found.maps[0].shape == (1, *size, 48)
    assert difference(found.maps[0][0, 2, 1], expected[0][1 + 2 * size[1] + 1]) <= TOLERANCE


def test_images_that_do_not_fit_are_refused(path):
    cfg, params, _ = spectralearth.read(read(path))
    said = "image: expected [B H W C] with H and W multiples of the patch of 4 px, got shape (1, 20, 18, 150); crop or pad it."
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        apply_spectralearth(params, jnp.zeros((1, 20, 18, 150)), cfg)
    fewest = spectral_adapter.fewest_bands()
    with pytest.raises(ValueError, match=f"expected .* with C >= {fewest} bands"):
        apply_spectralearth(params, jnp.zeros((1, 16, 16, fewest - 1)), cfg)
    assert jax.eval_shape(lambda: adapt_bands(params, jnp.zeros((1, 16, 16, fewest)), cfg)).shape == (1, 16, 16, 128)
