"""Foundation models for hyperspectral and multi-sensor Earth observation, in JAX.

In the order in which they may import one another:

  sentences: an unknown name with the closest ones, a missing library with its command
  shapes: the one table of dimension letters, and the check that names them
  sensors: what a sensor is: bands by wavelength, units, packing, statistics
  config: what a run is: frozen dataclasses, checked when they are made
  configure: configs from files and from overrides, to and from JSON
  batch: the pytree that travels from loader to model
  means: the one place where a sum is divided by a count
  matchups: spectra beside the water samples of the same place, in one checked file
  spectral: what the bands of a spectrum say, by wavelength
  data: from files to device arrays
  ingest: observations in
  tasks: labelled downstream tasks
  simulate: worlds of known truth
  model: the encoders and their heads
  objective: what an encoder is trained for
  train: state, step, partition, checkpoint, loop
  interop: foreign weights in, and out again
  api: the three pure functions other JAX code calls
  pages: how every page looks
  pretrain: an encoder from unlabelled patches
  microcystin: the toxin of Lake Erie from PACE, this week and 8 days ahead
  adapt: encoders and their adaptations compared on labelled tasks
  measure: how good and how fast we are; called by tools and tests only
  launch: what the scripts share
"""

from spectral_jax.api import apply, init, load
from spectral_jax.batch import Batch, SensorData
from spectral_jax.config import Config, SensorInput, model_size, spectralearth_sensors
from spectral_jax.model.encoder.encode import Encoded
from spectral_jax.sensors import SensorSpec

__all__ = [
    "Batch",
    "Config",
    "Encoded",
    "SensorData",
    "SensorInput",
    "SensorSpec",
    "apply",
    "init",
    "load",
    "model_size",
    "spectralearth_sensors",
]
