"""What an encoder knows at every level, under stable names: maps with their validity, and a vector of each for a whole patch.

A pooled embedding keeps what its loss asked for. Earlier levels keep more of the spectrum, and the deviation over a patch says
what its mean cannot; probes and heads choose.
"""

from collections.abc import Sequence
from typing import NamedTuple

import einops
import jax
import jax.numpy as jnp

from spectral_jax.config import Config
from spectral_jax.model.encoder.encode import Encoded
from spectral_jax.model.layers import mean_of_valid

# Names of `summaries`, fine to coarse, and what the objective trains; "pixels" where a sensor has the stem tokenizer.
NAMES = ("pixels", "stage1", "stage2", "fused", "stage3", "pooled")
POOLED = NAMES[-1]
OF_VIEWS = ("fused", "stage3", POOLED)  # levels that hold all sensors; the others have a map for each
# Below the variance of what bfloat16 tells apart from a constant; it keeps the gradient of a deviation finite.
_LEAST_VARIANCE = 1e-6


class Level(NamedTuple):
    """A map of tokens; invalid ones hold 0."""

    tokens: jax.Array  # [B R Q D]
    valid: jax.Array  # bool [B R Q]


def names(cfg: Config, keys: Sequence[str]) -> tuple[str, ...]:
    """The levels that an encoder has of some of its sensors, fine to coarse."""
    return NAMES if _stems(cfg, keys) else NAMES[1:]


def levels(encoded: Encoded) -> dict[str, Level]:
    """The maps of an encoded batch.

    Args:
      encoded: of `encode` (or `spectral_jax.apply`).

    Returns:
      "pixels/KEY" of every sensor of the batch that has a stem, "stage1/KEY" and "stage2/KEY" of every sensor of the batch,
      "fused", and "stage3", in this order, fine to coarse.
    """
    out = {f"pixels/{key}": Level(x, encoded.valid_pixels[key]) for key, x in encoded.pixels.items()}
    out |= {f"stage1/{key}": Level(x, encoded.valid1[key]) for key, x in encoded.stage1.items()}
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


def summaries(encoded: Encoded, keys: Sequence[str], cfg: Config | None = None) -> dict[str, jax.Array]:
    """A vector of every level for each patch, for linear probes and heads of images.

    Args:
      encoded: of `encode` (or `spectral_jax.apply`).
      keys: sensors whose vectors are joined in the first levels, in this order; what the batch lacks holds 0.
      cfg: the run, which says which sensors have a stem where the batch lacks them: given, vectors of batches of different
        sensors are alike. None: those of the batch.

    Returns:
      Float32: "pixels" [B 2PS'], mean and deviation of the S' sensors that have a stem, if any has; "stage1" and "stage2"
      [B 2DS], the same of S sensors; "fused" and "stage3" [B 2D], of the one map; and "pooled" [B D], the embedding that the
      objective trains.

    Raises:
      ValueError: the batch has none of the sensors.
    """
    if not any(key in encoded.stage1 for key in keys):
        raise ValueError(f"keys: expected one of the encoded sensors {', '.join(encoded.stage1)}, got {', '.join(keys)}.")
    maps = levels(encoded)
    stems = [key for key in keys if key in encoded.pixels] if cfg is None else _stems(cfg, keys)
    batch = len(encoded.pooled)
    out = {}
    for stage, members in (("pixels", stems), ("stage1", keys), ("stage2", keys)):
        found = {key: summary(maps[f"{stage}/{key}"]) for key in members if f"{stage}/{key}" in maps}
        if members:
            width = 2 * cfg.model.stem_width if cfg and not found else next(iter(found.values())).shape[-1]
            blank = jnp.zeros((batch, width))
            out[stage] = jnp.concatenate([found.get(key, blank) for key in members], axis=-1)
    return out | {name: summary(maps[name]) for name in ("fused", "stage3")} | {POOLED: encoded.pooled}


def _stems(cfg: Config, keys: Sequence[str]) -> list[str]:
    return [key for key in keys if cfg.sensor(key).tokenizer == "stem"]
