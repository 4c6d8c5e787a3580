"""SpecTf's forward pass in plain NumPy, float64, one spectrum at a time, from a state dict by its published names."""

import numpy as np
from reference import numpy_vit


def spectrum(state, reflectance, centre_nm, heads=8):
    """Tokens [S D], their maximum [D] and the logits [2] of one spectrum [S]."""
    state = {name: np.asarray(value, float) for name, value in state.items()}
    pairs = np.stack([np.asarray(reflectance, float), (np.asarray(centre_nm, float) - 1440) / 600], axis=1)
    x = np.tanh(numpy_vit.linear(pairs, state, "spectral_embed.linear"))
    x, name = numpy_vit.norm(x, state, "layers.0.norm1", 1e-5), "layers.0.attention.attention"
    x = numpy_vit.attention(x, state[f"{name}.in_proj_weight"], state[f"{name}.in_proj_bias"], heads)
    x = numpy_vit.norm(numpy_vit.linear(x, state, f"{name}.out_proj"), state, "layers.0.norm2", 1e-5)
    x = numpy_vit.linear(numpy_vit.gelu(numpy_vit.linear(x, state, "layers.0.ff.linear1")), state, "layers.0.ff.linear2")
    return x, x.max(0), numpy_vit.linear(x.max(0), state, "head")


def cloud_probability(logits):
    """The second of two shares."""
    return 1 / (1 + np.exp(logits[0] - logits[1]))
