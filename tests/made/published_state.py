"""Random state dicts of published encoders by their published names, small enough for a NumPy forward pass."""

import jax
import numpy as np

from spectral_jax.interop import names


def random_state(converter, init, cfg, fixed, seed=0):
    """Float32 arrays of deviation 0.3 by the names of a converter's `leaves`; those of our paths `fixed` are `init`'s."""
    rng = np.random.default_rng(seed)
    start = names.flatten(init(jax.random.key(seed), cfg))
    state = {}
    for leaf in converter.leaves(cfg):
        value = np.asarray(start[leaf.path])
        if not leaf.path.endswith(fixed):
            value = rng.normal(scale=0.3, size=value.shape).astype(np.float32) + leaf.path.endswith("scale")
        state[leaf.name] = np.asarray(leaf.published(value.astype(np.float32)), order="C")
    return state
