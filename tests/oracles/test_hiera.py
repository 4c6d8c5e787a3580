"""The stages against published Hiera (facebookresearch/hiera): random weights of a small size, float32 on a CPU."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spectral_jax.model.encoder.hiera import Stage, to_grid, to_windows
from spectral_jax.model.encoder.tokenize import BandConvolution
from spectral_jax.model.layers import Dense, LayerNorm

TOLERANCE = 2e-5  # of the output's largest number


@pytest.fixture(scope="module")
def oracle(oracles):
    with np.load(oracles / "hiera.npz") as file:
        return {name: file[name] for name in file.files}


def _linear(state, name):
    return {"kernel": state.pop(f"{name}.weight").T, "bias": state.pop(f"{name}.bias")}


def _norm(state, name):
    return {"scale": state.pop(f"{name}.weight"), "bias": state.pop(f"{name}.bias")}


def _block(state, i):
    name = f"blocks.{i}"
    block = {
        "norm1": _norm(state, f"{name}.norm1"),
        "attend": {"qkv": _linear(state, f"{name}.attn.qkv"), "out": _linear(state, f"{name}.attn.proj")},
        "norm2": _norm(state, f"{name}.norm2"),
        "mlp": {"in": _linear(state, f"{name}.mlp.fc1"), "out": _linear(state, f"{name}.mlp.fc2")},
    }
    if f"{name}.proj.weight" in state:
        block["skip"] = _linear(state, f"{name}.proj")
    return block


def _apply(module, params, *args):
    return jax.jit(module.apply)({"params": params}, *args)


@pytest.fixture(scope="module")
def ours(oracle):
    """Maps of the three stages, class probabilities, and the state's names that were not used."""
    state = {k.removeprefix("state/"): v for k, v in oracle.items() if k.startswith("state/")}
    width, heads = int(oracle["config/embed_dim"]), int(oracle["config/num_heads"])
    depths, unit = [int(d) for d in oracle["config/stages"]], int(oracle["config/mask_unit_size"][0])
    options = dict(mlp_ratio=4, dtype=jnp.dtype("float32"))
    with jax.default_matmul_precision("highest"):
        image = jnp.asarray(oracle["input/image"]).transpose(0, 2, 3, 1)
        conv = {"kernel": state.pop("patch_embed.proj.weight").transpose(1, 2, 3, 0)}  # D C i j -> C i j D
        conv["bias"] = state.pop("patch_embed.proj.bias")[None]
        embed = BandConvolution(2, (0,) * image.shape[-1], 1, width, jnp.dtype("float32"))
        x, _ = _apply(embed, conv, image, jnp.ones(image.shape[:3], bool))
        x = x[..., 0, :]
        rows = x.shape[1]
        x = to_windows(x + state.pop("pos_embed").reshape(1, rows, rows, width), unit)
        valid, maps, block = jnp.ones(x.shape[:4], bool), [], 0
        for i, depth in enumerate(depths):
            params = {f"block{j}": _block(state, block + j) for j in range(depth)}
            stage = Stage(width << i, heads << i, depth, pool=i > 0, whole=i == 2, **options)
            x, valid = _apply(stage, params, x, valid)
            maps.append(to_grid(x, rows >> i, rows >> i))
            block += depth
        pooled = _apply(LayerNorm(jnp.dtype("float32")), _norm(state, "norm"), maps[-1].mean(axis=(1, 2)))
        classes = oracle["output/logits"].shape[1]
        logits = _apply(Dense(classes, jnp.dtype("float32")), _linear(state, "head.projection"), pooled)
    return maps, jax.nn.softmax(logits), state


@pytest.mark.parametrize("stage", [0, 1, 2])
def test_stage_agrees_with_published_hiera(oracle, ours, stage):
    expected = oracle[f"output/stage{stage}"]
    assert ours[0][stage].shape == expected.shape
    assert np.abs(ours[0][stage] - expected).max() <= TOLERANCE * np.abs(expected).max()


def test_class_probabilities_agree_with_published_hiera(oracle, ours):
    # Published Hiera applies a softmax outside training, so what it calls logits sums to one.
    expected = oracle["output/logits"]
    np.testing.assert_allclose(expected.sum(axis=1), 1.0, atol=1e-6)
    assert np.abs(ours[1] - expected).max() <= TOLERANCE * np.abs(expected).max()


def test_every_published_parameter_is_used(ours):
    assert list(ours[2]) == []
