"""Learned projections of spectra: a linear map, a convolutional adapter, and attention from target bands to wavelengths.

Each has an `init_` that gives parameters and a `call_` that is a pure function of them; all compute in float32. A `source` is
static: close over it, or name it in `static_argnames`.

What is kept of uncovered target bands is decided by a fixed `Projection` (its rows, or its `kept_index` for the attention).
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from spectral_jax.model.layers import TORCH_EPS, Dense, along_last
from spectral_jax.model.published.spectral_adapter import CHANNELS, SPECTRAL, fewest_bands
from spectral_jax.sensors import SensorSpec
from spectral_jax.spectral.coverage import response_curves, stands_for_nm
from spectral_jax.spectral.project import Projection, apply

# Sines and cosines of an attention key: how many of each, longest and shortest period, nm. Half the longest is the optical
# range, so no two wavelengths look alike; the shortest is about one band of a spectrometer.
CENTRE_WAVES = (128, 4600.0, 10.0)
FWHM_WAVES = (16, 800.0, 4.0)
RANGE_NM = (300.0, 2600.0)
# Attention starts from ln(response) down to e^-10 and below falls with distance, e-fold in 50 nm: the nearest bands of a source
# that does not see the target win. How much of a fit's error counts: the response, and this much where there is none. Choices.
DEEPEST, FALL_NM, FLOOR = 10.0, 50.0, 1e-3


class Linear(nn.Module):
    """A matrix [bands C] applied by `apply` (weights of invalid bands go to the others), and a bias [bands]."""

    bands: int
    start: Callable = nn.initializers.zeros

    @nn.compact
    def __call__(self, values, valid):
        """Maps [... C], valid [... C] or None, to [... bands]."""
        matrix = self.param("matrix", self.start, (self.bands, values.shape[-1]), jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, (self.bands,), jnp.float32)
        y = apply(matrix, values, valid)
        return y + along_last(bias, y)


def init_linear(projection: Projection) -> dict:
    """Parameters of a linear map that starts as `projection`; nothing is random."""
    rows, columns = projection.matrix.shape
    module = Linear(rows, lambda key, shape, dtype: jnp.asarray(projection.matrix, dtype))
    return module.init(jax.random.key(0), jnp.zeros(columns), None)["params"]


def call_linear(params: dict, values: jax.Array, valid: jax.Array | None = None) -> jax.Array:
    """Maps values [... C_source], valid bool [... C_source] or None, to float32 [... C_target].

    At the start it is `apply(projection.matrix, values, valid)`, exactly.

    Raises:
      ValueError: C_source is not that of the parameters.
    """
    if values.shape[-1] != params["matrix"].shape[1]:
        raise ValueError(
            f"linear projection: expected {params['matrix'].shape[1]} source bands, got values of shape {values.shape}; "
            "initialise it with a projection from this source."
        )
    projected: Any = Linear(params["matrix"].shape[0]).apply({"params": params}, values, valid)
    return projected


class FixedNorm(nn.Module):
    """Scale and bias a channel, which make the sample that parameters are initialised with have mean 0 and variance 1.

    It is BatchNorm as it stands at inference, with learned numbers. Norms of one spectrum (layer, group) would need no sample,
    but after a first convolution of one channel they divide the brightness of the spectrum away.
    """

    @nn.compact
    def __call__(self, x):
        """Maps [N L D] to [N L D]."""

        def unit(key):
            return jax.lax.rsqrt(jnp.var(x, axis=(0, 1)) + TORCH_EPS)

        scale = self.param("scale", unit)
        bias = self.param("bias", lambda key: -jnp.mean(x, axis=(0, 1)) * unit(key))
        return x * along_last(scale, x) + along_last(bias, x)


class ConvAdapter(nn.Module):
    """Three times convolution over the spectral axis, `FixedNorm`, ReLU; then the mean over what is left of it, and linear."""

    out: int

    @nn.compact
    def __call__(self, x):
        """Maps spectra in the order of wavelength [N C] to [N out]."""
        x = x[..., None]
        for i, (width, (kernel, stride)) in enumerate(zip(CHANNELS, SPECTRAL, strict=True)):
            init = nn.initializers.variance_scaling(2.0, "fan_in", "truncated_normal")
            x = nn.Conv(width, (kernel,), (stride,), padding=1, kernel_init=init, name=f"conv{i}")(x)
            x = jax.nn.relu(FixedNorm(name=f"norm{i}")(x))
        init = nn.initializers.variance_scaling(1.0, "fan_in", "truncated_normal")
        return Dense(self.out, jnp.float32, kernel_init=init, name="out")(jnp.mean(x, axis=1))


def init_adapter(key: jax.Array, sample: jax.Array, source: SensorSpec, out: int) -> dict:
    """Parameters of a convolutional spectral adapter.

    Args:
      key: random key.
      sample: [N C] valid spectra of the training set, some hundreds; they set the scale and bias of the norms.
      source: the sensor of the spectra, C used bands in any order.
      out: how many numbers a spectrum becomes. They have no unit and start near mean 0 and variance 1.

    Raises:
      ValueError: C is not that of `source`, or too small for three convolutions.
    """
    rows = _rows(sample, source, None)
    return ConvAdapter(out).init(key, rows)["params"]


def call_adapter(params: dict, values: jax.Array, source: SensorSpec, valid: jax.Array | None = None) -> jax.Array:
    """Maps values [... C], valid bool [... C] or None, to float32 [... out].

    An invalid band counts as the mean of the valid ones of its spectrum. The adapter is blind to wavelengths: it runs on any
    source of enough bands, but means something only for the one it was trained on.

    Raises:
      ValueError: C is not that of `source`, or too small for three convolutions.
    """
    y: Any = ConvAdapter(params["out"]["bias"].shape[0]).apply({"params": params}, _rows(values, source, valid))
    return y.reshape(*values.shape[:-1], y.shape[-1])


class WavelengthAttention(nn.Module):
    """Attention of one learned query a target band over source bands known by centre and FWHM.

    Keys do not depend on reflectance, so the weights of a sensor are one matrix, whatever the number of pixels.
    """

    bands: int
    start: Callable = nn.initializers.zeros

    @nn.compact
    def __call__(self, source: SensorSpec):
        """Weights float32 [bands C]; rows sum to 1. A band's prior weight is the nanometres it stands for."""
        keys = np.concatenate([waves(source.centre_nm, *CENTRE_WAVES), waves(source.fwhm_nm, *FWHM_WAVES)], axis=1)
        query = self.param("query", self.start, (self.bands, keys.shape[1]), jnp.float32)
        keys, prior = keys.astype(np.float32), np.log(stands_for_nm(source)).astype(np.float32)
        scores = jnp.einsum("td,sd->ts", query, keys, precision=jax.lax.Precision.HIGHEST) + prior[None]
        return jax.nn.softmax(scores, axis=-1)


def init_attention(target: SensorSpec) -> dict:
    """Parameters of attention for the used bands of `target` and any source; nothing is random.

    The queries are fitted to the logarithm of each band's response, measured or the Gaussian of its centre and FWHM, so that
    attention starts close to the SRF-weighted mean.

    Raises:
      ValueError: `target` has a band without a centre between 300 and 2600 nm.
    """
    _check_optical(target)
    queries = _fit_queries(target)
    module = WavelengthAttention(len(queries), lambda key, shape, dtype: jnp.asarray(queries, dtype))
    return module.init(jax.random.key(0), target)["params"]


def attention_matrix(params: dict, source: SensorSpec) -> jax.Array:
    """The weights [C_target C_source] that attention gives the used bands of `source`.

    Raises:
      ValueError: `source` has a band without a centre between 300 and 2600 nm.
    """
    _check_optical(source)
    weights: Any = WavelengthAttention(params["query"].shape[0]).apply({"params": params}, source)
    return weights


def call_attention(params: dict, values: jax.Array, source: SensorSpec, valid: jax.Array | None = None) -> jax.Array:
    """Maps values [... C_source], valid bool [... C_source] or None, to float32 [... C_target], all used bands of the target.

    Target bands that `source` does not see lean on its nearest bands; take `kept_index` of a `Projection` to drop them.

    Raises:
      ValueError: `source` has a band without a centre between 300 and 2600 nm, or C_source is not its number of used bands.
    """
    return apply(attention_matrix(params, source), values, valid)


def waves(value_nm: np.ndarray, count: int, longest_nm: float, shortest_nm: float) -> np.ndarray:
    """Cosines and sines [C 2*count] of wavelengths or widths, nm [C], with periods in geometric steps."""
    # In float64: the phase of 2500 nm at the shortest period is 1600, of which float32 keeps three digits behind the point.
    phase = 2 * np.pi * value_nm[:, None] / np.geomspace(longest_nm, shortest_nm, count)[None]
    return np.concatenate([np.cos(phase), np.sin(phase)], axis=1)


def _fit_queries(target: SensorSpec) -> np.ndarray:
    """Queries [C_target D] by weighted least squares; what belongs to the FWHM of source bands starts at 0."""
    grid_nm, curves = response_curves(target, np.arange(RANGE_NM[0], RANGE_NM[1] + 1.0))
    features = waves(grid_nm, *CENTRE_WAVES)
    distance = np.abs(grid_nm[None] - target.centre_nm[:, None])
    floor = np.exp(-DEEPEST)
    wanted = np.where(curves > floor, np.log(np.maximum(curves, floor)), -DEEPEST - distance / FALL_NM)
    ridge = 1e-3 * np.eye(features.shape[1])
    queries = []
    for curve, score in zip(curves, wanted, strict=True):
        weighted = features * np.maximum(curve, FLOOR)[:, None]
        queries.append(np.linalg.solve(weighted.T @ features + ridge, weighted.T @ score))
    return np.pad(np.stack(queries), ((0, 0), (0, 2 * FWHM_WAVES[0]))).astype(np.float32)


def _rows(values, source, valid):
    """Spectra [N C] in the order of wavelength, float32, invalid values replaced."""
    bands = len(source.used)
    if values.shape[-1] != bands or (valid is not None and valid.shape != values.shape):
        raise ValueError(
            f"spectral adapter: expected values [... C] and valid of the {bands} used bands of {source.name}, got shape "
            f"{values.shape} and {None if valid is None else valid.shape}; give both in the order of the spec."
        )
    if bands < fewest_bands():
        raise ValueError(
            f"spectral adapter: {source.name} has {bands} used bands, expected at least {fewest_bands()} for its three strided "
            "convolutions; take the linear projection or the attention."
        )
    order = np.argsort(source.centre_nm, kind="stable")
    x = values.reshape(-1, bands).astype(jnp.float32)
    if valid is not None:
        seen = valid.reshape(-1, bands)
        mean = jnp.sum(jnp.where(seen, x, 0.0), axis=1) / jnp.maximum(jnp.sum(seen, axis=1).astype(jnp.float32), 1.0)
        x = jnp.where(seen, x, mean[:, None])
    return x[:, order]


def _check_optical(spec: SensorSpec) -> None:
    low, high = RANGE_NM
    outside = [b.name for b, c in zip(spec.used, spec.centre_nm, strict=True) if not low <= c <= high]
    if outside:
        raise ValueError(
            f"wavelength attention: expected bands between {low:g} and {high:g} nm, got {', '.join(outside[:3])} of "
            f"{spec.name}; leave such bands out of the spec."
        )
