"""Base-size encoders, 768 wide and 12 deep, against a forward pass in plain NumPy, float64, from the published description.

No published weights are here: state dicts of the published names and shapes hold random numbers of the scales of trained ones
(weights of variance 1/fan in, norms around 1), and go in as a file, as a user's would. The tolerance is that of the oracles.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made.oracle_file import TOLERANCE, difference
from reference import numpy_dofa, numpy_spectralearth, numpy_vit

from spectral_jax.interop import dofa, encode, read, safetensors_file, spectralearth, terramind

pytestmark = pytest.mark.slow
WIDTH, DEPTH, HEADS = 768, 12, 12


class State(dict):
    """A state dict that draws what is put in."""

    def __init__(self, rng):
        super().__init__()
        self._rng = rng

    def normal(self, name, *shape, std):
        self[name] = self._rng.standard_normal(shape, np.float32) * np.float32(std)

    def linear(self, name, out, *fan_in, bias=True):
        """Weight [out, *fan_in] and bias."""
        self.normal(f"{name}.weight", out, *fan_in, std=np.prod(fan_in) ** -0.5)
        if bias:
            self.normal(f"{name}.bias", out, std=0.1)

    def norm(self, name, width, bias=True):
        self[f"{name}.weight"] = self._rng.uniform(0.5, 1.5, width).astype(np.float32)
        self.normal(f"{name}.bias", width, std=0.1 if bias else 0.0)

    def blocks(self, prefix, hidden, gated=False):
        """A transformer with biases and GELU, or, gated, without them and with a third layer."""
        for i in range(DEPTH):
            self.norm(f"{prefix}.{i}.norm1", WIDTH, bias=not gated)
            self.linear(f"{prefix}.{i}.attn.qkv", 3 * WIDTH, WIDTH, bias=not gated)
            self.linear(f"{prefix}.{i}.attn.proj", WIDTH, WIDTH, bias=not gated)
            self.norm(f"{prefix}.{i}.norm2", WIDTH, bias=not gated)
            self.linear(f"{prefix}.{i}.mlp.fc1", hidden, WIDTH, bias=not gated)
            self.linear(f"{prefix}.{i}.mlp.fc2", WIDTH, hidden, bias=not gated)
            if gated:
                self.linear(f"{prefix}.{i}.mlp.fc3", hidden, WIDTH, bias=False)


def _sines(positions, width):
    """Sines, then cosines, of positions [N] at width/2 frequencies from 1 down to almost 1e-4; [N width]."""
    angle = np.outer(positions, 10000.0 ** (-np.arange(width // 2) / (width // 2)))
    return np.concatenate([np.sin(angle), np.cos(angle)], 1)


def _grid(side):
    """Sines and cosines of rows beside those of columns, [side*side 768] in raster order."""
    rows, columns = np.divmod(np.arange(side**2), side)
    return np.concatenate([_sines(rows, WIDTH // 2), _sines(columns, WIDTH // 2)], 1).astype(np.float32)


def _through_a_file(state, folder):
    path = folder / "base.safetensors"
    safetensors_file.write(path, state)
    weights = read(path)
    path.unlink()  # pytest would keep its 350 MB
    return weights


def _encode(params, image, cfg, wavelengths_nm=None):
    with jax.default_matmul_precision("highest"):
        run = jax.jit(encode, static_argnames="cfg")
        return run(params, jnp.asarray(image), cfg=cfg, wavelengths_nm=wavelengths_nm)


def _agree(found, expected):
    """All blocks' tokens [1 N D] against [N D]."""
    assert len(found.blocks) == len(expected) == DEPTH
    for tokens, value in zip(found.blocks, expected, strict=True):
        assert difference(tokens[0], value) <= TOLERANCE


def test_terramind_base_at_224_px_and_12_bands(rng, tmp_path):
    """Gated SiLU, no biases, 196 tokens; y = fc2(silu(fc1 x) * fc3 x)."""
    state, embed = State(rng), "encoder_embeddings.untok_sen2l2a@224"
    state.linear(f"{embed}.proj", WIDTH, 16 * 16 * 12, bias=False)
    state.normal(f"{embed}.mod_emb", 1, 1, WIDTH, std=0.02)
    state[f"{embed}.pos_emb"] = _grid(14)[None]
    state.blocks("encoder", 2048, gated=True)
    state.norm("encoder_norm", WIDTH, bias=False)
    image = rng.standard_normal((224, 224, 12), np.float32)
    cfg, params, _ = terramind.read(_through_a_file(state, tmp_path), size="base")
    assert (cfg.heads, cfg.mlp, cfg.patch, cfg.grid) == (HEADS, "swiglu", 16, 14)
    found = _encode(params, image[None], cfg)
    # The flattened patch is (row, column, channel), channel fastest.
    x = numpy_vit.linear(numpy_vit.patches(image.astype(float), 16), state, f"{embed}.proj")
    expected = numpy_vit.trunk(x + state[f"{embed}.pos_emb"][0] + state[f"{embed}.mod_emb"][0], state, "encoder", HEADS)
    expected[-1] = numpy_vit.norm(expected[-1], state, "encoder_norm")
    _agree(found, expected)
    assert difference(found.pooled[0], expected[-1].mean(0)) <= TOLERANCE


def test_dofa_base_at_224_px_and_12_bands(rng, tmp_path):
    """Version 1, patch 16: 196 tokens and the class token."""
    state, generator = State(rng), numpy_dofa.GENERATOR
    state.normal("cls_token", 1, 1, WIDTH, std=0.02)
    state["pos_embed"] = np.concatenate([np.zeros((1, WIDTH), np.float32), _grid(14)])[None]
    state.normal(f"{generator}weight_tokens", 128, 128, std=0.02)
    state.normal(f"{generator}bias_token", 1, 128, std=0.02)
    layer = f"{generator}transformer_encoder.layers.0"
    state.normal(f"{layer}.self_attn.in_proj_weight", 384, 128, std=128**-0.5)
    state.normal(f"{layer}.self_attn.in_proj_bias", 384, std=0.1)
    state.linear(f"{layer}.self_attn.out_proj", 128, 128)
    state.linear(f"{layer}.linear1", 2048, 128)
    state.linear(f"{layer}.linear2", 128, 2048)
    for name in ("norm1", "norm2"):
        state.norm(f"{layer}.{name}", 128)
    state.linear(f"{generator}fc_weight", 16 * 16 * WIDTH, 128)
    state.linear(f"{generator}fc_bias", WIDTH, 128)
    state.linear("patch_embed.fclayer.w1", 128, 128)
    state.linear("patch_embed.fclayer.w2", 128, 128)
    state.blocks("blocks", 3072)
    image = rng.standard_normal((224, 224, 12), np.float32)
    wavelengths_nm = np.array([443, 493, 560, 665, 704, 741, 783, 833, 865, 945, 1614, 2202], float)
    cfg, params, _ = dofa.read(_through_a_file(state, tmp_path), "new", size="base")
    assert (cfg.heads, cfg.patch, cfg.grid, cfg.version) == (HEADS, 16, 14, 1)
    found = _encode(params, image[None], cfg, jnp.asarray(wavelengths_nm, jnp.float32))
    expected = numpy_dofa.tokens(state, image, wavelengths_nm, "new", 16, HEADS)
    _agree(found, expected)
    pooled = expected[-1][1:].mean(0)
    plain = {"fc_norm.weight": np.ones(WIDTH), "fc_norm.bias": np.zeros(WIDTH)}
    assert difference(found.pooled[0], numpy_vit.norm(pooled, plain, "fc_norm")) <= TOLERANCE


def test_spectralearth_base_at_128_px_and_202_bands(rng, tmp_path):
    """Patch 4: 1024 tokens and the class token."""
    state = State(rng)
    for place, out, before, length in ((0, 32, 1, 7), (3, 64, 32, 7), (6, 128, 64, 5)):
        state.linear(f"spectral_adapter.{place}", out, before, length, 1, 1)
        state.norm(f"spectral_adapter.{place + 1}", out)
        state.normal(f"spectral_adapter.{place + 1}.running_mean", out, std=0.2)
        state[f"spectral_adapter.{place + 1}.running_var"] = rng.uniform(0.2, 2.0, out).astype(np.float32)
        state[f"spectral_adapter.{place + 1}.num_batches_tracked"] = np.asarray(1000, np.int64)
    state.normal("vit_core.cls_token", 1, 1, WIDTH, std=0.02)
    state.normal("vit_core.pos_embed", 1, 1025, WIDTH, std=0.1)
    state.linear("vit_core.patch_embed.proj", WIDTH, 128, 4, 4)
    state.blocks("vit_core.blocks", 3072)
    state.norm("vit_core.norm", WIDTH)
    image = rng.standard_normal((202, 128, 128), np.float32)
    cfg, params, _ = spectralearth.read(_through_a_file(state, tmp_path), size="base")
    assert (cfg.heads, cfg.patch, cfg.grid) == (HEADS, 4, 32)
    found = _encode(params, np.moveaxis(image, 0, -1)[None], cfg)
    expected = numpy_spectralearth.tokens(state, image, 4, HEADS)
    expected[-1] = numpy_vit.norm(expected[-1], state, "vit_core.norm")
    _agree(found, expected)
    assert difference(found.pooled[0], expected[-1][0]) <= TOLERANCE
