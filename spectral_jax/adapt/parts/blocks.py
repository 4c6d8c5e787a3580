"""Splits of images whose sides share no scene, or no ground.

Published splits of image tiles often keep locations apart and share scenes, and neighbours of a test tile stand in training; a
number on such a split says how well a model fills gaps in scenes it has seen. `leakage.report` counts it for any split.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from spectral_jax.means import IGNORED
from spectral_jax.tasks import ground
from spectral_jax.tasks.samples import TaskData

PARTS = ("train", "val", "test")
# Of this many random orders of the groups, the one whose parts are most balanced is taken. A choice.
ORDERS = 16
# Regression targets are balanced in thirds, as PANGAEA (arXiv 2412.04204) stratifies.
BINS = 3


@dataclasses.dataclass(frozen=True)
class Split:
    """Rows of a task in each part.

    Attributes:
      kind: how they were made.
      train: rows.
      val: rows; none where no validation was asked for.
      test: rows.
      dropped: rows in no part, too close to a tile of another one.
    """

    kind: str
    train: np.ndarray
    val: np.ndarray
    test: np.ndarray
    dropped: np.ndarray = dataclasses.field(default_factory=lambda: np.array([], int))


def published(data: TaskData, needed: Sequence[str] = ("train", "test")) -> Split:
    """The split that came with the data.

    Raises:
      ValueError: a part of `needed` is empty.
    """
    part = np.array(data.split)
    rows = {name: np.flatnonzero(part == name) for name in PARTS}
    return _checked(
        Split("published", **rows), data, needed, "the files give no such split; use scene_disjoint or block_disjoint"
    )


def scene_disjoint(
    data: TaskData, seed: int = 0, fractions: tuple[float, float, float] = (0.7, 0.1, 0.2), by: str = "scene"
) -> Split:
    """A scene is in one part only.

    Args:
      data: the task.
      seed: same seed, same parts.
      fractions: of train, val and test, in samples and in each class alike, as far as scenes allow; val may be 0.
      by: "scene", or "block" to keep the named locations or sites apart.

    Raises:
      ValueError: fewer scenes than parts, or fractions that are no shares of 1.
    """
    if by not in ("scene", "block"):
        raise ValueError(f"by: expected 'scene' or 'block', got {by!r}.")
    return _grouped(data, list(getattr(data, by)), by, f"{by}-disjoint, seed {seed},", seed, fractions)


def block_disjoint(
    data: TaskData,
    block_m: float,
    seed: int = 0,
    fractions: tuple[float, float, float] = (0.7, 0.1, 0.2),
    buffer_m: float = 0.0,
) -> Split:
    """A square of ground is in one part only.

    Squares are those of the images' coordinate system (UTM where it is in degrees); an image belongs to the square of its
    centre. Images of neighbouring squares touch, so with a buffer validation tiles closer than it to a test tile are dropped,
    and training tiles closer than it to a test or validation tile.

    Args:
      data: the task, georeferenced.
      block_m: side of a square, metres.
      seed: same seed, same parts.
      fractions: as in `scene_disjoint`.
      buffer_m: metres; 0: nothing is dropped.

    Raises:
      ValueError: no georeference, fewer blocks than parts, a part that the buffer empties, or sizes out of range.
    """
    if block_m <= 0 or buffer_m < 0:
        raise ValueError(f"expected block_m above 0 and buffer_m of at least 0 metres, got {block_m:g} and {buffer_m:g}.")
    where = ground.places(data)
    names = []
    for place in where:
        epsg = ground.metric_epsg(place)
        left, bottom, right, top = ground.boxes([place], epsg)[0]
        names.append(f"{epsg} {(left + right) / 2 // block_m:.0f} {(bottom + top) / 2 // block_m:.0f}")
    parts = _grouped(
        data, names, "block", f"block-disjoint, {block_m:g} m, buffer {buffer_m:g} m, seed {seed},", seed, fractions
    )
    if not buffer_m:
        return parts
    near = {}
    for name, others in (("val", parts.test), ("train", np.concatenate([parts.test, parts.val]))):
        rows = getattr(parts, name)
        near[name] = ground.nearest_m([where[i] for i in rows], [where[i] for i in others]) < buffer_m
    dropped = np.concatenate([parts.train[near["train"]], parts.val[near["val"]]])
    kept = dataclasses.replace(parts, train=parts.train[~near["train"]], val=parts.val[~near["val"]], dropped=np.sort(dropped))
    needed = [name for name, fraction in zip(PARTS, fractions, strict=True) if fraction]
    return _checked(
        kept, data, needed, f"the buffer of {buffer_m:g} m drops all its tiles; take a smaller buffer or larger blocks"
    )


def _grouped(data: TaskData, group: list[str], what: str, kind: str, seed: int, fractions: Sequence[float]) -> Split:
    if len(fractions) != 3 or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-9 or not fractions[0] or not fractions[2]:
        raise ValueError(f"fractions: expected three shares of 1, of which train and test are above 0, got {tuple(fractions)}.")
    wanted = np.array([f for f in fractions if f])
    needed = [name for name, fraction in zip(PARTS, fractions, strict=True) if fraction]
    names, index = np.unique(group, return_inverse=True)
    if len(names) < len(needed):
        raise ValueError(
            f"task {data.task.name}: expected at least {len(needed)} {what}s, one for each of {', '.join(needed)}, and its "
            f"{len(data)} samples are of {len(names)}; an empty part is no split. Split by smaller blocks, or read more."
        )
    samples = _weights(data)
    weights = np.zeros((len(names), samples.shape[1]))
    np.add.at(weights, index, samples)
    shares = weights[:, weights.sum(axis=0) > 0]
    shares = shares / shares.sum(axis=0)
    rng = np.random.default_rng(seed)
    tries = [_assigned(shares, wanted, rng.permutation(len(names))) for _ in range(ORDERS)]
    part = min(tries, key=lambda t: t[0])[1][index]
    rows = {name: np.flatnonzero(part == needed.index(name)) if name in needed else np.array([], int) for name in PARTS}
    return Split(kind, **rows)


def _assigned(shares: np.ndarray, wanted: np.ndarray, order: np.ndarray) -> tuple[float, np.ndarray]:
    """Gives each group to the part that lacks most of what it has; how far the parts are off, and the part of each group."""
    held = np.zeros((len(wanted), shares.shape[1]))
    part = np.full(len(shares), -1)
    for group in order:
        # Lack counts relative to the part's size, else the largest part takes every class first. An empty part lacks most.
        lack = ((wanted[:, None] - held) / wanted[:, None]) @ shares[group]
        part[group] = lack.argmax()
        held[part[group]] += shares[group]
    return float(((held - wanted[:, None]) ** 2).sum()), part


def _weights(data: TaskData) -> np.ndarray:
    """[N 1+K] what is to be balanced: each sample, and its pixels of each class or its third of the first target."""
    kind, classes = data.task.kind, data.task.classes
    if kind.labels == "class":
        table = np.stack([_pixels_of_classes(np.asarray(label), classes) for label in data.labels])
    elif kind.has_codes:
        table = np.asarray(data.labels, float)
    else:
        first = np.array([np.nanmean(one) if np.isfinite(one).any() else np.nan for one in (_first(x) for x in data.labels)])
        edges = np.nanquantile(first, np.arange(1, BINS) / BINS) if np.isfinite(first).any() else []
        table = np.eye(BINS + 1)[np.where(np.isfinite(first), np.searchsorted(edges, first), BINS)]
    return np.concatenate([np.ones((len(data), 1)), table], axis=1)


def _pixels_of_classes(label: np.ndarray, classes: int) -> np.ndarray:
    return np.bincount(label[label != IGNORED].ravel(), minlength=classes).astype(float)


def _first(label: np.ndarray) -> np.ndarray:
    return np.asarray(label)[..., 0]


def _checked(parts: Split, data: TaskData, needed: Sequence[str], why: str) -> Split:
    for name in needed:
        if not len(getattr(parts, name)):
            raise ValueError(f"task {data.task.name}: part {name!r} of the {parts.kind} split is empty; {why}.")
    return parts
