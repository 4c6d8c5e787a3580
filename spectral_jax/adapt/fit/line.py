"""One line of a comparison on one seed: fresh or read parameters, what does not train, the fit, and the test part's scores."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from spectral_jax.adapt import bands
from spectral_jax.adapt.fit import adapted, probe, study_statistics, supervised
from spectral_jax.adapt.fit.prepared import Prepared
from spectral_jax.adapt.lines import Line
from spectral_jax.adapt.parts.part import Part
from spectral_jax.adapt.protocols import AS_PUBLISHED, OF_ENCODER

# Spectra that a convolutional adapter's norms start from.
SPECTRA = 512


class Scored(NamedTuple):
    """What a line reached, and what it is then.

    Attributes:
      metrics: of the test part.
      best_epoch: that was kept; None of probes.
      maps: predicted classes [H W] of the test part's first samples.
      params: fitted; None of probes.
      buffers: what did not train; None of probes.
    """

    metrics: dict[str, float]
    best_epoch: int | None
    maps: list[np.ndarray]
    params: dict | None = None
    buffers: dict | None = None


def fit(line: Line, ready: Prepared, train: Part, val: Part, test: Part, seed: int, shown: int = 0) -> Scored:
    """Fits a line on the training part and scores it on the test part.

    Args:
      line: what is fitted, and how.
      ready: of `fit.prepared.prepare` for this line.
      train: training part.
      val: validation part.
      test: test part.
      seed: of initial numbers, batches and dropout.
      shown: test samples whose predicted classes are kept, of tasks with a class for each pixel.

    Raises:
      ValueError: what the fit refuses, such as a part without labels.
      loop.NonFiniteLoss: training diverged.
    """
    model, protocol = ready.model, line.protocol
    image_px = train.sample(0)[0].shape[1]
    if protocol.window:
        image_px = min(image_px, model.px)
    spectra = _spectra(train, seed) if model.adaptation == bands.CONVOLUTIONAL else None
    params = adapted.init(jax.random.key(seed), model, ready.start, image_px, ready.params, spectra)
    matrix = ready.start.matrix if ready.start and model.adaptation in bands.FIXED else None
    buffers = supervised.buffers_of(model, params, matrix, train)
    statistics = ready.statistics if protocol.statistics == OF_ENCODER else None
    if protocol.statistics == AS_PUBLISHED:
        statistics = study_statistics.as_published(_fixed(line, matrix), model.adaptation, train)
    if statistics is not None:
        buffers |= {k: np.asarray(v, np.float32) for k, v in zip(("mean", "std"), statistics, strict=True)}
    if ready.params is None:
        count = min(len(train), protocol.batch)
        first = train.batch(np.random.default_rng(seed).permutation(len(train))[:count], count)
        params = adapted.with_statistics(params, buffers, jnp.asarray(first.images), jnp.asarray(first.valid), model)
    if line.probe:
        tally = probe.fit(line.probe, model, params, buffers, train, test, protocol.batch)
        return Scored(tally.metrics(), None, [])
    fitted = supervised.fit(model, params, buffers, train, val, protocol, seed)
    _, tally = supervised.evaluate(model, fitted.params, buffers, test, protocol)
    maps = []
    if shown and test.data.task.kind.is_map:
        samples = test.batch(range(min(shown, len(test))), max(shown, 1))
        outputs = adapted.outputs_of(model, fitted.params, buffers, samples, protocol)
        maps = list(np.asarray(outputs).argmax(axis=-1)[samples.counts])
    return Scored(tally.metrics(), fitted.best_epoch, maps, fitted.params, buffers)


def _fixed(line: Line, matrix: np.ndarray | None) -> np.ndarray:
    """The matrix of an adaptation that has one."""
    if matrix is None:
        raise ValueError(
            f"{line.name}: {line.protocol.name} has statistics of nearest and srf alone, as its study has no other adaptation; "
            "take one of them, or another protocol."
        )
    return matrix


def _spectra(train: Part, seed: int) -> np.ndarray:
    """Valid spectra of the training part [N C], drawn at random."""
    rng = np.random.default_rng(seed)
    each = -(-SPECTRA // len(train))
    rows = []
    for at in range(len(train)):
        image, valid, _ = train.sample(at)
        spectra = image[valid]
        rows.append(spectra[rng.permutation(len(spectra))[:each]])
    return np.concatenate(rows)
