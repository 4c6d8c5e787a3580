"""Foreign weights in, and out again: TerraMind, SpectralEarth and DOFA without PyTorch.

In the order in which they may import one another:

  names: published parameter names beside our paths, both ways
  torch_file: `.pt` files, without running what they say
  safetensors_file: safetensors, read and written
  weights_file: weight files of any kind to arrays by their published names
  recognise: which published model a checkpoint is of
  account: what became of every key of a foreign checkpoint
  terramind_bands: TerraMind's image modalities: keys, bands, statistics
  terramind: TerraMind v1 checkpoints
  spectralearth: SpectralEarth checkpoints
  dofa: DOFA checkpoints, version 1 and 2
  folder: a converted encoder as a folder
"""

from spectral_jax.interop.folder import load, publish, save
from spectral_jax.interop.weights_file import Weights, read
from spectral_jax.model.published.encoders import encode, trainable

__all__ = ["Weights", "encode", "load", "publish", "read", "save", "trainable"]
