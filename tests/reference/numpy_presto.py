"""Presto's encoder and decoder in plain NumPy, float64, from a state dict by its published names; unseen tokens are removed."""

import math

import numpy as np
from reference import numpy_vit

GROUPS = {"S1": (0, 1), "S2_RGB": (2, 3, 4), "S2_Red_Edge": (5, 6, 7), "S2_NIR_10m": (8,), "S2_NIR_20m": (9,),
          "S2_SWIR": (10, 11), "ERA5": (12, 13), "SRTM": (14, 15), "NDVI": (16,)}  # fmt: skip
EPS = 1e-5


def step(width, t):
    """Sine and cosine in turn, base 1000."""
    rates = [t / 1000 ** (2 * (j // 2) / width) for j in range(width)]
    return np.array([math.cos(r) if j % 2 else math.sin(r) for j, r in enumerate(rates)])


def month(width, number):
    """Half sines, half cosines of the month's angle."""
    angle = 2 * math.pi * number / 12
    return np.repeat([math.sin(angle), math.cos(angle)], width // 2)


def added(channels, months, part, rest):
    """[month | channel | step] of each token after the place's, in order."""
    rows = []
    for i, group in enumerate([*GROUPS, "dynamic world"]):
        for t in range(1 if group == "SRTM" else len(months)):
            when = (np.zeros(part), np.zeros(rest)) if group == "SRTM" else (month(part, months[t]), step(rest, t))
            rows.append(np.concatenate([when[0], channels[i], when[1]]))
    return np.stack(rows)


def block(x, state, name, heads):
    """One block; x [N D]."""
    qkv = state[f"{name}.attn.qkv.weight"], state[f"{name}.attn.qkv.bias"]
    h = numpy_vit.attention(numpy_vit.norm(x, state, f"{name}.norm1", EPS), *qkv, heads)
    x = x + numpy_vit.linear(h, state, f"{name}.attn.proj")
    return x + numpy_vit.mlp(numpy_vit.norm(x, state, f"{name}.norm2", EPS), state, f"{name}.mlp")


def encode(state, x, mask, cover, place, months, heads, depth):
    """One series [T 17]: seen tokens after the norm, which are seen, and the pooled embedding."""
    width, count = len(state["encoder.norm.bias"]), len(months)
    made, seen = [], []
    for group, index in GROUPS.items():
        for t in range(1 if group == "SRTM" else count):
            made.append(numpy_vit.linear(x[t, list(index)], state, f"encoder.eo_patch_embed.{group}"))
            seen.append(not mask[t, list(index)].any())
    for t in range(count):
        made.append(state["encoder.dw_embed.weight"][cover[t]])
        seen.append(cover[t] != 9)
    more = added(state["encoder.channel_embed.weight"], months, width // 4, width // 2)
    first = numpy_vit.linear(place, state, "encoder.latlon_embed")
    whole, seen = np.concatenate([first[None], np.stack(made) + more]), np.array([True, *seen])
    kept = whole[seen]
    for i in range(depth):
        kept = block(kept, state, f"encoder.blocks.{i}", heads)
    normed = numpy_vit.norm(kept, state, "encoder.norm", EPS)
    return normed, seen, numpy_vit.norm(kept.mean(0), state, "encoder.norm", EPS)


def decode(state, tokens, seen, months, heads, depth):
    """Channels [T 17] and logits [T 9] of one series from its seen tokens."""
    width, count = len(state["encoder.norm.bias"]), len(months)
    x = np.tile(state["decoder.mask_token"].astype(float), (len(seen), 1))
    x[seen] = numpy_vit.linear(tokens, state, "decoder.decoder_embed")
    rest = (width - width // 4) // 2
    x[1:] += added(state["encoder.channel_embed.weight"], months, rest, rest)
    for i in range(depth):
        x = block(x, state, f"decoder.decoder_blocks.{i}", heads)
    x = numpy_vit.norm(x, state, "decoder.decoder_norm", EPS)
    found, start = [], 1
    for group in GROUPS:
        many = 1 if group == "SRTM" else count
        made = numpy_vit.linear(x[start : start + many], state, f"decoder.eo_decoder_pred.{group}")
        found.append(np.broadcast_to(made, (count, made.shape[1])))
        start += many
    return np.concatenate(found, axis=1), numpy_vit.linear(x[start:], state, "decoder.dw_decoder_pred")
