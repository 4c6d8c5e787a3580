"""Heads of the objectives that train the encoder's levels: where their agreement is measured, and bands read off tokens."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from spectral_jax.config import Config
from spectral_jax.means import Axis
from spectral_jax.model import initialise
from spectral_jax.model.encoder.projector import UNIT, BatchNorm
from spectral_jax.model.layers import Dense

CELLS, BANDS = "cells", "bands"  # names of the heads of single cells, and of those that read bands, by sensor
_PER_STAGE = {"stage1": 0, "stage2": 1, "fused": 1, "stage3": 2}  # level -> position in `Model.widths`


class LevelHead(nn.Module):
    """Linear to the space of the objective; with `hidden` behind one layer of linear without bias, BatchNorm and ReLU."""

    hidden: int
    out: int
    axis: Axis = None

    @nn.compact
    def __call__(self, x, weight):
        """Maps float32 [... D], each row counting as weight [...] says, to float32 [... K]."""
        wide = jnp.dtype("float32")
        if self.hidden:
            x = Dense(self.hidden, wide, use_bias=False, name="hidden")(x)
            x = jax.nn.relu(BatchNorm(self.axis, name="norm")(x, weight))
            return Dense(self.out, wide, kernel_init=UNIT, name="out")(x)
        start = nn.initializers.variance_scaling(1.0, "fan_in", "truncated_normal")
        return Dense(self.out, wide, kernel_init=start, name="out")(x)


def vector_width(level: str, cfg: Config) -> int:
    """Numbers of a level's vector of `readout.summaries` for one sensor, or for one view."""
    if level == "pooled":
        return cfg.model.widths[2]
    if level == "pixels":
        return 2 * cfg.model.stem_width
    return 2 * cfg.model.widths[_PER_STAGE[level]]


def init_heads(key: jax.Array, cfg: Config) -> dict:
    """Parameters of the heads that `cfg.objective` asks for, float32: by level, `CELLS`, and `BANDS` by sensor."""
    o, levels = cfg.objective, cfg.levels
    widths: dict[str, int] = {}
    if o.agreement or o.contrast:
        widths |= {level: vector_width(level, cfg) for level in levels.names}
    if o.dense:
        widths[CELLS] = cfg.model.widths[_PER_STAGE[levels.dense]]
    head = LevelHead(levels.hidden, levels.out)
    out = {
        name: _init(head, jax.random.fold_in(key, i), jnp.zeros((1, width)), jnp.ones(1))
        for i, (name, width) in enumerate(widths.items())
    }
    if o.reconstruction:
        keys = jax.random.split(jax.random.fold_in(key, len(widths)), len(cfg.sensors))
        token = jnp.zeros((1, cfg.model.width))
        out[BANDS] = {s.key: _init(_reader(s.key, cfg), k, token) for s, k in zip(cfg.sensors, keys, strict=True)}
    return out


def embed(params: dict, x: jax.Array, weight: jax.Array, cfg: Config, axis: Axis = None) -> jax.Array:
    """A level's vectors to the space of the objective.

    Args:
      params: of one head.
      x: float32 [... D].
      weight: float32 [...], 0 for rows that must not enter statistics.
      cfg: the run.
      axis: mesh axes of `shard_map`, or None.

    Returns:
      float32 [... K], K = `levels.out`.
    """
    out: Any = LevelHead(cfg.levels.hidden, cfg.levels.out, axis).apply({"params": params}, x, weight)
    return out


def read_bands(params: dict, key: str, tokens: jax.Array, cfg: Config) -> jax.Array:
    """Tokens [... D] of the sensor `key` to its normalised bands, float32 [... C]; `params` are those of all heads."""
    out: Any = _reader(key, cfg).apply({"params": params[BANDS][key]}, tokens)
    return out.astype(jnp.float32)


def _reader(key: str, cfg: Config) -> Dense:
    return Dense(len(cfg.sensor(key).spec.used), jnp.dtype(cfg.model.dtype))


def _init(module: nn.Module, key: jax.Array, *args) -> dict:
    return initialise.run(lambda key: module.init(key, *args)["params"], key)
