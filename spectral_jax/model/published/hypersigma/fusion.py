"""Both encoders of HyperSIGMA together: spatial maps, each channel scaled by what the spectral encoder says of the image."""

import dataclasses
import math
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from spectral_jax.model.convolutions import TORCH_UNIFORM
from spectral_jax.model.initialise import torch_bias
from spectral_jax.model.layers import TORCH_EPS, Dense, LayerNorm, dtype_of, gelu
from spectral_jax.model.published import vit
from spectral_jax.model.published.contract import Published
from spectral_jax.model.published.hypersigma import spatial, spectral
from spectral_jax.model.published.hypersigma.pyramid import LEVELS
from spectral_jax.model.published.hypersigma.resample import enlarge
from spectral_jax.model.published.hypersigma.spatial import SpatialConfig, SpatSigma, all_train
from spectral_jax.model.published.hypersigma.spectral import SUMMARY, SpecSigma, SpectralConfig
from spectral_jax.model.published.vit import Features
from spectral_jax.sentences import unknown

# What a fusion is for, and the task of its spatial encoder: classes of images, a map of classes, the score of a target's
# spectrum in every pixel, ordinary and anomalous pixels, or what "classes" has without the classes.
TASKS = {"features": "features", "classes": "features", "map": "plain", "target": "joint", "anomaly": "joint"}
CLASSIFIED, DETECTING = ("classes", "map"), ("target", "anomaly")
FLOAT32 = jnp.dtype(jnp.float32)
# Hidden width of what scales the channels: of classifications, and of detections.
HIDDEN, HIDDEN_DETECTION = 128, 32


@dataclasses.dataclass(frozen=True)
class FusionConfig:
    """Structure of both encoders and what follows them; `task` is one of `TASKS`, `classes` 0 where it has none."""

    spatial: SpatialConfig
    spectral: SpectralConfig
    task: str
    classes: int = 0

    def __post_init__(self):
        if self.task not in TASKS:
            raise unknown("FusionConfig.task", "task of HyperSIGMA", self.task, TASKS)
        if self.spatial.task != TASKS[self.task]:
            raise ValueError(
                f"FusionConfig.spatial.task: expected {TASKS[self.task]!r} for {self.task}, got {self.spatial.task!r}."
            )
        if len(self.spatial.trunk.taps) != LEVELS or not self.spectral.summary:
            raise ValueError(
                "FusionConfig: expected four blocks that are taken out of the spatial encoder, and a spectral summary."
            )
        if (self.classes > 0) != (self.task in CLASSIFIED):
            raise ValueError(f"FusionConfig.classes: expected {'some' if self.task in CLASSIFIED else 0}, got {self.classes}.")
        if self.size == (0, 0):
            raise ValueError(
                f"FusionConfig: no image has the {self.spectral.pixels} pixels of the spectral encoder and the patches of "
                f"{self.spatial.patch} px of the spatial one, {self.spatial.grid or 'of any number'}; one of both is "
                "of another size."
            )

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of an image that both encoders take, the one closest to a square; zeros where there is none."""
        pixels, patch, grid = self.spectral.pixels, self.spatial.patch, self.spatial.grid
        found = (0, 0)
        for rows in range(patch, math.isqrt(pixels) + 1 if grid is None else patch * (grid[0] + 1)):
            fits = pixels % rows == 0 and pixels // rows >= patch
            if fits and grid in (None, (rows // patch, pixels // rows // patch)):
                found = (rows, pixels // rows)
        return found


class Fused(NamedTuple):
    """What a fusion gives.

    Attributes:
      spatial: tokens [B N D] of every block of the spatial encoder.
      spectral: tokens [B N D] of every block of the spectral encoder.
      summary: what the spectral encoder says, [B N], N its tokens.
      maps: fused maps [B h w 128], shallow to deep; of detections the only one.
      output: logits [B classes], [B H W classes] or [B H W 2] of anomalies; score [B H W] of a target; None without one.
    """

    spatial: tuple
    spectral: tuple
    summary: jax.Array
    maps: tuple
    output: Any


class HyperSigma(nn.Module):
    """Both encoders, their fusion and the task's head."""

    cfg: FusionConfig

    @nn.compact
    def __call__(self, image, target=None):
        """Maps [B H W C], and [B C] of a target, to `Fused`."""
        cfg = self.cfg
        space = SpatSigma(cfg.spatial, name="spatial")(image)
        spectrum = SpecSigma(cfg.spectral, name="spectral")(image)
        summary = spectrum.features[0].mean(axis=-1)
        if cfg.task not in DETECTING:
            maps, output = self._classified(space.maps, summary, image.shape[1:3])
        else:
            maps, output = self._detected(space.maps, summary, target)
        return Fused(space.blocks, spectrum.blocks, summary, tuple(maps), output)

    def _classified(self, maps, summary, size):
        cfg, dtype, width = self.cfg, dtype_of(self.cfg.spatial.trunk.dtype), self.cfg.spatial.trunk.width
        fused = []
        # The published numbers count from the deepest.
        for j, x in enumerate(maps[::-1], 1):
            reduce = Dense(SUMMARY, dtype, False, TORCH_UNIFORM, name=f"reduce{j}")
            if cfg.task != "map":
                x = _scaled(reduce(x), Weigh(HIDDEN, SUMMARY, dtype, name=f"weigh{j}")(summary))
            else:
                x = reduce(_scaled(enlarge(x, size), Weigh(HIDDEN, width, dtype, name=f"weigh{j}")(summary)))
            fused.append(x)
        if cfg.task == "features":
            return fused[::-1], None
        if cfg.task == "classes":
            x = jnp.concatenate([x.mean(axis=(1, 2)) for x in fused], axis=-1)
            widths = (256, 128, cfg.classes)
        else:
            x, widths = jnp.concatenate(fused, axis=-1), (128, cfg.classes)
        for i, wide in enumerate(widths):  # nothing stands between the layers but the dropout of training
            x = Dense(wide, FLOAT32, kernel_init=TORCH_UNIFORM, bias_start=torch_bias, name=f"head{i}")(x)
        return fused[::-1], x

    def _detected(self, maps, summary, target):
        dtype = dtype_of(self.cfg.spatial.trunk.dtype)
        layer = partial(Dense, dtype=dtype, use_bias=False, kernel_init=TORCH_UNIFORM)
        x = sum((layer(SUMMARY, name=f"level{j}")(x) for j, x in enumerate(maps, 1)), start=jnp.zeros((), dtype))
        x = layer(SUMMARY, name="joint")(x)
        x = _scaled(x, Weigh(HIDDEN_DETECTION, SUMMARY, dtype, name="weigh")(summary))
        if self.cfg.task == "anomaly":
            return [x], layer(2, name="anomalous")(x)
        y = gelu(LayerNorm(dtype, TORCH_EPS, name="target_norm")(layer(SUMMARY, name="target_in")(target)))
        y = layer(SUMMARY, name="target_out")(y)
        return [x], jnp.einsum("bd,bhwd->bhw", y, x, preferred_element_type=jnp.float32)


class Weigh(nn.Module):
    """A number above 0 and below 1 for each channel."""

    hidden: int
    width: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, summary):
        """Maps [B N] to [B D]."""
        h = jax.nn.relu(Dense(self.hidden, self.dtype, False, TORCH_UNIFORM, name="in")(summary))
        return jax.nn.sigmoid(Dense(self.width, self.dtype, False, TORCH_UNIFORM, name="out")(h))


def _scaled(maps, weights):
    return maps * (1 + weights[:, None, None])


def init(key: jax.Array, cfg: FusionConfig) -> dict:
    """Fresh parameters, float32; no data is needed."""
    return _init(key, cfg)


def apply(params: dict, image: jax.Array, cfg: FusionConfig, target: jax.Array | None = None) -> Fused:
    """Encodes images with both encoders, and says what the task asks.

    Args:
      params: of `init` or `interop`.
      image: [B H W C], of the size and channels that the weights are for, scaled as they were trained, see `spatial.apply`.
      cfg: structure; static under `jax.jit`.
      target: [B C], spectrum of the target, scaled as the image; for target detection alone.

    Returns:
      `Fused`.

    Raises:
      ValueError: an image of another size or other channels, a target that is missing or in the way.
    """
    spatial.check_image(image, cfg.spatial)
    spectral.check_image(image, cfg.spectral)
    expected = (len(image), cfg.spatial.channels) if cfg.task == "target" else None
    got = None if target is None else target.shape
    if got != expected:
        raise ValueError(f"target: expected {expected or 'none'} for the task {cfg.task!r}, got {got or 'none'}.")
    output: Any = HyperSigma(cfg).apply({"params": params}, image, target)
    return output


def _encode(params: dict, image: jax.Array, cfg: FusionConfig, layers: tuple[int, ...] | None, wavelengths_nm) -> Features:
    """Blocks are the spatial encoder's, maps the fused ones asked for, 0 the shallowest, 128 wide; pooled are their means."""
    del wavelengths_nm  # bands are known by their order
    target = image.mean(axis=(1, 2)) if cfg.task == "target" else None  # it does not change the maps
    found = apply(params, image, cfg, target)
    layers = vit.chosen(layers, len(found.maps))
    pooled = jnp.concatenate([x.mean(axis=(1, 2)) for x in found.maps[::-1]], axis=-1)
    return Features(found.spatial, tuple(found.maps[i] for i in layers), pooled)


MODEL = Published(FusionConfig, init, _encode, all_train)


@partial(jax.jit, static_argnames="cfg")
def _init(key, cfg):
    image = jnp.zeros((1, *cfg.size, cfg.spatial.channels))
    return HyperSigma(cfg).init(key, image, image[:, 0, 0] if cfg.task == "target" else None)["params"]
