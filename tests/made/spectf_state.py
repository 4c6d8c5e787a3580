"""A state dict of SpecTf by its published names, of random numbers."""

import numpy as np

RELEASES = ("v0.0.1", "v0.1.0")


def random_state(rng, width=16, hidden=12):
    """Numbers large enough that every layer matters."""
    shapes = {
        "spectral_embed.linear.weight": (width, 2),
        "spectral_embed.linear.bias": (width,),
        "layers.0.attention.attention.in_proj_weight": (3 * width, width),
        "layers.0.attention.attention.in_proj_bias": (3 * width,),
        "layers.0.attention.attention.out_proj.weight": (width, width),
        "layers.0.attention.attention.out_proj.bias": (width,),
        "layers.0.ff.linear1.weight": (hidden, width),
        "layers.0.ff.linear1.bias": (hidden,),
        "layers.0.ff.linear2.weight": (width, hidden),
        "layers.0.ff.linear2.bias": (width,),
        "layers.0.norm1.weight": (width,),
        "layers.0.norm1.bias": (width,),
        "layers.0.norm2.weight": (width,),
        "layers.0.norm2.bias": (width,),
        "head.weight": (2, width),
        "head.bias": (2,),
    }
    return {name: rng.normal(0, 0.5, size=shape).astype(np.float32) for name, shape in shapes.items()}


def written(folder, rng, release="v0.1.0"):
    """Converted weights of random numbers in a folder, and their state dict, of 4 heads."""
    from spectral_jax import interop
    from spectral_jax.interop import spectf
    from spectral_jax.interop.weights_file import Weights

    state = random_state(rng)
    state |= {name: 0.05 * state[name] for name in ("head.weight", "head.bias")}  # so that no probability is all but 1
    interop.save(folder, *spectf.read(Weights("a.pt", state), release, 4))
    return state
