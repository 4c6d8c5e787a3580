"""Features that need no encoder: what a candidate must beat. What is fitted is fitted to the candidate's own training store."""

import numpy as np

from spectral_jax.measure.worth.agreement import Linear, agreeing, whitening
from spectral_jax.measure.worth.images import Images

RANDOM_FEATURES = 512  # with EnMAP's 202 bands 714 numbers, under the limit of a readout
RANDOM_COMPONENTS = 16  # principal components of pixels that random features see
_BLOCK = 256  # places at a time, for memory


def features(first: Images, second: Images, unseen: Images) -> dict[str, np.ndarray]:
    """Features [N D] of N places by rival.

    Args:
      first: a date of the training places, and `second` another one of the same places.
      second: see there.
      unseen: the N places.
    """
    white = whitening(_pixels(first, second), components=32)
    leading = Linear(white.centre, white.matrix[:, :RANDOM_COMPONENTS])
    waves = _waves(leading.matrix.shape[1], RANDOM_FEATURES)
    random = [averaged(images, leading, *waves) for images in (first, second, unseen)]
    both = [np.concatenate([x.mean, x.deviation], axis=1) for x in (first, second, unseen)]
    on_means = agreeing(first.mean, second.mean, count=16, components=48)
    on_both = agreeing(both[0], both[1], count=32, components=96)
    on_random = agreeing(random[0], random[1], count=64, components=128)
    logs = np.concatenate([unseen.log_mean, unseen.log_deviation], axis=1)
    return {
        "bands": unseen.mean,
        "bands, mean and deviation": both[2],
        "bands and logs, mean and deviation": np.concatenate([both[2], logs], axis=1),
        "PCA 16": white(unseen.mean)[:, :16],
        "PCA 32": white(unseen.mean)[:, :32],
        "random features and bands": np.concatenate([random[2], unseen.mean], axis=1),
        "agreeing directions of means, 16": on_means(unseen.mean),
        "agreeing directions of mean and deviation, 32": on_both(both[2]),
        "agreeing directions of random features, 64": on_random(random[2]),
    }


def averaged(images: Images, white: Linear, frequencies: np.ndarray, phases: np.ndarray) -> np.ndarray:
    """Random Fourier features of whitened pixels, averaged over the valid pixels of each place [N M].

    sqrt(2) cos(w x + b), whose products approximate a Gaussian kernel (Rahimi and Recht 2007).

    Args:
      images: of N places.
      white: bands to K components.
      frequencies: w [K M].
      phases: b [M].
    """
    out = []
    for start in range(0, len(images.pixels), _BLOCK):
        block = slice(start, start + _BLOCK)
        weight = images.valid[block].astype(np.float32)
        waves = np.cos(white(images.pixels[block]).astype(np.float32) @ frequencies + phases)
        out.append(np.einsum("npm,np->nm", waves, weight) / np.maximum(weight.sum(axis=1), 1.0)[:, None])
    return np.sqrt(2.0) * np.concatenate(out).astype(np.float64)


def _waves(components: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies [K M] of a Gaussian kernel as wide as two whitened pixels are apart, sqrt(2 K), and phases [M]."""
    rng = np.random.default_rng([components, count])
    frequencies = rng.standard_normal((components, count), np.float32) / np.float32(np.sqrt(2.0 * components))
    return frequencies, rng.uniform(0.0, 2.0 * np.pi, count).astype(np.float32)


def _pixels(first: Images, second: Images) -> np.ndarray:
    """Valid pixels of both dates [n C]; every so many, so that they are at most some 60,000."""
    every = np.concatenate([x.pixels[x.valid] for x in (first, second)])
    return every[:: max(1, len(every) // 60_000)].astype(np.float64)
