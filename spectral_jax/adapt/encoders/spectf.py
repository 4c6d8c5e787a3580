"""SpecTf on any bands with wavelengths: every pixel by itself, at full resolution."""

import numpy as np

from spectral_jax.adapt.bands import ADAPTATIONS
from spectral_jax.adapt.encoders.encoder import Bands, Encoder, Loaded, Size, any_side, centres, converted, foreign
from spectral_jax.model.published import spectf
from spectral_jax.model.published.spectf import SpecTfConfig

NAME = "spectf"


def fresh(size: Size, bands: Bands) -> SpecTfConfig:
    """The width and heads of the size, or the published ones.

    Raises:
      ValueError: a published size other than the only one, or a band without wavelength.
    """
    centres(NAME, bands)
    if size.name and size.name not in spectf.SIZES:
        raise ValueError(f"size.name: SpecTf was published as {', '.join(spectf.SIZES)}, got {size.name!r}; leave it empty.")
    return SpecTfConfig() if size.name else SpecTfConfig(size.width, size.heads, size.width)


def read(folder: str, bands: Bands) -> Loaded:
    """Weights as they are, and pixels as they are: SpecTf takes reflectance that nothing standardises.

    Raises:
      ValueError: weights of another encoder, or a band without wavelength.
    """
    count = len(centres(NAME, bands))
    return Loaded(*converted(NAME, spectf.MODEL, folder), (np.zeros(count), np.ones(count)))


def only_block(config: SpecTfConfig) -> tuple[int, ...]:
    """There is one."""
    del config
    return (0,)


ENCODERS: tuple[Encoder, ...] = (foreign(NAME, spectf.MODEL, ADAPTATIONS, fresh, read, only_block, any_side),)
