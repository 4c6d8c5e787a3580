"""SpecSIGMA: every token is one band, or the mean of a few, as a whole image; no pixel is a token."""

import dataclasses
import math
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from spectral_jax import ranges
from spectral_jax.model.convolutions import TORCH_UNIFORM
from spectral_jax.model.initialise import TRUNCATED
from spectral_jax.model.layers import Dense, dtype_of
from spectral_jax.model.published.contract import Published
from spectral_jax.model.published.hypersigma.spatial import all_train
from spectral_jax.model.published.hypersigma.trunk import Trunk, TrunkConfig, features
from spectral_jax.model.published.vit import Features
from spectral_jax.model.resize import bin_weights

# Channels that the tokens of the first block taken out become, in all published fusions.
SUMMARY = 128


@dataclasses.dataclass(frozen=True)
class SpectralConfig:
    """Structure of the encoder.

    Attributes:
      trunk: its blocks.
      tokens: bands are averaged to so many, a square number: attention samples in the square they are folded into, row by row.
      pixels: H * W of the images, all of which are projected to one token; weights are of one size of image.
      positions: whether tokens have learned ones.
      summary: whether the first block taken out is projected to 128 channels; not in pretraining.
    """

    trunk: TrunkConfig
    tokens: int
    pixels: int
    positions: bool = True
    summary: bool = True

    def __post_init__(self):
        ranges.check(self, "SpectralConfig.", {"tokens": ranges.COUNT, "pixels": ranges.COUNT})
        root = math.isqrt(self.tokens)
        if root**2 != self.tokens:
            raise ValueError(
                f"SpectralConfig.tokens: expected a square number, since tokens are folded into a square, got "
                f"{self.tokens}; the closest are {root**2} and {(root + 1) ** 2}."
            )

    @property
    def side(self) -> int:
        """Of the square that tokens are folded into."""
        return math.isqrt(self.tokens)


class Spectral(NamedTuple):
    """Tokens [B N D] of every block, and the features taken out: the first [B N 128], the others [B N D]."""

    blocks: tuple
    features: tuple


class SpecSigma(nn.Module):
    """The encoder."""

    cfg: SpectralConfig

    @nn.compact
    def __call__(self, image):
        """Maps [B H W C] to `Spectral`; any C."""
        cfg, dtype = self.cfg, dtype_of(self.cfg.trunk.dtype)
        bins = jnp.asarray(bin_weights(image.shape[3], cfg.tokens))  # bands are repeated where they are fewer than tokens
        x = jnp.einsum("bhwc,nc->bnhw", image.astype(jnp.float32), bins, precision="highest")
        x = Dense(cfg.trunk.width, dtype, name="embed")(x.reshape(len(x), cfg.tokens, -1))
        if cfg.positions:
            table = self.param("positions", TRUNCATED, (cfg.tokens, cfg.trunk.width), jnp.float32)
            x = x + table.astype(dtype)[None]
        blocks = Trunk(cfg.trunk, name="trunk")(x, (cfg.side, cfg.side))
        features = [blocks[i] for i in cfg.trunk.taps]
        if cfg.summary:
            features[0] = Dense(SUMMARY, dtype, False, TORCH_UNIFORM, name="summary")(features[0])
        return Spectral(tuple(blocks), tuple(features))


def check_image(image: jax.Array, cfg: SpectralConfig) -> None:
    """Refuses an image of another number of pixels, in a sentence."""
    if image.ndim != 4 or image.shape[1] * image.shape[2] != cfg.pixels:
        raise ValueError(
            f"image: expected [B H W C] with H * W = {cfg.pixels} pixels, all of which SpecSIGMA projects to one token, got "
            f"shape {image.shape}; crop it, or take the weights over for another size."
        )


def init(key: jax.Array, cfg: SpectralConfig) -> dict:
    """Fresh parameters, float32; no data is needed."""
    return _init(key, cfg)


def apply(params: dict, image: jax.Array, cfg: SpectralConfig) -> Spectral:
    """Encodes images.

    Args:
      params: of `init` or `interop`.
      image: [B H W C], scaled as the weights were trained, see `spatial.apply`; any C, bands by wavelength.
      cfg: structure; static under `jax.jit`.

    Returns:
      `Spectral`; no norm is applied.

    Raises:
      ValueError: another number of pixels.
    """
    check_image(image, cfg)
    output: Any = SpecSigma(cfg).apply({"params": params}, image)
    return output


def _encode(params: dict, image: jax.Array, cfg: SpectralConfig, layers: tuple[int, ...] | None, wavelengths_nm) -> Features:
    """Maps are the tokens of the blocks asked for in the square of bands, no places; pooled is the mean over the last one's."""
    del wavelengths_nm  # bands are known by their order
    return features(apply(params, image, cfg).blocks, layers, cfg.side)


MODEL = Published(SpectralConfig, init, _encode, all_train)


@partial(jax.jit, static_argnames="cfg")
def _init(key, cfg):
    return SpecSigma(cfg).init(key, jnp.zeros((1, 1, cfg.pixels, 1)))["params"]
