"""SpectralEarth's encoders: the spectral adapter, then a vision transformer with a class token.

Structure and sizes are those of the published code (`src/backbones/spec_vit.py`); `spectralearth_resnet` has the ResNet.
"""

import dataclasses
from functools import partial
from typing import Any

import einops
import jax
import jax.numpy as jnp
from flax import linen as nn

from spectral_jax.model.convolutions import TORCH_UNIFORM
from spectral_jax.model.layers import Dense, LayerNorm, dtype_of
from spectral_jax.model.published import spectral_adapter, vit
from spectral_jax.model.published.bicubic import resize_positions
from spectral_jax.model.published.contract import Published
from spectral_jax.model.published.spectral_adapter import CHANNELS, SpectralAdapter
from spectral_jax.model.published.vit import ClassToken, Features, Trunk

# Width, blocks and heads of the published sizes.
SIZES: dict[str, dict] = {
    "tiny": dict(width=192, depth=12, heads=3),
    "small": dict(width=384, depth=12, heads=6),
    "base": dict(width=768, depth=12, heads=12),
    "large": dict(width=1024, depth=24, heads=16),
    "huge": dict(width=1280, depth=32, heads=16),
    "giant": dict(width=1536, depth=40, heads=24),
}
# What timm does to positions of another size. Published code passes `dynamic_img_size` on to timm's `VisionTransformer`, off by
# default; where it is on, timm's `resample_abs_pos_embed` is called at run time, and also where timm loads weights. Without it
# timm refuses images of another size.
RESIZE = partial(resize_positions, antialias=True)


@dataclasses.dataclass(frozen=True)
class SpectralEarthConfig:
    """Structure of the encoder, for any number of bands.

    `grid` is the side in patches that the table of positions was made for (32, so 128 px, as published). `heads` is None where
    a checkpoint of no published width was read and nobody said.
    """

    width: int
    depth: int
    heads: int | None
    patch: int = 4
    grid: int = 32
    adapter: tuple[int, int, int] = CHANNELS
    dtype: str = "float32"

    def __post_init__(self):
        vit.check_heads("SpectralEarthConfig", self.width, self.heads)


def config(size: str, **options) -> SpectralEarthConfig:
    """The config of a published size ("tiny" to "giant"); `options` are other fields."""
    if size not in SIZES:
        raise ValueError(f"size: expected one of {', '.join(SIZES)}, got {size!r}.")
    return SpectralEarthConfig(**SIZES[size], **options)


class SpectralEarth(nn.Module):
    """The encoder, with what the adapter gave beside the tokens."""

    cfg: SpectralEarthConfig

    @nn.compact
    def __call__(self, image):
        """Maps [B H W C] to the adapter's channels [B H W K] and a list of `depth` arrays [B 1+N D]; the last is normalised."""
        cfg, dtype = self.cfg, dtype_of(self.cfg.dtype)
        channels = SpectralAdapter(cfg.adapter, dtype, name="adapter")(image)
        patches = einops.rearrange(channels, "b (h p) (w q) c -> b h w (p q c)", p=cfg.patch, q=cfg.patch)
        # timm draws what is linear anew, and leaves the convolution that this is there as PyTorch starts it.
        embed = Dense(cfg.width, dtype, kernel_init=TORCH_UNIFORM, name="embed")
        x = ClassToken(cfg.grid, RESIZE, name="class")(embed(patches))
        heads = vit.known_heads("SpectralEarthConfig", cfg.heads)
        kept = Trunk(cfg.depth, heads, 4 * cfg.width, dtype, name="trunk")(x)
        return channels, [*kept[:-1], LayerNorm(dtype, name="norm")(kept[-1])]


def init(key: jax.Array, cfg: SpectralEarthConfig) -> dict:
    """Fresh parameters, float32; no data is needed."""
    return _init(key, cfg)


def apply(params: dict, image: jax.Array, cfg: SpectralEarthConfig, layers: tuple[int, ...] | None = None) -> Features:
    """Encodes hyperspectral images.

    Args:
      params: of `init` or `interop`.
      image: per-band standardised pixels [B H W C], bands by wavelength; H and W multiples of the patch, any C of at least 75.
        Positions of another size than `grid * patch` px are interpolated as timm does it, see `RESIZE`.
      cfg: structure; static under `jax.jit`.
      layers: the blocks whose maps are wanted; None: the last.

    Returns:
      `Features`: tokens [B 1+N D] of every block with the class token first, the last after the final norm; maps [B h w D];
      and the class token [B D], which is the published embedding.

    Raises:
      ValueError: a size that the patch does not divide, or too few bands.
    """
    spectral_adapter.check_bands(image)
    vit.check_patches(image, cfg.patch)
    layers = vit.chosen(layers, cfg.depth)
    fixed = vit.held(params, spectral_adapter.STATISTICS)
    output: Any = SpectralEarth(cfg).apply({"params": fixed}, image)
    _, blocks = output
    rows = image.shape[1] // cfg.patch
    maps = tuple(einops.rearrange(blocks[i][:, 1:], "b (h w) d -> b h w d", h=rows) for i in layers)
    return Features(tuple(blocks), maps, blocks[-1][:, 0])


def adapt(params: dict, image: jax.Array, cfg) -> jax.Array:
    """What the spectral adapter alone gives, [B H W C] to [B H W K]; `cfg` may be that of the ResNet too."""
    spectral_adapter.check_bands(image)
    channels: Any = SpectralAdapter(cfg.adapter, dtype_of(cfg.dtype)).apply({"params": params["adapter"]}, image)
    return channels


def with_statistics(params: dict, images: jax.Array, cfg: SpectralEarthConfig) -> dict:
    """The parameters with the running statistics of the adapter taken from images; for fresh ones, before they train.

    Args:
      params: of `init`.
      images: per-band standardised pixels [B H W C] of the training part, of any H and W: the adapter sees pixels one by one.
        Some thousands of pixels are plenty; each takes at least 26 * C bytes meanwhile.
      cfg: structure; static under `jax.jit`.

    Raises:
      ValueError: too few bands, or fewer than two values a channel.
    """
    spectral_adapter.check_bands(images)
    module = SpectralAdapter(cfg.adapter, dtype_of(cfg.dtype))
    return params | {"adapter": spectral_adapter.with_statistics(module, params["adapter"], images)}


def trainable(params: dict, cfg: SpectralEarthConfig | None = None) -> dict:
    """For each parameter, whether it trains: all but the statistics of batch normalisation, whatever the config."""
    del cfg
    return vit.trainable(params, spectral_adapter.STATISTICS)


def _encode(params: dict, image: jax.Array, cfg: SpectralEarthConfig, layers, wavelengths_nm=None) -> Features:
    del wavelengths_nm  # bands are known by their order
    return apply(params, image, cfg, layers)


MODEL = Published(SpectralEarthConfig, init, _encode, trainable, with_statistics)


@partial(jax.jit, static_argnames="cfg")
def _init(key, cfg):
    image = jnp.zeros((1, cfg.patch, cfg.patch, spectral_adapter.fewest_bands()))
    return SpectralEarth(dataclasses.replace(cfg, heads=cfg.heads or 1)).init(key, image)["params"]
