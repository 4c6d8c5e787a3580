"""Spectral stem: a small network of every cell's whitened spectrum, and a linear skip for the tokenizers that have none.

A cell is a pixel of `model.stem_gsd_m`, or several smaller ones as mean and deviation (`spectral.whitening.stem_input`). Cells
do not mix before they become tokens of stage 1, so what the stem gives is a feature of every pixel. After prototypes that,
trained across dates, kept more of the spectrum than any tokenizer that pools first (docs/sources.md).
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from spectral_jax.config import Model, SensorInput
from spectral_jax.model.encoder.tokenize import token_px
from spectral_jax.model.encoder.wavelength import window_of
from spectral_jax.model.initialise import fan_in
from spectral_jax.model.layers import Dense, LayerNorm, by_token, dtype_of, gelu, keep, mean_of_valid
from spectral_jax.sensors import SensorSpec
from spectral_jax.spectral.whitening import cell_px, stem_input

# It keeps the slope of a deviation finite where all cells of a token are alike.
_LEAST_VARIANCE = 1e-6


class Whiten(nn.Module):
    """The fixed whitening of a sensor: [... N] to [... K], float32.

    Its kernel and offset are parameters, so that a checkpoint holds them, and are never trained (`initialise.FROZEN`). They
    start at 0, and `encode.init_encoder` fills them in.
    """

    components: int

    @nn.compact
    def __call__(self, x):
        """Whitens [... N]."""
        kernel = self.param("kernel", nn.initializers.zeros, (x.shape[-1], self.components), jnp.float32)
        offset = self.param("offset", nn.initializers.zeros, (self.components,), jnp.float32)
        kernel, offset = jax.lax.stop_gradient((kernel, offset))
        # In full precision: small components are differences of large numbers, and are made large.
        rows = x.astype(jnp.float32).reshape(-1, x.shape[-1])
        y = jnp.matmul(rows, kernel, precision=jax.lax.Precision.HIGHEST) + offset[None]
        return y.reshape(*x.shape[:-1], self.components)


class OwnWhiten(nn.Module):
    """The whitening of one of several sensors that share a stem, under the sensor's key."""

    key: str
    components: int

    @nn.compact
    def __call__(self, x):
        """Whitens [... N]."""
        return Whiten(self.components, name=self.key)(x)


class Stem(nn.Module):
    """Linear, residual blocks h + W2 gelu(W1 LayerNorm(h)), LayerNorm, linear; rows [N K] to [N P].

    All rows at once: in shares of 128 to 2,048 that the backward pass computes again, as `ReadSpectrum` has them, forward and
    backward of 64 EnMAP patches of 8 x 8 pixels take 1.25 to 1.4 times the CPU time (jaxlib 0.10.2, one thread).
    """

    model: Model

    @nn.compact
    def __call__(self, x):
        """Maps whitened cells [N K] to [N P]."""
        m, dtype = self.model, dtype_of(self.model.dtype)
        h = Dense(m.stem_hidden, dtype, kernel_init=fan_in, name="widen")(x)
        for i in range(m.stem_depth):
            inner = gelu(Dense(m.stem_hidden, dtype, kernel_init=fan_in, name=f"in{i}")(LayerNorm(dtype, name=f"norm{i}")(h)))
            h = h + Dense(m.stem_hidden, dtype, kernel_init=fan_in, name=f"out{i}")(inner)
        return Dense(m.stem_width, dtype, kernel_init=fan_in, name="narrow")(LayerNorm(dtype, name="norm")(h))


class StemTokenizer(nn.Module):
    """Whitening and `Stem` of every cell; a token of stage 1 is the mean (or mean and deviation) of its valid cells."""

    sensor: SensorInput
    model: Model

    def setup(self):
        """Makes the parts; their names are those of the attributes."""
        m, whitening = self.model, self.sensor.whitening
        assert whitening is not None  # `SensorInput` refuses it otherwise
        own = OwnWhiten(self.sensor.key, whitening.components) if whitening.reference else Whiten(whitening.components)
        self.whitening = own
        self.stem = Stem(m)
        # A mean as wide as stage 1 is a token already.
        ready = m.stem_cells == "mean" and m.stem_width == m.width
        self.merge = None if ready else Dense(m.width, dtype_of(m.dtype), kernel_init=fan_in)

    def pixel_tokens(self, pixels, valid):
        """Pixels [B H W C], valid bool [B H W] to the stem's numbers of every cell [B h w P], and which are valid [B h w]."""
        x, valid = stem_input(pixels, valid, cell_px(self.sensor.spec, self.model.stem_gsd_m))
        rows = self.whitening(x.reshape(-1, x.shape[-1]))
        x = self.stem(rows).reshape(*valid.shape, self.model.stem_width)
        return keep(x, valid), valid

    def cells(self, tokens, valid):
        """Cells [B h w P], valid bool [B h w] to tokens of stage 1 [B R Q D] and their validity [B R Q]."""
        m = self.model
        side = token_px(self.sensor.spec, m) // cell_px(self.sensor.spec, m.stem_gsd_m)
        tokens, valid = by_token(tokens, valid, side)
        x = mean_of_valid(tokens, valid)
        if m.stem_cells == "deviation":
            apart = tokens.astype(jnp.float32) - x[..., None, :].astype(jnp.float32)
            spread = jnp.sqrt(mean_of_valid(apart * apart, valid) + _LEAST_VARIANCE)
            x = jnp.concatenate([x, spread.astype(x.dtype)], axis=-1)
        return (x if self.merge is None else self.merge(x)), jnp.any(valid, axis=-1)

    def __call__(self, pixels, valid):
        """Pixels [B H W C], valid bool [B H W] to tokens [B R Q D] and their validity [B R Q]."""
        return self.cells(*self.pixel_tokens(pixels, valid))


class SpectralSkip(nn.Module):
    """What is linear in a token's mean spectrum, past the tokenizer that it is added to.

    With a whitening, the mean of the whitened cells; for the wavelength tokenizer, the means of bands in its windows, beside
    which windows have no band; else the mean of the normalised bands.
    """

    sensor: SensorInput
    model: Model

    @nn.compact
    def __call__(self, pixels, valid):
        """Pixels [B H W C], valid bool [B H W] to [B R Q D], 0 where no pixel is valid."""
        m, spec, whitening = self.model, self.sensor.spec, self.sensor.whitening
        side = 1 if whitening is None else cell_px(spec, m.stem_gsd_m)
        x, valid = by_token(*stem_input(pixels, valid, side), token_px(spec, m) // side)
        x = mean_of_valid(x, valid)
        if whitening is not None:
            x = Whiten(whitening.components, name="whitening")(x)
        if self.sensor.tokenizer == "wavelength":
            x = _windows(x, spec, m)
        x = Dense(m.width, dtype_of(m.dtype), kernel_init=fan_in, name="linear")(x)
        return keep(x, jnp.any(valid, axis=-1))


def _windows(x, spec: SensorSpec, model: Model):
    """Bands [... C] to means in wavelength windows, then 1 for each window without a band, [... 2G]."""
    groups = len(model.wavelength_edges_nm) + 1
    member = np.eye(groups, dtype=np.float32)[window_of(spec.centre_nm, model.wavelength_edges_nm)]  # C G
    bands = member.sum(axis=0)
    means = jnp.matmul(x, member / np.maximum(bands, 1.0)[None], precision=jax.lax.Precision.HIGHEST)
    missing = jnp.broadcast_to(jnp.asarray(bands == 0, jnp.float32), means.shape)
    return jnp.concatenate([means, missing], axis=-1)
