"""Wavelength-aware tokenizer: convolution weights made from a band's centre and width, so one encoder takes any optical sensor.

A small network maps (band centre, band width, place inside the token, pixels per token) to a weight vector. Bands are then
averaged inside fixed wavelength windows. A sensor never seen in training, with other bands, another order or another pixel
size, uses the same parameters. The idea of generating patch weights from wavelengths is DOFA's (arXiv 2403.15356); the windows
and the averaging, which make the scale independent of how many bands and pixels there are, are ours.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from spectral_jax.config import Model
from spectral_jax.model.encoder.tokenize import ReadSpectrum, count_valid, kernel_px, token_px, window_sums
from spectral_jax.model.layers import Dense, dtype_of, gelu
from spectral_jax.sensors import SensorSpec

# ln(centre) runs over the optical range in one unit; beyond it the features continue, they do not wrap.
RANGE_NM = (300.0, 2600.0)
# Octaves of the Fourier features: the finest period is a quarter of the range of ln(centre), some 240 nm at 450 nm. Weights are
# then smooth over the distance between neighbouring bands of a spectrometer, and differ between wavelength windows.
OCTAVES = 4
# Weights start with this deviation: reflectance is 0.2 to 0.3 in most scenes, so tokens start near 1.
WEIGHT_SCALE = 4.0


def band_features(centre_nm: np.ndarray, fwhm_nm: np.ndarray) -> np.ndarray:
    """What a band is to the weight generator.

    Args:
      centre_nm: band centres [C], nm.
      fwhm_nm: full widths at half maximum [C], nm.

    Returns:
      float32 [C F]: position on the log-wavelength axis (-1 at 300 nm, 1 at 2600 nm), its sines and cosines, ln(FWHM / 10 nm).
    """
    low, high = np.log(RANGE_NM)
    u = ((np.log(centre_nm) - low) / (high - low))[:, None]
    turns = np.pi * u * 2.0 ** np.arange(OCTAVES)
    width = np.log(fwhm_nm / 10.0)[:, None]
    return np.concatenate([2 * u - 1, np.sin(turns), np.cos(turns), width], axis=1).astype(np.float32)


def place_features(token_px: int) -> np.ndarray:
    """What a pixel's place in a token of `token_px` pixels a side is to the weight generator.

    Returns:
      float32 [i j F]: offset from the token's centre (down, right) in half tokens, its sines and cosines, log2 of `token_px`.
    """
    side = kernel_px(token_px)
    place = (np.arange(side) - (side - 1) / 2) / token_px
    offset = np.stack(np.meshgrid(place, place, indexing="ij"), axis=-1)
    size = np.full((side, side, 1), np.log2(token_px))
    turns = 2 * np.pi * offset
    return np.concatenate([2 * offset, np.sin(turns), np.cos(turns), size], axis=-1).astype(np.float32)


def window_of(centre_nm: np.ndarray, edges_nm: tuple[float, ...]) -> np.ndarray:
    """Number of the wavelength window that holds each band centre [C]; windows are closed on the left."""
    return np.searchsorted(np.asarray(edges_nm), centre_nm, side="right")


class WeightGenerator(nn.Module):
    """The network that makes weights and biases; float32 whatever the dtype of the computation.

    The mean of a band's weights over the places of a token is the network's answer for the band alone, and what it answers for
    the places is added with its mean removed: a uniform surface gives the same token at every pixel size.
    """

    hidden: int
    width: int

    @nn.compact
    def __call__(self, bands: np.ndarray, places: np.ndarray) -> tuple[jax.Array, jax.Array]:
        """Weights [C i j D] and biases [C D] from `band_features` [C F] and `place_features` [i j F]."""
        side, _, size = places.shape
        spots = np.concatenate([np.zeros((1, size), np.float32), places.reshape(-1, size)])  # the first stands for no place
        grid = (len(bands), len(spots))
        parts = np.broadcast_to(bands[:, None], (*grid, bands.shape[1])), np.broadcast_to(spots[None], (*grid, size))
        h = jnp.asarray(np.concatenate(parts, axis=-1))
        for i in range(2):
            init = nn.initializers.variance_scaling(2.0, "fan_in", "truncated_normal")
            h = gelu(Dense(self.hidden, jnp.float32, kernel_init=init, name=f"hidden{i}")(h))
        init = nn.initializers.variance_scaling(2.0 * WEIGHT_SCALE**2, "fan_in", "truncated_normal")
        weight = Dense(self.width, jnp.float32, kernel_init=init, name="weight")(h)
        mean, texture = weight[:, :1], weight[:, 1:]
        weight = mean + texture - jnp.mean(texture, axis=1, keepdims=True)
        bias = Dense(self.width, jnp.float32, name="weight_bias")(h[:, 0])
        return weight.reshape(len(bands), side, side, self.width), bias


class WavelengthTokenizer(nn.Module):
    """Spectral tokens of wavelength windows with generated weights, then `ReadSpectrum`.

    Token g of a cell is the mean, over the bands in window g and the valid pixels of the cell, of weight(band, place) * pixel +
    bias(band), plus the window's own bias. Windows without bands are never looked at.
    """

    spec: SensorSpec
    model: Model

    @nn.compact
    def __call__(self, pixels, valid):
        """Pixels [B H W C], valid bool [B H W] to tokens [B R Q D] and their validity [B R Q]."""
        m, spec, px = self.model, self.spec, token_px(self.spec, self.model)
        dtype, groups = dtype_of(m.dtype), len(m.wavelength_edges_nm) + 1
        group = window_of(spec.centre_nm, m.wavelength_edges_nm)
        members = np.bincount(group, minlength=groups).astype(np.float32)
        generate = WeightGenerator(m.wavelength_hidden, m.spectral_width, name="generate")
        weight, bias = generate(band_features(spec.centre_nm, spec.fwhm_nm), place_features(px))
        weight = weight / jnp.asarray(members[group])[:, None, None, None]
        share = np.eye(groups, dtype=np.float32)[group] / members[group][:, None]  # C G
        # Weights are float32 until here; the mean over bands is a product of matrices in `dtype`.
        seen, _ = count_valid(valid, px)
        x = window_sums(pixels.astype(dtype), valid, weight, group, groups, px)
        x = x / jnp.maximum(seen, 1.0)[..., None, None].astype(dtype)
        own = self.param("bias", nn.initializers.zeros, (groups, m.spectral_width), jnp.float32)
        shift = own + jnp.einsum("cd,cg->gd", bias, jnp.asarray(share))
        x = x + shift.astype(dtype)[None, None, None]
        return ReadSpectrum(m, name="spectrum")(x, members > 0), seen > 0
