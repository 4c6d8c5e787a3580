"""The projector of the joint-embedding objective: where its invariance and SIGReg are measured (SpectralEarth-FM)."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from spectral_jax.config import Config
from spectral_jax.means import Axis, total
from spectral_jax.model import initialise
from spectral_jax.model.layers import TORCH_EPS, Dense, along_last

# Of the last layer: embeddings start with variance 1, which is what SIGReg draws them to. A rectified standard normal, which is
# what the layer gets, has the variance (1 - 1/pi) / 2.
UNIT = nn.initializers.variance_scaling(2.0 / (1.0 - 1.0 / math.pi), "fan_in", "truncated_normal")


class BatchNorm(nn.Module):
    """Normalises each feature by weighted statistics of this batch over all leading axes, and over all devices of `axis`.

    There are no running statistics: the projector is used in training only.
    """

    axis: Axis = None

    @nn.compact
    def __call__(self, x, weight):
        """Normalises [... D], in float32, by the statistics of the rows whose weight [...] is not 0."""
        scale = self.param("scale", nn.initializers.ones, (x.shape[-1],), jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, (x.shape[-1],), jnp.float32)
        lead = tuple(range(x.ndim - 1))
        share = weight[..., None]
        count = jnp.maximum(total(share.sum(lead), self.axis), 1.0)
        mean = total((x * share).sum(lead), self.axis) / count
        x = x - along_last(mean, x)
        deviation = total((x * x * share).sum(lead), self.axis) / count
        return x * along_last(jax.lax.rsqrt(deviation + TORCH_EPS) * scale, x) + along_last(bias, x)


class Projector(nn.Module):
    """Two hidden layers (linear without bias, BatchNorm, ReLU) and a linear layer with bias."""

    hidden: int
    out: int
    dtype: jnp.dtype
    axis: Axis = None

    @nn.compact
    def __call__(self, x, weight):
        """Maps [... D] to float32 [... K]."""
        for i in range(2):
            layer = Dense(self.hidden, self.dtype, use_bias=False, name=f"hidden{i}")
            x = jax.nn.relu(BatchNorm(self.axis, name=f"norm{i}")(layer(x).astype(jnp.float32), weight))
        return Dense(self.out, self.dtype, kernel_init=UNIT, name="out")(x).astype(jnp.float32)


def init_projector(key: jax.Array, cfg: Config) -> dict:
    """Parameters of the projector, float32."""
    return _init(key, cfg)


def project(params: dict, x: jax.Array, axis: Axis = None, dtype=jnp.float32, weight: jax.Array | None = None) -> jax.Array:
    """Embeddings to the space of the objective.

    Args:
      params: from `init_projector`.
      x: [... D] with at least one leading axis, such as [B D] or [V B D]; BatchNorm takes its statistics over all of them.
      axis: names of the `shard_map` axes over which the batch is split, or None; statistics are then those of the whole batch.
      dtype: of the matrix products; statistics are float32.
      weight: [...], 0 for rows that hold nothing and must not enter the statistics; None: all count.

    Returns:
      float32 [... K].

    Raises:
      ValueError: D is not the width that the parameters were made for.
    """
    width, hidden = params["hidden0"]["kernel"].shape
    if x.ndim < 2 or x.shape[-1] != width:
        raise ValueError(
            f"project: expected x of [... D] with D (width) = {width} and at least one leading axis, got shape {x.shape}."
        )
    if weight is None:
        weight = jnp.ones(x.shape[:-1])
    out = params["out"]["kernel"].shape[-1]
    projected: Any = Projector(hidden, out, jnp.dtype(dtype), axis).apply({"params": params}, x, weight)
    return projected


def _init(key, cfg: Config):
    m = cfg.model
    module = Projector(m.projector_hidden, m.projector_out, jnp.dtype("float32"))
    return initialise.run(lambda key: module.init(key, jnp.zeros((1, m.widths[2])), jnp.ones((1,)))["params"], key)
