"""DOFA's patch embedding, generated from wavelengths by a small transformer (`wave_dynamic_layer.py`, TorchGeo `dofa.py`)."""

from functools import partial

import einops
import jax
import jax.numpy as jnp
from flax import linen as nn

from spectral_jax.model.initialise import TRUNCATED, zero_bias
from spectral_jax.model.layers import TORCH_EPS, Dense, LayerNorm
from spectral_jax.model.published.vit import XAVIER, FeedForward, SelfAttention, Start

LAYOUTS = ("old", "new")
# Width of the generator and number of its own tokens, its heads and inner width, and the factor on all that it makes.
WIDTH, HEADS, HIDDEN, SCALER = 128, 4, 2048, 0.01


def _bias(fan_in):
    return nn.initializers.constant(0.01)


# The published `weight_init` draws every `nn.Linear` anew. The packed projection of torch's MultiheadAttention is none, and
# stays as torch starts it: Xavier uniform over [3D D] as one matrix, its bias 0.
START = Start(XAVIER, XAVIER, _bias, zero_bias)
_Linear = partial(Dense, dtype=jnp.dtype("float32"), kernel_init=START.kernel, bias_start=START.bias)


def wave_code(wavelengths_nm: jax.Array) -> jax.Array:
    """Sines, then cosines, of wavelengths in nm at 64 frequencies from 1 down to 1e-4 rad/nm; [C] to [C 128]."""
    rate = 10000.0 ** (-jnp.arange(WIDTH // 2, dtype=jnp.float32) / (WIDTH // 2))
    angle = wavelengths_nm[:, None] * rate[None]
    return jnp.concatenate([jnp.sin(angle), jnp.cos(angle)], axis=-1)


class _PostNorm(nn.Module):
    """One post-norm transformer layer on [1 N K]."""

    @nn.compact
    def __call__(self, x):
        float32 = jnp.dtype("float32")
        x = LayerNorm(float32, TORCH_EPS, name="norm1")(x + SelfAttention(HEADS, float32, start=START, name="attend")(x))
        return LayerNorm(float32, TORCH_EPS, name="norm2")(x + FeedForward(HIDDEN, float32, start=START, name="mlp")(x))


class WaveKernel(nn.Module):
    """Kernel and bias of the patch convolution for the bands of one sensor, always in float32."""

    width: int
    patch: int
    layout: str

    @nn.compact
    def __call__(self, wavelengths_nm):
        """Wavelengths [C] to a kernel [p p C D] and a bias [D]."""
        waves = wave_code(wavelengths_nm)
        h = jax.nn.relu(_Linear(WIDTH, name="refine1")(waves))
        waves = waves + jax.nn.relu(_Linear(WIDTH, name="refine2")(h))
        tokens = self.param("weight_tokens", TRUNCATED, (WIDTH, WIDTH), jnp.float32)
        last = self.param("bias_token", TRUNCATED, (WIDTH,), jnp.float32)
        made = _PostNorm(name="transformer")(jnp.concatenate([tokens, waves, last[None]])[None])[0]
        kernel = _Linear(self.patch**2 * self.width, name="weight")(made[WIDTH:-1] + waves)
        bias = _Linear(self.width, name="bias")(made[-1:])[0]
        return self._arranged(kernel) * SCALER, bias * SCALER

    def _arranged(self, kernel):
        sizes = dict(p=self.patch, q=self.patch, d=self.width)
        if self.layout == "new":
            return einops.rearrange(kernel, "c (p q d) -> p q c d", **sizes)
        # The old code reads the whole array [C, p*p*D] as [D C p p], across the bands: wrong to look at, and what was trained.
        return einops.rearrange(kernel.reshape(-1), "(d c p q) -> p q c d", **sizes)
