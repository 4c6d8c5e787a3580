"""The weighted sum of a run's objectives. One of weight 0 is not computed and draws nothing."""

import jax

from spectral_jax.batch import Batch
from spectral_jax.config import Config
from spectral_jax.means import Axis
from spectral_jax.objective import jepa, spectm


def loss(params: dict, teacher: dict, batch: Batch, key: jax.Array, cfg: Config, axis: Axis = None):
    """Loss over the global batch and its metrics; arguments as in `jepa.loss`."""
    weights = cfg.objective
    if not weights.spectm:
        value, metrics = jepa.loss(params, teacher, batch, key, cfg, axis)
        return weights.jepa * value, metrics | {"loss": jax.lax.stop_gradient(weights.jepa * value)}
    value, metrics = spectm.loss(params, batch, jax.random.fold_in(key, 1), cfg, axis)
    value = weights.spectm * value
    if weights.jepa:
        embedding, more = jepa.loss(params, teacher, batch, key, cfg, axis)
        value = value + weights.jepa * embedding
        metrics |= more  # the collapse alarms are those of the views
    return value, metrics | {"loss": jax.lax.stop_gradient(value)}
