"""Foreign weights in, and out again: TerraMind, SpectralEarth, DOFA, SpecTf, HyperSIGMA, Galileo, Presto; without PyTorch.

In the order in which they may import one another:

  names: published parameter names beside our paths, both ways
  files: containers of weights and what they hold, taken apart without running any of it
  safetensors_file: safetensors, read and written
  weights_file: weight files of any kind to arrays by their published names
  prefixes: what training programs put before every name, found and taken off
  recognise: what a checkpoint looks like, for sentences about the wrong file
  account: what became of every key of a foreign checkpoint
  terramind_bands: TerraMind's image modalities: keys, bands, statistics
  terramind: TerraMind v1 checkpoints
  spectralearth: SpectralEarth checkpoints
  dofa: DOFA checkpoints, version 1 and 2
  spectf: SpecTf's cloud checkpoints
  hypersigma: HyperSIGMA's checkpoints, of fusions and of single encoders
  monthly: checkpoints of encoders of monthly series: Galileo and Presto
  models: the published encoders that are known here, and one call for all of them
  folder: a converted encoder as a folder
"""

from spectral_jax.interop.folder import load, publish, save
from spectral_jax.interop.models import encode, trainable
from spectral_jax.interop.weights_file import Weights, read

__all__ = ["Weights", "encode", "load", "publish", "read", "save", "trainable"]
