"""Galileo on images of one date: normalised pixels of Sentinel-2, Sentinel-1 or both to maps and an embedding."""

from typing import Any

import einops
import jax
import jax.numpy as jnp

from spectral_jax.model.published import vit
from spectral_jax.model.published.contract import Published
from spectral_jax.model.published.galileo import network
from spectral_jax.model.published.galileo.channels import SPACE_TIME
from spectral_jax.model.published.galileo.inputs import GalileoInputs, blank
from spectral_jax.model.published.galileo.network import GalileoConfig
from spectral_jax.model.published.monthly import observations
from spectral_jax.model.published.vit import Features


def inputs_of(image: jax.Array, cfg: GalileoConfig) -> GalileoInputs:
    """Inputs of normalised pixels [B H W C] with the channels `cfg.bands`, in month `cfg.month`; all else is masked.

    Raises:
      ValueError: another number of channels.
    """
    observations.channels(image.shape[3], cfg.bands)
    batch, rows, columns = image.shape[:3]
    empty = blank(batch, rows, columns, 1)
    absent = jnp.zeros((batch, rows, columns, 1), image.dtype)
    names = [channel for channels in SPACE_TIME.values() for channel in channels]
    pixels = [image[..., (at := cfg.bands.index(name)) : at + 1] if name in cfg.bands else absent for name in names]
    hidden = jnp.array([group not in cfg.groups for group in SPACE_TIME], empty.space_time_mask.dtype)
    return empty._replace(
        space_time=jnp.concatenate(pixels, axis=-1)[:, :, :, None],
        space_time_mask=jnp.broadcast_to(hidden.reshape(1, 1, 1, 1, -1), empty.space_time_mask.shape),
        months=jnp.full_like(empty.months, cfg.month),
    )


def encode(
    params: dict, image: Any, cfg: GalileoConfig, layers: tuple[int, ...] | None = None, wavelengths_nm: jax.Array | None = None
) -> Features:
    """See `Published.encode`; channels are known by `cfg.bands`, not by wavelength.

    Returns:
      `Features`: tokens [B h*w*G D] of every block for the G groups that the bands show, the last after the final norm; maps
      [B h w D], the mean over a patch's groups, which of Sentinel-2 alone is what published segmentation takes; and the mean
      over the last tokens [B D].

    Raises:
      ValueError: sides that the patch does not divide, or another number of channels.
    """
    del wavelengths_nm
    vit.check_patches(image, cfg.patch)
    layers = vit.chosen(layers, cfg.depth)
    found = network.apply(params, inputs_of(image, cfg), cfg, cfg.groups)
    blocks = (*found.blocks[:-1], found.tokens)
    rows, columns = (side // cfg.patch for side in image.shape[1:3])
    maps = tuple(einops.reduce(blocks[i], "b (h w g) d -> b h w d", "mean", h=rows, w=columns) for i in layers)
    return Features(blocks, maps, found.pooled)


MODEL = Published(GalileoConfig, network.init, encode, network.trainable)
