"""SpectralEarth's forward pass in plain NumPy, float64, from a state dict by its published names."""

import numpy as np
from reference import numpy_vit


def normalise(x, state, name):
    """Batch normalisation of the first axis [C ...] by running statistics, epsilon 1e-5."""
    shape = (-1,) + (1,) * (x.ndim - 1)
    part = {k: state[f"{name}.{k}"].astype(float).reshape(shape) for k in ("weight", "bias", "running_mean", "running_var")}
    return (x - part["running_mean"]) / np.sqrt(part["running_var"] + 1e-5) * part["weight"] + part["bias"]


def adapter(image, state, normalise=normalise):
    """The adapter's channels [K H W] of one image [C H W]; `normalise` may take statistics from what it gets."""
    x = image[None].astype(float)  # channel, band, row, column
    for place, stride in ((0, 5), (3, 5), (6, 3)):
        weight = state[f"spectral_adapter.{place}.weight"][..., 0, 0].astype(float)
        x = np.pad(x, ((0, 0), (1, 1), (0, 0), (0, 0)))
        starts = range(0, x.shape[1] - weight.shape[2] + 1, stride)
        x = np.stack([np.tensordot(weight, x[:, s : s + weight.shape[2]], 2) for s in starts], 1)
        x = x + state[f"spectral_adapter.{place}.bias"][:, None, None, None]
        x = np.maximum(normalise(x, state, f"spectral_adapter.{place + 1}"), 0)
    return x.mean(1)


def tokens(state, image, patch, heads, positions=None):
    """Tokens of each block for one image [C H W]; `positions` [1+N D] are those of the state where None."""
    cut = numpy_vit.patches(np.moveaxis(adapter(image, state), 0, -1), patch)
    weight = state["vit_core.patch_embed.proj.weight"].astype(float)
    x = cut @ weight.transpose(2, 3, 1, 0).reshape(-1, len(weight)) + state["vit_core.patch_embed.proj.bias"]
    x = numpy_vit.with_class(x, state, "vit_core.", state["vit_core.pos_embed"][0] if positions is None else positions)
    return numpy_vit.trunk(x, state, "vit_core.blocks", heads)
