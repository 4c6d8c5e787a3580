"""SpectralEarth's spectral adapter: any number of bands to 128 channels, by convolutions along the spectral axis alone.

It sees the order of bands and not their wavelengths. Batch normalisation is in evaluation mode, with the checkpoint's running
statistics; they are part of the parameters here and do not train. Fresh parameters have statistics of nothing, mean 0 and
variance 1, and what the adapter gives is then nearly the same for every spectrum: give them those of data by `with_statistics`.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from spectral_jax.model.convolutions import TORCH_UNIFORM
from spectral_jax.model.initialise import torch_bias
from spectral_jax.model.layers import TORCH_EPS, along_last

# (length of the kernel, stride) of the three convolutions, each padded by one band at both ends.
SPECTRAL = ((7, 5), (7, 5), (5, 3))
CHANNELS = (32, 64, 128)
# Running statistics and the count of batches behind them, by path.
STATISTICS = "/(mean|var|batches)$"
# Flax's collection that statistics of the values at hand go to; where it may be written, they are what normalises.
MEASURED = "measured"


class FrozenBatchNorm(nn.Module):
    """Batch normalisation of the last axis by stored statistics, or by those of the values themselves, see `with_statistics`.

    `batches` is PyTorch's count of the batches behind the statistics. It changes nothing and is kept for the way back; a
    float, since whole numbers have no gradient. `start` is the scale before training.
    """

    start: float = 1.0

    @nn.compact
    def __call__(self, x):
        """Normalises [... C] in float32, result in the type of `x`."""
        scale = self.param("scale", nn.initializers.constant(self.start), (x.shape[-1],), jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, (x.shape[-1],), jnp.float32)
        mean = self.param("mean", nn.initializers.zeros, (x.shape[-1],), jnp.float32)
        var = self.param("var", nn.initializers.ones, (x.shape[-1],), jnp.float32)
        self.param("batches", nn.initializers.zeros, (), jnp.float32)
        y = x.astype(jnp.float32)
        if self.is_mutable_collection(MEASURED) and not self.is_initializing():
            mean, var = self._measured(y)
        scale = scale * jax.lax.rsqrt(var + TORCH_EPS)
        return (y * along_last(scale, y) + along_last(bias - mean * scale, y)).astype(x.dtype)

    def _measured(self, x):
        """Mean and variance [C] of x [... C]; as in PyTorch, values are divided by n, and what is stored by n - 1."""
        axes, count = tuple(range(x.ndim - 1)), x.size // x.shape[-1]
        if count < 2:
            raise ValueError(
                f"images: expected at least two values a channel to take statistics of, got {count} at {'/'.join(self.path)}; "
                "give more or larger images."
            )
        mean, var = jnp.mean(x, axis=axes), jnp.var(x, axis=axes)
        stored = {"mean": mean, "var": var * (count / (count - 1)), "batches": jnp.ones((), jnp.float32)}
        for name, value in stored.items():
            self.put_variable(MEASURED, name, value)
        return mean, var


class SpectralAdapter(nn.Module):
    """Three times convolution, normalisation and ReLU along the bands, then their mean.

    Fresh kernels and biases are PyTorch's default for convolutions, which the published code leaves as they are.
    """

    channels: tuple[int, int, int]
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, image):
        """Maps [B H W C] to [B H W K], K the last of `channels`."""
        batch, rows, columns, bands = image.shape
        x = image.astype(self.dtype).reshape(-1, bands, 1)
        for i, ((length, stride), width) in enumerate(zip(SPECTRAL, self.channels, strict=True)):
            shape = (length, x.shape[-1], width)
            kernel = self.param(f"kernel{i}", TORCH_UNIFORM, shape, jnp.float32).astype(self.dtype)
            bias = self.param(f"bias{i}", torch_bias(length * x.shape[-1]), (width,), jnp.float32).astype(self.dtype)
            x = jax.lax.conv_general_dilated(x, kernel, (stride,), [(1, 1)], dimension_numbers=("NWC", "WIO", "NWC"))
            x = jax.nn.relu(FrozenBatchNorm(name=f"norm{i}")(x + along_last(bias, x)))
        return x.mean(axis=1).reshape(batch, rows, columns, -1)


def with_statistics(module: nn.Module, params: dict, images: jax.Array) -> dict:
    """The parameters of a module with the statistics of its batch normalisations taken from images.

    It is what one batch of all images leaves behind in PyTorch's training mode with momentum 1: each layer sees what the layers
    before it make when they normalise by the statistics of this batch.

    Args:
      module: of which `params` are; it takes the images alone.
      params: nested dict; all but `mean`, `var` and `batches` stay as they are.
      images: what the module takes.

    Raises:
      ValueError: a normalisation gets fewer than two values a channel.
    """
    _, found = module.apply({"params": params}, images, mutable=[MEASURED])
    return _merged(params, found[MEASURED])


def _merged(params, found):
    return {k: _merged(v, found.get(k, {})) if isinstance(v, dict) else found.get(k, v) for k, v in params.items()}


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
