"""Galileo's forward pass in plain NumPy, float64, from a state dict by its published names; unseen tokens are removed."""

import math

import numpy as np
from reference import numpy_vit

SPACE_TIME = {"S1": 2, "S2_RGB": 3, "S2_Red_Edge": 3, "S2_NIR_10m": 1, "S2_NIR_20m": 1, "S2_SWIR": 2, "NDVI": 1}
SPACE = {"SRTM": 2, "DW": 9, "WC": 5}
TIME = {"ERA5": 2, "TC": 3, "VIIRS": 1}
STATIC = {"LS": 1, "location": 3, "DW_static": 9, "WC_static": 5}
EPS = 1e-5


def cubic(x):
    """Keys' kernel with a = -0.5."""
    x = abs(x)
    if x < 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def resizing(size, wanted):
    """Antialiased bicubic resizing of one axis [wanted size]."""
    scale, rows = size / wanted, np.zeros((wanted, size))
    for i in range(wanted):
        centre = scale * (i + 0.5)
        low, high = max(int(centre - 2 * scale + 0.5), 0), min(int(centre + 2 * scale + 0.5), size)
        for j in range(low, high):
            rows[i, j] = cubic((j - centre + 0.5) / scale)
        rows[i] /= rows[i].sum()
    return rows


def kernel(weight, patch):
    """A kernel [D C P P] for `patch` pixels: the least squares over both axes at once."""
    size = weight.shape[-1]
    if size == patch:
        return weight.astype(float)
    both = np.kron(resizing(size, patch), resizing(size, patch))
    flat = weight.reshape(*weight.shape[:2], -1).astype(float)
    return (flat @ np.linalg.pinv(both.T).T).reshape(*weight.shape[:2], patch, patch)


def sincos(width, t):
    """[sin, cos] of one number with frequencies 10000^(-k / (2 D))."""
    rates = [10000 ** (-k / (2 * width)) for k in range(width // 2)]
    return np.array([math.sin(t * f) for f in rates] + [math.cos(t * f) for f in rates])


def embedded(state, sample, patch, gsd_m):
    """Tokens of one sample, and which are seen, one after another.

    `sample` is a dict of the published arrays without the batch axis: s_t_x, s_t_m, sp_x, sp_m, t_x, t_m, st_x, st_m, months.
    """
    width = len(state["norm.bias"])
    part, (rows, columns, steps) = width // 4, sample["s_t_x"].shape[:3]
    found, seen, none = [], [], np.zeros(part)

    def month(t):
        angle = 2 * math.pi * sample["months"][t] / 12
        return np.repeat([math.sin(angle), math.cos(angle)], part // 2)

    def place(h, w):
        scale = gsd_m * patch / 10
        return np.concatenate([sincos(part // 2, w * scale), sincos(part // 2, h * scale)])

    def add(value, table, group, more, mask):
        found.append(value + np.concatenate([state[f"{table}_channel_embed"][group], *more]))
        seen.append(mask == 0)

    def patches(name, cut):
        made = kernel(state[f"{name}.proj.weight"], patch)
        return np.einsum("dcpq,pqc->d", made, cut) + state[f"{name}.proj.bias"]

    cells = [(h, w) for h in range(rows // patch) for w in range(columns // patch)]
    here = {(h, w): (slice(h * patch, (h + 1) * patch), slice(w * patch, (w + 1) * patch)) for h, w in cells}
    for h, w in cells:
        for t in range(steps):
            start = 0
            for i, (group, count) in enumerate(SPACE_TIME.items()):
                value = patches(f"space_time_embed.{group}", sample["s_t_x"][*here[h, w], t, start : start + count])
                mask = sample["s_t_m"][h * patch, w * patch, t, i]
                add(value, "s_t", i, (sincos(part, t), month(t), place(h, w)), mask)
                start += count
    for h, w in cells:
        start = 0
        for i, (group, count) in enumerate(SPACE.items()):
            value = patches(f"space_embed.{group}", sample["sp_x"][*here[h, w], start : start + count])
            add(value, "sp", i, (none, none, place(h, w)), sample["sp_m"][h * patch, w * patch, i])
            start += count
    for t in range(steps):
        start = 0
        for i, (group, count) in enumerate(TIME.items()):
            value = numpy_vit.linear(sample["t_x"][t, start : start + count], state, f"time_embed.{group}")
            add(value, "t", i, (sincos(part, t), month(t), none), sample["t_m"][t, i])
            start += count
    start = 0
    for i, (group, count) in enumerate(STATIC.items()):
        value = numpy_vit.linear(sample["st_x"][start : start + count], state, f"static_embed.{group}")
        add(value, "st", i, (none, none, none), sample["st_m"][i])
        start += count
    return np.stack(found), np.array(seen)


def block(x, state, name, heads):
    """One block with separate query, key and value; x [N D] of seen tokens only."""
    packed = [np.concatenate([state[f"{name}.attn.{part}.{what}"] for part in "qkv"]) for what in ("weight", "bias")]
    h = numpy_vit.attention(numpy_vit.norm(x, state, f"{name}.norm1", EPS), *packed, heads)
    x = x + numpy_vit.linear(h, state, f"{name}.attn.proj")
    return x + numpy_vit.mlp(numpy_vit.norm(x, state, f"{name}.norm2", EPS), state, f"{name}.mlp")


def tokens(state, sample, patch, gsd_m, heads, depth):
    """All tokens of one sample after the last norm [N D], zeros before it where unseen, and which are seen."""
    x, seen = embedded(state, sample, patch, gsd_m)
    kept = x[seen]
    for i in range(depth):
        kept = block(kept, state, f"blocks.{i}", heads)
    whole = np.zeros_like(x)
    whole[seen] = kept
    return numpy_vit.norm(whole, state, "norm", EPS), seen
