"""How well ground parameters are read off features: R2 at unseen places with a few labels and with all, draw by draw."""

import dataclasses

import numpy as np

from spectral_jax.measure.worth.question import Question
from spectral_jax.pretrain import ridge


@dataclasses.dataclass(frozen=True)
class Draws:
    """Which labels are used; the same for every set of features.

    Attributes:
      labelled: L, the first places are labelled, and the others unseen.
      rows: number of labels below L -> rows of them, int [R n].
      parts: R parts of the unseen places, rows of each; with all labels these are the draws.
    """

    labelled: int
    rows: dict[int, np.ndarray]
    parts: tuple[np.ndarray, ...]


def draw(question: Question) -> Draws:
    """The draws of a question: a pure function of its seed and counts."""
    few = [n for n in question.labels if n < question.labelled]
    rows = {}
    for n in few:
        rng = np.random.default_rng([question.seed, n])
        rows[n] = np.stack([rng.permutation(question.labelled)[:n] for _ in range(question.draws)])
    return Draws(question.labelled, rows, tuple(np.array_split(np.arange(question.unseen), question.draws)))


def score(x: np.ndarray, truth: np.ndarray, draws: Draws, labels: tuple[int, ...]) -> dict[int, np.ndarray]:
    """Mean R2 over the parameters, by number of labels and draw.

    With a few labels one penalty serves all parameters, and a draw is one of labels. With all of them each parameter has a
    penalty of its own, and a draw is one part of the unseen places: its squared errors over the variance of all unseen places,
    so that the mean over equal parts is R2 of them all.

    Args:
      x: features [N D], labelled places first.
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
    known, unseen = x[: draws.labelled], x[draws.labelled :]
    right, asked = truth[: draws.labelled], truth[draws.labelled :]
    out = {}
    for n in labels:
        if n in draws.rows:
            found = [ridge.r2(asked, ridge.predict(known[r], right[r], unseen, shared=True)).mean() for r in draws.rows[n]]
            out[n] = np.array(found)
        else:
            error = (asked - ridge.predict(known, right, unseen)) ** 2 / asked.var(axis=0)
            out[n] = np.array([1.0 - error[part].mean() for part in draws.parts])
    return out
