"""Band reconstruction: the mean spectrum of a cell is read off its token, so that a tokenizer loses little of it."""

import jax
import jax.numpy as jnp

from spectral_jax.config import Config
from spectral_jax.means import Axis, global_mean
from spectral_jax.model.encoder import level_heads
from spectral_jax.model.layers import by_token, mean_of_valid
from spectral_jax.objective.pictures import Pictures


def loss(params: dict, shown: dict[str, Pictures], tokens: dict[str, tuple], cfg: Config, axis: Axis = None) -> jax.Array:
    """Mean square error of normalised bands over valid tokens, the mean over sensors.

    Args:
      params: of `level_heads.init_heads`.
      shown: sensor key -> what the global views show, pixels [V B H W C] and validity [V B H W].
      tokens: sensor key -> tokens of the tokenizer [V B R Q D] and their validity [V B R Q].
      cfg: the run.
      axis: mesh axes of `shard_map`, or None.
    """
    errors = []
    for key, (x, valid) in tokens.items():
        target = cell_means(*shown[key], cfg.token_px(key))
        error = (level_heads.read_bands(params, key, x, cfg) - target) ** 2
        counts = valid.astype(jnp.float32)
        errors.append(global_mean(jnp.sum(error * counts[..., None]), jnp.sum(counts) * target.shape[-1], axis))
    return sum(errors[1:], errors[0]) / len(errors)


def cell_means(pixels: jax.Array, valid: jax.Array, token_px: int) -> jax.Array:
    """Mean of the valid pixels of each token's cell: [V B H W C] and bool [V B H W] to float32 [V B R Q C]; 0 without any."""
    return mean_of_valid(*by_token(pixels.astype(jnp.float32), valid, token_px))
