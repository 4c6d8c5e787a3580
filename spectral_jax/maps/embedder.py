"""An encoder's level as a function of windows: pixels in, a vector for every cell out."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from spectral_jax import api, places
from spectral_jax.batch import Batch, SensorData
from spectral_jax.config import Config
from spectral_jax.maps import windows
from spectral_jax.maps.bands import Known
from spectral_jax.model.encoder import encode, readout
from spectral_jax.model.encoder.readout import POOLED, Level
from spectral_jax.released import models
from spectral_jax.sentences import unknown

# The level of a stem, which looks at one cell at a time.
PIXELS = readout.NAMES[0]


class Embedder(NamedTuple):
    """A level of an encoder for one sensor.

    Attributes:
      level: of `readout.NAMES`.
      function: pixels float32 [B S S C] in the sensor's unit, NaN where missing, to float32 [B tile tile D], NaN for cells that
        saw no pixel.
      window_px: S.
      cell_px: side of a cell, pixels; S / tile.
      width: D.
      alone: whether a cell's vector is made of its own pixels alone.
      most_windows: of one call at most.
      tags: what a map says of it beside its level.
    """

    level: str
    function: Callable[[np.ndarray], np.ndarray]
    window_px: int
    cell_px: int
    width: int
    alone: bool = False
    most_windows: int = windows.MOST_WINDOWS
    tags: Mapping[str, str] = MappingProxyType({})


def loaded(name: str) -> tuple[Config, dict]:
    """Config and parameters of a model of the package, by its name, or of a run, by its folder.

    Raises:
      ValueError, CheckpointError: there is none; see `api.load`.
    """
    return api.load(name if models.is_name(name) else places.either(name, "--encoder"))


def of_level(known: Known, level: str | None) -> Embedder:
    """A level of an encoder.

    Args:
      known: the encoder and the scene's sensor.
      level: of `readout.NAMES`; None: the finest that the encoder has of this sensor.

    Raises:
      ValueError: the encoder has no such level; the sentence names the closest.
    """
    cfg, params, key = known
    names = readout.names(cfg, [key])
    level = names[0] if level is None else level
    if level not in names:
        raise unknown("--level", f"level of the sensor {key}", level, names, most=len(names))
    window_px = cfg.patch_px(key)
    run = partial(_embedded, params["encoder"], cfg=cfg, key=key, level=level)
    bands = len(cfg.sensor(key).spec.used)
    shape = jax.eval_shape(run, jax.ShapeDtypeStruct((1, window_px, window_px, bands), jnp.float32)).shape
    function = lambda pixels: np.asarray(run(jnp.asarray(pixels)))  # noqa: E731
    return Embedder(level, function, window_px, window_px // shape[1], shape[-1], alone=level == PIXELS)


@partial(jax.jit, static_argnames=("cfg", "key", "level"))
def _embedded(params: dict, pixels: jax.Array, *, cfg: Config, key: str, level: str) -> jax.Array:
    size = len(pixels)
    data = SensorData(pixels, jnp.ones(size, bool), jnp.zeros(size))
    encoded = encode.encode(params, Batch({key: data}), cfg)
    if level == POOLED:
        found = Level(encoded.pooled[:, None, None, :], encoded.valid.any(axis=1)[:, None, None])
    else:
        maps = readout.levels(encoded)
        found = maps[level] if level in maps else maps[f"{level}/{key}"]
    return jnp.where(found.valid[..., None], found.tokens.astype(jnp.float32), jnp.nan)
