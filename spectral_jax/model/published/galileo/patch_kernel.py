"""A patch kernel of one size for patches of another, by the pseudo-inverse of resizing (FlexiViT, arXiv 2212.08013).

The tokens of an image and of the same image resized then agree as closely as they can.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from spectral_jax.model.published.bicubic import antialiased_weights


@functools.lru_cache(maxsize=64)
def matrix(size: int, patch: int) -> np.ndarray:
    """What brings one axis of a kernel from `size` to `patch` pixels, float32 [patch size].

    It is the pseudo-inverse of R^T, R [patch size] being PyTorch's antialiased bicubic resizing.
    """
    if size == patch:
        return np.eye(size, dtype=np.float32)
    return np.linalg.pinv(antialiased_weights(size, patch).T.astype(np.float64)).astype(np.float32)


def resized(kernel: jax.Array, patch: int) -> jax.Array:
    """A kernel [P P C D] for patches of `patch` pixels, [p p C D]; itself where the sizes are equal.

    The pseudo-inverse of two axes is the product of those of each.
    """
    if kernel.shape[0] == patch:
        return kernel
    axis = jnp.asarray(matrix(kernel.shape[0], patch))
    return jnp.einsum("pr,qs,rscd->pqcd", axis, axis, kernel, precision="highest")
