"""Pixels to stage-1 tokens: one convolution (linear), or spectral tokens read by a small transformer (grouped).

Convolutions are partial: invalid pixels count as 0 and a window's sum is scaled by (pixels in the window) / (valid pixels in
the window), so a token is estimated from what was seen. With every pixel valid this is the plain zero-padded convolution.
"""

import math
from functools import partial

import einops
import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from spectral_jax.config import Model
from spectral_jax.model.attention import QueryPool
from spectral_jax.model.block import Block
from spectral_jax.model.devices import platform_of, split_by_xla
from spectral_jax.model.encoder.spectral_kernel.read import chosen, read_spectrum
from spectral_jax.model.initialise import TRUNCATED
from spectral_jax.model.layers import TORCH_EPS, Dense, LayerNorm, dtype_of, keep, one_by_one
from spectral_jax.sensors import SensorSpec

# Cells that go through the spectral transformer together: on a CPU what stays in its cache (measured at sizes tiny and small:
# 512 take 7 and 15 % longer than 128, 1024 40 %), elsewhere enough to fill the device.
CELLS_CPU = 128
CELLS = 8192

# Bands from which on one convolution serves a tensor core better than products of windows: of the 12 bands of Sentinel-2 it
# moves a third of the bytes (v5e). Of the two of Sentinel-1 it moves as many, and its gradient takes three minutes to compile.
CONVOLVED_BANDS = 8


def kernel_px(token_px: int) -> int:
    """Side of the convolution window of a token of `token_px` pixels a side.

    The published 2 -> 3 and 6 -> 7 overlap by one pixel, centred, with padding token_px / 2. An odd side has a centre
    already, so such windows tile the patch: 1 -> 1 (published), 3 -> 3, 5 -> 5, no padding.
    """
    return token_px + 1 if token_px % 2 == 0 else token_px


def windows(x: jax.Array, token_px: int) -> jax.Array:
    """The convolution window of every token, by reshaping: zero-padded [B H W ...] to [B R i Q j ...].

    R = H / token_px, Q = W / token_px; i and j run over `kernel_px(token_px)` rows and columns.
    """
    overlap = token_px % 2 == 0
    if overlap:
        margin = (token_px // 2, token_px // 2)
        x = jnp.pad(x, ((0, 0), margin, margin) + ((0, 0),) * (x.ndim - 3))
    x = einops.rearrange(x, "b (r i) (q j) ... -> b r i q j ...", i=token_px, j=token_px)
    if overlap:  # the last row and column of a window are the first of the next block
        x = jnp.concatenate([x[:, :-1], x[:, 1:, :1]], axis=2)
        x = jnp.concatenate([x[:, :, :, :-1], x[:, :, :, 1:, :1]], axis=4)
    return x


def count_valid(valid: jax.Array, token_px: int) -> tuple[jax.Array, np.ndarray]:
    """Pixels in the window of every token: the valid ones, float32 [B R Q], and those inside the patch, [1 R Q].

    Args:
      valid: bool [B H W].
      token_px: pixels along a side of a token.
    """
    seen = jnp.sum(windows(valid.astype(jnp.float32), token_px), axis=(2, 4))
    rows, columns = (_inside(size, token_px) for size in valid.shape[1:])
    return seen, (rows[:, None] * columns[None, :])[None]


def _inside(size: int, token_px: int) -> np.ndarray:
    """How many pixels of a side of `size` the window of each token covers, the padding left out; float32 [R]."""
    side = kernel_px(token_px)
    start = np.arange(0, size, token_px) - (token_px // 2 if token_px % 2 == 0 else 0)
    return (np.minimum(start + side, size) - np.maximum(start, 0)).astype(np.float32)


def window_sums(
    pixels: jax.Array, valid: jax.Array, kernel: jax.Array, token_group: np.ndarray, groups: int, token_px: int
) -> jax.Array:
    """A convolution of every group of bands with its own kernel; invalid pixels count as 0.

    On a CPU one product of matrices a group: no work on absent band-group pairs, four times faster there than padding groups
    to one size (EnMAP's 15 groups, batch 64). The backward pass cuts the windows out again: to write and read those of all
    views takes longer. Elsewhere one grouped convolution of groups padded to one size: 15 products take ten times as long to
    compile for a TPU, and move three times the bytes.

    Args:
      pixels: [B H W C] in the dtype of the computation.
      valid: bool [B H W].
      kernel: [C i j D], windows' rows and columns.
      token_group: group number of every band [C].
      groups: how many groups G.
      token_px: pixels along a side of a token.

    Returns:
      [B R Q G D]; 0 for a group without bands.
    """
    kernel, on_cpu = kernel.astype(pixels.dtype), platform_of(pixels) == "cpu"
    if not on_cpu and len(token_group) >= CONVOLVED_BANDS:
        return grouped_convolution(keep(pixels, valid), kernel, token_group, groups, token_px)
    sums = partial(_group_products, token_group=token_group, groups=groups, token_px=token_px)
    return (jax.checkpoint(sums) if on_cpu else sums)(pixels, valid, kernel)


def _group_products(pixels, valid, kernel, token_group, groups, token_px):
    """`window_sums` as a product for every group."""
    pixels, out = keep(pixels, valid), []
    for g in range(groups):
        bands = np.flatnonzero(token_group == g)
        if len(bands) == 0:
            b, h, w, _ = pixels.shape
            out.append(jnp.zeros((b, h // token_px, w // token_px, kernel.shape[-1]), pixels.dtype))
            continue
        patches = einops.rearrange(windows(_bands(pixels, bands, -1), token_px), "b r i q j c -> b r q (i j c)")
        out.append(patches @ einops.rearrange(_bands(kernel, bands, 0), "c i j d -> (i j c) d"))
    return jnp.stack(out, axis=3)


def grouped_convolution(pixels: jax.Array, kernel: jax.Array, token_group: np.ndarray, groups: int, token_px: int) -> jax.Array:
    """`window_sums` as one convolution whose groups have as many bands each as the largest, of zeros where they have fewer."""
    size = int(np.bincount(token_group, minlength=groups).max())
    band = np.full((groups, size), len(token_group))  # one past the last: a band of zeros
    for g in range(groups):
        own = np.flatnonzero(token_group == g)
        band[g, : len(own)] = own
    pixels = _bands(jnp.pad(pixels, ((0, 0),) * 3 + ((0, 1),)), band.reshape(-1), -1)
    padded = jnp.pad(kernel, ((0, 1),) + ((0, 0),) * 3)[band.reshape(-1)]
    weights = einops.rearrange(padded, "(g c) i j d -> i j c (g d)", g=groups)
    margin = token_px // 2 if token_px % 2 == 0 else 0
    out = jax.lax.conv_general_dilated(
        pixels, weights, (token_px, token_px), ((margin, margin),) * 2, dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
    )  # fmt: skip
    return einops.rearrange(out, "b r q (g d) -> b r q g d", g=groups)


def _bands(x, bands, axis):
    """Bands of an array; a slice where they are neighbours, which costs no gather."""
    if bands[-1] - bands[0] == len(bands) - 1 and np.all(np.diff(bands) == 1):
        return jax.lax.slice_in_dim(x, int(bands[0]), int(bands[-1]) + 1, axis=axis)
    return jnp.take(x, bands, axis=axis)


class BandConvolution(nn.Module):
    """Partial convolution of groups of bands, kernel [C i j D] stored by band, bias [G D]."""

    token_px: int
    token_group: tuple[int, ...]
    groups: int
    width: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, pixels, valid):
        """Pixels [B H W C], valid bool [B H W] to tokens [B R Q G D] and how many valid pixels each saw [B R Q]."""
        side = kernel_px(self.token_px)
        shape = (len(self.token_group), side, side, self.width)
        kernel = self.param("kernel", TRUNCATED, shape, jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, (self.groups, self.width), jnp.float32)
        seen, inside = count_valid(valid, self.token_px)
        x = window_sums(pixels.astype(self.dtype), valid, kernel, np.array(self.token_group), self.groups, self.token_px)
        scale = (inside / jnp.maximum(seen, 1.0)).astype(self.dtype)
        return x * scale[..., None, None] + bias.astype(self.dtype)[None, None, None], seen


class LinearTokenizer(nn.Module):
    """One convolution over all bands (multispectral, thermal and radar sensors in SpectralEarth-FM)."""

    spec: SensorSpec
    model: Model

    @nn.compact
    def __call__(self, pixels, valid):
        """Pixels [B H W C], valid bool [B H W] to tokens [B R Q D] and their validity [B R Q]."""
        bands = (0,) * len(self.spec.used)
        dtype = dtype_of(self.model.dtype)
        convolve = BandConvolution(token_px(self.spec, self.model), bands, 1, self.model.width, dtype, name="bands")
        x, seen = convolve(pixels, valid)
        return x[..., 0, :], seen > 0


class GroupedTokenizer(nn.Module):
    """One spectral token a group of neighbouring bands, then `ReadSpectrum` (imaging spectrometers in SpectralEarth-FM)."""

    spec: SensorSpec
    model: Model

    @nn.compact
    def __call__(self, pixels, valid):
        """Pixels [B H W C], valid bool [B H W] to tokens [B R Q D] and their validity [B R Q]."""
        group, width = tuple(int(g) for g in self.spec.token_group), self.model.spectral_width
        dtype = dtype_of(self.model.dtype)
        convolve = BandConvolution(token_px(self.spec, self.model), group, self.spec.groups, width, dtype, name="bands")
        x, seen = convolve(pixels, valid)
        return ReadSpectrum(self.model, name="spectrum")(x, None), seen > 0


class ReadSpectrum(nn.Module):
    """Spectral tokens of a cell to one spatial token; cells do not mix.

    Group embedding, pre-norm transformer blocks over the groups, LayerNorm, linear to the width of stage 1, a second group
    embedding, cross-attention of one learned query, LayerNorm (code of SpectralEarth-FM); all LayerNorms with torch's epsilon.

    Cells go through it in shares of at most `CELLS`, which the backward pass computes again: of so many short sequences, to
    write and read what every layer gave takes longer than to compute it again.

    `model.kernel` says whether XLA computes it layer by layer, as written here, or one kernel (`spectral_kernel`).
    """

    model: Model
    at_once: bool = False  # all cells together, kept for the backward pass

    @nn.compact
    def __call__(self, x, has_bands: np.ndarray | None):
        """Maps x [B R Q G D], has_bands bool [G] or None (a group without bands is never looked at), to [B R Q width]."""
        if not self.at_once and not self.is_initializing():  # parameters are created below, by their names
            return self._chosen(x, has_bands)
        m, (_, rows, _, groups, width) = self.model, x.shape
        dtype = dtype_of(m.dtype)
        x = einops.rearrange(x, "b r q g d -> b (r q) g d")
        mask = None if has_bands is None or np.all(has_bands) else jnp.asarray(has_bands)[None, None]
        x = (x + self._groups("group", groups, width, dtype))[:, :, :, None]  # a cell is a window
        for i in range(m.spectral_depth):
            block = Block(width, m.spectral_heads, m.mlp_ratio, dtype, eps=TORCH_EPS, name=f"block{i}")
            x = block(x, None if mask is None else mask[..., None])
        x = x[:, :, :, 0]
        x = LayerNorm(dtype, TORCH_EPS, name="norm")(x)
        x = Dense(m.width, dtype, name="widen")(x) + self._groups("group_wide", groups, m.width, dtype)
        x = LayerNorm(dtype, TORCH_EPS, name="norm_out")(QueryPool(m.heads, dtype, name="pool")(x, mask))
        return einops.rearrange(x, "b (r q) d -> b r q d", r=rows)

    def _chosen(self, x, has_bands):
        """By one kernel where `model.kernel` says so, else by the layers below, in shares of the cells."""
        params, platform = self.variables["params"], platform_of(x)
        kernel = chosen(self.model, platform, x.shape[3], split=split_by_xla(x))
        if kernel == "xla":
            whole = ReadSpectrum(self.model, at_once=True, parent=None)
            most = CELLS_CPU if platform == "cpu" else CELLS
            return _in_shares(lambda x: whole.apply({"params": params}, x, has_bands), x, most)
        cells = einops.rearrange(x, "b r q g d -> (b r q) g d")
        how = dict(interpret=True) if kernel == "interpret" else dict(platform=platform)
        y = read_spectrum(params, cells, has_bands, self.model, **how)
        return einops.rearrange(y, "(b r q) d -> b r q d", b=x.shape[0], r=x.shape[1])

    def _groups(self, name, groups, width, dtype):
        return self.param(name, TRUNCATED, (groups, width), jnp.float32).astype(dtype)[None, None]


def _in_shares(read, x, most):
    """`read` of x [B R Q G D] in equal shares of at most `most` cells, which the backward pass computes again."""
    lead = x.shape[:3]
    cells = math.prod(lead)
    # Every cell count has a divisor of at least a window's cells, as sides are multiples of `model.mask_unit`.
    share = max(n for n in range(1, min(most, cells) + 1) if cells % n == 0)
    x = x.reshape(cells // share, 1, 1, share, *x.shape[3:])
    x = one_by_one(read, (x,), again=True)
    return x.reshape(*lead, x.shape[-1])


def token_px(spec: SensorSpec, model: Model) -> int:
    """Pixels of a sensor along a side of a stage-1 token."""
    return round(model.token_gsd_m / spec.gsd_m)
