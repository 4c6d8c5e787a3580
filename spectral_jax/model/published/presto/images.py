"""Presto on images of one date: every pixel is a series of one step by itself, and a map has a value for every pixel."""

from typing import Any

import jax
import jax.numpy as jnp

from spectral_jax.model.layers import mean_of_valid
from spectral_jax.model.published import vit
from spectral_jax.model.published.contract import Published
from spectral_jax.model.published.monthly import observations
from spectral_jax.model.published.presto import network
from spectral_jax.model.published.presto.inputs import CHANNELS, GROUPS, UNKNOWN_COVER, PrestoInputs
from spectral_jax.model.published.presto.network import PrestoConfig
from spectral_jax.model.published.vit import Features


def inputs_of(pixels: jax.Array, cfg: PrestoConfig) -> PrestoInputs:
    """Inputs of normalised pixels [N C] with the channels `cfg.bands`, in month `cfg.month`; all else is masked, the place too.

    An image without coordinates has no place, and any made up would be wrong: its token is left out, which pretraining never
      did.

    Raises:
      ValueError: another number of channels.
    """
    observations.channels(pixels.shape[1], cfg.bands)
    count = len(pixels)
    columns = {name: pixels[:, i] for i, name in enumerate(cfg.bands)}
    if "NDVI" in cfg.groups:
        total = columns["B08"] + columns["B04"]
        bright = total > 0
        columns["NDVI"] = jnp.where(bright, (columns["B08"] - columns["B04"]) / jnp.where(bright, total, 1.0), 0.0)
    absent = jnp.zeros(count, pixels.dtype)
    seen = [channel for group in cfg.groups for channel in GROUPS[group]]
    mask = jnp.array([channel not in seen for channel in CHANNELS], jnp.uint8)
    return PrestoInputs(
        x=jnp.stack([columns.get(name, absent) for name in CHANNELS], axis=-1)[:, None],
        mask=jnp.broadcast_to(mask[None, None], (count, 1, len(CHANNELS))),
        dynamic_world=jnp.full((count, 1), UNKNOWN_COVER, jnp.int32),
        place=None,
        months=jnp.full((count, 1), cfg.month, jnp.int32),
    )


def encode(
    params: dict, image: Any, cfg: PrestoConfig, layers: tuple[int, ...] | None = None, wavelengths_nm: jax.Array | None = None
) -> Features:
    """See `Published.encode`; channels are known by `cfg.bands`, not by wavelength.

    Returns:
      `Features`: tokens [B*H*W N D] of every block, a row a pixel, the last after the norm; maps [B H W D], the mean over a
      pixel's seen tokens (the last one normed); and the mean over the pixels of the last map [B D], a choice: Presto embeds
      pixels.

    Raises:
      ValueError: no image, or another number of channels.
    """
    del wavelengths_nm
    vit.check_patches(image, 1)
    layers = vit.chosen(layers, cfg.depth)
    found = network.apply(params, inputs_of(image.reshape(-1, image.shape[3]), cfg), cfg)
    means = [*(mean_of_valid(x, found.seen) for x in found.blocks[:-1]), found.pooled]
    maps = [x.reshape(*image.shape[:3], -1) for x in means]
    return Features((*found.blocks[:-1], found.tokens), tuple(maps[i] for i in layers), maps[-1].mean(axis=(1, 2)))


MODEL = Published(PrestoConfig, network.init, encode, network.trainable)
