"""Batches of supervised training: batch i is a pure function of (seed, i), whatever was drawn before."""

from collections.abc import Iterator

import numpy as np

from spectral_jax.downstream.protocols import Protocol
from spectral_jax.downstream.task_samples import Part, Samples


def draw(train: Part, protocol: Protocol, seed: int, steps: range, side: int) -> Iterator[Samples]:
    """Batches of the given steps, each a function of (seed, step): every sample once an epoch, in random order.

    Args:
      train: training part.
      protocol: batch size, augmentation and window.
      seed: of the order, the crops and the flips.
      steps: numbers of steps from 0.
      side: of the encoder's input; larger images are cropped to it where the protocol has a window.
    """
    epoch_steps = -(-len(train) // protocol.batch)
    for step in steps:
        epoch, place = divmod(step, epoch_steps)
        order = np.random.default_rng([seed, 0, epoch]).permutation(len(train))
        found = train.batch(order[place * protocol.batch : (place + 1) * protocol.batch], protocol.batch)
        rng = np.random.default_rng([seed, 1, step])
        if protocol.window and found.images.shape[1] > side:
            found = _cropped(found, rng, side)
        yield _turned(found, rng) if protocol.augment else found


def _cropped(batch: Samples, rng: np.random.Generator, side: int) -> Samples:
    top, left = (int(rng.integers(0, size - side + 1)) for size in batch.images.shape[1:3])
    return _each(batch, lambda x: x[:, top : top + side, left : left + side])


def _turned(batch: Samples, rng: np.random.Generator) -> Samples:
    """Each sample in one of the eight orientations of a square; of the four that keep height and width where it is none."""
    square = batch.images.shape[1] == batch.images.shape[2]
    quarters = rng.integers(0, 4, len(batch.counts)) if square else 2 * rng.integers(0, 2, len(batch.counts))
    flips = rng.integers(0, 2, len(batch.counts))

    def turn(x):
        return np.stack([np.rot90(one[:, ::-1] if f else one, q) for one, q, f in zip(x, quarters, flips, strict=True)])

    return _each(batch, turn)


def _each(batch: Samples, change) -> Samples:
    """Changes images and validity, and labels where they have pixels."""
    per_pixel = batch.labels.shape[1:3] == batch.images.shape[1:3]
    labels = change(batch.labels) if per_pixel else batch.labels
    return batch._replace(images=change(batch.images), valid=change(batch.valid), labels=labels)
