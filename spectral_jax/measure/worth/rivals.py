"""Features that need no encoder: what a candidate must beat. What is fitted is fitted to the candidate's own training store."""

from collections.abc import Callable

import numpy as np

from spectral_jax.measure.worth.agreement import FLOOR, Linear, agreeing, whitening
from spectral_jax.measure.worth.images import Images, moments

# Chosen at places of the selection seed, for the rivals' sake. With the mean of EnMAP's 202 bands their mean and deviation are
# 808 numbers, the limit of a readout.
RANDOM_FEATURES = 303
RANDOM_COMPONENTS = 48  # principal components of pixels that random features see
RANDOM_FLOOR = 1.0  # of the whitening of so many features for so few places
_BLOCK = 256  # places at a time, for memory
Feature = Callable[[Images], np.ndarray]  # images of N places to [N D]


def fitted(first: Images, second: Images) -> dict[str, Feature]:
    """Features by rival.

    Args:
      first: a date of the training places, and `second` another one of the same places.
      second: see there.
    """
    white = whitening(_pixels(first, second), RANDOM_COMPONENTS)
    waves = _waves(white.matrix.shape[1], RANDOM_FEATURES)

    def random(images: Images) -> np.ndarray:
        return np.concatenate([random_moments(images, white, *waves), images.mean], axis=1)

    def agreed(of: Feature, count: int, components: int, floor: float = FLOOR) -> Feature:
        code = agreeing(of(first), of(second), count, components, floor)
        return lambda images: code(of(images))

    return {
        "bands": _bands,
        "bands, mean and deviation": _both,
        "bands and logs, mean and deviation": _logs,
        "PCA 16": lambda images: white(images.mean)[:, :16],
        "PCA 32": lambda images: white(images.mean)[:, :32],
        "random features and bands": random,
        "agreeing directions of bands, 16": agreed(_bands, 16, 48),
        "agreeing directions of mean and deviation, 32": agreed(_both, 32, 96),
        "agreeing directions of bands and logs, 64": agreed(_logs, 64, 128),
        "agreeing directions of random features, 32": agreed(random, 32, 256, RANDOM_FLOOR),
    }


def random_moments(images: Images, white: Linear, frequencies: np.ndarray, phases: np.ndarray) -> np.ndarray:
    """Random Fourier features of whitened pixels: mean and deviation over the valid pixels of each place [N 2M].

    cos(w x + b), whose products approximate a Gaussian kernel (Rahimi and Recht 2007).

    Args:
      images: of N places.
      white: bands to K components.
      frequencies: w [K M].
      phases: b [M].
    """
    out = []
    for start in range(0, len(images.pixels), _BLOCK):
        block = slice(start, start + _BLOCK)
        waves = np.cos(white(images.pixels[block]).astype(np.float32) @ frequencies + phases)
        out.append(np.concatenate(moments(waves, images.valid[block]), axis=1))
    return np.concatenate(out)


def _bands(images: Images) -> np.ndarray:
    return images.mean


def _both(images: Images) -> np.ndarray:
    return np.concatenate([images.mean, images.deviation], axis=1)


def _logs(images: Images) -> np.ndarray:
    return np.concatenate([images.mean, images.deviation, images.log_mean, images.log_deviation], axis=1)


def _waves(components: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies [K M] of a Gaussian kernel as wide as two whitened pixels are apart, sqrt(2 K), and phases [M]."""
    rng = np.random.default_rng([components, count])
    frequencies = rng.standard_normal((components, count), np.float32) / np.float32(np.sqrt(2.0 * components))
    return frequencies, rng.uniform(0.0, 2.0 * np.pi, count).astype(np.float32)


def _pixels(first: Images, second: Images) -> np.ndarray:
    """Valid pixels of both dates [n C]; every so many, so that they are at most some 60,000."""
    every = np.concatenate([x.pixels[x.valid] for x in (first, second)])
    return every[:: max(1, len(every) // 60_000)].astype(np.float64)
