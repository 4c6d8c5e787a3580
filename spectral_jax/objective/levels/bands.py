"""Band reconstruction: the mean spectrum of a cell is read off its token, so that a tokenizer loses little of it."""

import jax
import jax.numpy as jnp

from spectral_jax.config import Config
from spectral_jax.means import Axis, global_mean
from spectral_jax.model.encoder import level_heads
from spectral_jax.model.layers import by_token, mean_of_valid
from spectral_jax.objective.pictures import Pictures


def errors(params: dict, shown: dict[str, Pictures], tokens: dict[str, tuple], cfg: Config) -> dict[str, tuple]:
    """Square errors of normalised bands over valid tokens.

    Args:
      params: of `level_heads.init_heads`.
      shown: sensor key -> what the global views show, pixels [V B H W C] and validity [V B H W].
      tokens: sensor key -> tokens of the tokenizer [V B R Q D] and their validity [V B R Q].
      cfg: the run.

    Returns:
      Sensor key -> their sum and their number over these locations, float32 [1 1].
    """
    found = {}
    for key, (x, valid) in tokens.items():
        target = cell_means(*shown[key], cfg.token_px(key))
        error = (level_heads.read_bands(params, key, x, cfg) - target) ** 2
        counts = valid.astype(jnp.float32)
        found[key] = jnp.sum(error * counts[..., None])[None, None], (jnp.sum(counts) * target.shape[-1])[None, None]
    return found


def loss(errors: dict[str, tuple], axis: Axis = None) -> jax.Array:
    """The mean square error of each sensor, and of these the mean.

    Args:
      errors: of `errors`; a sum and a number of every part of the batch, float32 [1 P].
      axis: mesh axes of `shard_map`, or None.
    """
    means = [global_mean(error.sum(), count.sum(), axis) for error, count in errors.values()]
    return sum(means[1:], means[0]) / len(means)


def cell_means(pixels: jax.Array, valid: jax.Array, token_px: int) -> jax.Array:
    """Mean of the valid pixels of each token's cell: [V B H W C] and bool [V B H W] to float32 [V B R Q C]; 0 without any."""
    return mean_of_valid(*by_token(pixels.astype(jnp.float32), valid, token_px))
