"""Presto: a transformer on one pixel's monthly series of Sentinel-1 and -2, weather, terrain, land cover and place.

As published (arXiv 2304.14065; nasaharvest/presto at commit 13173d0). Tokens of what is missing stay in their place and no
token attends to them. It sees no neighbours: an image is a pixel each.
"""

import dataclasses
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from spectral_jax.model.layers import TORCH_EPS, Dense, LayerNorm, dtype_of, mean_of_valid
from spectral_jax.model.published import vit
from spectral_jax.model.published.monthly import observations, sines
from spectral_jax.model.published.monthly.masked_blocks import START, MaskedTrunk
from spectral_jax.model.published.presto.decoder import Decoder, added
from spectral_jax.model.published.presto.inputs import (
    CHANNELS,
    GROUPS,
    ONCE,
    SENTINEL2,
    STEPS,
    UNKNOWN_COVER,
    PrestoInputs,
    expect,
)

# Of the released weights.
SIZES: dict[str, dict] = {"default": dict(width=128, depth=2, heads=8)}
# The month of an image that does not say it, July, as of Galileo.
MONTH = 6
# Pattern of the paths that are fixed tables.
FIXED = r"(^|/)(steps|months)$"


@dataclasses.dataclass(frozen=True)
class PrestoConfig:
    """Structure, and how images are read. `heads` is None where a checkpoint of no known width was read.

    Attributes:
      width, depth, heads: of the encoder; 16 divides the width. The decoder has the same.
      steps: rows of the table of steps, the longest series.
      decoder_depth: blocks of the decoder; 0: the checkpoint has none.
      bands: channels of the pixels that `MODEL.encode` gets, names of `inputs.CHANNELS`; other bands of Sentinel-2 may be
        among them and are not used.
      month: of those images, January 0.
      ndvi: whether their NDVI is computed; only of numbers that are reflectance, as the released weights take it.
      dtype: of the products.
    """

    width: int
    depth: int
    heads: int | None
    steps: int = STEPS
    decoder_depth: int = 2
    bands: tuple[str, ...] = SENTINEL2
    month: int = MONTH
    ndvi: bool = True
    dtype: str = "float32"

    def __post_init__(self):
        vit.check_heads("PrestoConfig", self.width, self.heads)
        if self.width < 16 or self.width % 16:
            raise ValueError(
                "PrestoConfig.width: expected a multiple of 16, since an eighth of it holds each of the sines and cosines of "
                f"a month, got {self.width}."
            )
        if not self.groups:
            raise ValueError(
                "PrestoConfig.bands: expected all channels of at least one group, such as S1 (VV VH) or S2_RGB (B02 B03 B04), "
                f"got {', '.join(self.bands) or 'none'}."
            )
        observations.months(np.array(self.month), "PrestoConfig.month")

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups that images of `bands` show; groups of which a band is missing are masked."""
        has = (*self.bands, *(("NDVI",) if self.ndvi and {"B04", "B08"} <= set(self.bands) else ()))
        return tuple(group for group, channels in GROUPS.items() if set(channels) <= set(has))


class Encoded(NamedTuple):
    """What Presto gives, M + 1 tokens: the place, then each group's steps (terrain has one), then dynamic world's.

    Attributes:
      tokens: [B 1+M D] after the norm; those of unseen tokens say nothing.
      seen: bool [B 1+M].
      pooled: [B D], the norm of the mean of seen tokens (Galileo: the mean of normed ones).
      embedded: [B 1+M D], what enters the first block.
      blocks: tokens [B 1+M D] after each block, before the norm.
    """

    tokens: jax.Array
    seen: jax.Array
    pooled: jax.Array
    embedded: jax.Array
    blocks: tuple[jax.Array, ...]


class Presto(nn.Module):
    """Encoder and decoder."""

    cfg: PrestoConfig

    def setup(self):
        """The parts by the names of their parameters."""
        cfg, dtype = self.cfg, dtype_of(self.cfg.dtype)
        part, options = cfg.width // 4, dict(kernel_init=START.kernel, bias_start=START.bias)
        self.embed = {group: Dense(cfg.width, dtype, **options) for group in GROUPS}
        self.place = Dense(cfg.width, dtype, **options)
        self.dynamic_world = self.param(
            "dynamic_world", nn.initializers.normal(1.0), (UNKNOWN_COVER + 1, cfg.width), jnp.float32
        )
        self.channels = self.param("channels", nn.initializers.normal(1.0), (len(GROUPS) + 1, part), jnp.float32)
        table, months = sines.presto_steps(cfg.steps, 2 * part), sines.months(part)
        self.steps = self.param("steps", nn.initializers.constant(table), table.shape)
        self.months = self.param("months", nn.initializers.constant(months), months.shape)
        heads = vit.known_heads("PrestoConfig", cfg.heads)
        self.trunk = MaskedTrunk(cfg.depth, heads, dtype, packed=True)
        self.norm = LayerNorm(dtype, TORCH_EPS)
        if cfg.decoder_depth:
            self.decoder = Decoder(cfg.width, cfg.decoder_depth, heads, cfg.steps, part, dtype)

    def __call__(self, inputs: PrestoInputs) -> Encoded:
        """See `Encoded`."""
        embedded, seen = self._tokens(inputs)
        blocks = self.trunk(embedded, seen)
        pooled = self.norm(mean_of_valid(blocks[-1], seen))
        return Encoded(self.norm(blocks[-1]), seen, pooled, embedded, tuple(blocks))

    def both(self, inputs: PrestoInputs):
        """The encoder's outputs, and the decoder's channels [B T 17] and logits [B T 9]."""
        found = self(inputs)
        return found, *self.decoder(found.tokens, found.seen, inputs.months, self.channels)

    def _tokens(self, inputs):
        batch, count = inputs.months.shape
        dtype = dtype_of(self.cfg.dtype)
        missing, start, made, seen = jnp.asarray(inputs.mask) != 0, 0, [], []
        for group, channels in GROUPS.items():
            stop = 1 if group == ONCE else count
            part = slice(start, start + len(channels))
            made.append(self.embed[group](jnp.asarray(inputs.x)[:, :stop, part]))
            seen.append(~missing[:, :stop, part].any(axis=-1))
            start += len(channels)
        made.append(self.dynamic_world[inputs.dynamic_world].astype(dtype))
        seen.append(jnp.asarray(inputs.dynamic_world) != UNKNOWN_COVER)
        x = jnp.concatenate(made, axis=1) + added(self.channels, self.months[inputs.months], self.steps[:count]).astype(dtype)
        known = inputs.place is not None
        where = jnp.asarray(inputs.place) if known else jnp.zeros((batch, 3), jnp.float32)
        first = self.place(where)[:, None]
        return jnp.concatenate([first, x], axis=1), jnp.concatenate([jnp.full((batch, 1), known), *seen], axis=1)


def config(size: str, **options) -> PrestoConfig:
    """The config of the released size ("default"); `options` are other fields."""
    if size not in SIZES:
        raise ValueError(f"size: expected one of {', '.join(SIZES)}, got {size!r}.")
    return PrestoConfig(**SIZES[size], **options)


def init(key: jax.Array, cfg: PrestoConfig) -> dict:
    """Fresh parameters, float32, the decoder's too; no data is needed. The tables of steps and months do not train."""
    # No shape depends on the number of heads, so parameters exist before somebody says it.
    return _init(key, dataclasses.replace(cfg, heads=cfg.heads or 1))


def apply(params: dict, inputs: PrestoInputs, cfg: PrestoConfig) -> Encoded:
    """Encodes series of pixels.

    Args:
      params: of `init` or `interop`.
      inputs: of `inputs.build`.
      cfg: structure; static under `jax.jit`.

    Returns:
      `Encoded`.

    Raises:
      ValueError: arrays that disagree, a series longer than the table of steps, or months out of 0 to 11.
    """
    expect(inputs, cfg.steps)
    output: Any = Presto(cfg).apply({"params": vit.held(params, FIXED)}, inputs)
    return output


def reconstruct(params: dict, inputs: PrestoInputs, cfg: PrestoConfig) -> tuple[Encoded, jax.Array, jax.Array]:
    """Encodes series, and decodes every channel and class of every step from what is seen.

    Returns:
      `Encoded`, normalised channels [B T 17], and logits of dynamic world's classes [B T 9].

    Raises:
      ValueError: as of `apply`, or the weights have no decoder.
    """
    expect(inputs, cfg.steps)
    if not cfg.decoder_depth:
        raise ValueError("reconstruct: these weights have no decoder; convert the released file, which has one.")
    output: Any = Presto(cfg).apply({"params": vit.held(params, FIXED)}, inputs, method=Presto.both)
    return output


def trainable(params: dict, cfg: PrestoConfig) -> dict:
    """For each parameter, whether it trains: not the tables of steps and months, as published."""
    del cfg
    return vit.trainable(params, FIXED)


@partial(jax.jit, static_argnames="cfg")
def _init(key, cfg):
    one = PrestoInputs(
        x=jnp.zeros((1, 1, len(CHANNELS)), jnp.float32),
        mask=jnp.zeros((1, 1, len(CHANNELS)), jnp.uint8),
        dynamic_world=jnp.zeros((1, 1), jnp.int32),
        place=jnp.zeros((1, 3), jnp.float32),
        months=jnp.zeros((1, 1), jnp.int32),
    )
    method = Presto.both if cfg.decoder_depth else None
    return Presto(cfg).init(key, one, method=method)["params"]
