"""InfoNCE: among all places of a batch, a view finds the other views of its own place (arXiv 1807.03748; 2002.05709)."""

import jax
import jax.numpy as jnp

from spectral_jax.means import Axis, global_mean, rows
from spectral_jax.shapes import check


def infonce(z: jax.Array, filled: jax.Array, pairs: jax.Array, temperature: float, axis: Axis = None) -> jax.Array:
    """Mean cross-entropy of choosing the same place, over ordered pairs of views.

    Args:
      z: embeddings float32 [T B K] of T views of B places on this device; compared by cosine.
      filled: float32 [T B], 1 where a view holds anything; others are neither chosen nor choose.
      pairs: float32 [T T], what each ordered pair (who chooses, among whom) counts; 0 for a view and itself.
      temperature: of the cosines.
      axis: mesh axes of `shard_map`, or None; places of all devices are chosen among.

    Returns:
      A scalar in nats; ln(places) where embeddings tell nothing, 0 where no pair counts.
    """
    sizes = check(z, "V B D", "z")
    check(filled, "V B", "filled", sizes)
    unit = z * jax.lax.rsqrt(jnp.maximum(jnp.sum(z * z, axis=-1, keepdims=True), 1e-12))  # a norm's slope at 0 is NaN
    everyone, there = (x if axis is None else jax.lax.all_gather(x, axis, axis=1, tiled=True) for x in (unit, filled))
    cosine = jnp.einsum("tbk,snk->tsbn", unit, everyone, precision="highest") / temperature
    cosine = jnp.where(there[None, :, None] > 0, cosine, -jnp.inf)
    own = rows(sizes["B"], axis)
    counts = pairs[:, :, None] * filled[:, None] * filled[None]
    # Of a pair that does not count the cosines may all be absent; it takes 0 in their place, so that no gradient is NaN.
    cosine = jnp.where(counts[..., None] > 0, cosine, 0.0)
    found = jnp.take_along_axis(cosine, jnp.broadcast_to(own[None, None, :, None], (*counts.shape, 1)), axis=-1)[..., 0]
    entropy = jax.nn.logsumexp(cosine, axis=-1) - found
    return global_mean(jnp.sum(entropy * counts), jnp.sum(counts), axis)
