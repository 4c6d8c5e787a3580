"""An embedding in 64 whole numbers of 8 bits: principal components of a level's vectors, each in steps of its own.

Components keep distances and what is linear in the vector; that is why no other code is learned. How much of a ridge's R2 is
left is measured where a model is made (`tools/release_model.py`).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

NUMBERS = 64
# A number at 127 is so many standard deviations from its mean; what is further away is cut.
REACH = 4.0


class Compact(NamedTuple):
    """q = round((x - mean) @ kernel / step), cut to -127..127."""

    level: str  # of `readout.NAMES`, whose vectors of one sensor it takes
    mean: jax.Array  # float32 [D]
    kernel: jax.Array  # float32 [D 64]
    step: jax.Array  # float32 [64]


def fit(level: str, vectors: np.ndarray) -> Compact:
    """The components of N vectors [N D].

    Raises:
      ValueError: D is less than 64, or there are fewer vectors than that.
    """
    if min(vectors.shape) < NUMBERS:
        raise ValueError(f"level {level}: expected {NUMBERS} vectors or more of as many numbers, got {vectors.shape}.")
    vectors = vectors.astype(np.float64)
    mean = vectors.mean(axis=0)
    variance, axes = np.linalg.eigh(np.cov(vectors, rowvar=False))
    variance, axes = variance[::-1][:NUMBERS], axes[:, ::-1][:, :NUMBERS]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(NUMBERS)])
    step = REACH * np.sqrt(np.maximum(variance, 1e-12)) / 127.0
    return Compact(level, *(jnp.asarray(x, jnp.float32) for x in (mean, axes, step)))


def compact(made: Compact, vectors: jax.Array) -> jax.Array:
    """Vectors float32 [B D] of `readout.summaries(...)[made.level]` to int8 [B 64]."""
    rows = jnp.matmul(vectors - made.mean[None], made.kernel, precision=jax.lax.Precision.HIGHEST)
    return jnp.clip(jnp.round(rows / made.step[None]), -127.0, 127.0).astype(jnp.int8)


def expanded(made: Compact, numbers: jax.Array) -> jax.Array:
    """The vectors [B D] that int8 [B 64] stand for."""
    return (numbers.astype(jnp.float32) * made.step[None]) @ made.kernel.T + made.mean[None]
