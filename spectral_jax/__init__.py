"""Foundation models for hyperspectral and multi-sensor Earth observation, in JAX.

In the order in which they may import one another:

  sentences: a number of things, an unknown name with the closest ones, a missing library with its command
  shapes: the one table of dimension letters, and the check that names them
  spec_files: the text files of data_specs: where they lie, and which there are
  addresses: buckets and servers, wherever a command takes a path
  places: paths as users write them, and outputs that cannot be written
  ranges: what the numbers of a config may be, checked when it is made
  sensors: what a sensor is: bands by wavelength, units, packing, statistics
  lazy_arrays: arrays that xarray reads when they are asked for, and stores as Datasets of them
  plausible: whether numbers can be what they are said to be, by the limits of their quantity
  config: what a run is: frozen dataclasses, checked when they are made
  configure: configs from files and from overrides, to and from JSON
  batch: the pytree that travels from loader to model
  batch_check: whether a batch is what a config expects: types, and numbers
  means: the one place where a sum is divided by a count
  matchup_fields: fields of a file of match-ups as numbers, flags, times and names
  matchups: spectra beside the water samples of the same place, in one checked file
  spectral: what the bands of a spectrum say, by wavelength
  model: the encoders and their heads
  interop: foreign weights in, and out again
  clouds: which pixels of a scene are cloud
  data: from files to device arrays
  pages: how every page looks
  ingest: observations in
  tasks: labelled downstream tasks
  simulate: worlds of known truth
  objective: what an encoder is trained for
  train: state, step, partition, checkpoint, loop
  released: the models that are kept in the package
  api: the three pure functions other JAX code calls
  pretrain: an encoder from unlabelled patches
  microcystin: the toxin of Lake Erie from PACE, this week and 8 days ahead
  adapt: encoders and their adaptations compared on labelled tasks
  maps: a scene and an encoder to a map
  measure: how good and how fast we are; called by tools and tests only
  launch: what the scripts share
  commands: the words of the command spectral-jax
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spectral_jax.api import apply, init, load, with_sensor
    from spectral_jax.batch import Batch, SensorData
    from spectral_jax.batch_check import check_batch
    from spectral_jax.config import Config, SensorInput, model_size, spectralearth_sensors
    from spectral_jax.ingest.downloaded.recognise import open_product
    from spectral_jax.ingest.raster.bands import bands_of
    from spectral_jax.maps.arrays import embed
    from spectral_jax.model.encoder.encode import Encoded
    from spectral_jax.model.encoder.readout import Level, levels, summaries
    from spectral_jax.sensors import SensorSpec

__all__ = [
    "Batch",
    "Config",
    "Encoded",
    "Level",
    "SensorData",
    "SensorInput",
    "SensorSpec",
    "apply",
    "bands_of",
    "check_batch",
    "embed",
    "init",
    "levels",
    "load",
    "model_size",
    "open_product",
    "spectralearth_sensors",
    "summaries",
    "with_sensor",
]
_HOMES = {
    "api": ("apply", "init", "load", "with_sensor"),
    "batch": ("Batch", "SensorData"),
    "batch_check": ("check_batch",),
    "config": ("Config", "SensorInput", "model_size", "spectralearth_sensors"),
    "ingest.downloaded.recognise": ("open_product",),
    "ingest.raster.bands": ("bands_of",),
    "maps.arrays": ("embed",),
    "model.encoder.encode": ("Encoded",),
    "model.encoder.readout": ("Level", "levels", "summaries"),
    "sensors": ("SensorSpec",),
}


def __getattr__(name: str):
    """Public names, and modules, are imported when they are first asked for: what does not need JAX starts without it."""
    home = next((module for module, names in _HOMES.items() if name in names), None)
    if home is not None:
        return getattr(importlib.import_module(f"spectral_jax.{home}"), name)
    try:
        return importlib.import_module(f"spectral_jax.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"spectral_jax.{name}":
            raise
        raise AttributeError(f"spectral_jax has no {name!r}; its names are {', '.join(__all__)}.") from None


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
