"""SpatSIGMA: patches of an image to tokens, the maps of four blocks as a pyramid, and the two heads it has alone."""

import dataclasses
from functools import partial
from typing import Any, NamedTuple

import einops
import jax
import jax.numpy as jnp
from flax import linen as nn

from spectral_jax import ranges
from spectral_jax.model.convolutions import TORCH_UNIFORM
from spectral_jax.model.initialise import TRUNCATED, torch_bias
from spectral_jax.model.layers import Dense, along_last, dtype_of
from spectral_jax.model.published.contract import Published
from spectral_jax.model.published.hypersigma.pyramid import HEADED, LEVELS, PATCHES, PYRAMIDS, Pyramid, fewest_tokens
from spectral_jax.model.published.hypersigma.resample import enlarge
from spectral_jax.model.published.hypersigma.trunk import Trunk, TrunkConfig, features
from spectral_jax.model.published.vit import Features
from spectral_jax.sentences import unknown


@dataclasses.dataclass(frozen=True)
class SpatialConfig:
    """Structure of the encoder.

    Attributes:
      trunk: its blocks.
      channels: bands or components of an image; the published tasks give 30 whitened principal components, or all bands.
      patch: side of a token, pixels; rows and columns of the image that are left over are dropped.
      grid: rows and columns of tokens that its positions are for; None: it has none, and takes any size.
      task: of `PYRAMIDS`.
      classes: of the head; 0 where the task has none.
    """

    trunk: TrunkConfig
    channels: int
    patch: int
    grid: tuple[int, int] | None
    task: str = "features"
    classes: int = 0

    def __post_init__(self):
        ranges.check(self, "SpatialConfig.", {"channels": ranges.COUNT, "patch": ranges.COUNT, "grid": ranges.COUNT})
        if self.task not in PYRAMIDS:
            raise unknown("SpatialConfig.task", "task of SpatSIGMA", self.task, PYRAMIDS)
        patches = PATCHES.get(PYRAMIDS[self.task], (self.patch,))
        if self.patch not in patches:
            raise ValueError(
                f"SpatialConfig.patch: the published pyramid is of patches of {', '.join(map(str, patches))} px, got "
                f"{self.patch}; take one of them, or the task 'tokens'."
            )
        least = fewest_tokens(self.patch, PYRAMIDS[self.task])
        if self.grid is not None and min(self.grid) < least:
            raise ValueError(
                f"SpatialConfig.grid: expected at least {least} x {least} patches of {self.patch} px for the pyramid, got "
                f"{self.grid[0]} x {self.grid[1]}; take larger images or smaller patches."
            )
        if PYRAMIDS[self.task] and len(self.trunk.taps) != LEVELS:
            raise ValueError(f"SpatialConfig.trunk.taps: expected {LEVELS} blocks for the pyramid, got {self.trunk.taps}.")
        if (self.classes > 0) != (self.task in HEADED):
            raise ValueError(
                f"SpatialConfig.classes: expected {'some' if self.task in HEADED else 0} for the task {self.task}."
            )


class Spatial(NamedTuple):
    """Tokens [B N D] of every block; the maps [B h w D] of those taken out, shallow to deep; logits where there is a head."""

    blocks: tuple
    maps: tuple
    logits: Any


class SpatSigma(nn.Module):
    """The encoder."""

    cfg: SpatialConfig

    @nn.compact
    def __call__(self, image):
        """Maps [B H W C] to `Spatial`."""
        cfg, dtype = self.cfg, dtype_of(self.cfg.trunk.dtype)
        shape = (cfg.patch, cfg.patch, cfg.channels, cfg.trunk.width)
        kernel = self.param("kernel", TORCH_UNIFORM, shape, jnp.float32).astype(dtype)
        bias = self.param("bias", torch_bias(cfg.patch**2 * cfg.channels), (cfg.trunk.width,), jnp.float32)
        axes = ("NHWC", "HWIO", "NHWC")
        x = jax.lax.conv_general_dilated(image.astype(dtype), kernel, shape[:2], "VALID", dimension_numbers=axes)
        grid = x.shape[1:3]
        x = (x + along_last(bias.astype(dtype), x)).reshape(len(x), -1, cfg.trunk.width)
        if cfg.grid is not None:
            table = self.param("positions", TRUNCATED, (cfg.grid[0] * cfg.grid[1], cfg.trunk.width), jnp.float32)
            x = x + table.astype(dtype)[None]
        blocks = Trunk(cfg.trunk, name="trunk")(x, grid)
        maps = [einops.rearrange(blocks[i], "b (h w) d -> b h w d", h=grid[0]) for i in cfg.trunk.taps]
        if PYRAMIDS[cfg.task]:
            maps = Pyramid(cfg.patch, PYRAMIDS[cfg.task], dtype, name="pyramid")(maps)
        return Spatial(tuple(blocks), tuple(maps), self._logits(maps, image.shape[1:3]))

    def _logits(self, maps, size):
        """Three layers without anything between them, on means [B classes] or on every pixel [B H W classes]."""
        cfg = self.cfg
        if cfg.task not in HEADED:
            return None
        deepest_first = maps[::-1]
        if cfg.task == "classes":
            x = jnp.concatenate([x.mean(axis=(1, 2)) for x in deepest_first], axis=-1)
        else:
            x = jnp.concatenate([enlarge(x, size) for x in deepest_first], axis=-1)
        for i, width in enumerate((128, 64, cfg.classes)):
            x = Dense(width, jnp.dtype(jnp.float32), kernel_init=TORCH_UNIFORM, bias_start=torch_bias, name=f"head{i}")(x)
        return x


def check_image(image: jax.Array, cfg: SpatialConfig) -> None:
    """Refuses an image of other channels, of another size than the positions are for, or of too few tokens, in a sentence."""
    if image.ndim != 4 or image.shape[3] != cfg.channels:
        raise ValueError(
            f"image: expected [B H W C] with the C = {cfg.channels} channels that the patch embedding is for, got shape "
            f"{image.shape}; give those, such as the principal components that it was trained with."
        )
    grid, (rows, columns) = cfg.grid, (side // cfg.patch for side in image.shape[1:3])
    if grid is not None and (rows, columns) != grid:
        raise ValueError(
            f"image: expected {grid[0]} x {grid[1]} patches of {cfg.patch} px, for which there are positions, got {rows} x "
            f"{columns} of shape {image.shape}; crop it, or resize the positions when the weights are taken over."
        )
    least = fewest_tokens(cfg.patch, PYRAMIDS[cfg.task])
    if min(rows, columns) < least:
        raise ValueError(
            f"image: expected at least {least} x {least} patches of {cfg.patch} px for the pyramid, got {rows} x {columns} of "
            f"shape {image.shape}; give a larger one."
        )


def init(key: jax.Array, cfg: SpatialConfig) -> dict:
    """Fresh parameters, float32; no data is needed."""
    return _init(key, cfg)


def apply(params: dict, image: jax.Array, cfg: SpatialConfig) -> Spatial:
    """Encodes images.

    Args:
      params: of `init` or `interop`.
      image: [B H W C], scaled as the weights were trained: whitened principal components of the scene in the published
        classifications, the product's integers / 4000 in pretraining.
      cfg: structure; static under `jax.jit`.

    Returns:
      `Spatial`; no norm is applied to tokens or maps, and none of their mean is published.

    Raises:
      ValueError: other channels, or a size that positions or pyramid are not for.
    """
    check_image(image, cfg)
    output: Any = SpatSigma(cfg).apply({"params": params}, image)
    return output


def all_train(params: dict, cfg: Any) -> dict:
    """For each parameter, whether it trains: all do."""
    del cfg
    return jax.tree.map(lambda _: True, params)


def _encode(params: dict, image: jax.Array, cfg: SpatialConfig, layers: tuple[int, ...] | None, wavelengths_nm) -> Features:
    """Maps are the tokens of the blocks asked for, as they come; pooled is the mean over the last one's."""
    del wavelengths_nm  # bands are known by their order
    return features(apply(params, image, cfg).blocks, layers, image.shape[1] // cfg.patch)


MODEL = Published(SpatialConfig, init, _encode, all_train)


@partial(jax.jit, static_argnames="cfg")
def _init(key, cfg):
    rows, columns = cfg.grid or (LEVELS, LEVELS)
    return SpatSigma(cfg).init(key, jnp.zeros((1, rows * cfg.patch, columns * cfg.patch, cfg.channels)))["params"]
