"""SIGReg: pulls embeddings towards an isotropic Gaussian through random one-dimensional projections.

Epps-Pulley statistic of LeJEPA (arXiv 2511.08544): T = N * integral over t of |phi(t) - exp(-t^2/2)|^2 exp(-t^2/2), phi the
empirical characteristic function, by the trapezoid rule on knots over [0, t_max] counted twice for the negative half.
"""

import jax
import jax.numpy as jnp
import numpy as np

from spectral_jax.config import Config
from spectral_jax.means import Axis, global_mean, total
from spectral_jax.shapes import check


def directions(key: jax.Array, width: int, count: int) -> jax.Array:
    """Random unit directions [D count], float32, the same on every device for the same key."""
    draw = jax.random.normal(key, (width, count), jnp.float32)
    return draw / jnp.linalg.norm(draw, axis=0, keepdims=True)


def knots(count: int, t_max: float) -> tuple[np.ndarray, np.ndarray]:
    """Knots t and their weights: trapezoid, doubled for t < 0, times exp(-t^2/2); float32 [count] each."""
    t = np.linspace(0.0, t_max, count)
    step = t_max / (count - 1)
    weight = np.full(count, 2.0 * step)
    weight[[0, -1]] = step
    return t.astype(np.float32), (weight * np.exp(-(t**2) / 2)).astype(np.float32)


def epps_pulley(projected: jax.Array, weight: jax.Array, *, count: int = 17, t_max: float = 3.0, axis: Axis = None):
    """The statistic of every direction over the global batch, float32 [P].

    Args:
      projected: [B P], embeddings projected on P unit directions; float32 sums whatever its type.
      weight: [B], 1 for samples that count and 0 for those that do not.
      count: number of knots.
      t_max: last knot.
      axis: mesh axes of `shard_map`, or None.
    """
    if projected.shape[0] != weight.shape[0]:
        raise ValueError(f"weight: expected {projected.shape[0]} numbers, one a sample, got {weight.shape[0]}.")
    x = projected.astype(jnp.float32)
    w = weight.astype(jnp.float32)
    samples = total(w.sum(), axis)

    t, knot_weight = knots(count, t_max)
    angle = jnp.einsum("bp,t->bpt", x, t)
    real = global_mean(jnp.einsum("bpt,b->pt", jnp.cos(angle), w), w.sum(), axis)
    imaginary = global_mean(jnp.einsum("bpt,b->pt", jnp.sin(angle), w), w.sum(), axis)
    error = (real - jnp.exp(-(t**2) / 2)[None]) ** 2 + imaginary**2
    return samples * jnp.einsum("pt,t->p", error, knot_weight, precision="highest")


def sigreg(
    z: jax.Array,
    weight: jax.Array,
    unit: jax.Array,
    *,
    views: jax.Array | None = None,
    count: int = 17,
    t_max: float = 3.0,
    axis: Axis = None,
):
    """Mean statistic over directions, and over views as each counts.

    Args:
      z: [V B D], embeddings of V views.
      weight: [V B], which of them count.
      unit: [D P], unit directions, the same for all views.
      views: [V], what each view counts; None: all alike.
      count: number of knots.
      t_max: last knot.
      axis: mesh axes of `shard_map`, or None.
    """
    sizes = check(z, "V B D", "z")
    check(weight, "V B", "weight", sizes)
    projected = jnp.einsum("vbd,dp->vbp", z.astype(jnp.float32), unit, precision="highest")
    statistic = jax.vmap(lambda p, w: epps_pulley(p, w, count=count, t_max=t_max, axis=axis))(projected, weight)
    mean = statistic.mean(axis=-1)
    return mean.mean() if views is None else (mean * views).sum() / views.sum()


def mixed(
    invariance: jax.Array, z: jax.Array, filled: jax.Array, counted: jax.Array, key: jax.Array, cfg: Config, axis: Axis = None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Lambda * SIGReg(z) + (1 - lambda) * invariance, with settings of `cfg.jepa`.

    Args:
      invariance: how far views of a place are apart, a scalar.
      z: float32 [V B D], embeddings of V views.
      filled: float32 [V B], which hold anything.
      counted: float32 [V], what each view counts.
      key: of the random directions, the same on every device.
      cfg: the run.
      axis: mesh axes of `shard_map`, or None.

    Returns:
      The value, SIGReg's statistic, and lambda.
    """
    unit = directions(key, z.shape[-1], cfg.jepa.directions)
    regular = sigreg(z, filled, unit, views=counted, count=cfg.jepa.knots, t_max=cfg.jepa.knot_max, axis=axis)
    mix = regularisation_weight(total(jnp.float32(z.shape[1]), axis), cfg)
    return mix * regular + (1.0 - mix) * invariance, regular, mix


def regularisation_weight(samples: jax.Array, cfg: Config) -> jax.Array:
    """Lambda = o / (N + o): SIGReg grows with the global batch N, so its weight falls with it."""
    o = cfg.jepa.lambda_numerator
    return o / (samples + o)
