"""SpectralEarth's transformer and ResNet on all bands of a source; they know bands by their order alone."""

from functools import partial

from spectral_jax.adapt.bands import NONE
from spectral_jax.adapt.encoders.encoder import Bands, Encoder, Loaded, Size, any_side, converted, foreign
from spectral_jax.model.published import spectral_adapter, spectralearth, spectralearth_resnet
from spectral_jax.model.published.contract import Published
from spectral_jax.model.published.spectralearth import SpectralEarthConfig
from spectral_jax.model.published.spectralearth_resnet import SpectralEarthResNetConfig

VIT, RESNET = "spectralearth", "spectralearth_resnet"


def fresh_vit(size: Size, bands: Bands) -> SpectralEarthConfig:
    """A transformer of the size, for any number of bands."""
    del bands
    if size.name:
        return spectralearth.config(size.name, patch=size.patch, grid=size.grid)
    return SpectralEarthConfig(size.width, size.depth, size.heads, patch=size.patch, grid=size.grid)


def fresh_resnet(size: Size, bands: Bands) -> SpectralEarthResNetConfig:
    """The published ResNet-50, or a quarter of the width and of the depth in each of the four stages."""
    del bands
    if size.name:
        return SpectralEarthResNetConfig()
    depth = max(1, size.depth // 4)
    return SpectralEarthResNetConfig(max(1, size.width // 4), (depth, depth, depth, depth))


def read(name: str, model: Published, folder: str, bands: Bands) -> Loaded:
    """Weights as they are; what pixels were standardised by is not published."""
    del bands
    return Loaded(*converted(name, model, folder))


def every_stage(config: SpectralEarthResNetConfig) -> tuple[int, ...]:
    """All four."""
    return tuple(range(len(config.depths)))


FEWEST = spectral_adapter.fewest_bands()
READ_VIT = partial(read, VIT, spectralearth.MODEL)
READ_RESNET = partial(read, RESNET, spectralearth_resnet.MODEL)
ENCODERS: tuple[Encoder, ...] = (
    foreign(VIT, spectralearth.MODEL, (NONE,), fresh_vit, READ_VIT, fewest=FEWEST),
    foreign(RESNET, spectralearth_resnet.MODEL, (NONE,), fresh_resnet, READ_RESNET, every_stage, any_side, FEWEST),
)
