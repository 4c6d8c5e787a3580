"""SpecTf on any bands with wavelengths: every pixel by itself, at full resolution."""

import numpy as np

from spectral_jax.adapt.bands import ADAPTATIONS
from spectral_jax.adapt.encoders.encoder import Bands, Encoder, Loaded, Size, any_side, converted, foreign
from spectral_jax.model.published import spectf
from spectral_jax.model.published.spectf import SpecTfConfig

NAME = "spectf"


def fresh(size: Size, bands: Bands) -> SpecTfConfig:
    """The width and heads of the size, or the published ones.

    Raises:
      ValueError: a published size other than the only one, or a band without wavelength.
    """
    _centres(bands)
    if size.name and size.name not in spectf.SIZES:
        raise ValueError(f"size.name: SpecTf was published as {', '.join(spectf.SIZES)}, got {size.name!r}; leave it empty.")
    return SpecTfConfig() if size.name else SpecTfConfig(size.width, size.heads, size.width)


def read(folder: str, bands: Bands) -> Loaded:
    """Weights as they are, and pixels as they are: SpecTf takes reflectance that nothing standardises.

    Raises:
      ValueError: weights of another encoder, or a band without wavelength.
    """
    count = len(_centres(bands))
    return Loaded(*converted(NAME, spectf.MODEL, folder), (np.zeros(count), np.ones(count)))


def _centres(bands: Bands) -> np.ndarray:
    """Centres of the bands that the encoder sees [K], nm, all of them known."""
    sensor = bands.target if bands.kept else bands.source
    centres = sensor.centre_nm[list(bands.kept)] if bands.kept else sensor.centre_nm
    if not np.isfinite(centres).all():
        raise ValueError(
            f"{NAME}: expected bands with wavelengths, and {sensor.name} is {sensor.kind}; take another encoder, or an "
            "optical sensor."
        )
    return centres


def only_block(config: SpecTfConfig) -> tuple[int, ...]:
    """There is one."""
    del config
    return (0,)


ENCODERS: tuple[Encoder, ...] = (foreign(NAME, spectf.MODEL, ADAPTATIONS, fresh, read, only_block, any_side),)
