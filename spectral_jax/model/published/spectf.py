"""SpecTf: a transformer along the bands of one spectrum, that says whether a pixel of EMIT is cloud.

Every band is a token, made of its reflectance and its wavelength, so spectra of any bands in any order go in. One block without
residuals, the maximum over the bands, a linear layer. Facts of *SpecTf: Transformers enable data-driven imaging spectroscopy
cloud detection*, PNAS 122 (27) e2502903122, and of its code (emit-sds/SpecTf, commit 2f7f05b), where no other source is named.
"""

import dataclasses
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from spectral_jax import ranges
from spectral_jax.model.convolutions import TORCH_UNIFORM
from spectral_jax.model.devices import platform_of
from spectral_jax.model.initialise import torch_bias, zero_bias
from spectral_jax.model.layers import TORCH_EPS, Dense, LayerNorm, along_last, dtype_of
from spectral_jax.model.published import vit
from spectral_jax.model.published.contract import Published
from spectral_jax.model.published.vit import Features, FeedForward, SelfAttention, Start
from spectral_jax.sentences import unknown

# Width, blocks and heads of the published model of clouds, which has 25,538 parameters.
SIZES: dict[str, dict[str, int]] = {"cloud": dict(width=64, depth=1, heads=8)}
# A pixel is cloud from this probability on, by release of the weights; v0.0.1 is the paper's.
THRESHOLDS = {"v0.0.1": 0.52, "v0.1.0": 0.51}
# A token's second number is (wavelength - 1440) / 600, nm: middle and spread of EMIT's bands.
MIDDLE_NM, SPREAD_NM = 1440.0, 600.0
# Wavelengths beyond are refused: EMIT's end at 381 and 2493 nm, and no spectrometer of sunlight goes much further. Choice.
RANGE_NM = (300.0, 2600.0)
# Columns of the logits.
CLEAR, CLOUD = 0, 1
# What fresh parameters start from: PyTorch's defaults for its attention and linear layers. Choice.
ATTENTION = Start(TORCH_UNIFORM, vit.XAVIER, zero_bias, zero_bias)
# Spectra that an accelerator encodes at once: attention of 8 heads over 268 bands takes 2.3 MB each. A CPU takes one after
# another, which stay in its caches: 450 a second on two cores, against 60 by 64 at once (268 bands, measured).
AT_ONCE = 64


@dataclasses.dataclass(frozen=True)
class SpecTfConfig:
    """Structure of the encoder.

    `hidden` is the width inside the MLP, and `release` says whose threshold the probabilities are for. `heads` is None where a
    checkpoint of no published width was read and nobody said.
    """

    width: int = 64
    heads: int | None = 8
    hidden: int = 64
    release: str = "v0.1.0"
    dtype: str = "float32"

    def __post_init__(self):
        ranges.check(self, "SpecTfConfig.", dict.fromkeys(("width", "hidden"), ranges.COUNT))
        vit.check_heads("SpecTfConfig", self.width, self.heads)
        if self.release not in THRESHOLDS:
            raise unknown("SpecTfConfig.release", "release of SpecTf", self.release, THRESHOLDS)

    @property
    def threshold(self) -> float:
        """The probability from which on a pixel is cloud."""
        return THRESHOLDS[self.release]


class Spectra(NamedTuple):
    """What SpecTf gives of spectra: tokens [B S D] after the block, their maximum over the bands [B D], and logits [B 2]."""

    tokens: jax.Array
    pooled: jax.Array
    logits: jax.Array


class SpecTf(nn.Module):
    """The encoder with its head."""

    cfg: SpecTfConfig

    @nn.compact
    def __call__(self, reflectance, centre_nm):
        """Maps [B S] and [S] to `Spectra`."""
        cfg, dtype = self.cfg, dtype_of(self.cfg.dtype)
        reflectance = reflectance.astype(jnp.float32)
        place = jnp.broadcast_to(along_last((centre_nm - MIDDLE_NM) / SPREAD_NM, reflectance), reflectance.shape)
        x = jnp.stack([reflectance, place], axis=-1)
        x = jnp.tanh(Dense(cfg.width, dtype, True, TORCH_UNIFORM, torch_bias, name="embed")(x))
        x = LayerNorm(dtype, TORCH_EPS, name="norm1")(x)
        x = SelfAttention(vit.known_heads("SpecTfConfig", cfg.heads), dtype, start=ATTENTION, name="attend")(x)
        x = LayerNorm(dtype, TORCH_EPS, name="norm2")(x)
        x = FeedForward(cfg.hidden, dtype, start=vit.TORCH, name="mlp")(x)
        pooled = x.max(axis=1)
        return Spectra(x, pooled, Dense(2, jnp.dtype(jnp.float32), True, TORCH_UNIFORM, torch_bias, name="head")(pooled))


def init(key: jax.Array, cfg: SpecTfConfig) -> dict:
    """Fresh parameters, float32; no data is needed."""
    return _init(key, cfg)


def apply(params: dict, reflectance: jax.Array, centre_nm: jax.Array, cfg: SpecTfConfig) -> Spectra:
    """Encodes spectra, each by itself.

    Args:
      params: of `init` or `interop`.
      reflectance: [B S] at the top of the atmosphere, fractions, no missing numbers; nothing is standardised. The published
        weights know no other quantity: surface reflectance goes in, and is out of their domain.
      centre_nm: [S], centres of the bands; any number of them, in any order.
      cfg: structure; static under `jax.jit`.

    Returns:
      `Spectra`.

    Raises:
      ValueError: not one wavelength for each band, or, where they are not being traced, one outside `RANGE_NM`.
    """
    if reflectance.ndim != 2:
        raise ValueError(f"reflectance: expected spectra [B S], got shape {reflectance.shape}; reshape it.")
    centre_nm = check_centres(centre_nm, reflectance.shape[1])
    output: Any = SpecTf(cfg).apply({"params": params}, reflectance, centre_nm)
    return output


def by_shares(params: dict, reflectance: jax.Array, centre_nm: jax.Array, cfg: SpecTfConfig) -> tuple[jax.Array, jax.Array]:
    """What `apply` gives of many spectra [B S], without their tokens: pooled [B D] and logits [B 2].

    A share of `AT_ONCE` after another, computed again in the backward pass: attention of all at once would not fit.
    """

    def one(spectrum):
        found = apply(params, spectrum[None], centre_nm, cfg)
        return found.pooled[0], found.logits[0]

    batch = None if platform_of(reflectance) == "cpu" else AT_ONCE
    return jax.lax.map(jax.checkpoint(one), reflectance, batch_size=batch)


def cloud_probability(logits: jax.Array) -> jax.Array:
    """The probability of cloud [...], of logits [... 2] over clear and cloud."""
    return jax.nn.softmax(logits.astype(jnp.float32), axis=-1)[..., CLOUD]


def check_centres(centre_nm: Any, bands: int) -> jax.Array:
    """The centres of the bands [S] as float32; numbers that are being traced are not looked at.

    Raises:
      ValueError: there are none, not one for each band, or one is missing or outside `RANGE_NM`.
    """
    if centre_nm is None:
        raise ValueError(
            "centre_nm: SpecTf makes a token of each band and its wavelength; give the centre of each band, in nm."
        )
    if np.shape(centre_nm) != (bands,):
        raise ValueError(
            f"centre_nm: expected one for each of the S = {bands} bands, got shape {np.shape(centre_nm)}; give the centre of "
            "each band, in nm and in the order of the bands."
        )
    if not isinstance(centre_nm, jax.core.Tracer):
        numbers = np.asarray(centre_nm, float)
        wrong = np.flatnonzero(~((numbers >= RANGE_NM[0]) & (numbers <= RANGE_NM[1])))
        if wrong.size:
            micrometres = RANGE_NM[0] <= 1000 * numbers[wrong[0]] <= RANGE_NM[1]
            raise ValueError(
                f"centre_nm: expected wavelengths of {RANGE_NM[0]:g} to {RANGE_NM[1]:g} nm, and that of band {wrong[0]} is "
                f"{numbers[wrong[0]]:g}; {'it looks like um, multiply by 1000' if micrometres else 'leave the band out'}."
            )
    return jnp.asarray(centre_nm, jnp.float32)


def trainable(params: dict, cfg: SpecTfConfig | None = None) -> dict:
    """For each parameter, whether it trains: all do."""
    del cfg
    return jax.tree.map(lambda _: True, params)


def _encode(params: dict, image: jax.Array, cfg: SpecTfConfig, layers: tuple[int, ...] | None, wavelengths_nm) -> Features:
    """Every pixel by itself: its embedding is a token, and the mean over all of them that of the image."""
    centre_nm = check_centres(wavelengths_nm, image.shape[3])
    layers = vit.chosen(layers, 1)
    pooled, _ = by_shares(params, image.reshape(-1, image.shape[3]), centre_nm, cfg)
    maps = pooled.reshape(*image.shape[:3], -1)
    return Features((maps.reshape(len(image), -1, maps.shape[3]),), (maps,) * len(layers), maps.mean(axis=(1, 2)))


MODEL = Published(SpecTfConfig, init, _encode, trainable)


@partial(jax.jit, static_argnames="cfg")
def _init(key, cfg):
    return SpecTf(dataclasses.replace(cfg, heads=cfg.heads or 1)).init(key, jnp.zeros((1, 2)), jnp.ones((2,)))["params"]
