"""A share of the training samples, drawn so that every kind of sample keeps its share (PANGAEA, arXiv 2412.04204)."""

import numpy as np

from spectral_jax.adapt.parts.blocks import BINS
from spectral_jax.means import IGNORED
from spectral_jax.tasks.samples import Rows, TaskData


def draw(data: TaskData, rows: Rows, fraction: float, seed: int) -> np.ndarray:
    """Some of the rows, ascending: `fraction` of them, at least one; all of them where it is 1.

    Samples whose classes (or first target) fall into the same bins are one stratum; rows are taken at equal distances from the
    list sorted by stratum, in random order inside each, so that every stratum gives its share to within one sample.

    Args:
      data: the task.
      rows: of the training part.
      fraction: in (0, 1].
      seed: same seed, same rows.

    Raises:
      ValueError: no rows, or another fraction.
    """
    rows = np.asarray(rows, int)
    if not len(rows) or not 0 < fraction <= 1:
        raise ValueError(f"label fraction: expected training rows and a share in (0, 1], got {len(rows)} and {fraction}.")
    if fraction == 1:
        return np.sort(rows)
    rng = np.random.default_rng(seed)
    table = np.stack([_described(data, row) for row in rows])
    edges = np.nanquantile(table, np.arange(1, BINS) / BINS, axis=0)
    stratum = np.unique((table[:, None] > edges[None]).sum(axis=1), axis=0, return_inverse=True)[1].ravel()
    order = np.lexsort((rng.random(len(rows)), stratum))
    wanted = max(1, round(fraction * len(rows)))
    at = ((np.arange(wanted) + rng.random()) * len(rows) / wanted).astype(int)
    return np.sort(rows[order[at]])


def _described(data: TaskData, row: int) -> np.ndarray:
    """What a sample is binned by: the share of each class, or its first target."""
    label, kind = np.asarray(data.labels[row]), data.task.kind
    if kind.labels == "class":
        counts = np.bincount(label[label != IGNORED].ravel(), minlength=data.task.classes)
        return counts / max(1, counts.sum())
    if kind.has_codes:
        return label.astype(float)
    known = label[..., 0][np.isfinite(label[..., 0])]
    return np.array([known.mean() if known.size else np.nan])
