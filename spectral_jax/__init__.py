"""Foundation models for hyperspectral and multi-sensor Earth observation, in JAX."""

from spectral_jax.api import apply, init, load
from spectral_jax.batch import Batch, SensorData
from spectral_jax.config import Config, SensorInput, model_size, spectralearth_sensors
from spectral_jax.model.encode import Encoded
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
