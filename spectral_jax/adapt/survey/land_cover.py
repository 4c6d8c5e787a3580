"""Land cover of pixels and cells: EnMAP tiles of Potsdam, and TerraMesh's sites in cells of 40 m.

Logistic regression on frozen features of single positions, scored on tiles or quadrants that training has not; few labels are
drawn from the training side of each fold. Tiles and quadrants lie beside one another, so scores say how well gaps are filled.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from spectral_jax.adapt.bands import fixed_projection
from spectral_jax.adapt.parts.part import Part
from spectral_jax.adapt.parts.source import source_of
from spectral_jax.adapt.survey import readout, sums
from spectral_jax.adapt.survey.contestants import ALL, PIXELWISE, TEN, Contestant
from spectral_jax.adapt.survey.maps import Embedder, pooled
from spectral_jax.adapt.survey.sums import Scored
from spectral_jax.sensors import SensorSpec
from spectral_jax.tasks.read import read as read_task

TARGET = "sentinel2a_l2a"
# The ten bands of land of Sentinel-2, of which raw features are.
LAND = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
# The encoder whose windows and patches are those of the published small tables; what the others read, pixels.
GALILEO, WINDOW_PX, PATCH_PX = "galileo", 32, 2
# Cells of TerraMesh: side in pixels, and classes of fewer cells are left out.
CELL_PX, FEWEST_CELLS = 4, 20


class LandCover(NamedTuple):
    """A task, ready for features.

    Attributes:
      name: as a heading of the table.
      part: all images.
      cells: along a side of an image.
      window: what encoders read at once, pixels.
      patch: side of a token of those that let it be chosen.
      labels: class of each cell [N cells cells], -1 without label.
      fold: number of the fold of each cell [N cells cells].
      place: what is drawn together for intervals [N cells cells].
      each: labels a class where they are few.
    """

    name: str
    part: Part
    cells: int
    window: int
    patch: int
    labels: np.ndarray
    fold: np.ndarray
    place: np.ndarray
    each: int


def potsdam(root: Path, each: int) -> LandCover:
    """14 tiles of 32 x 32 pixels, seven folds of two tiles."""
    data = read_task("enmap_potsdam", root)
    part = Part(data, source_of(data), range(len(data)))
    labels = np.stack(part.labels())
    tile = np.broadcast_to(np.arange(len(data))[:, None, None], labels.shape)
    return LandCover("Potsdam", part, labels.shape[1], 8, 1, labels, tile // 2, tile, each)


def terramesh(root: Path, each: int) -> LandCover:
    """4 sites of 56 x 56 cells, four folds of a quadrant of every site; a cell has the label of most of its pixels."""
    data = read_task("terramesh_lulc", root)
    part = Part(data, source_of(data, TARGET), range(len(data)))
    pixels = np.stack(part.labels())
    sites, cells = len(data), pixels.shape[1] // CELL_PX
    blocks = pixels.reshape(sites, cells, CELL_PX, cells, CELL_PX).swapaxes(2, 3).reshape(sites, cells, cells, -1)
    counts = np.stack([(blocks == one).sum(axis=-1) for one in range(data.task.classes)], axis=-1)
    labels = np.where(counts.any(axis=-1), counts.argmax(axis=-1), -1)
    for one in range(data.task.classes):
        if (labels == one).sum() < FEWEST_CELLS:
            labels[labels == one] = -1
    half = np.arange(cells) >= cells // 2
    quadrant = np.broadcast_to((2 * half[:, None] + half[None, :])[None], labels.shape)
    place = 4 * np.arange(sites)[:, None, None] + quadrant
    return LandCover("TerraMesh", part, cells, 16, CELL_PX, labels, quadrant, place, each)


def bands(task: LandCover) -> dict[str, np.ndarray]:
    """Features of the bands themselves [N cells cells D]: Sentinel-2's ten and all; of cells their mean and deviation."""
    images, _ = _images(task.part)
    source, target = task.part.source.sensor, SensorSpec.load(TARGET)
    ten = fixed_projection("nearest", source, target, "leave_out")
    assert ten is not None  # of "nearest" there is always one
    land = images @ ten.matrix[[ten.kept.index(name) for name in LAND]].T
    out = {TEN: _cell_moments(land, task.cells)}
    if len(source.used) > len(target.used):
        out[ALL] = _cell_moments(images, task.cells)
    return out


def embedded(task: LandCover, contestant: Contestant, seeds: range) -> list[np.ndarray]:
    """Features of an encoder [N cells cells D]: one of a folder's weights, one a seed of random ones.

    Raises:
      ValueError: the encoder does not take these bands.
    """
    own = contestant.encoder == GALILEO
    window = task.window if own or contestant.encoder in PIXELWISE else WINDOW_PX
    embed = Embedder(contestant, task.part, window, task.patch if own else PATCH_PX)
    images, valid = _images(task.part)
    return [embed(embed.params(seed), images, valid, task.cells) for seed in (seeds if contestant.random else seeds[:1])]


def scored(task: LandCover, features: list[np.ndarray], seeds: range, few: bool) -> Scored:
    """Macro F1 of all folds together; `features` are one for all seeds, or one a seed."""
    known = task.labels >= 0
    labels, fold, place = (x[known] for x in (task.labels, task.fold, task.place))
    names, labels = np.unique(labels, return_inverse=True)
    predicted = []
    for at, seed in enumerate(seeds if few or len(features) > 1 else seeds[:1]):
        rows = features[at if len(features) > 1 else 0][known]
        said = np.empty(len(rows), int)
        for one in np.unique(fold):
            train, test = np.flatnonzero(fold != one), np.flatnonzero(fold == one)
            train = readout.few_of_each(labels, train, task.each, seed) if few else train
            said[test] = readout.classes(rows[train], labels[train], rows[test])
        predicted.append(said)
    return sums.macro_f1(labels, np.stack(predicted), place, len(names))


def _images(part: Part) -> tuple[np.ndarray, np.ndarray]:
    """Physical values [N H W C] and valid pixels [N H W] of the first date."""
    found = [part.sample(at) for at in range(len(part))]
    return np.stack([image[0] for image, _, _ in found]), np.stack([valid[0] for _, valid, _ in found])


def _cell_moments(images: np.ndarray, cells: int) -> np.ndarray:
    mean = pooled(images, cells)
    if images.shape[1] == cells:
        return mean
    square = pooled(images.astype(np.float64) ** 2, cells)
    return np.concatenate([mean, np.sqrt(np.maximum(square - mean.astype(np.float64) ** 2, 0.0))], axis=-1)
