"""TerraMind v1's encoder: pixels of several modalities to tokens of one transformer, without a class token.

Sizes, formulas and buffers are those of the published code (TerraTorch 1.2.13, `models/backbones/terramind`).
"""

import dataclasses
from functools import partial

import einops
import jax
import jax.numpy as jnp
from flax import linen as nn

from spectral_jax.model.initialise import TRUNCATED
from spectral_jax.model.layers import LayerNorm, dtype_of
from spectral_jax.model.published import sine_positions, vit
from spectral_jax.model.published.bicubic import resize_positions
from spectral_jax.model.published.contract import Published
from spectral_jax.model.published.vit import Features, Trunk

# Width, blocks, heads and kind of MLP of the published sizes.
SIZES: dict[str, dict] = {
    "tiny": dict(width=192, depth=12, heads=3, mlp="gelu"),
    "small": dict(width=384, depth=12, heads=6, mlp="gelu"),
    "base": dict(width=768, depth=12, heads=12, mlp="swiglu"),
    "large": dict(width=1024, depth=24, heads=16, mlp="swiglu"),
}
MERGES = ("mean", "max", "concat", "dict", "none")


@dataclasses.dataclass(frozen=True)
class Modality:
    """One kind of image: the name it goes by, its key in published checkpoints, and its bands in the order of the pixels."""

    name: str
    key: str
    bands: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class TerraMindConfig:
    """Structure of the encoder. `heads` is None where a checkpoint of no published width was read and nobody said.

    `mlp` is "gelu" (biases everywhere) or "swiglu" (gated, no biases; those of norms are buffers that stay 0). `grid` is the
    side in tokens that the table of positions was made for. `merge` says what becomes of the modalities' tokens: their "mean"
    or "max", "concat" along the width, a "dict" by name, or "none": one after another.
    """

    width: int
    depth: int
    heads: int | None
    mlp: str
    modalities: tuple[Modality, ...]
    patch: int = 16
    grid: int = 14
    merge: str = "mean"
    dtype: str = "float32"

    def __post_init__(self):
        sine_positions.check_width("TerraMindConfig", self.width)
        vit.check_heads("TerraMindConfig", self.width, self.heads)
        for field, value, known in (("mlp", self.mlp, ("gelu", "swiglu")), ("merge", self.merge, MERGES)):
            if value not in known:
                raise ValueError(f"TerraMindConfig.{field}: expected one of {', '.join(known)}, got {value!r}.")
        names = [m.name for m in self.modalities]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"TerraMindConfig.modalities: expected at least one and no name twice, got {names}.")

    @property
    def hidden(self) -> int:
        """Width inside the MLP: four times the width, two thirds of that where it is gated."""
        return 4 * self.width if self.mlp == "gelu" else int(2 * 4 * self.width / 3)

    @property
    def fixed(self) -> str:
        """Pattern of the paths that are buffers in the published code, and so do not train."""
        return "/positions$" if self.mlp == "gelu" else r"/positions$|norm\d?/bias$"


def config(size: str, modalities: tuple[Modality, ...], **options) -> TerraMindConfig:
    """The config of a published size ("tiny", "small", "base", "large"); `options` are other fields."""
    if size not in SIZES:
        raise ValueError(f"size: expected one of {', '.join(SIZES)}, got {size!r}.")
    return TerraMindConfig(**SIZES[size], modalities=modalities, **options)


# Xavier uniform for the linear layer that it is, from a patch's p*p*C numbers to D; the kernel is [p p C D].
PATCH_XAVIER = nn.initializers.xavier_uniform(in_axis=(0, 1, 2), out_axis=3)


class _Embed(nn.Module):
    """Patches of one modality through a linear layer without bias, plus its own vector and the table of positions."""

    cfg: TerraMindConfig
    bands: int

    @nn.compact
    def __call__(self, image):
        """Maps [B H W C] to [B N D]."""
        cfg, dtype = self.cfg, dtype_of(self.cfg.dtype)
        kernel = self.param("kernel", PATCH_XAVIER, (cfg.patch, cfg.patch, self.bands, cfg.width), jnp.float32)
        own = self.param("modality", TRUNCATED, (cfg.width,), jnp.float32)
        start = nn.initializers.constant(sine_positions.rows_first(cfg.grid, cfg.width))
        table = self.param("positions", start, (cfg.grid**2, cfg.width), jnp.float32)
        patches = einops.rearrange(image.astype(dtype), "b (h p) (w q) c -> b h w (p q c)", p=cfg.patch, q=cfg.patch)
        _, rows, columns, _ = patches.shape
        x = einops.rearrange(patches, "b h w k -> b (h w) k") @ einops.rearrange(kernel.astype(dtype), "p q c d -> (p q c) d")
        place = resize_positions(table, (cfg.grid, cfg.grid), (rows, columns)) + own[None]
        return x + place.astype(dtype)[None]


class TerraMind(nn.Module):
    """The encoder on the modalities it is given, in the order of the config."""

    cfg: TerraMindConfig

    @nn.compact
    def __call__(self, images):
        """Images by modality, [B H W C], to a list of `depth` arrays [B M*N D]; the last is normalised."""
        cfg, dtype = self.cfg, dtype_of(self.cfg.dtype)
        parts = [_Embed(cfg, len(m.bands), name=f"embed_{m.name}")(images[m.name]) for m in cfg.modalities if m.name in images]
        gated = cfg.mlp == "swiglu"
        heads = vit.known_heads("TerraMindConfig", cfg.heads)
        trunk = Trunk(cfg.depth, heads, cfg.hidden, dtype, gated=gated, bias=not gated, start=vit.MAE, name="trunk")
        kept = trunk(jnp.concatenate(parts, axis=1))
        return [*kept[:-1], LayerNorm(dtype, name="norm")(kept[-1])]


def init(key: jax.Array, cfg: TerraMindConfig) -> dict:
    """Fresh parameters, float32; no data is needed. Positions do not train and are the published sines and cosines."""
    return _init(key, cfg)


def apply(params: dict, images: dict[str, jax.Array], cfg: TerraMindConfig, layers: tuple[int, ...] | None = None) -> Features:
    """Encodes images of one place.

    Args:
      params: of `init` or `interop`.
      images: by modality name, normalised pixels [B H W C] with the bands of `cfg`; the same H and W, multiples of the patch.
        With "mean", "max", "dict" and "none" some modalities may be left out.
      cfg: structure; static under `jax.jit`.
      layers: the blocks whose maps are wanted; None: the last.

    Returns:
      `Features`: tokens [B N D] of every block, the last after the final norm; maps [B h w D]; and the mean over the last
      tokens [B D], since there is no class token. With "concat" D is the sum of the widths; with "dict" each is a dictionary
      by modality; with "none" tokens are [B M*N D] and there are no maps.

    Raises:
      ValueError: an unknown or missing modality, another number of bands, or a size that the patch does not divide.
    """
    rows, columns = _check(images, cfg)
    layers = vit.chosen(layers, cfg.depth)
    names = [m.name for m in cfg.modalities if m.name in images]
    blocks = TerraMind(cfg).apply({"params": vit.held(params, cfg.fixed)}, images)
    blocks = tuple(_merge(x, names, cfg.merge) for x in blocks)
    pooled = jax.tree.map(lambda x: x.mean(axis=1), blocks[-1])
    as_map = partial(einops.rearrange, pattern="b (h w) d -> b h w d", h=rows, w=columns)
    maps = () if cfg.merge == "none" else tuple(jax.tree.map(as_map, blocks[i]) for i in layers)
    return Features(blocks, maps, pooled)


def trainable(params: dict, cfg: TerraMindConfig) -> dict:
    """For each parameter, whether it trains; positions, and norms' biases in the gated style, are buffers as published."""
    return vit.trainable(params, cfg.fixed)


def _encode(params: dict, image, cfg: TerraMindConfig, layers: tuple[int, ...] | None, wavelengths_nm=None) -> Features:
    """See `Published.encode`; pixels may also be a dict of them by modality, and one array is the first modality's."""
    del wavelengths_nm  # bands are known by their order
    return apply(params, image if isinstance(image, dict) else {cfg.modalities[0].name: image}, cfg, layers)


MODEL = Published(TerraMindConfig, init, _encode, trainable)


def _merge(x, names, merge):
    if merge == "none":
        return x
    stacked = einops.rearrange(x, "b (m n) d -> m b n d", m=len(names))
    if merge == "dict":
        return dict(zip(names, stacked, strict=True))
    if merge == "concat":
        return einops.rearrange(stacked, "m b n d -> b n (m d)")
    return stacked.mean(axis=0) if merge == "mean" else stacked.max(axis=0)


def _check(images, cfg):
    bands = {m.name: len(m.bands) for m in cfg.modalities}
    unknown = [name for name in images if name not in bands]
    if unknown or not images:
        raise ValueError(f"images: expected some of the modalities {', '.join(bands)}, got {', '.join(images) or 'none'}.")
    missing = [name for name in bands if name not in images]
    if cfg.merge == "concat" and missing:
        raise ValueError(f'images: merge "concat" needs every modality, and {missing[0]} is missing; give it or use "mean".')
    sizes = {image.shape[1:3] for image in images.values()}
    for name, image in images.items():
        if (
            image.ndim != 4
            or image.shape[3] != bands[name]
            or len(sizes) > 1
            or any(side % cfg.patch for side in image.shape[1:3])
        ):
            raise ValueError(
                f"images[{name!r}]: expected [B H W C] with C = {bands[name]} bands, H and W multiples of {cfg.patch} px and "
                f"the same for all modalities, got shape {image.shape}; sizes are {sorted(sizes)}."
            )
    rows, columns = sizes.pop()
    return rows // cfg.patch, columns // cfg.patch


@partial(jax.jit, static_argnames="cfg")
def _init(key, cfg):
    images = {m.name: jnp.zeros((1, cfg.patch, cfg.patch, len(m.bands))) for m in cfg.modalities}
    # No shape depends on the number of heads, so parameters exist before somebody says it.
    return TerraMind(dataclasses.replace(cfg, heads=cfg.heads or 1)).init(key, images)["params"]
