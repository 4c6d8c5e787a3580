"""How well ground parameters are read off features: R2 at unseen places with a few labels and with all, draw by draw."""

import dataclasses

import numpy as np

from spectral_jax.measure.worth.question import Question
from spectral_jax.pretrain import ridge


@dataclasses.dataclass(frozen=True)
class Draws:
    """Which labels are used; the same for every set of features.

    Attributes:
      labelled: rows of the places that may be labelled, int [L].
      rows: number of labels -> some of those rows, int [R n]; not for all labels.
      parts: R parts of the unseen places, rows of each; with all labels these are the draws.
    """

    labelled: np.ndarray
    rows: dict[int, np.ndarray]
    parts: tuple[np.ndarray, ...]


def draw(question: Question, usable: np.ndarray) -> Draws:
    """The draws of a question, a pure function of its seed and counts, among the places whose truth is known, bool [N]."""
    labelled = np.flatnonzero(usable[: question.labelled])
    unseen = question.labelled + np.flatnonzero(usable[question.labelled :])
    rows = {}
    for n in question.labels:
        if n < question.labelled:
            rng = np.random.default_rng([question.seed, n])
            rows[n] = np.stack([rng.permutation(labelled)[:n] for _ in range(question.draws)])
    return Draws(labelled, rows, tuple(np.array_split(unseen, question.draws)))


def score(x: np.ndarray, truth: np.ndarray, draws: Draws, labels: tuple[int, ...]) -> dict[int, np.ndarray]:
    """Mean R2 over the parameters, by number of labels and draw.

    With a few labels one penalty serves all parameters, and a draw is one of labels. With all of them each parameter has a
    penalty of its own, and a draw is one part of the unseen places: its squared errors over the variance of all unseen places,
    so that the mean over equal parts is R2 of them all.

    Args:
      x: features [N D].
      truth: [N K].
      draws: of `draw`.
      labels: numbers of labels.

    Returns:
      Number of labels -> [R].

    Raises:
      ValueError: a feature is not finite.
    """
    if not np.isfinite(x).all():
        raise ValueError(
            f"features: {(~np.isfinite(x)).any(axis=1).sum()} of {len(x)} places hold numbers that are not finite."
        )
    unseen = np.concatenate(draws.parts)
    out = {}
    for n in labels:
        if n in draws.rows:
            predicted = (ridge.predict(x[rows], truth[rows], x[unseen], shared=True) for rows in draws.rows[n])
            out[n] = np.array([ridge.r2(truth[unseen], found).mean() for found in predicted])
        else:
            error = (truth[unseen] - ridge.predict(x[draws.labelled], truth[draws.labelled], x[unseen])) ** 2
            error = (error / truth[unseen].var(axis=0)).mean(axis=1)
            ends = np.cumsum([len(part) for part in draws.parts])[:-1]
            out[n] = np.array([1.0 - part.mean() for part in np.split(error, ends)])
    return out
