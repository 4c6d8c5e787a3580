"""Collapse alarms: spread and effective rank of embeddings over the global batch."""

import jax
import jax.numpy as jnp

from spectral_jax.means import Axis, global_mean
from spectral_jax.shapes import check


def alarms(embedding: jax.Array, weight: jax.Array, axis: Axis = None) -> dict[str, jax.Array]:
    """Two numbers that fall when embeddings collapse.

    `embedding_std` is the standard deviation over samples of the L2-normalised embeddings, root mean square over dimensions,
    times sqrt(D): 0 when all are alike, 1 when their directions spread evenly. `embedding_rank` is the participation ratio of
    their covariance, (sum of eigenvalues)^2 / sum of squares: between 1 and min(D, samples - 1); it needs no eigenvalues.

    Args:
      embedding: [B D].
      weight: [B], which samples count.
      axis: mesh axes of `shard_map`, or None.
    """
    sizes = check(embedding, "B D", "embedding")
    check(weight, "B", "weight", sizes)
    x = embedding.astype(jnp.float32)
    x = x / jnp.maximum(jnp.linalg.norm(x, axis=-1, keepdims=True), 1e-12)
    mean = global_mean(jnp.einsum("bd,b->d", x, weight), weight.sum(), axis)
    x = (x - mean[None]) * weight[:, None]
    covariance = global_mean(jnp.einsum("bd,be->de", x, x, precision="highest"), weight.sum(), axis)
    variance = jnp.trace(covariance)
    return {
        "embedding_std": jnp.sqrt(variance),
        "embedding_rank": variance**2 / jnp.maximum(jnp.sum(covariance**2), 1e-30),
    }
