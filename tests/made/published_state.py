"""Random state dicts of published encoders by their published names, small enough for a NumPy forward pass."""

import jax
import numpy as np

from spectral_jax.interop import names


def random_state(converter, init, cfg, fixed, seed=0):
    """Float32 arrays of deviation 0.3 by the names of a converter's `leaves`; those of our paths `fixed` are `init`'s."""
    rng = np.random.default_rng(seed)

    def start():
        return names.flatten(init(jax.random.key(seed), cfg))

    # Of what `init` draws nothing is computed but `fixed`.
    shapes, kept = jax.eval_shape(start), jax.jit(lambda: {k: x for k, x in start().items() if k.endswith(fixed)})()
    state = {}
    for leaf in converter.leaves(cfg):
        if leaf.path in kept:
            value = np.asarray(kept[leaf.path])
        else:
            size = shapes[leaf.path].shape
            value = rng.normal(scale=0.3, size=size).astype(np.float32) + leaf.path.endswith("scale")
        state[leaf.name] = np.asarray(leaf.published(value.astype(np.float32)), order="C")
    return state
