"""SpectralEarth's Spec-ResNet-50: the spectral adapter, then the four stages of a ResNet-50 without its stem.

Structure as published (`src/backbones/spec_resnet.py`). The first block of the first stage is its own: it takes the adapter's
128 channels, has stride 2, and is as wide inside as outside, where the others narrow to a quarter. Fresh parameters are drawn
as there: the others are timm's, whose kernels are normal by their fan out and whose last norm starts at 0, so that a block
starts as its shortcut; the first has PyTorch's default.
"""

import dataclasses
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from spectral_jax.model.convolutions import TORCH_UNIFORM
from spectral_jax.model.layers import dtype_of
from spectral_jax.model.published import spectral_adapter, vit
from spectral_jax.model.published.contract import Published
from spectral_jax.model.published.spectral_adapter import CHANNELS, FrozenBatchNorm, SpectralAdapter
from spectral_jax.model.published.vit import Features

# A bottleneck's width outside over that inside.
EXPANSION = 4
# Of timm's ResNet: PyTorch's `kaiming_normal_(mode="fan_out", nonlinearity="relu")`.
KAIMING_FAN_OUT = nn.initializers.variance_scaling(2.0, "fan_out", "normal")


@dataclasses.dataclass(frozen=True)
class SpectralEarthResNetConfig:
    """Structure of the encoder: inner width of the first stage, doubled in each further one, and blocks of each stage."""

    width: int = 64
    depths: tuple[int, int, int, int] = (3, 4, 6, 3)
    adapter: tuple[int, int, int] = CHANNELS
    dtype: str = "float32"


class _Convolution(nn.Module):
    """A convolution without bias and its batch normalisation; padding keeps the size that the stride leaves."""

    width: int
    side: int
    stride: int
    first: bool
    start: float = 1.0

    @nn.compact
    def __call__(self, x):
        shape = (self.side, self.side, x.shape[-1], self.width)
        kernel = self.param("kernel", TORCH_UNIFORM if self.first else KAIMING_FAN_OUT, shape, jnp.float32)
        pad = [(self.side // 2, self.side // 2)] * 2
        strides = (self.stride, self.stride)
        x = jax.lax.conv_general_dilated(x, kernel.astype(x.dtype), strides, pad, dimension_numbers=("NHWC", "HWIO", "NHWC"))
        return FrozenBatchNorm(self.start, name="norm")(x)


class Bottleneck(nn.Module):
    """Convolutions 1x1, 3x3 (with the stride) and 1x1, added to the input, or to its own 1x1 convolution in `shortcut`.

    `first`: it is the block that is not timm's.
    """

    inside: int
    outside: int
    stride: int = 1
    shortcut: bool = False
    first: bool = False

    @nn.compact
    def __call__(self, x):
        """Maps [B H W C] to [B H/stride W/stride outside]."""
        h = jax.nn.relu(_Convolution(self.inside, 1, 1, self.first, name="conv1")(x))
        h = jax.nn.relu(_Convolution(self.inside, 3, self.stride, self.first, name="conv2")(h))
        h = _Convolution(self.outside, 1, 1, self.first, 1.0 if self.first else 0.0, name="conv3")(h)
        if self.shortcut:
            x = _Convolution(self.outside, 1, self.stride, self.first, name="skip")(x)
        return jax.nn.relu(h + x)


class SpectralEarthResNet(nn.Module):
    """Adapter and stages."""

    cfg: SpectralEarthResNetConfig

    @nn.compact
    def __call__(self, image):
        """Maps [B H W C] to the maps of the four stages, [B H/2 W/2 4w] to [B H/16 W/16 32w]."""
        cfg = self.cfg
        x = SpectralAdapter(cfg.adapter, dtype_of(cfg.dtype), name="adapter")(image)
        maps = []
        for stage, depth in enumerate(cfg.depths):
            outside = EXPANSION * cfg.width << stage
            for i in range(depth):
                first = stage == i == 0
                inside = outside if first else cfg.width << stage
                x = Bottleneck(inside, outside, 1 if i else 2, i == 0, first, name=f"stage{stage}_block{i}")(x)
            maps.append(x)
        return maps


def init(key: jax.Array, cfg: SpectralEarthResNetConfig) -> dict:
    """Fresh parameters, float32; no data is needed."""
    return _init(key, cfg)


def apply(params: dict, image: jax.Array, cfg: SpectralEarthResNetConfig, layers: tuple[int, ...] | None = None) -> Features:
    """Encodes hyperspectral images.

    Args:
      params: of `init` or `interop`.
      image: per-band standardised pixels [B H W C], bands by wavelength; H and W multiples of 16, C at least 75.
      cfg: structure; static under `jax.jit`.
      layers: the stages whose maps are wanted, 0 to 3; None: the last.

    Returns:
      `Features`: `blocks` are the maps of the four stages, [B H/2 W/2 256] to [B H/16 W/16 2048]; `maps` those asked for;
      `pooled` the mean of the last [B 2048].

    Raises:
      ValueError: too few bands, a size that 16 does not divide, or no such stage.
    """
    _check(image)
    layers = vit.chosen(layers, len(cfg.depths))
    fixed = vit.held(params, spectral_adapter.STATISTICS)
    stages: Any = SpectralEarthResNet(cfg).apply({"params": fixed}, image)
    return Features(tuple(stages), tuple(stages[i] for i in layers), stages[-1].mean(axis=(1, 2)))


def with_statistics(params: dict, images: jax.Array, cfg: SpectralEarthResNetConfig) -> dict:
    """The parameters with all running statistics taken from images; for fresh ones, before they train.

    Args:
      params: of `init`.
      images: per-band standardised pixels [B H W C] of the training part; H and W multiples of 16. Each pixel takes at least
        26 * C bytes meanwhile.
      cfg: structure; static under `jax.jit`.

    Raises:
      ValueError: too few bands, a size that 16 does not divide, or fewer than two values a channel in the last stage.
    """
    _check(images)
    return spectral_adapter.with_statistics(SpectralEarthResNet(cfg), params, images)


def trainable(params: dict, cfg: SpectralEarthResNetConfig | None = None) -> dict:
    """For each parameter, whether it trains: all but the statistics of batch normalisation, whatever the config."""
    del cfg
    return vit.trainable(params, spectral_adapter.STATISTICS)


def _encode(params: dict, image: jax.Array, cfg: SpectralEarthResNetConfig, layers, wavelengths_nm=None) -> Features:
    del wavelengths_nm  # bands are known by their order
    return apply(params, image, cfg, layers)


MODEL = Published(SpectralEarthResNetConfig, init, _encode, trainable, with_statistics)


def _check(image):
    spectral_adapter.check_bands(image)
    if any(side % 16 for side in image.shape[1:3]):
        raise ValueError(f"image: expected [B H W C] with H and W multiples of 16 px, got shape {image.shape}; pad or crop it.")


@partial(jax.jit, static_argnames="cfg")
def _init(key, cfg):
    return SpectralEarthResNet(cfg).init(key, jnp.zeros((1, 16, 16, spectral_adapter.fewest_bands())))["params"]
