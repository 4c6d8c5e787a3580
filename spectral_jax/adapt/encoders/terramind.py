"""TerraMind on the bands of Sentinel-2 L2A, to which those of a source are projected."""

import dataclasses

import numpy as np

from spectral_jax.adapt.bands import FIXED, LEARNED
from spectral_jax.adapt.encoders.encoder import Bands, Encoder, Loaded, Size, converted, foreign
from spectral_jax.interop import terramind_bands
from spectral_jax.interop.terramind import select_bands
from spectral_jax.model.published import terramind
from spectral_jax.model.published.terramind import Modality, TerraMindConfig

NAME = "terramind"
# The modality of Sentinel-2 L2A, and what its statistics are of: reflectance times this.
MODALITY, DIGITAL = "S2L2A", 1e4


def fresh(size: Size, bands: Bands) -> TerraMindConfig:
    """A config for the bands that the projection keeps.

    Raises:
      ValueError: the target has other bands than the modality.
    """
    modality = _modality(bands)
    if size.name:
        return terramind.config(size.name, (modality,), patch=size.patch, grid=size.grid)
    return TerraMindConfig(size.width, size.depth, size.heads, "gelu", (modality,), patch=size.patch, grid=size.grid)


def read(folder: str, bands: Bands) -> Loaded:
    """The modality of Sentinel-2 alone, with the bands that the projection keeps."""
    config, params = converted(NAME, terramind.MODEL, folder)
    names = _modality(bands).bands
    config, params = select_bands(config, params, {MODALITY: names})
    others = {f"embed_{m.name}" for m in config.modalities if m.name != MODALITY}
    config = dataclasses.replace(config, modalities=tuple(m for m in config.modalities if m.name == MODALITY))
    mean, std = (np.array(x) / DIGITAL for x in terramind_bands.statistics(MODALITY, names))
    return Loaded(config, {k: v for k, v in params.items() if k not in others}, (mean, std))


def _modality(bands: Bands) -> Modality:
    full, used = terramind_bands.modality(MODALITY), bands.target.used
    if len(used) != len(full.bands):
        raise ValueError(
            f"target: TerraMind's {MODALITY} has the {len(full.bands)} bands of Sentinel-2 L2A, and {bands.target.name} has "
            f"{len(used)}; take sentinel2a_l2a, sentinel2b_l2a or sentinel2c_l2a."
        )
    return dataclasses.replace(full, bands=tuple(full.bands[i] for i in bands.kept))


ENCODERS: tuple[Encoder, ...] = (foreign(NAME, terramind.MODEL, (*FIXED, *LEARNED), fresh, read),)
