"""Probes as lines of a comparison: frozen embeddings of whole images, and a model of scikit-learn on them.

Everything is fitted and chosen inside the training part; the validation part is not looked at.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from spectral_jax.adapt.fit import adapted, probe_models
from spectral_jax.adapt.fit.adapted import Adapted
from spectral_jax.adapt.lines import KNN_PROBE
from spectral_jax.adapt.parts.part import Part
from spectral_jax.adapt.score.tally import Tally
from spectral_jax.means import IGNORED
from spectral_jax.tasks.kinds import KINDS

NEIGHBOURS = 20


def fit(probe: str, model: Adapted, params: dict, buffers: dict, train: Part, test: Part, batch: int) -> Tally:
    """Scores of a probe on the embeddings of an encoder.

    Args:
      probe: of `adapt.lines.PROBES`.
      model: encoder and adaptation; its head is not used.
      params: of `fit.adapted.init`.
      buffers: of `fit.supervised.buffers_of`.
      train: training part.
      test: test part.
      batch: samples that are embedded at once.

    Raises:
      ValueError: the task has labels of pixels, or what `fit.probe_models` refuses.
    """
    task = train.data.task
    if task.kind.of == "pixels":
        names = ", ".join(kind.name for kind in KINDS.values() if kind.of == "images")
        raise ValueError(
            f"task {task.name}: probes are of whole images ({names}), and its kind is {task.kind.name!r}; take a protocol with "
            "the head 'linear', which is the linear probe of pixels."
        )
    learned, asked = (embeddings(model, params, buffers, part, batch) for part in (train, test))
    return score(probe, learned, asked, train, test)


def score(probe: str, learned: np.ndarray, asked: np.ndarray, train: Part, test: Part) -> Tally:
    """Fits a probe on training rows and counts what it says of the test rows.

    Args:
      probe: of `adapt.lines.PROBES`.
      learned: a row for each training sample [N D].
      asked: a row for each test sample [M D].
      train: training part, for labels and scenes; a scene is never divided where strengths are chosen.
      test: test part.
    """
    task = train.data.task
    scenes = np.array(train.data.scene)[train.rows]
    labels, truth = np.stack(train.labels()), np.stack(test.labels())
    tally = Tally(task, np.nanmean(labels, axis=0) if task.kind.labels == "numbers" else None)
    if task.kind.labels == "class":
        known = labels != IGNORED
        tally.add_classes(_classes(probe, learned[known], labels[known], asked, scenes[known]), truth)
        return tally
    # Labels of which an image has several are fitted as numbers 0 and 1, and are there above one half.
    columns = labels.astype(np.float64)
    values = np.stack([_values(probe, learned, column, asked, scenes) for column in columns.T], axis=1)
    tally.add(values - 0.5 if task.kind.labels == "set" else values, truth)
    return tally


def embeddings(model: Adapted, params: dict, buffers: dict, part: Part, batch: int) -> np.ndarray:
    """The embedding of each sample [N D], float32; of several dates the mean over those that were seen."""
    return np.concatenate(
        [
            np.asarray(_embed(params, buffers, samples.images, samples.valid, model=model))[samples.counts]
            for samples in part.chunks(batch)
        ]
    )


@partial(jax.jit, static_argnames="model")
def _embed(params, buffers, images, valid, *, model: Adapted):
    count, dates = images.shape[:2]
    alone = lambda x: x.reshape(count * dates, 1, *x.shape[2:])  # noqa: E731
    _, pooled = adapted.embed(params, buffers, alone(images), alone(valid), model)
    seen = jnp.any(valid, axis=(2, 3)).astype(pooled.dtype)[..., None]
    return jnp.sum(pooled.reshape(count, dates, -1) * seen, axis=1) / jnp.maximum(jnp.sum(seen, axis=1), 1.0)


def _classes(probe, learned, labels, asked, scenes):
    if probe == KNN_PROBE:
        return probe_models.nearest_neighbours(learned, labels, asked, min(NEIGHBOURS, len(learned)))
    return probe_models.linear_classes(learned, labels, asked, scenes).predicted


def _values(probe, learned, column, asked, scenes):
    measured = np.isfinite(column)
    learned, column, scenes = learned[measured], column[measured], scenes[measured]
    if probe == KNN_PROBE:
        return probe_models.nearest_values(learned, column, asked, min(NEIGHBOURS, len(learned)))
    return probe_models.linear_values(learned, column, asked, scenes).predicted
