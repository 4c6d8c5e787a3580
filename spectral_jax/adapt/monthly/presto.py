"""Presto on everything that it takes: Sentinel-1 and -2, weather, terrain, land cover, months and place."""

import dataclasses

import jax

from spectral_jax.adapt.encoders.encoder import converted
from spectral_jax.adapt.monthly import series
from spectral_jax.adapt.monthly.frozen import Monthly
from spectral_jax.model.published.presto import images, network
from spectral_jax.model.published.presto.inputs import PrestoInputs
from spectral_jax.model.published.presto.network import PrestoConfig

NAME = "presto"


def fresh() -> PrestoConfig:
    """The released size, without decoder."""
    return network.config("default", decoder_depth=0)


def read(folder: str) -> tuple[PrestoConfig, dict]:
    """Config and parameters of a folder of weights; the decoder, which gives no embedding, is left out.

    Raises:
      FileNotFoundError: the folder has no weights.
      ValueError: they are of another encoder.
    """
    config, params = converted(NAME, images.MODEL, folder)
    return dataclasses.replace(config, decoder_depth=0), {k: v for k, v in params.items() if k != "decoder"}


def embed(params: dict, inputs: PrestoInputs, config: PrestoConfig) -> jax.Array:
    """The embedding of each series [N D]."""
    return network.apply(params, inputs, config).pooled


ENCODER = Monthly(NAME, fresh, read, network.init, series.presto_inputs, embed)
