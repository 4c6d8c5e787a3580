"""Foreign weights in, and out again: TerraMind, SpectralEarth and DOFA without PyTorch.

Read `folder` for what a converted encoder is, `encoder` for how to run one, `terramind`, `spectralearth` and `dofa` for the
published names, `account` for how every key is accounted for, and `torch_file` for how a pickle is read without running it.
"""

from spectral_jax.interop.encoder import encode, trainable
from spectral_jax.interop.folder import load, publish, save
from spectral_jax.interop.weights_file import Weights, read

__all__ = ["Weights", "encode", "load", "publish", "read", "save", "trainable"]
