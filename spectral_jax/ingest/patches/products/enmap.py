"""EnMAP L2A: reflectance * 1e4 in 224 bands, told by wavelength tags, VNIR before SWIR or interleaved."""

from collections.abc import Mapping
from pathlib import Path

from spectral_jax.ingest.patches.products.product import Product, Reader
from spectral_jax.sensors import SensorSpec


def product(folder: Path, options: Mapping[str, str | None]) -> Product:
    """The product of any folder of tiles; it has no options."""
    del folder, options
    return Product("ENMAP", SensorSpec.load("enmap_l2a"), by_wavelength=True, scale=1e-4)


READER = Reader("EnMAP L2A tiles, 224 bands with tags 'wavelength' and 'fwhm'", product)
