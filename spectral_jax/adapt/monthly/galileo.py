"""Galileo on points: Sentinel-1 and -2, NDVI, terrain, weather, months and place; patches of one pixel.

Land cover is left out, as the published normalisation of these data has none.
"""

import dataclasses

import jax

from spectral_jax.adapt.encoders.encoder import converted
from spectral_jax.adapt.monthly.frozen import Monthly
from spectral_jax.adapt.monthly.series import Series
from spectral_jax.model.published.galileo import images, inputs, network
from spectral_jax.model.published.galileo.inputs import GalileoInputs
from spectral_jax.model.published.galileo.network import GalileoConfig

NAME = "galileo"
# Days of a step: tables hold the mean of its days, and Galileo takes the sum.
DAYS = 30.0
ONCE, TIMED = ("elevation", "slope"), ("temperature", "precipitation")
GROUPS = ("S1", "S2_RGB", "S2_Red_Edge", "S2_NIR_10m", "S2_NIR_20m", "S2_SWIR", "NDVI", "SRTM", "ERA5", "location")


def fresh() -> GalileoConfig:
    """The released size on single pixels."""
    return network.config("nano", patch=1)


def read(folder: str) -> tuple[GalileoConfig, dict]:
    """Config and parameters of a folder of weights.

    Raises:
      FileNotFoundError: the folder has no weights.
      ValueError: they are of another encoder.
    """
    config, params = converted(NAME, images.MODEL, folder)
    return dataclasses.replace(config, patch=1), params


def build(series: Series) -> GalileoInputs:
    """What Galileo sees of series.

    Raises:
      ValueError: what `inputs.build` refuses.
    """
    data = {}
    for name, values in series.channels.items():
        data[name] = values if name in TIMED else values[:, :1, None] if name in ONCE else values[:, None, None]
    if "precipitation" in data:
        data["precipitation"] = data["precipitation"] * DAYS
    return inputs.build(data, series.months, series.latlon)


def embed(params: dict, given: GalileoInputs, config: GalileoConfig) -> jax.Array:
    """The embedding of each series [N D]."""
    return network.apply(params, given, config, GROUPS).pooled


ENCODER = Monthly(NAME, fresh, read, network.init, build, embed)
