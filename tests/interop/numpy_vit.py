"""A vision transformer's forward pass in plain NumPy, float64, from a state dict by its published names."""

import math

import numpy as np


def norm(x, state, name, eps=1e-6):
    """LayerNorm over the last axis."""
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * state[f"{name}.weight"] + state[f"{name}.bias"]


def linear(x, state, name):
    """A linear layer, with or without bias."""
    return x @ state[f"{name}.weight"].T + state.get(f"{name}.bias", 0.0)


def attention(x, weight, bias, heads):
    """Self-attention up to its output projection; x [N D], weight [3D D]."""
    query, key, value = np.split(x @ weight.T + bias, 3, axis=1)
    out, size = np.zeros_like(x), x.shape[1] // heads
    for a in range(heads):
        part = slice(a * size, (a + 1) * size)
        scores = query[:, part] @ key[:, part].T / math.sqrt(size)
        scores = np.exp(scores - scores.max(1, keepdims=True))
        out[:, part] = scores / scores.sum(1, keepdims=True) @ value[:, part]
    return out


def gelu(x):
    """x times the normal distribution function."""
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def block(x, state, name, heads):
    """One timm block with LayerScale where the state has it; x [N D]."""
    qkv = state[f"{name}.attn.qkv.weight"], state[f"{name}.attn.qkv.bias"]
    h = linear(attention(norm(x, state, f"{name}.norm1"), *qkv, heads), state, f"{name}.attn.proj")
    x = x + h * state.get(f"{name}.ls1.gamma", 1.0)
    h = gelu(linear(norm(x, state, f"{name}.norm2"), state, f"{name}.mlp.fc1"))
    return x + linear(h, state, f"{name}.mlp.fc2") * state.get(f"{name}.ls2.gamma", 1.0)
