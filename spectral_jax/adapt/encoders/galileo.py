"""Galileo on the bands of Sentinel-2, to which those of a source are projected, or on VV and VH of Sentinel-1 as they are.

An image is a month's only step, July, as in the published evaluation of images; NDVI, terrain, weather and place are masked.
The samples' own months and places are not used. A group of which a band is missing is masked, so that B01 and B09 are seen by
nobody.
"""

import dataclasses

from spectral_jax.adapt.bands import ADAPTATIONS
from spectral_jax.adapt.encoders import sentinels
from spectral_jax.adapt.encoders.encoder import Bands, Encoder, Loaded, Size, any_side, converted, foreign
from spectral_jax.model.published.galileo import images, network
from spectral_jax.model.published.galileo.channels import statistics
from spectral_jax.model.published.galileo.network import GalileoConfig

NAME = "galileo"


def fresh(size: Size, bands: Bands) -> GalileoConfig:
    """A config for the bands that the projection keeps, or for those of the source; patches of up to 8 px.

    Raises:
      ValueError: other bands than those of Sentinel-2 and Sentinel-1, no complete group of them, a width that 16 does not
        divide, larger patches, or a side that is no whole number of patches.
    """
    patch, gsd_m, names = size.px // size.grid, bands.source.gsd_m, sentinels.channels(NAME, bands)
    if size.name:
        return network.config(size.name, patch=patch, gsd_m=gsd_m, bands=names)
    return GalileoConfig(size.width, size.depth, size.heads, patch=patch, gsd_m=gsd_m, bands=names)


def read(folder: str, bands: Bands) -> Loaded:
    """Weights as they are, for pixels normalised as the released ones expect them; the patch is the converted config's."""
    names = sentinels.channels(NAME, bands)
    config, params = converted(NAME, images.MODEL, folder)
    return Loaded(dataclasses.replace(config, gsd_m=bands.source.gsd_m, bands=names), params, statistics(names))


ENCODERS: tuple[Encoder, ...] = (foreign(NAME, images.MODEL, ADAPTATIONS, fresh, read, side=any_side),)
