"""What an encoder knows at every level, under stable names: maps with their validity, and a vector of each for a whole patch.

A pooled embedding keeps what its loss asked for. Earlier levels keep more of the spectrum, and the deviation over a patch says
what its mean cannot; probes and heads choose.
"""

from collections.abc import Sequence
from typing import NamedTuple

import einops
import jax
import jax.numpy as jnp

from spectral_jax.model.encoder.encode import Encoded
from spectral_jax.model.layers import mean_of_valid

# Names of `summaries`, fine to coarse, and what the objective trains.
NAMES = ("stage1", "stage2", "fused", "stage3", "pooled")
POOLED = NAMES[-1]
OF_VIEWS = ("fused", "stage3", POOLED)  # levels that hold all sensors; the others have a map for each
# Below the variance of what bfloat16 tells apart from a constant; it keeps the gradient of a deviation finite.
_LEAST_VARIANCE = 1e-6


class Level(NamedTuple):
    """A map of tokens; invalid ones hold 0."""

    tokens: jax.Array  # [B R Q D]
    valid: jax.Array  # bool [B R Q]


def levels(encoded: Encoded) -> dict[str, Level]:
    """The maps of an encoded batch.

    Args:
      encoded: of `encode` (or `spectral_jax.apply`).

    Returns:
      "stage1/KEY" and "stage2/KEY" of every sensor of the batch, "fused", and "stage3", in this order, fine to coarse.
    """
    out = {f"stage1/{key}": Level(x, encoded.valid1[key]) for key, x in encoded.stage1.items()}
    out |= {f"stage2/{key}": Level(x, encoded.valid2[key]) for key, x in encoded.stage2.items()}
    out["fused"] = Level(encoded.fused, encoded.valid_fused)
    rows = encoded.fused.shape[1] // 2
    whole = (einops.rearrange(x, "b (r q) ... -> b r q ...", r=rows) for x in (encoded.tokens, encoded.valid))
    return out | {"stage3": Level(*whole)}


def summary(level: Level) -> jax.Array:
    """Mean and deviation of a map over its valid tokens, float32 [B 2D]; 0 where none is valid."""
    batch, width = len(level.tokens), level.tokens.shape[-1]
    tokens, valid = level.tokens.astype(jnp.float32).reshape(batch, -1, width), level.valid.reshape(batch, -1)
    mean = mean_of_valid(tokens, valid)
    variance = mean_of_valid((tokens - mean[:, None]) ** 2, valid)
    spread = jnp.where(jnp.any(valid, axis=1, keepdims=True), jnp.sqrt(variance + _LEAST_VARIANCE), 0.0)
    return jnp.concatenate([mean, spread], axis=-1)


def summaries(encoded: Encoded, keys: Sequence[str]) -> dict[str, jax.Array]:
    """A vector of every level for each patch, for linear probes and heads of images.

    Args:
      encoded: of `encode` (or `spectral_jax.apply`).
      keys: sensors whose vectors are joined in the first two levels, in this order; what the batch lacks holds 0.

    Returns:
      Float32: "stage1" and "stage2" [B 2DS], mean and deviation of S sensors; "fused" and "stage3" [B 2D], the same of the one
      map; and "pooled" [B D], the embedding that the objective trains.

    Raises:
      ValueError: the batch has none of the sensors.
    """
    if not any(key in encoded.stage1 for key in keys):
        raise ValueError(f"keys: expected one of the encoded sensors {', '.join(encoded.stage1)}, got {', '.join(keys)}.")
    maps = levels(encoded)
    out = {}
    for stage in ("stage1", "stage2"):
        found = {key: summary(maps[f"{stage}/{key}"]) for key in keys if f"{stage}/{key}" in maps}
        blank = jnp.zeros_like(next(iter(found.values())))
        out[stage] = jnp.concatenate([found.get(key, blank) for key in keys], axis=-1)
    return out | {name: summary(maps[name]) for name in ("fused", "stage3")} | {POOLED: encoded.pooled}
