import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made.oracle_file import TOLERANCE, assert_same_state, channels_last, difference, part
from reference import numpy_vit

from spectral_jax.interop import names, read, terramind
from spectral_jax.interop.terramind_bands import MODALITIES, modality, statistics
from spectral_jax.interop.weights_file import Weights
from spectral_jax.model.published.bicubic import cubic_weights
from spectral_jax.model.published.terramind import apply as apply_terramind
from spectral_jax.model.published.terramind import config as terramind_config
from spectral_jax.model.published.terramind import init as init_terramind
from spectral_jax.model.published.terramind import trainable as terramind_trainable

ORACLES = {"terramind_gelu": (4, ("S2L2A",)), "terramind_swiglu_s2_s1": (3, ("S2L2A", "S1RTC"))}


@pytest.fixture(params=ORACLES)
def oracle(request, oracles):
    """Path, heads (the file does not say) and modalities."""
    return oracles / f"{request.param}.npz", *ORACLES[request.param]


def images_of(path, modalities):
    inputs = part(path, "input")
    return {m: jnp.asarray(channels_last(inputs[MODALITIES[m].key])) for m in modalities}


def run(params, images, cfg, **options):
    with jax.default_matmul_precision("highest"):
        return jax.jit(apply_terramind, static_argnames=("cfg", "layers"))(params, images, cfg=cfg, **options)


@pytest.mark.slow
def test_every_block_agrees_with_the_published_code(oracle):
    path, heads, modalities = oracle
    cfg, params, _ = terramind.read(read(path), heads=heads)
    assert tuple(m.name for m in cfg.modalities) == modalities
    found = run(params, images_of(path, modalities), cfg)
    expected = part(path, "output")
    assert len(found.blocks) == len(expected) == cfg.depth
    for i, tokens in enumerate(found.blocks):
        assert difference(tokens, expected[str(i)]) <= TOLERANCE


def test_maps_and_pooled_embedding_are_the_tokens_rearranged(oracle):
    path, heads, modalities = oracle
    cfg, params, _ = terramind.read(read(path), heads=heads)
    found = run(params, images_of(path, modalities), cfg, layers=(0, -1))
    expected, side = part(path, "output"), 4
    for image, block in zip(found.maps, ("0", str(cfg.depth - 1)), strict=True):
        assert image.shape == (2, side, side, cfg.width)
        for row, column in ((0, 0), (0, 3), (2, 1)):
            assert difference(image[:, row, column], expected[block][:, row * side + column]) <= TOLERANCE
    last = expected[str(cfg.depth - 1)]
    assert np.abs(found.pooled - last.mean(1)).max() <= TOLERANCE * np.abs(last).max()
    with pytest.raises(ValueError, match=f"there is no block {cfg.depth}; expected numbers from 0 to {cfg.depth - 1}"):
        apply_terramind(params, images_of(path, modalities), cfg, layers=(cfg.depth,))


def test_the_way_back_is_bit_identical_and_every_key_is_accounted_for(oracle):
    path, heads, _ = oracle
    cfg, params, account = terramind.read(read(path), heads=heads)
    state = part(path, "state")
    assert_same_state(terramind.publish(params, cfg), state)
    assert {r.key for r in account.rows} == set(state)
    assert account.counts()["ignored"] == 0
    assert all(leaf.dtype == np.float32 for leaf in jax.tree.leaves(params))


@pytest.mark.slow
def test_merges_are_reductions_of_the_modalities_own_tokens(oracles):
    path, modalities = oracles / "terramind_swiglu_s2_s1.npz", ("S2L2A", "S1RTC")
    cfg, params, _ = terramind.read(read(path), heads=3)
    images = images_of(path, modalities)
    tokens = run(params, images, dataclasses.replace(cfg, merge="none"))
    assert tokens.maps == ()
    first, second = np.asarray(tokens.blocks[-1][:, :16]), np.asarray(tokens.blocks[-1][:, 16:])
    expected = {"max": np.maximum(first, second), "concat": np.concatenate([first, second], 2), "mean": (first + second) / 2}
    for merge, value in expected.items():
        found = run(params, images, dataclasses.replace(cfg, merge=merge))
        assert difference(found.blocks[-1], value) <= TOLERANCE
        assert found.maps[0].shape == (2, 4, 4, value.shape[-1])
    found = run(params, images, dataclasses.replace(cfg, merge="dict"))
    assert difference(found.blocks[-1]["S1RTC"], second) <= TOLERANCE
    assert found.maps[0]["S2L2A"].shape == (2, 4, 4, 96)
    with pytest.raises(ValueError, match='merge "concat" needs every modality, and S1RTC is missing'):
        apply_terramind(params, {"S2L2A": images["S2L2A"]}, dataclasses.replace(cfg, merge="concat"))


def test_a_modality_left_out_gives_what_its_own_checkpoint_gives(oracles):
    path = oracles / "terramind_swiglu_s2_s1.npz"
    both, params, _ = terramind.read(read(path), heads=3)
    one, single, account = terramind.read(read(path), heads=3, modalities=("S1RTC",))
    assert {r.detail for r in account.rows if r.outcome == "ignored"} == {"modality S2L2A, not chosen"}
    images = {"S1RTC": images_of(path, ("S1RTC",))["S1RTC"]}
    assert difference(run(single, images, one).pooled, np.asarray(run(params, images, both).pooled)) <= TOLERANCE


def test_a_subset_of_bands_is_the_whole_with_the_others_at_zero(oracles):
    path, bands = oracles / "terramind_gelu.npz", ("NIR_BROAD", "BLUE", "SWIR_2")
    whole, params, _ = terramind.read(read(path), heads=4)
    cut, few, account = terramind.read(read(path), heads=4, bands={"S2L2A": bands})
    assert cut.modalities[0].bands == bands
    assert any(r.detail.endswith("; kept NIR_BROAD, BLUE, SWIR_2") for r in account.rows)
    image = images_of(path, ("S2L2A",))["S2L2A"]
    index = [7, 1, 11]  # of B08, B02 and B12 among the twelve
    zeroed = jnp.zeros_like(image).at[..., np.array(index)].set(image[..., np.array(index)])
    expected = np.asarray(run(params, {"S2L2A": zeroed}, whole).blocks[-1])
    assert difference(run(few, {"S2L2A": image[..., np.array(index)]}, cut).blocks[-1], expected) <= TOLERANCE
    # Published again and read again, with the same names said, it is the same.
    again, params_again, _ = terramind.read(Weights("cut", terramind.publish(few, cut)), heads=4, bands={"S2L2A": bands})
    assert again == cut
    assert_same_state(names.flatten(params_again), names.flatten(few))
    with pytest.raises(ValueError, match="is for 3 bands of 16x16 px patches, expected 12; if it was made for fewer"):
        terramind.read(Weights("cut", terramind.publish(few, cut)), heads=4)


def test_positions_are_interpolated_for_another_size(oracles):
    path = oracles / "terramind_gelu.npz"
    cfg, params, _ = terramind.read(read(path), heads=4)
    image = images_of(path, ("S2L2A",))["S2L2A"][:, :32, :48]
    found = run(params, {"S2L2A": image}, cfg, layers=(0,))
    assert found.maps[0].shape == (2, 2, 3, 64)
    state = {k.replace("encoder_embeddings.untok_sen2l2a@224.", ""): v.astype(float) for k, v in part(path, "state").items()}
    table = np.einsum("rn,cm,nmd->rcd", cubic_weights(4, 2), cubic_weights(4, 3), state["pos_emb"].reshape(4, 4, 64))
    for i in range(2):
        # The flattened patch is (row, column, channel), channel fastest.
        patches = np.asarray(image[i], float).reshape(2, 16, 3, 16, 12).transpose(0, 2, 1, 3, 4).reshape(6, -1)
        tokens = patches @ state["proj.weight"].T + state["mod_emb"][0] + table.reshape(6, 64)
        assert difference(found.blocks[0][i], numpy_vit.block(tokens, state, "encoder.0", 4)) <= TOLERANCE


@pytest.mark.slow
def test_fresh_positions_are_the_buffers_that_the_published_code_makes(oracle):
    path, heads, modalities = oracle
    cfg, params, _ = terramind.read(read(path), heads=heads)
    fresh = init_terramind(jax.random.key(0), cfg)
    for name in modalities:
        published = params[f"embed_{name}"]["positions"]
        np.testing.assert_allclose(fresh[f"embed_{name}"]["positions"], published, rtol=0, atol=1e-6)


@pytest.mark.slow
def test_buffers_of_the_published_code_neither_move_nor_decay(oracle):
    path, heads, modalities = oracle
    cfg, params, _ = terramind.read(read(path), heads=heads)
    images = images_of(path, modalities)
    gradient = jax.jit(jax.grad(lambda p: jnp.square(apply_terramind(p, images, cfg).blocks[0]).sum()))(params)
    moves, gradient = names.flatten(terramind_trainable(params, cfg)), names.flatten(gradient)
    gated = cfg.mlp == "swiglu"
    assert moves["embed_S2L2A/positions"] is False
    assert moves["trunk/block0/norm1/bias"] is not gated
    assert moves["trunk/block0/attend/qkv/kernel"] is True
    for path, trains in moves.items():
        # Of the first block's output; the later ones have no part in it.
        if path.startswith(("embed", "trunk/block0")):
            assert bool(np.any(gradient[path])) is trains, path


def test_base_has_the_published_structure():
    """Shapes and counts of the specification's table: 768 wide, 12 deep, 224 px, 12 bands."""
    cfg = terramind_config("base", (modality("S2L2A"),))
    shapes = names.flatten(jax.eval_shape(lambda: init_terramind(jax.random.key(0), cfg)))
    published = {leaf.name: leaf.published_shape(shapes[leaf.path].shape) for leaf in terramind.leaves(cfg)}
    embed = "encoder_embeddings.untok_sen2l2a@224"
    expected = {
        f"{embed}.proj.weight": (768, 16 * 16 * 12),
        f"{embed}.mod_emb": (1, 1, 768),
        f"{embed}.pos_emb": (1, 196, 768),
        "encoder_norm.weight": (768,),
        "encoder_norm.bias": (768,),
    }
    for i in range(12):
        expected |= {f"encoder.{i}.norm{n}.{what}": (768,) for n in (1, 2) for what in ("weight", "bias")}
        expected |= {f"encoder.{i}.attn.qkv.weight": (2304, 768), f"encoder.{i}.attn.proj.weight": (768, 768)}
        expected |= {f"encoder.{i}.mlp.fc{n}.weight": (768, 2048) if n == 2 else (2048, 768) for n in (1, 2, 3)}
    assert published == expected


@pytest.mark.slow
@pytest.mark.parametrize(("size", "millions"), [("tiny", "5.9"), ("small", "22.5"), ("base", "87.3"), ("large", "305")])
def test_sizes_have_the_published_number_of_parameters(size, millions):
    cfg = terramind_config(size, (modality("S2L2A"),))
    shapes = jax.eval_shape(lambda: init_terramind(jax.random.key(0), cfg))
    moves = names.flatten(terramind_trainable(shapes, cfg))
    count = sum(s.size for path, s in names.flatten(shapes).items() if moves[path])
    assert f"{count / 1e6:.{len(millions.partition('.')[2])}f}" == millions
    assert (size != "large") or cfg.hidden == 2730


def test_a_full_checkpoint_loads_and_says_what_it_leaves(oracles):
    state = part(oracles / "terramind_gelu.npz", "state")
    more = {"decoder.0.norm1.weight": 64, "decoder_norm.weight": 64, "mask_token": 1, "decoder_proj_context.weight": 4,
            "decoder_embeddings.tok_lulc@224.to_logits.weight": 5, "encoder_embeddings.tok_ndvi@224.token_emb.weight": 5,
            "encoder_embeddings.caption.mod_emb": 2}  # fmt: skip
    _, _, account = terramind.read(Weights("full.pt", state | {k: np.zeros(n, np.float32) for k, n in more.items()}))
    reasons = {r.key: r.detail for r in account.rows if r.outcome == "ignored"}
    assert set(reasons) == set(more)
    assert reasons["decoder.0.norm1.weight"] == "decoder of pretraining, which predicts tokens"
    assert reasons["encoder_embeddings.tok_ndvi@224.token_emb.weight"] == "a modality of tokens; only pixels are encoded here"


def test_unknown_names_are_answered_with_the_closest(oracles):
    weights = read(oracles / "terramind_gelu.npz")
    with pytest.raises(
        ValueError, match="S2L2A: no band is called 'NIR_NARROWER'; the names are, closest first: NIR_NARROW, .*COASTAL"
    ):
        terramind.read(weights, bands={"S2L2A": ("NIR_NARROWER",)})
    with pytest.raises(ValueError, match="S2L2A: expected at least one band and none twice"):
        terramind.read(weights, bands={"S2L2A": ("RED", "RED")})
    with pytest.raises(
        ValueError, match="modalities: no modality of TerraMind is called 'S2L2B'; the names are, closest first: S2L2A, S2L1C"
    ):
        terramind.read(weights, modalities=("S2L2B",))
    with pytest.raises(
        ValueError, match=r"terramind_gelu.npz: no modality of pixels is called 'DEM'; the names are, closest first: S2L2A"
    ):
        terramind.read(weights, modalities=("DEM",))
    with pytest.raises(ValueError, match="bands are given for S1GRD, which is not among the modalities S2L2A"):
        terramind.read(weights, bands={"S1GRD": ("VV",)})


def test_heads_are_never_guessed(oracles):
    path = oracles / "terramind_gelu.npz"
    cfg, params, _ = terramind.read(read(path))
    assert cfg.heads is None
    with pytest.raises(ValueError, match="TerraMindConfig.heads is not known: .* set it, such as by --heads"):
        apply_terramind(params, images_of(path, ("S2L2A",)), cfg)
    with pytest.raises(ValueError, match="TerraMindConfig.heads: 5 does not divide the width 64"):
        terramind.read(read(path), heads=5)


def test_images_that_do_not_fit_are_refused(oracles):
    cfg, params, _ = terramind.read(read(oracles / "terramind_gelu.npz"), heads=4)
    with pytest.raises(ValueError, match=r"images\['S2L2A'\]: expected .* C = 12 bands, H and W multiples of 16 px"):
        apply_terramind(params, {"S2L2A": jnp.zeros((1, 64, 60, 12))}, cfg)
    with pytest.raises(ValueError, match=r"expected some of the modalities S2L2A, got S1GRD"):
        apply_terramind(params, {"S1GRD": jnp.zeros((1, 64, 64, 2))}, cfg)


def test_statistics_follow_the_bands():
    assert statistics("RGB", ("BLUE", "RED")) == ((66.667, 87.271), (42.631, 58.767))
    for name, published in MODALITIES.items():
        mean, std = statistics(name)
        assert len(mean) == len(std) == len(published.bands) == len(modality(name).bands)
