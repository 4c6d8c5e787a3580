"""The three pure functions other JAX code calls.

Example: two locations seen by a sensor of three bands, through a fresh encoder.

  >>> import jax
  >>> import numpy as np
  >>> import spectral_jax
  >>> from spectral_jax.config import SensorInput, model_size
  >>> from spectral_jax.sensors import Band
  >>> bands = tuple(Band(name, nm, 30.0) for name, nm in (("green", 560.0), ("red", 665.0), ("nir", 842.0)))
  >>> spec = spectral_jax.SensorSpec("mine", "optical", "surface reflectance", "1", 30.0, "float32", bands)
  >>> model = model_size("tiny", footprint_m=240.0, width=16, heads=1, depths=(1, 1, 1))
  >>> cfg = spectral_jax.Config("mine", (SensorInput("MINE", spec),), model=model)
  >>> params = spectral_jax.init(jax.random.key(0), cfg)
  >>> side = cfg.patch_px("MINE")
  >>> pixels = np.full((2, side, side, 3), 0.2, np.float32)  # reflectance, NaN where missing
  >>> data = spectral_jax.SensorData(pixels, np.ones(2, bool), np.zeros(2, np.float32))
  >>> out = jax.jit(spectral_jax.apply, static_argnames="cfg")(params, spectral_jax.Batch({"MINE": data}), cfg)
  >>> out.pooled.shape, out.tokens.shape
  ((2, 64), (2, 1, 64))
"""

from pathlib import Path

import jax

from spectral_jax import batch_check
from spectral_jax.batch import Batch
from spectral_jax.config import Config
from spectral_jax.model import given
from spectral_jax.model.encoder import encode
from spectral_jax.model.encoder.encode import Encoded
from spectral_jax.released import models
from spectral_jax.sensors import SensorSpec
from spectral_jax.train import checkpoint, state
from spectral_jax.train.checkpoint_files import place


def init(key: jax.Array, cfg: Config) -> dict:
    """Fresh parameters: a nested dict `{"encoder": ..., "projector": ...}` of float32 arrays. No data is needed."""
    return state.init_params(key, cfg)


def apply(params: dict, batch: Batch, cfg: Config) -> Encoded:
    """Encodes co-located patches of any of the config's sensors.

    Pure: `jit` (with `cfg` static), `grad`, `vmap` and `shard_map` work on it. Called outside of them, the numbers of the batch
    are judged (`spectral_jax.check_batch`, which one may call before a compiled call too).

    Args:
      params: of `init` or `load`; only `params["encoder"]` is read.
      batch: integers as stored, or physical units with NaN where missing; sensors may be left out.
      cfg: the config the parameters were made for, or that `with_sensor` made.

    Returns:
      `Encoded` with stage maps, tokens [B N D], their validity [B N], and the pooled embedding [B D].

    Raises:
      ValueError: an array has another shape or type than the config says; or, outside `jit`, most numbers of a sensor cannot be
        what its spec says.
    """
    if not isinstance(params, dict) or "encoder" not in params:
        raise ValueError("params: expected the dictionary of spectral_jax.init or spectral_jax.load, with the entry 'encoder'.")
    batch_check.check_types(batch, cfg)
    if not batch_check.traced(batch):
        for key, data in batch.sensors.items():
            batch_check.check_numbers(key, data, cfg.sensor(key).spec)
    return encode.encode(params["encoder"], batch, cfg)


def with_sensor(cfg: Config, params: dict, key: str, spec: SensorSpec) -> tuple[Config, dict]:
    """The same encoder with one more optical sensor, which it was not trained on; what `load` gives goes in and comes out.

    Args:
      cfg: a config whose encoder has a branch for any optical sensor.
      params: of `init` or `load`.
      key: name of the sensor in batches.
      spec: the sensor, such as `spectral_jax.SensorSpec.load("prisma_l2d")`.

    Raises:
      ValueError: the encoder takes no other sensor, or this one shows nothing that it knows; the sentence says why.
    """
    told, encoder = given.added(params["encoder"], cfg, key, spec)
    return told, params | {"encoder": encoder}


def load(path: str | Path) -> tuple[Config, dict]:
    """Reads the config and the student's parameters from a checkpoint, or a model of the package by name.

    Args:
      path: a run's work folder, its `checkpoints` folder (the newest step is taken), or one step of it; or the name of a model,
        such as "spectral-mini" (`released.models.names` lists them), which has the entry "encoder" alone.

    Raises:
      CheckpointError: there is no finished checkpoint, it cannot be read, or it is not as it was saved.
      ValueError: its whitenings are not those of its config, or the one word is neither a folder nor a model.
    """
    if models.is_name(path):
        return models.load(path)
    folder = place.find(path)
    checkpoint.verify(folder)
    cfg = checkpoint.read_config(folder)
    params = checkpoint.load_params(folder, jax.eval_shape(lambda: init(jax.random.key(0), cfg)))
    given.check(params["encoder"], cfg)
    return cfg, params
