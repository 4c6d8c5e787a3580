"""HyperSIGMA's forward pass in plain NumPy, float64, one image [H W C] at a time, from a state dict by its published names.

Sampling is written point by point, pooling and interpolation sample by sample.
"""

import math

import numpy as np
from reference import numpy_vit


def bilinear_sample(grid, x, y):
    """A map [h w D] between its tokens at column x and row y; what lies outside is 0."""
    rows, columns, total = *grid.shape[:2], np.zeros(grid.shape[2])
    for row in (math.floor(y), math.floor(y) + 1):
        for column in (math.floor(x), math.floor(x) + 1):
            if 0 <= row < rows and 0 <= column < columns:
                total += (1 - abs(y - row)) * (1 - abs(x - column)) * grid[row, column]
    return total


def softmax(x):
    """Shares of the last axis."""
    x = np.exp(x - x.max())
    return x / x.sum()


def attention(x, state, name, heads, grid):
    """Attention of a block up to its projection, sampling where the state has offsets; x [N D]."""
    size = x.shape[1] // heads
    qkv = numpy_vit.linear(x, state, f"{name}.qkv")
    query, key, value = np.split(qkv, 3, axis=1)
    out = np.zeros((len(x), heads * size))
    offsets = None
    if f"{name}.sampling_offsets.weight" in state:
        offsets = numpy_vit.linear(query, state, f"{name}.sampling_offsets").reshape(len(x), heads, -1, 2)
    for a in range(heads):
        part = slice(a * size, (a + 1) * size)
        maps = [half[:, part].reshape(*grid, size) for half in (key, value)]
        for n in range(len(x)):
            keys, values = key[:, part], value[:, part]
            if offsets is not None:
                places = [(n % grid[1] + dx, n // grid[1] + dy) for dx, dy in offsets[n, a]]
                keys, values = (np.array([bilinear_sample(m, *place) for place in places]) for m in maps)
            out[n, part] = softmax(keys @ query[n, part] / math.sqrt(size)) @ values
    return numpy_vit.linear(out, state, f"{name}.proj")


def trunk(x, state, prefix, heads, grid):
    """Tokens [N D] after each block, as many as the state has."""
    kept = []
    while f"{prefix}blocks.{len(kept)}.norm1.weight" in state:
        block = f"{prefix}blocks.{len(kept)}"
        h = attention(numpy_vit.norm(x, state, f"{block}.norm1"), state, f"{block}.attn", heads, grid)
        x = x + state.get(f"{block}.gamma_1", 1.0) * h
        h = numpy_vit.mlp(numpy_vit.norm(x, state, f"{block}.norm2"), state, f"{block}.mlp")
        x = x + state.get(f"{block}.gamma_2", 1.0) * h
        kept.append(x)
    return kept


def spatial(image, state, heads, prefix=""):
    """Tokens after each block, and the grid; rows and columns that are left over are dropped."""
    kernel = state[f"{prefix}patch_embed.proj.weight"]
    side = kernel.shape[2]
    grid = (image.shape[0] // side, image.shape[1] // side)
    x = np.zeros((grid[0] * grid[1], len(kernel)))
    for n in range(len(x)):
        row, column = n // grid[1] * side, n % grid[1] * side
        patch = image[row : row + side, column : column + side]
        x[n] = np.einsum("ocij,ijc->o", kernel, patch) + state[f"{prefix}patch_embed.proj.bias"]
    x = x + (state[f"{prefix}pos_embed"][0] if f"{prefix}pos_embed" in state else 0.0)
    return trunk(x, state, prefix, heads, grid), grid


def spectral(image, state, heads, tokens, prefix=""):
    """Tokens after each block."""
    bands, pixels = image.shape[2], image.reshape(-1, image.shape[2])
    binned = np.zeros((tokens, len(pixels)))
    for t in range(tokens):
        binned[t] = pixels[:, math.floor(t * bands / tokens) : math.ceil((t + 1) * bands / tokens)].mean(axis=1)
    x = numpy_vit.linear(binned, state, f"{prefix}spat_map")
    x = x + (state[f"{prefix}pos_embed"][0] if f"{prefix}pos_embed" in state else 0.0)
    return trunk(x, state, prefix, heads, (math.isqrt(tokens),) * 2)


def doubled(maps, state, name):
    """A transposed convolution of two by two pixels, stride 2."""
    weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
    out = np.zeros((2 * maps.shape[0], 2 * maps.shape[1], weight.shape[1]))
    for row, column in np.ndindex(out.shape[:2]):
        out[row, column] = maps[row // 2, column // 2] @ weight[:, :, row % 2, column % 2] + bias
    return out


def largest(maps, side):
    """The maximum of whole squares of tokens."""
    out = np.zeros((maps.shape[0] // side, maps.shape[1] // side, maps.shape[2]))
    for row, column in np.ndindex(out.shape[:2]):
        out[row, column] = maps[row * side : (row + 1) * side, column * side : (column + 1) * side].max(axis=(0, 1))
    return out


def pyramid(maps, state, patch, prefix=""):
    """Four maps [h w D], shallow to deep, at four sizes."""
    first, second, third, fourth = maps
    if patch in (1, 2):
        return [doubled(first, state, f"{prefix}fpn1.0"), second, largest(third, 2), largest(fourth, 4)]
    if patch in (4, 8):
        return [first, second, largest(third, 2), largest(fourth, 4)]
    if patch == 11:
        return [first, second, third, fourth]
    once = numpy_vit.gelu(numpy_vit.norm(doubled(first, state, f"{prefix}fpn1.0"), state, f"{prefix}fpn1.1.ln"))
    return [doubled(once, state, f"{prefix}fpn1.3"), doubled(second, state, f"{prefix}fpn2.0"), third, largest(fourth, 2)]


def enlarged(maps, wanted):
    """Bilinear, corners on corners."""
    out = np.zeros((*wanted, maps.shape[2]))
    for row, column in np.ndindex(*wanted):
        y, x = (i * (n - 1) / (m - 1) for i, n, m in zip((row, column), maps.shape[:2], wanted, strict=True))
        out[row, column] = bilinear_sample(maps, x, y)
    return out


def weights(summary, state, name):
    """How much channels are scaled up, from 0 to 1."""
    hidden = np.maximum(state[f"{name}.0.weight"] @ summary, 0)
    return 1 / (1 + np.exp(-state[f"{name}.2.weight"] @ hidden))


def fused(image, state, heads, taps, tokens, task, target=None):
    """The final output of a fusion: "classes" [K], "map" [H W K], "target" [H W] or "anomaly" [H W 2]."""
    state = {name: np.asarray(value, float) for name, value in state.items()}
    blocks, grid = spatial(image, state, heads, "spat_encoder.")
    maps = [blocks[i].reshape(*grid, -1) for i in taps]
    first = spectral(image, state, heads, tokens, "spec_encoder.")[taps[0]]
    summary = (first @ state["spec_encoder.l1.weight"].T).mean(axis=1)
    if task in ("target", "anomaly"):
        x = sum(m @ state[f"spat_encoder.fpn{j}.weight"][:, :, 0, 0].T for j, m in enumerate(maps, 1))
        x = (1 + weights(summary, state, "fc_spec")) * (x @ state["conv_features.weight"][:, :, 0, 0].T)
        if task == "anomaly":
            return x @ state["conv_fc.0.weight"][:, :, 0, 0].T
        h = numpy_vit.norm(state["conv_ts.0.weight"] @ target, state, "conv_ts.1", 1e-5)
        return x @ (state["conv_ts.3.weight"] @ numpy_vit.gelu(h))
    maps = pyramid(maps, state, state["spat_encoder.patch_embed.proj.weight"].shape[2], "spat_encoder.")[::-1]
    reduced = []
    for j, x in enumerate(maps, 1):
        w, reduce = 1 + weights(summary, state, f"fc_spec{j}"), state[f"DR{j}.weight"][:, :, 0, 0].T
        reduced.append(
            (w * (x @ reduce)).mean(axis=(0, 1)) if task == "classes" else (w * enlarged(x, image.shape[:2])) @ reduce
        )
    x = np.concatenate(reduced, axis=-1)
    if task == "classes":
        for i in (0, 2, 4):
            x = numpy_vit.linear(x, state, f"classifier.{i}")
        return x
    for name in ("conv", "cls"):
        x = x @ state[f"{name}.weight"][:, :, 0, 0].T + state[f"{name}.bias"]
    return x
