"""Galileo: a transformer on monthly series of many sensors, with patches of any size from 1 to 8 pixels.

As published (arXiv 2502.09356; nasaharvest/galileo at commit 0f0b5b9), but for drop path, which only training has: no class
token, no LayerScale. Unseen tokens stay in their place and no token attends to them; the last norm turns them into its bias, as
published.
"""

import dataclasses
import math
from functools import partial
from typing import Any, NamedTuple

import einops
import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from spectral_jax.model.layers import TORCH_EPS, LayerNorm, dtype_of, mean_of_valid
from spectral_jax.model.published import vit
from spectral_jax.model.published.galileo.channels import GROUPS, SPACE_TIME, complete
from spectral_jax.model.published.galileo.inputs import STEPS, GalileoInputs, blank, expect
from spectral_jax.model.published.galileo.tokens import Tokens
from spectral_jax.model.published.monthly import observations
from spectral_jax.model.published.monthly.masked_blocks import MaskedTrunk
from spectral_jax.model.published.monthly.observations import SENTINEL2
from spectral_jax.sentences import unknown

# Of `config.json` beside the released weights; the sizes of other releases were not at hand.
SIZES: dict[str, dict] = {"nano": dict(width=128, depth=4, heads=8)}
# The month of an image that does not say it, July, as in the published evaluation of images.
MONTH = 6
# Pattern of the paths that are fixed tables.
FIXED = r"(^|/)(steps|months)$"


@dataclasses.dataclass(frozen=True)
class GalileoConfig:
    """Structure of the encoder, and how images are read. `heads` is None where a checkpoint of no known width was read.

    Attributes:
      width, depth, heads: of the transformer; 16 divides the width.
      size: side of the stored patch kernels, pixels.
      steps: rows of the table of steps, the longest series.
      patch: side of a patch, pixels, 1 to `size`; 4 is a choice.
      gsd_m: side of a pixel; places in an image are told in units of 10 m.
      bands: channels of the pixels that `MODEL.encode` gets, names in `channels`; other bands of Sentinel-2 may be among
        them and are not used.
      month: of those images, January 0.
      dtype: of the products.
    """

    width: int
    depth: int
    heads: int | None
    size: int = 8
    steps: int = STEPS
    patch: int = 4
    gsd_m: float = 10.0
    bands: tuple[str, ...] = SENTINEL2
    month: int = MONTH
    dtype: str = "float32"

    def __post_init__(self):
        vit.check_heads("GalileoConfig", self.width, self.heads)
        if self.width < 16 or self.width % 16:
            raise ValueError(
                "GalileoConfig.width: expected a multiple of 16, since a quarter of it holds sines and cosines of a patch's "
                f"column and row, got {self.width}."
            )
        if not 1 <= self.patch <= self.size:
            raise ValueError(
                f"GalileoConfig.patch: expected 1 to {self.size} pixels, the side of the kernels, got {self.patch}; resize the "
                "image for larger patches."
            )
        if not self.gsd_m > 0:
            raise ValueError(f"GalileoConfig.gsd_m: expected the side of a pixel in metres, above 0, got {self.gsd_m}.")
        if not self.groups:
            raise ValueError(
                f"GalileoConfig.bands: expected all channels of at least one of {_listed()}; got "
                f"{', '.join(self.bands) or 'none'}."
            )
        observations.months(np.array(self.month), "GalileoConfig.month")

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups of space and time that images of `bands` show; groups of which a band is missing are masked."""
        return tuple(group for group in complete(self.bands) if group in SPACE_TIME)


class Encoded(NamedTuple):
    """What Galileo gives, N tokens in the published order: space-time (h, w, T, group), space (h, w, group), time, static.

    Attributes:
      tokens: [B N D] after the last norm; unseen ones are its bias.
      seen: bool [B N].
      pooled: [B D], the mean of seen tokens after the norm.
      places: [B h w D], the mean of a patch's seen tokens and of all seen ones without a place; 0 where none is seen.
      embedded: [B N D], what enters the first block.
      blocks: tokens [B N D] after each block, before the last norm.
    """

    tokens: jax.Array
    seen: jax.Array
    pooled: jax.Array
    places: jax.Array
    embedded: jax.Array
    blocks: tuple[jax.Array, ...]


class Galileo(nn.Module):
    """The encoder; arguments as of `apply`."""

    cfg: GalileoConfig
    groups: tuple[str, ...] = GROUPS
    exit_after: int | None = None
    final_norm: bool = True

    @nn.compact
    def __call__(self, inputs: GalileoInputs) -> Encoded:
        """See `Encoded`."""
        cfg, dtype = self.cfg, dtype_of(self.cfg.dtype)
        parts = Tokens(cfg.width, cfg.size, cfg.patch, cfg.gsd_m, cfg.steps, self.groups, dtype, name="embed")(inputs)
        flat = [(x.reshape(x.shape[0], -1, cfg.width), s.reshape(s.shape[0], -1)) for _, x, s in parts]
        embedded, seen = (jnp.concatenate(some, axis=1) for some in zip(*flat, strict=True))
        depth = cfg.depth if self.exit_after is None else self.exit_after
        # Logits of the released first block reach 15,600: a rounding to bfloat16 changes which key is attended to.
        trunk = MaskedTrunk(
            depth, vit.known_heads("GalileoConfig", cfg.heads), dtype, packed=False, exact_first=True, name="trunk"
        )
        blocks = trunk(embedded, seen)
        tokens = jnp.where(seen[..., None], blocks[-1], 0)
        if self.final_norm:
            tokens = LayerNorm(dtype, TORCH_EPS, name="norm")(tokens)
        grid = tuple(side // cfg.patch for side in inputs.space_time.shape[1:3])
        places = _places(tokens, seen, [(kind, x.shape) for kind, x, _ in parts], grid)
        return Encoded(tokens, seen, mean_of_valid(tokens, seen), places, embedded, tuple(blocks))


def _places(tokens, seen, parts, grid) -> jax.Array:
    """The mean of each patch's seen tokens and of those without a place [B h w D]; `parts`: kinds and shapes."""
    rows, columns = grid
    cells, start = [], 0
    for kind, shape in parts:
        stop = start + math.prod(shape[1:-1])
        pair = tokens[:, start:stop], seen[:, start:stop]
        if kind.spatial:
            cells.append([einops.rearrange(y, "b (h w n) ... -> b h w n ...", h=rows, w=columns) for y in pair])
        else:
            cells.append([jnp.broadcast_to(y[:, None, None], (len(y), rows, columns, *y.shape[1:])) for y in pair])
        start = stop
    x, s = (jnp.concatenate(some, axis=3) for some in zip(*cells, strict=True))
    return mean_of_valid(x, s)


def config(size: str, **options) -> GalileoConfig:
    """The config of a released size ("nano"); `options` are other fields."""
    if size not in SIZES:
        raise ValueError(f"size: expected one of {', '.join(SIZES)}, got {size!r}.")
    return GalileoConfig(**SIZES[size], **options)


def init(key: jax.Array, cfg: GalileoConfig) -> dict:
    """Fresh parameters, float32; no data is needed. The tables of steps and months do not train."""
    # No shape depends on the number of heads, so parameters exist before somebody says it; a patch of 1 is the least to
    # compute.
    return _init(key, dataclasses.replace(cfg, heads=cfg.heads or 1, patch=1))


def apply(
    params: dict,
    inputs: GalileoInputs,
    cfg: GalileoConfig,
    groups: tuple[str, ...] = GROUPS,
    exit_after: int | None = None,
    final_norm: bool = True,
) -> Encoded:
    """Encodes series of images with all that is known of their places.

    Args:
      params: of `init` or `interop`.
      inputs: of `inputs.build`.
      cfg: structure, patch and pixel size; static under `jax.jit`.
      groups: those to make tokens of; what is left out is as if it were masked, and costs nothing.
      exit_after: stop after this many blocks; None: all.
      final_norm: whether the last norm is applied; published fine-tuning that exits early leaves it out.

    Returns:
      `Encoded`.

    Raises:
      ValueError: sides that the patch does not divide, arrays that disagree, a series longer than the table of steps, months
        out of 0 to 11, or no such block.
    """
    expect(inputs, cfg.patch, cfg.steps)
    for group in groups:
        if group not in GROUPS:
            raise unknown("groups", "group of Galileo", group, GROUPS, most=len(GROUPS))
    if exit_after is not None and not 1 <= exit_after <= cfg.depth:
        raise ValueError(f"exit_after: expected 1 to {cfg.depth} blocks, got {exit_after}.")
    model = Galileo(cfg, tuple(g for g in GROUPS if g in groups), exit_after, final_norm)
    output: Any = model.apply({"params": vit.held(params, FIXED)}, inputs)
    return output


def trainable(params: dict, cfg: GalileoConfig) -> dict:
    """For each parameter, whether it trains: not the tables of steps and months, as published."""
    del cfg
    return vit.trainable(params, FIXED)


def _listed():
    return ", ".join(f"{group} ({' '.join(channels)})" for group, channels in SPACE_TIME.items())


@partial(jax.jit, static_argnames="cfg")
def _init(key, cfg):
    return Galileo(cfg).init(key, blank(1, 1, 1, 1))["params"]
