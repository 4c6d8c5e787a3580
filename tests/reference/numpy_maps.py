"""Operations on maps [h w D] in plain NumPy loops, float64, as PyTorch's documentation defines them."""

import math

import numpy as np


def bilinear(x, size):
    """`interpolate(mode="bilinear", align_corners=False)`."""
    for axis, wanted in enumerate(size):
        have, rows = x.shape[axis], []
        for i in range(wanted):
            place = max((i + 0.5) * have / wanted - 0.5, 0.0)
            low = int(place)
            high = min(low + 1, have - 1)
            rows.append(np.take(x, low, axis) * (1 - (place - low)) + np.take(x, high, axis) * (place - low))
        x = np.stack(rows, axis)
    return x


def adaptive_average(x, bins):
    """`adaptive_avg_pool2d`."""
    h, w, d = x.shape
    out = np.zeros((bins, bins, d))
    for i in range(bins):
        for j in range(bins):
            rows = slice(math.floor(i * h / bins), math.ceil((i + 1) * h / bins))
            columns = slice(math.floor(j * w / bins), math.ceil((j + 1) * w / bins))
            out[i, j] = x[rows, columns].mean((0, 1))
    return out


def conv(x, p):
    """`conv2d` with odd kernel, zeros around; kernel [s s D width]."""
    kernel = np.asarray(p["kernel"], np.float64)
    side, (h, w, _) = kernel.shape[0], x.shape
    padded = np.pad(x, [(side // 2, side // 2)] * 2 + [(0, 0)])
    out = np.zeros((h, w, kernel.shape[3]))
    for i in range(side):
        for j in range(side):
            out += padded[i : i + h, j : j + w] @ kernel[i, j]
    return out + np.asarray(p.get("bias", 0.0), np.float64)


def double(x, p):
    """`conv_transpose2d` with kernel 2 and stride 2."""
    kernel, (h, w, _) = np.asarray(p["kernel"], np.float64), x.shape
    out = np.zeros((2 * h, 2 * w, kernel.shape[3]))
    for i in range(2):
        for j in range(2):
            out[i::2, j::2] = x @ kernel[i, j]
    return out + np.asarray(p["bias"], np.float64)


def layer_norm(x, p, eps=1e-6):
    """`LayerNorm` over channels."""
    y = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + eps)
    return y * np.asarray(p["scale"], np.float64) + np.asarray(p["bias"], np.float64)


def group_norm(x, p, groups, eps=1e-5):
    """`GroupNorm`."""
    out = np.zeros_like(x)
    for channels in np.split(np.arange(x.shape[-1]), groups):
        part = x[..., channels]
        out[..., channels] = (part - part.mean()) / np.sqrt(part.var() + eps)
    return out * np.asarray(p["scale"], np.float64) + np.asarray(p["bias"], np.float64)


def gelu(x):
    """x times the normal distribution function."""
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def max_pool(x):
    """`max_pool2d(2, 2)`."""
    h, w, d = x.shape
    return x[: h // 2 * 2, : w // 2 * 2].reshape(h // 2, 2, w // 2, 2, d).max((1, 3))


def unit(x, p):
    """Convolution without bias, LayerNorm, ReLU."""
    return np.maximum(layer_norm(conv(x, p["conv"]), p["norm"]), 0)
