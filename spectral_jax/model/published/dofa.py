"""DOFA: a transformer whose patch embedding is made from the bands' wavelengths, so any optical sensor goes in.

Version 1 (patch 16) as in TorchGeo 0.8.1; version 2 (patch 14, LayerScale) as in the authors' `dofa_v2.py`.
"""

import dataclasses
from functools import partial
from typing import Any

import einops
import jax
import jax.numpy as jnp
from flax import linen as nn

from spectral_jax.model import resize
from spectral_jax.model.initialise import TRUNCATED
from spectral_jax.model.layers import LayerNorm, along_last, dtype_of
from spectral_jax.model.published import sine_positions, vit
from spectral_jax.model.published.bicubic import resize_positions
from spectral_jax.model.published.contract import Published
from spectral_jax.model.published.dofa_kernel import LAYOUTS, WaveKernel
from spectral_jax.model.published.vit import ClassToken, Features, Trunk

# Width, blocks, heads and patch of the published sizes, by version; no weights were published of small and huge.
SIZES: dict[int, dict[str, dict]] = {
    1: {
        "small": dict(width=384, depth=12, heads=6, patch=16),
        "base": dict(width=768, depth=12, heads=12, patch=16),
        "large": dict(width=1024, depth=24, heads=16, patch=16),
        "huge": dict(width=1280, depth=32, heads=16, patch=14),
    },
    2: {
        "base": dict(width=768, depth=12, heads=12, patch=14),
        "large": dict(width=1024, depth=24, heads=16, patch=14),
    },
}
# What published weights take for the wavelength of radar bands, nm, by version (torchgeo issue 3931).
RADAR_NM = {1: 3750.0, 2: 5405.0}
# LayerScale of version 2 before training.
LAYER_SCALE = 1e-5
# What blocks start from, by version, in the encoders' own code; where version 1 was pretrained, it went on from timm's weights.
START = {1: vit.TORCH, 2: vit.TIMM}
# What the class token starts from, by version: as where version 1 was pretrained (`models_base_ofa_mae.py`), and timm's. The
# encoders of version 1 have zeros there, which the first norm, on a position of zeros, would multiply by 1000 in the gradient.
TOKEN_START = {1: TRUNCATED, 2: nn.initializers.normal(1e-6)}
# Pixels added at every edge before patches are cut, in both versions.
PADDING = 1


def _bilinear(positions, grid, wanted):
    table = resize.bilinear(positions.reshape(1, *grid, -1), wanted)
    return table.reshape(-1, table.shape[-1])


# What becomes of the table of positions for images of another size, by version. The authors' files and TorchGeo's add the table
# as it is, and so fail. Both rules are of TerraTorch's `dofa_vit.py`: version 1's table is interpolated bilinearly when it is
# loaded (by DOFA's first author, pull request 577; nobody makes its sines and cosines anew), and version 2 is timm's
# `VisionTransformer` with `dynamic_img_size`. Both are for squares there; here rows and columns may differ.
RESIZE = {1: _bilinear, 2: partial(resize_positions, antialias=True)}


@dataclasses.dataclass(frozen=True)
class DofaConfig:
    """Structure of the encoder.

    `layout` is how the generated numbers become a kernel: "new" [C p p D], or "old" [D C p p]; weights trained with one are
    meaningless with the other, and nothing in them tells which. `grid` is the side in patches that the table of positions was
    made for (14, so 224 px at patch 16, as published). `pool_norm`: the checkpoint holds the norm of the pooled tokens; those
    published of version 1 do not, and it then has scale 1 and bias 0. `heads` is None where a checkpoint of no published width
    was read and nobody said.
    """

    width: int
    depth: int
    heads: int | None
    layout: str
    patch: int = 16
    grid: int = 14
    version: int = 1
    pool_norm: bool = False
    dtype: str = "float32"

    def __post_init__(self):
        vit.check_heads("DofaConfig", self.width, self.heads)
        if self.layout not in LAYOUTS:
            raise ValueError(f"DofaConfig.layout: expected one of {', '.join(LAYOUTS)}, got {self.layout!r}.")
        if self.version not in SIZES:
            raise ValueError(f"DofaConfig.version: expected 1 or 2, got {self.version!r}.")
        if self.version == 1:
            sine_positions.check_width("DofaConfig", self.width)

    @property
    def fixed(self) -> str:
        """Pattern of the paths that do not train: the positions of version 1; those of version 2 train."""
        return "/positions$" if self.version == 1 else "$^"


def config(size: str, layout: str, version: int = 1, **options) -> DofaConfig:
    """The config of a published size; `layout` is "old" or "new", see `DofaConfig`; `options` are other fields."""
    sizes = SIZES.get(version, {})
    if size not in sizes:
        known = ", ".join(f"{v} {s}" for v in SIZES for s in SIZES[v])
        raise ValueError(f"size: expected a version and size of {known}, got {version} {size!r}.")
    options = {"grid": 224 // sizes[size]["patch"], **options}
    return DofaConfig(**sizes[size], layout=layout, version=version, **options)


class Dofa(nn.Module):
    """The encoder."""

    cfg: DofaConfig

    @nn.compact
    def __call__(self, image, wavelengths_nm):
        """Maps [B H W C] and [C] to a list of `depth` arrays [B 1+N D] and the pooled embedding [B D]."""
        cfg, dtype = self.cfg, dtype_of(self.cfg.dtype)
        kernel, bias = WaveKernel(cfg.width, cfg.patch, cfg.layout, name="kernel")(wavelengths_nm)
        pad, stride = [(PADDING, PADDING)] * 2, (cfg.patch, cfg.patch)
        axes = ("NHWC", "HWIO", "NHWC")
        x = jax.lax.conv_general_dilated(image.astype(dtype), kernel.astype(dtype), stride, pad, dimension_numbers=axes)
        place = ClassToken(cfg.grid, RESIZE[cfg.version], _start(cfg), TOKEN_START[cfg.version], name="class")
        x = place(x + along_last(bias.astype(dtype), x))
        heads, scale = vit.known_heads("DofaConfig", cfg.heads), LAYER_SCALE if cfg.version == 2 else None
        trunk = Trunk(cfg.depth, heads, 4 * cfg.width, dtype, layer_scale=scale, start=START[cfg.version], name="trunk")
        kept = trunk(x)
        if cfg.version == 2:
            # The published file has a second norm that its forward pass does not use; it is kept for the way back.
            LayerNorm(dtype, name="spare_norm")(kept[-1])
            kept[-1] = LayerNorm(dtype, name="norm")(kept[-1])
            return kept, kept[-1][:, 1:].mean(axis=1)
        pooled = kept[-1][:, 1:].mean(axis=1)
        return kept, LayerNorm(dtype, name="pool_norm")(pooled) if cfg.pool_norm else _normalised(pooled)


def _start(cfg):
    # The public encoders of version 1 start with zeros and count on a checkpoint; its authors make sines and cosines where they
    # pretrain (zhu-xlab/DOFA issue 10). There base then continues from timm's weights, whose table may have replaced them.
    if cfg.version == 1:
        return nn.initializers.constant(sine_positions.columns_first_after_class(cfg.grid, cfg.width))
    return TRUNCATED


def _normalised(x):
    x = x - x.mean(axis=-1, keepdims=True)
    return x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + 1e-6)


def init(key: jax.Array, cfg: DofaConfig) -> dict:
    """Fresh parameters, float32; no data is needed. Positions of version 1 do not train and are its sines and cosines."""
    return _init(key, cfg)


def apply(
    params: dict, image: jax.Array, wavelengths_nm: jax.Array, cfg: DofaConfig, layers: tuple[int, ...] | None = None
) -> Features:
    """Encodes images of any optical sensor.

    Args:
      params: of `init` or `interop`.
      image: normalised pixels [B H W C], H and W multiples of the patch. Positions of another size than `grid * patch` px are
        interpolated, see `RESIZE`.
      wavelengths_nm: [C], centres of the bands; published DOFA takes micrometres and multiplies by 1000. Radar: `RADAR_NM`.
      cfg: structure; static under `jax.jit`.
      layers: the blocks whose maps are wanted; None: the last.

    Returns:
      `Features`: tokens [B 1+N D] of every block with the class token first (in version 2 the last after the final norm); maps
      [B h w D]; and the mean over the last patch tokens [B D], normalised in version 1. Version 2's authors publish no pooling.

    Raises:
      ValueError: a size that the patch does not divide, or not one wavelength for each band.
    """
    vit.check_patches(image, cfg.patch)
    wavelengths_nm = jnp.asarray(wavelengths_nm, jnp.float32)
    if wavelengths_nm.shape != image.shape[3:]:
        raise ValueError(
            f"wavelengths_nm: expected one for each of the C = {image.shape[3]} bands, got shape {wavelengths_nm.shape}."
        )
    layers = vit.chosen(layers, cfg.depth)
    output: Any = Dofa(cfg).apply({"params": vit.held(params, cfg.fixed)}, image, wavelengths_nm)
    blocks, pooled = output
    rows = (image.shape[1] + 2 * PADDING - cfg.patch) // cfg.patch + 1
    maps = tuple(einops.rearrange(blocks[i][:, 1:], "b (h w) d -> b h w d", h=rows) for i in layers)
    return Features(tuple(blocks), maps, pooled)


def trainable(params: dict, cfg: DofaConfig) -> dict:
    """For each parameter, whether it trains; the positions of version 1 are fixed, as published."""
    return vit.trainable(params, cfg.fixed)


def _encode(params: dict, image: jax.Array, cfg: DofaConfig, layers: tuple[int, ...] | None, wavelengths_nm) -> Features:
    if wavelengths_nm is None:
        raise ValueError("wavelengths_nm: DOFA makes its patch embedding from them; give the centre of each band, in nm.")
    return apply(params, image, wavelengths_nm, cfg, layers)


MODEL = Published(DofaConfig, init, _encode, trainable)


@partial(jax.jit, static_argnames="cfg")
def _init(key, cfg):
    image = jnp.zeros((1, cfg.patch, cfg.patch, 1))
    return Dofa(dataclasses.replace(cfg, heads=cfg.heads or 1)).init(key, image, jnp.ones((1,)))["params"]
