"""DOFA on any bands: those of a source, or of a target they are projected to."""

import dataclasses

from spectral_jax.adapt.bands import ADAPTATIONS
from spectral_jax.adapt.encoders.encoder import Bands, Encoder, Loaded, Size, centres, converted, foreign
from spectral_jax.model.published import dofa
from spectral_jax.model.published.dofa import DofaConfig

NAME = "dofa"


def fresh(size: Size, bands: Bands) -> DofaConfig:
    """A config for any bands.

    Its padding gives a token too many for patches below 3 px: the image is resized so that its patches are as large.

    Raises:
      ValueError: a band without wavelength.
    """
    centres(NAME, bands)
    patch = size.patch * -(-(2 * dofa.PADDING + 1) // size.patch)
    if size.name:
        return dataclasses.replace(dofa.config(size.name, "new"), patch=patch, grid=size.grid)
    return DofaConfig(size.width, size.depth, size.heads, "new", patch=patch, grid=size.grid)


def read(folder: str, bands: Bands) -> Loaded:
    """Weights as they are; what pixels were standardised by is not published by wavelength.

    Raises:
      ValueError: weights of another encoder, or a band without wavelength.
    """
    centres(NAME, bands)
    return Loaded(*converted(NAME, dofa.MODEL, folder))


ENCODERS: tuple[Encoder, ...] = (foreign(NAME, dofa.MODEL, ADAPTATIONS, fresh, read),)
