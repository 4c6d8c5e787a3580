"""A vision transformer's forward pass in plain NumPy, float64, from a state dict by its published names."""

import math

import numpy as np
from scipy.special import erf, expit


def norm(x, state, name, eps=1e-6):
    """LayerNorm over the last axis."""
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * state[f"{name}.weight"] + state[f"{name}.bias"]


def linear(x, state, name):
    """A linear layer, with or without bias."""
    return x @ state[f"{name}.weight"].T.astype(float) + state.get(f"{name}.bias", 0.0)


def attention(x, weight, bias, heads):
    """Self-attention up to its output projection; x [N D], weight [3D D]."""
    query, key, value = np.split(x @ weight.T.astype(float) + bias, 3, axis=1)
    out, size = np.zeros_like(x), x.shape[1] // heads
    for a in range(heads):
        part = slice(a * size, (a + 1) * size)
        scores = query[:, part] @ key[:, part].T / math.sqrt(size)
        scores = np.exp(scores - scores.max(1, keepdims=True))
        out[:, part] = scores / scores.sum(1, keepdims=True) @ value[:, part]
    return out


def gelu(x):
    """x times the normal distribution function."""
    return x * 0.5 * (1 + erf(x / math.sqrt(2)))


def mlp(x, state, name):
    """GELU between two layers; gated by SiLU where the state has a third."""
    h = linear(x, state, f"{name}.fc1")
    h = h * expit(h) * linear(x, state, f"{name}.fc3") if f"{name}.fc3.weight" in state else gelu(h)
    return linear(h, state, f"{name}.fc2")


def block(x, state, name, heads):
    """One timm block with LayerScale where the state has it; x [N D]."""
    qkv = state[f"{name}.attn.qkv.weight"], state.get(f"{name}.attn.qkv.bias", 0.0)
    h = linear(attention(norm(x, state, f"{name}.norm1"), *qkv, heads), state, f"{name}.attn.proj")
    x = x + h * state.get(f"{name}.ls1.gamma", 1.0)
    return x + mlp(norm(x, state, f"{name}.norm2"), state, f"{name}.mlp") * state.get(f"{name}.ls2.gamma", 1.0)


def trunk(x, state, prefix, heads):
    """What each block gives, as many as the state has; x [N D], `prefix` such as "vit_core.blocks"."""
    kept = []
    while f"{prefix}.{len(kept)}.norm1.weight" in state:
        kept.append(block(kept[-1] if kept else x, state, f"{prefix}.{len(kept)}", heads))
    return kept


def patches(image, side):
    """Flattened patches [N side*side*C] of an image [H W C], (row, column, channel), channel fastest."""
    rows, columns = (n // side for n in image.shape[:2])
    cut = image.reshape(rows, side, columns, side, -1).transpose(0, 2, 1, 3, 4)
    return cut.reshape(rows * columns, -1)


def with_class(tokens, state, prefix, positions):
    """Patch tokens [N D] with the class token before them and positions [1+N D] added."""
    return np.concatenate([state[f"{prefix}cls_token"][0], tokens]) + positions
