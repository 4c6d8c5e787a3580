"""Losses of labelled tasks. Each returns `(sum, count)`; `means.global_mean` divides, over all devices.

Labels that are not known (class -1, or NaN) add to neither, and their predictions get no gradient. A class number that does not
exist makes the sum NaN: compiled code cannot raise, and training must not go on without the pixel.
"""

import jax
import jax.numpy as jnp

from spectral_jax.means import IGNORED


def cross_entropy(logits: jax.Array, labels: jax.Array, weights: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
    """Negative log-likelihood of the true classes, in nats.

    Args:
      logits: [... K].
      labels: integer [...], 0 to K - 1, or -1 where ignored.
      weights: [K] of the classes; None: 1.

    Returns:
      The weighted sum over the labels that count, and the sum of their weights, as PyTorch's weighted mean has them; float32.

    Raises:
      ValueError: shapes that do not belong together.
      TypeError: labels that are no integers.
    """
    truth, _ = _one_hot(logits, labels)
    share = truth * _row(weights, logits)
    return -jnp.sum(jax.nn.log_softmax(logits.astype(jnp.float32), axis=-1) * share), jnp.sum(share)


def soft_dice(logits: jax.Array, labels: jax.Array, weights: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
    """One minus the Dice coefficient of softmax scores, for each image and each class that is in its labels.

    A coefficient is `2 sum(p t) / (sum(p) + sum(t))` over the counted pixels of one image. A class that an image does not have
    makes no term of its own: its false positives lower the coefficients of the classes that are there.

    Args:
      logits: [B ... K].
      labels: integer [B ...], 0 to K - 1, or -1 where ignored.
      weights: [K] of the classes; None: 1.

    Returns:
      The weighted sum over images and classes, and the sum of the weights; float32.

    Raises:
      ValueError: shapes that do not belong together.
      TypeError: labels that are no integers.
    """
    truth, counted = _one_hot(logits, labels)
    scores = jnp.where(counted[..., None], jax.nn.softmax(logits.astype(jnp.float32), axis=-1), 0.0)
    pixels = tuple(range(1, labels.ndim))
    both, all_true = jnp.sum(scores * truth, axis=pixels), jnp.sum(truth, axis=pixels)
    present = all_true > 0
    dice = 2.0 * both / jnp.where(present, jnp.sum(scores, axis=pixels) + all_true, 1.0)
    share = jnp.where(present, _row(weights, both), 0.0)
    return jnp.sum((1.0 - dice) * share), jnp.sum(share)


def squared_error(predicted: jax.Array, target: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Squared differences.

    Args:
      predicted: [...].
      target: [...], NaN where nothing was measured.

    Returns:
      The sum over what was measured, in the squared unit of the target, and how many numbers that are; float32.

    Raises:
      ValueError: the shapes differ.
    """
    if predicted.shape != target.shape:
        raise ValueError(
            f"squared_error: expected predictions and targets of one shape, got {predicted.shape} and {target.shape}; add or "
            "take away the last axis."
        )
    measured = ~jnp.isnan(target)
    # The gap is filled before the difference: the gradient of a NaN is NaN even where `where` does not pick it.
    error = predicted.astype(jnp.float32) - jnp.where(measured, target, 0.0).astype(jnp.float32)
    return jnp.sum(jnp.where(measured, error * error, 0.0)), jnp.sum(measured.astype(jnp.float32))


def binary_cross_entropy(logits: jax.Array, labels: jax.Array, weights: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
    """Negative log-likelihood of labels of which an image can have several, in nats; each label is a sigmoid of its own.

    Args:
      logits: [... K].
      labels: [... K], 1 where the label is given, 0 where it is not, -1 or NaN where that is not known.
      weights: [K] of the labels; None: 1.

    Returns:
      The weighted sum over what is known, and the sum of the weights; float32.

    Raises:
      ValueError: shapes that do not belong together.
    """
    if logits.shape != labels.shape:
        raise ValueError(
            f"binary_cross_entropy: expected scores and labels of one shape [... K], got {logits.shape} and {labels.shape}; "
            "give a 0 or 1 for every label."
        )
    truth = labels.astype(jnp.float32)
    known = ~jnp.isnan(truth) & (truth != IGNORED)
    share = jnp.where(known, _row(weights, logits), 0.0)
    scores = logits.astype(jnp.float32)
    given = jnp.where(known, truth, 0.0)
    # softplus(s) - s t is -t log sigmoid(s) - (1 - t) log sigmoid(-s), without overflow.
    return jnp.sum((jax.nn.softplus(scores) - scores * given) * share), jnp.sum(share)


def _one_hot(logits, labels):
    """Ones at the true classes, float32 [... K], all zeros where ignored; and which labels count, [...]."""
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise TypeError(f"labels: expected integers, class numbers from 0 or -1 to ignore, got {labels.dtype}; convert them.")
    if logits.shape[:-1] != labels.shape:
        raise ValueError(
            f"labels: expected the shape of the scores without their last axis, {logits.shape[:-1]}, got {labels.shape}; "
            "resize the scores, or give class numbers instead of one-hot rows."
        )
    classes, counted = logits.shape[-1], labels != IGNORED
    exists = (labels < classes) & (labels >= IGNORED)
    return jnp.where(exists[..., None], jax.nn.one_hot(labels, classes, dtype=jnp.float32), jnp.nan), counted


def _row(weights, like):
    """Weights [K] with leading axes of size 1, as many as `like` [... K] has."""
    classes = like.shape[-1]
    weights = jnp.ones(classes) if weights is None else jnp.asarray(weights, jnp.float32)
    if weights.shape != (classes,):
        raise ValueError(f"weights: expected one number for each of the {classes} classes, got shape {weights.shape}.")
    return weights.reshape((1,) * (like.ndim - 1) + weights.shape)
