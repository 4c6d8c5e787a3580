"""Presto on the bands of Sentinel-2, to which those of a source are projected, or on VV and VH of Sentinel-1 as they are.

Presto is an encoder of one pixel's series. An image of one date is a series of one step for each pixel: a map has a value for
every pixel, and no pixel knows its neighbours. Dates of a task are encoded one by one and merged by the protocol, as of every
encoder here. The month is July, and the place is left out, as the comparison tells encoders neither.
"""

import dataclasses

from spectral_jax.adapt.bands import ADAPTATIONS
from spectral_jax.adapt.encoders import sentinels
from spectral_jax.adapt.encoders.encoder import Bands, Encoder, Loaded, Size, any_side, converted, foreign
from spectral_jax.model.published.presto import images, network
from spectral_jax.model.published.presto.inputs import statistics
from spectral_jax.model.published.presto.network import PrestoConfig

NAME = "presto"


def fresh(size: Size, bands: Bands) -> PrestoConfig:
    """A config for the bands that the projection keeps, or for those of the source; without decoder. Patches are single pixels.

    NDVI is left out: what an encoder without weights sees is standardised, and no reflectance.

    Raises:
      ValueError: other bands than those of Sentinel-2 and Sentinel-1, no complete group of them, or a width that 16 does not
        divide.
    """
    names = sentinels.channels(NAME, bands)
    if size.name:
        return network.config(size.name, decoder_depth=0, bands=names, ndvi=False)
    return PrestoConfig(size.width, size.depth, size.heads, decoder_depth=0, bands=names, ndvi=False)


def read(folder: str, bands: Bands) -> Loaded:
    """Weights as they are, for pixels scaled as the released ones expect them, NDVI computed."""
    names = sentinels.channels(NAME, bands)
    config, params = converted(NAME, images.MODEL, folder)
    return Loaded(dataclasses.replace(config, bands=names), params, statistics(names))


ENCODERS: tuple[Encoder, ...] = (foreign(NAME, images.MODEL, ADAPTATIONS, fresh, read, side=any_side),)
