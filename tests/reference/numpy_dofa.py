"""DOFA's forward pass in plain NumPy, float64, from a state dict by its published names."""

import numpy as np
from reference import numpy_vit

GENERATOR = "patch_embed.weight_generator."


def tokens(state, image, wavelengths_nm, layout, patch, heads, trunk="", positions=None):
    """Tokens of each block for one image [H W C].

    `trunk` is the prefix of the transformer's keys, `positions` [1+N D] those of the state where None.
    """
    kernel, bias = _kernel(state, np.asarray(wavelengths_nm, float))
    bands, width = len(wavelengths_nm), len(bias)
    if layout == "new":
        kernel = kernel.reshape(bands, patch, patch, width).transpose(3, 0, 1, 2)
    else:
        kernel = kernel.reshape(width, bands, patch, patch)
    padded = np.pad(image.astype(float), ((1, 1), (1, 1), (0, 0)))
    rows, columns = ((n - patch) // patch + 1 for n in padded.shape[:2])
    cut = numpy_vit.patches(padded[: rows * patch, : columns * patch], patch)
    x = cut @ kernel.transpose(2, 3, 1, 0).reshape(-1, width) + bias
    x = numpy_vit.with_class(x, state, trunk, state[f"{trunk}pos_embed"][0] if positions is None else positions)
    return numpy_vit.trunk(x, state, f"{trunk}blocks", heads)


def _kernel(state, wavelengths_nm):
    """What the generator makes: numbers [C p*p*D] and a bias [D]."""
    angle = np.outer(wavelengths_nm, 10000.0 ** (-np.arange(64) / 64))
    waves = np.concatenate([np.sin(angle), np.cos(angle)], 1)
    h = np.maximum(numpy_vit.linear(waves, state, "patch_embed.fclayer.w1"), 0)
    waves = waves + np.maximum(numpy_vit.linear(h, state, "patch_embed.fclayer.w2"), 0)
    x = np.concatenate([state[f"{GENERATOR}weight_tokens"], waves, state[f"{GENERATOR}bias_token"]])
    layer = f"{GENERATOR}transformer_encoder.layers.0"
    packed = state[f"{layer}.self_attn.in_proj_weight"], state[f"{layer}.self_attn.in_proj_bias"]
    h = numpy_vit.linear(numpy_vit.attention(x, *packed, 4), state, f"{layer}.self_attn.out_proj")
    x = numpy_vit.norm(x + h, state, f"{layer}.norm1", 1e-5)
    h = numpy_vit.linear(numpy_vit.gelu(numpy_vit.linear(x, state, f"{layer}.linear1")), state, f"{layer}.linear2")
    x = numpy_vit.norm(x + h, state, f"{layer}.norm2", 1e-5)
    kernel = 0.01 * numpy_vit.linear(x[128:-1] + waves, state, f"{GENERATOR}fc_weight")
    return kernel, 0.01 * numpy_vit.linear(x[-1], state, f"{GENERATOR}fc_bias")
