"""HyperSIGMA on all bands of a source: SpatSIGMA alone, and both of its encoders fused.

Its weights know bands by their place alone. Those of pretraining take other bands by a fresh patch embedding, as their authors'
programs do; those that were fine-tuned are for as many channels as they were trained with. What pixels are standardised by is
not published: the released programs whiten each scene by its own principal components.
"""

import dataclasses

import jax

from spectral_jax.adapt.bands import NONE
from spectral_jax.adapt.encoders.encoder import Bands, Encoder, Loaded, Size, converted, foreign
from spectral_jax.interop.hypersigma.start import start
from spectral_jax.model.published.hypersigma import fusion, spatial, trunk
from spectral_jax.model.published.hypersigma.fusion import FusionConfig
from spectral_jax.model.published.hypersigma.pyramid import LEVELS
from spectral_jax.model.published.hypersigma.spatial import SpatialConfig
from spectral_jax.model.published.hypersigma.spectral import SpectralConfig
from spectral_jax.model.published.hypersigma.trunk import TrunkConfig

FUSED, SPATIAL = "hypersigma", "hypersigma_spatial"
# Tokens of the spectral encoder, as in pretraining.
TOKENS = 100
# Which random numbers stand where weights of pretraining have none; seeds of a comparison draw the head's alone. Choice.
SEED = 0


def fresh_spatial(size: Size, bands: Bands) -> SpatialConfig:
    """SpatSIGMA of the size, for all bands."""
    return SpatialConfig(_trunk(size), len(bands.source.used), size.patch, (size.grid, size.grid), "tokens")


def fresh_fused(size: Size, bands: Bands) -> FusionConfig:
    """Both encoders of the size, for all bands.

    Raises:
      ValueError: a patch that the published pyramid is not of.
    """
    space = dataclasses.replace(fresh_spatial(size, bands), task=fusion.TASKS["features"])
    return FusionConfig(space, SpectralConfig(_trunk(size), TOKENS, size.px**2), "features")


def read_spatial(folder: str, bands: Bands) -> Loaded:
    """Weights of pretraining with a fresh patch embedding for all bands, or fine-tuned ones as they are.

    Raises:
      ValueError: weights of another encoder, or fine-tuned ones for another number of channels.
    """
    config, params = converted(SPATIAL, spatial.MODEL, folder)
    count = len(bands.source.used)
    if config.task != "tokens":
        _expect_channels(SPATIAL, folder, config.channels, bands)
        return Loaded(config, params)
    # Blocks sample from here on, every as manieth as in the published models not.
    sampling = dataclasses.replace(config.trunk, interval=_interval(config.trunk.depth))
    wanted = dataclasses.replace(config, trunk=sampling, channels=count)
    begun, _ = start(jax.random.key(SEED), wanted, spatial=(config, params))
    return Loaded(wanted, begun)


def read_fused(folder: str, bands: Bands) -> Loaded:
    """Weights of a fusion, as they are.

    Raises:
      ValueError: weights of another encoder, for another number of channels, or for images that are no squares.
    """
    config, params = converted(FUSED, fusion.MODEL, folder)
    _expect_channels(FUSED, folder, config.spatial.channels, bands)
    if config.size[0] != config.size[1]:
        raise ValueError(f"weights.{FUSED}: {folder} is for images of {config.size} px, expected squares; take another row.")
    return Loaded(config, params)


def every_map(config: FusionConfig) -> tuple[int, ...]:
    """All four, or the only one of a detection."""
    return tuple(range(1 if config.task in fusion.DETECTING else LEVELS))


def taken_out(config: SpatialConfig) -> tuple[int, ...]:
    """The blocks that the published tasks take."""
    return tuple(sorted(set(config.trunk.taps)))


def side_fused(config: FusionConfig) -> int:
    """The spectral encoder's weights are of one size of image."""
    return config.size[0]


def side_spatial(config: SpatialConfig) -> int | None:
    """The side that its positions are for; None without any."""
    return None if config.grid is None else config.grid[0] * config.patch


def _trunk(size: Size) -> TrunkConfig:
    if size.name:
        return trunk.of_size(size.name)
    taps = tuple(max(0, round(size.depth * quarter / LEVELS) - 1) for quarter in range(1, LEVELS + 1))
    return TrunkConfig(size.width, size.depth, size.heads, _interval(size.depth), taps)


def _interval(depth: int) -> int:
    """A quarter of the depth, as in all published sizes; at least 2, so that a block samples."""
    return max(2, depth // 4)


def _expect_channels(name, folder, channels, bands) -> None:
    count = len(bands.source.used)
    if channels != count:
        raise ValueError(
            f"weights.{name}: {folder} was fine-tuned on {channels} channels, and {bands.source.name} has {count} bands; take "
            "weights of pretraining, or of as many."
        )


ENCODERS: tuple[Encoder, ...] = (
    foreign(FUSED, fusion.MODEL, (NONE,), fresh_fused, read_fused, every_map, side_fused),
    foreign(SPATIAL, spatial.MODEL, (NONE,), fresh_spatial, read_spatial, taken_out, side_spatial),
)
