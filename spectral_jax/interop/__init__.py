"""Foreign weights in, and out again: TerraMind, SpectralEarth and DOFA without PyTorch.

Read `folder` for what a converted encoder is, `model.published` for how to run one, `terramind`, `spectralearth` and `dofa` for
their published names, `account` for how every key is accounted for, and `torch_file` for how a pickle is read without running
it.
"""

from spectral_jax.interop.folder import load, publish, save
from spectral_jax.interop.weights_file import Weights, read
from spectral_jax.model.published import encode, trainable

__all__ = ["Weights", "encode", "load", "publish", "read", "save", "trainable"]
