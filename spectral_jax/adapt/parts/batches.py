"""Batches of supervised training: batch i is a pure function of (seed, i), whatever was drawn before."""

from collections.abc import Iterator

import numpy as np

from spectral_jax.adapt.parts.part import Part, Samples
from spectral_jax.adapt.protocols import Protocol


def draw(train: Part, protocol: Protocol, seed: int, steps: range, side: int) -> Iterator[Samples]:
    """Batches of the given steps, each a function of (seed, step): every sample once an epoch, in random order.

    Args:
      train: training part.
      protocol: batch size, augmentation and window.
      seed: of the order, the crops and the flips.
      steps: numbers of steps from 0.
      side: of the encoder's input; larger images with labels of pixels are cropped to it where the protocol has a window.
    """
    epoch_steps = -(-len(train) // protocol.batch)
    for step in steps:
        epoch, place = divmod(step, epoch_steps)
        order = np.random.default_rng([seed, 0, epoch]).permutation(len(train))
        batch = train.batch(order[place * protocol.batch : (place + 1) * protocol.batch], protocol.batch)
        rng = np.random.default_rng([seed, 1, step])
        of_pixels = batch.labels.shape[1:3] == batch.images.shape[2:4]
        if protocol.window and of_pixels and min(batch.images.shape[2:4]) > side:
            batch = _cropped(batch, rng, side)
        yield _turned(batch, rng) if protocol.augment else batch


def _cropped(batch: Samples, rng: np.random.Generator, side: int) -> Samples:
    top, left = (int(rng.integers(0, size - side + 1)) for size in batch.images.shape[2:4])
    return _each(batch, lambda x, _: x[..., top : top + side, left : left + side, :])


def _turned(batch: Samples, rng: np.random.Generator) -> Samples:
    """Each sample in one of the eight orientations of a square; of the four that keep height and width where it is none."""
    square = batch.images.shape[2] == batch.images.shape[3]
    quarters = rng.integers(0, 4, len(batch.counts)) if square else 2 * rng.integers(0, 2, len(batch.counts))
    flips = rng.integers(0, 2, len(batch.counts))

    def turn(x, at):
        x = x[..., ::-1, :] if flips[at] else x
        return np.rot90(x, quarters[at], axes=(-3, -2))

    return _each(batch, turn)


def _each(batch: Samples, change) -> Samples:
    """Changes each sample's image [T H W C], validity [T H W 1] and, where labels have pixels, label [H W K]."""

    def all_of(x, last):
        x = x if last else x[..., None]
        out = np.stack([change(one, at) for at, one in enumerate(x)])
        return out if last else out[..., 0]

    labels, pixels = batch.labels, batch.images.shape[2:4]
    if labels.shape[1:3] == pixels:
        labels = all_of(labels, labels.ndim > 3)
    return batch._replace(images=all_of(batch.images, True), valid=all_of(batch.valid, False), labels=labels)
