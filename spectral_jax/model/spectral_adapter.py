"""SpectralEarth's spectral adapter: any number of bands to 128 channels, by convolutions along the spectral axis alone.

It sees the order of bands and not their wavelengths. Batch normalisation is in evaluation mode, with the checkpoint's running
statistics; they are part of the parameters here and do not train.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from spectral_jax.model.layers import TRUNCATED, along_last

# (length of the kernel, stride) of the three convolutions, each padded by one band at both ends.
SPECTRAL = ((7, 5), (7, 5), (5, 3))
CHANNELS = (32, 64, 128)
# torch's default for BatchNorm.
EPS = 1e-5
# Running statistics and the count of batches behind them, by path.
STATISTICS = "/(mean|var|batches)$"


class FrozenBatchNorm(nn.Module):
    """Batch normalisation of the last axis by stored statistics.

    `batches` is PyTorch's count of the batches behind the statistics. It changes nothing and is kept for the way back; a
    float, since whole numbers have no gradient.
    """

    @nn.compact
    def __call__(self, x):
        """Normalises [... C] in float32, result in the type of `x`."""
        scale = self.param("scale", nn.initializers.ones, (x.shape[-1],), jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, (x.shape[-1],), jnp.float32)
        mean = self.param("mean", nn.initializers.zeros, (x.shape[-1],), jnp.float32)
        var = self.param("var", nn.initializers.ones, (x.shape[-1],), jnp.float32)
        self.param("batches", nn.initializers.zeros, (), jnp.float32)
        scale = scale * jax.lax.rsqrt(var + EPS)
        return (x.astype(jnp.float32) * along_last(scale, x) + along_last(bias - mean * scale, x)).astype(x.dtype)


class SpectralAdapter(nn.Module):
    """Three times convolution, normalisation and ReLU along the bands, then their mean."""

    channels: tuple[int, int, int]
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, image):
        """Maps [B H W C] to [B H W K], K the last of `channels`."""
        batch, rows, columns, bands = image.shape
        x = image.astype(self.dtype).reshape(-1, bands, 1)
        for i, ((length, stride), width) in enumerate(zip(SPECTRAL, self.channels, strict=True)):
            kernel = self.param(f"kernel{i}", TRUNCATED, (length, x.shape[-1], width), jnp.float32).astype(self.dtype)
            bias = self.param(f"bias{i}", nn.initializers.zeros, (width,), jnp.float32).astype(self.dtype)
            x = jax.lax.conv_general_dilated(x, kernel, (stride,), [(1, 1)], dimension_numbers=("NWC", "WIO", "NWC"))
            x = jax.nn.relu(FrozenBatchNorm(name=f"norm{i}")(x + along_last(bias, x)))
        return x.mean(axis=1).reshape(batch, rows, columns, -1)


def check_bands(image: jax.Array) -> None:
    """Refuses an image that is not [B H W C], or that has too few bands for the three convolutions."""
    length = image.shape[-1] if image.ndim == 4 else 0
    for kernel, stride in SPECTRAL:
        length = (length + 2 - kernel) // stride + 1
    if length < 1:
        raise ValueError(
            f"image: expected [B H W C] with C >= {fewest_bands()} bands, which the strides of the spectral adapter need, got "
            f"shape {image.shape}."
        )


def fewest_bands() -> int:
    """The smallest number of bands that leaves one value after the three convolutions."""
    length = 1
    for kernel, stride in reversed(SPECTRAL):
        length = (length - 1) * stride + kernel - 2
    return length
