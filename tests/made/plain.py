"""Random parameters of a module, and softmax in NumPy, for tests of layers against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np


def random_parameters(module, *args):
    """Parameters of a module, all of them random numbers of deviation 0.5."""
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), *args))
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda s: jnp.asarray(rng.normal(scale=0.5, size=s.shape), jnp.float32), shapes)


def softmax(x):
    """Softmax over the last axis."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
