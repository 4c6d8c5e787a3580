"""The published encoders that are known here, by one table, and one call for all of them.

A further one is a file in `model/published`, a file in `interop` with `MARK`, `MARKS`, `MODELS`, `read` and `publish`, and a
row of `CONVERTERS`. `IGNORED` and `ROOT` are optional: patterns of names that are not taken, and of how the names with the mark
begin where that is not the mark itself.
"""

import re
from types import ModuleType
from typing import Any

import jax
import numpy as np

from spectral_jax.interop import dofa, prefixes, recognise, spectf, spectralearth, terramind
from spectral_jax.interop.account import Account
from spectral_jax.interop.hypersigma import checkpoint
from spectral_jax.interop.monthly import galileo, presto
from spectral_jax.interop.recognise import Mark
from spectral_jax.interop.weights_file import Weights
from spectral_jax.model.published.contract import Published
from spectral_jax.model.published.vit import Features
from spectral_jax.sentences import unknown

# Whose weights -> the module that reads and publishes them.
CONVERTERS: dict[str, ModuleType] = {
    "terramind": terramind,
    "spectralearth": spectralearth,
    "dofa": dofa,
    "spectf": spectf,
    "hypersigma": checkpoint,
    "galileo": galileo,
    "presto": presto,
}
# Models that are told by name and not read.
OTHERS = (
    Mark("panopticon", "patch_embed.chnfus.", "blocks.0.norm1.weight", {}),
    Mark("prithvi", "encoder.patch_embed.proj.weight", "blocks.0.norm1.weight", {}),
    Mark("a plain vision transformer of timm", "patch_embed.proj.weight", "blocks.0.norm1.weight", {}),
)


def published() -> dict[str, Published]:
    """Every kind of published encoder, by the name that a folder of weights says."""
    return {kind: model for converter in CONVERTERS.values() for kind, model in converter.MODELS.items()}


def kind_of(cfg: Any) -> str:
    """The kind of encoder that a config is of.

    Raises:
      ValueError: it is the config of something else.
    """
    kind = next((kind for kind, model in published().items() if type(cfg) is model.config), None)
    if kind is None:
        raise ValueError(f"expected the config of one of {', '.join(published())}, got a {type(cfg).__name__}.")
    return kind


def family_of(kind: str) -> str:
    """Whose weights an encoder of this kind has: a name of `CONVERTERS`."""
    return next(family for family, converter in CONVERTERS.items() if kind in converter.MODELS)


def recognised(tensors: dict[str, np.ndarray]) -> str:
    """What a checkpoint looks like: a name such as "terramind base (768 wide)", or "nothing known"."""
    marks = [mark for converter in CONVERTERS.values() for mark in converter.MARKS]
    return recognise.looks_like(tensors, (*marks, *OTHERS))


def read(family: str, weights: Weights, prefix: str | None = None, **options) -> tuple[Any, dict, Account]:
    """Config, parameters and account of a checkpoint of one of `CONVERTERS`.

    Args:
      family: whose weights these are.
      weights: of `weights_file.read`.
      prefix: what stands before the names of the encoder that is meant, where a file holds several; None: the only one.
      options: of that converter's `read`.

    Raises:
      ValueError: no such family, a checkpoint of another model, which the sentence names, several parts that could be meant,
        numbers that are NaN or infinite, or what the converter refuses.
    """
    if family not in CONVERTERS:
        raise unknown("source", "family of weights", family, CONVERTERS)
    recognise.expect_family(weights.file, weights.tensors, family, CONVERTERS[family].MARK, recognised(weights.tensors))
    converter = CONVERTERS[family]
    root = getattr(converter, "ROOT", re.escape(converter.MARK))
    plain = prefixes.without(weights, family, root, getattr(converter, "IGNORED", {}), prefix)
    recognise.expect_family(plain.file, plain.tensors, family, converter.MARK, recognised(plain.tensors))
    cfg, params, account = converter.read(plain, **options)
    rows = tuple(row._replace(key=plain.spelled.get(row.key, row.key)) for row in account.rows)
    return cfg, params, account._replace(rows=rows, notes=_notes(plain))


def _notes(weights):
    """Sentences about where in the file the names were, and what was taken off them."""
    notes = []
    if weights.inside:
        notes.append(f"The weights stand under {weights.inside!r} in the file.")
    if weights.prefix:
        notes.append(f"All keys that were loaded begin with {weights.prefix!r}, which was taken off.")
    inside = [key for name, key in weights.spelled.items() if weights.prefix + name != key]
    if inside:
        notes.append(f"Wrappers such as that in {inside[0]} were taken out of {len(inside)} keys.")
    return tuple(notes)


def init(key: jax.Array, cfg: Any) -> dict:
    """Fresh parameters, float32; no data is needed."""
    return published()[kind_of(cfg)].init(key, cfg)


def encode(
    params: dict, image: Any, cfg: Any, layers: tuple[int, ...] | None = None, wavelengths_nm: jax.Array | None = None
) -> Features:
    """Encodes images with whichever encoder `cfg` is of; pure, `cfg` and `layers` static under `jax.jit`.

    Args:
      params: of `init`, or of `interop`.
      image: pixels [B H W C], normalised as the encoder was trained on them (`terramind_bands.statistics`, per-band z-scores);
        for TerraMind also a dict of them by modality. One array is TerraMind's first modality.
      cfg: config of the encoder.
      layers: the blocks, or a ResNet's stages, whose maps are wanted; None: the last.
      wavelengths_nm: [C], centres of the bands; DOFA and SpecTf need them.

    Returns:
      `Features`.

    Raises:
      ValueError: DOFA or SpecTf without wavelengths, or what the encoder itself refuses.
    """
    return published()[kind_of(cfg)].encode(params, image, cfg, layers, wavelengths_nm)


def trainable(params: dict, cfg: Any) -> dict:
    """For each parameter, whether it trains: not buffers and running statistics of the published code; for `optax.masked`."""
    return published()[kind_of(cfg)].trainable(params, cfg)


def with_statistics(params: dict, images: jax.Array, cfg: Any) -> dict:
    """Fresh parameters with the running statistics of batch normalisation taken from data; pure, `cfg` static under `jax.jit`.

    SpectralEarth's encoders alone have any. Those of `init` are mean 0 and variance 1 whatever comes, and leave little of the
    difference between spectra (a standard deviation of 0.03 instead of 0.43, measured on EnMAP). Checkpoints bring their own.

    Args:
      params: of `init`.
      images: per-band standardised pixels [B H W C] of the training part, as for `encode`.
      cfg: config of the encoder.

    Returns:
      Parameters; those of encoders without such statistics as they are.

    Raises:
      ValueError: too few bands or values, or a size that the encoder does not take.
    """
    return published()[kind_of(cfg)].with_statistics(params, images, cfg)
