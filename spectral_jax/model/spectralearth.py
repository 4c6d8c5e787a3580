"""SpectralEarth's encoders: the spectral adapter, then a vision transformer with a class token.

Structure and sizes are those of the published code (`src/backbones/spec_vit.py`); `spectralearth_resnet` has the ResNet.
"""

import dataclasses
from functools import partial

import einops
import jax
import jax.numpy as jnp
from flax import linen as nn

from spectral_jax.model import spectral_adapter, vit
from spectral_jax.model.layers import Dense, LayerNorm, dtype_of
from spectral_jax.model.spectral_adapter import CHANNELS, SpectralAdapter
from spectral_jax.model.vit import ClassToken, Features, Trunk

# Width, blocks and heads of the published sizes.
SIZES = {
    "tiny": dict(width=192, depth=12, heads=3),
    "small": dict(width=384, depth=12, heads=6),
    "base": dict(width=768, depth=12, heads=12),
    "large": dict(width=1024, depth=24, heads=16),
    "huge": dict(width=1280, depth=32, heads=16),
    "giant": dict(width=1536, depth=40, heads=24),
}


@dataclasses.dataclass(frozen=True)
class SpectralEarthConfig:
    """Structure of the encoder; images are `grid * patch` pixels a side (128 as published), with any number of bands.

    `heads` is None where a checkpoint of no published width was read and nobody said.
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
        patches = einops.rearrange(channels, "b (h p) (w q) c -> b (h w) (p q c)", p=cfg.patch, q=cfg.patch)
        x = ClassToken(name="class")(Dense(cfg.width, dtype, name="embed")(patches))
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
      image: per-band standardised pixels [B H W C], bands by wavelength, H = W = `grid * patch`, any C of at least 78.
      cfg: structure; static under `jax.jit`.
      layers: the blocks whose maps are wanted; None: the last.

    Returns:
      `Features`: tokens [B 1+N D] of every block with the class token first, the last after the final norm; maps [B h w D];
      and the class token [B D], which is the published embedding.

    Raises:
      ValueError: another size than the table of positions is for, or too few bands.
    """
    spectral_adapter.check_bands(image)
    side = cfg.grid * cfg.patch
    if image.shape[1:3] != (side, side):
        raise ValueError(
            f"image: expected [B H W C] with H = W = {side} px, for which the positions were trained, got shape {image.shape}; "
            "resize the image."
        )
    layers = vit.chosen(layers, cfg.depth)
    fixed = vit.held(params, spectral_adapter.STATISTICS)
    _, blocks = SpectralEarth(cfg).apply({"params": fixed}, image)
    maps = tuple(einops.rearrange(blocks[i][:, 1:], "b (h w) d -> b h w d", h=cfg.grid) for i in layers)
    return Features(tuple(blocks), maps, blocks[-1][:, 0])


def adapt(params: dict, image: jax.Array, cfg) -> jax.Array:
    """What the spectral adapter alone gives, [B H W C] to [B H W K]; `cfg` may be that of the ResNet too."""
    spectral_adapter.check_bands(image)
    return SpectralAdapter(cfg.adapter, dtype_of(cfg.dtype)).apply({"params": params["adapter"]}, image)


def trainable(params: dict) -> dict:
    """For each parameter, whether it trains: all but the statistics of batch normalisation."""
    return vit.trainable(params, spectral_adapter.STATISTICS)


@partial(jax.jit, static_argnames="cfg")
def _init(key, cfg):
    image = jnp.zeros((1, cfg.grid * cfg.patch, cfg.grid * cfg.patch, spectral_adapter.fewest_bands()))
    return SpectralEarth(dataclasses.replace(cfg, heads=cfg.heads or 1)).init(key, image)["params"]
