"""A foreign encoder of toy size: what its three files would hold, and the two rows that make it known.

It mixes the mean, the deviation and the slope of a patch's spectrum.
"""

import dataclasses
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np

from spectral_jax.adapt.bands import ADAPTATIONS
from spectral_jax.adapt.encoders import table
from spectral_jax.adapt.encoders.encoder import Loaded, converted, foreign
from spectral_jax.interop import models, names
from spectral_jax.interop.account import take
from spectral_jax.interop.recognise import Mark
from spectral_jax.model.layers import along_last
from spectral_jax.model.published.contract import Published
from spectral_jax.model.published.vit import Features


# What stands in model/published/toy.py.
@dataclasses.dataclass(frozen=True)
class ToyConfig:
    """Structure: numbers a pixel becomes, and the side of a token."""

    width: int
    depth: int = 1
    patch: int = 2
    grid: int = 4


def init(key, cfg):
    return {"mix": {"kernel": jax.random.normal(key, (3, cfg.width)), "bias": jnp.zeros((cfg.width,))}}


def encode(params, image, cfg, layers, wavelengths_nm):
    """Mean, deviation and slope over the bands of each patch, mixed."""
    rows, columns = (side // cfg.patch for side in image.shape[1:3])
    patches = image.reshape(len(image), rows, cfg.patch, columns, cfg.patch, -1).mean(axis=(2, 4))
    centred = (wavelengths_nm - wavelengths_nm.mean()) / 1000
    slope = jnp.einsum("bhwc,c->bhw", patches, centred) / len(centred)
    maps = jnp.stack([patches.mean(-1), patches.std(-1), slope], axis=-1) @ params["mix"]["kernel"]
    maps = maps + along_last(params["mix"]["bias"], maps)
    return Features((maps,), (maps,) * len(layers or (0,)), maps.mean(axis=(1, 2)))


MODEL = Published(ToyConfig, init, encode, lambda params, cfg: jax.tree.map(lambda _: True, params))


# What stands in interop/toy.py.
def leaves(cfg):
    return names.linear("toy.mix", "mix")


def read(weights, heads=None, size=None):
    cfg = ToyConfig(len(weights.tensors["toy.mix.bias"]))
    shapes = jax.eval_shape(lambda: init(jax.random.key(0), cfg))
    return cfg, *take(weights, leaves(cfg), shapes, {}, CONVERTER.MARKS)


CONVERTER = SimpleNamespace(
    MARK="toy.mix.",
    MARKS=(Mark("toy", "toy.mix.", "toy.mix.bias", {"tiny": dict(width=8)}),),
    MODELS={"toy": MODEL},
    read=read,
    publish=lambda params, cfg: names.publish(params, leaves(cfg)),
)


# What stands in adapt/encoders/toy.py.
def fresh(size, bands):
    return ToyConfig(size.width, patch=size.patch, grid=size.grid)


ENCODER = foreign("toy", MODEL, ADAPTATIONS, fresh, lambda folder, bands: Loaded(*converted("toy", MODEL, folder)))


def register(patch):
    """The two rows, for the time of a test."""
    patch.setitem(models.CONVERTERS, "toy", CONVERTER)
    patch.setitem(table.ENCODERS, "toy", ENCODER)


def checkpoint(width=8, seed=0):
    """A published state dict."""
    rng = np.random.default_rng(seed)
    return {"toy.mix.weight": rng.normal(size=(width, 3)).astype(np.float32), "toy.mix.bias": np.zeros(width, np.float32)}
