"""Leakage report of a split: what a test tile shares with training."""

import dataclasses
import json

import numpy as np

from spectral_jax.adapt.parts.blocks import Split
from spectral_jax.tasks import ground
from spectral_jax.tasks.samples import TaskData

# Tiles closer than this touch: coordinates of one grid, written by two programs, differ by rounding.
TOUCH_M = 0.01


@dataclasses.dataclass(frozen=True)
class Leakage:
    """Counts of one split; training is `train` without `val`.

    Attributes:
      task: its name.
      split: how the parts were made.
      train_tiles: samples in training.
      test_tiles: samples in the test.
      test_scenes: scenes of the test.
      shared_scenes: those that are in training too.
      test_blocks: locations of the test.
      shared_blocks: those that are in training too.
      touching_tiles: test tiles that touch or overlap a training tile; None where the images have no georeference.
      near_tiles: test tiles within `distance_m` of a training tile, touching ones included; None likewise.
      distance_m: metres.
      simulated: True where no instrument measured the data.
    """

    task: str
    split: str
    train_tiles: int
    test_tiles: int
    test_scenes: int
    shared_scenes: int
    test_blocks: int
    shared_blocks: int
    touching_tiles: int | None
    near_tiles: int | None
    distance_m: float
    simulated: bool

    def text(self) -> str:
        """The report in sentences."""
        lines = [
            f"{self.task}{' (simulated)' if self.simulated else ''}, {self.split} split: {self.train_tiles} training and "
            f"{self.test_tiles} test tiles.",
            f"{self.shared_scenes} of {self.test_scenes} test scenes are also in training.",
            f"{self.shared_blocks} of {self.test_blocks} test locations are also in training.",
        ]
        if self.touching_tiles is None:
            lines.append("Distances are not known: the images have no georeference.")
        else:
            lines.append(
                f"{self.touching_tiles} of {self.test_tiles} test tiles touch a training tile, {self.near_tiles} lie within "
                f"{self.distance_m:g} m of one."
            )
        return "\n".join(lines)

    def to_json(self) -> str:
        """All fields, as one JSON object."""
        return json.dumps(dataclasses.asdict(self))


def report(data: TaskData, parts: Split, distance_m: float = 1000.0) -> Leakage:
    """Counts what the test part shares with the training part.

    Args:
      data: the task.
      parts: rows of `data`.
      distance_m: what counts as near, metres.

    Raises:
      ValueError: an empty part, or coordinate systems without EPSG code.
    """
    for name in ("train", "test"):
        if not len(getattr(parts, name)):
            raise ValueError(f"task {data.task.name}: part {name!r} is empty; leakage needs training and test tiles.")
    shared = {}
    for kind in ("scene", "block"):
        names = np.array(getattr(data, kind))
        test = set(names[parts.test])
        shared[kind] = (len(test), len(test & set(names[parts.train])))
    touching = near = None
    if data.georeference:
        where = ground.places(data)
        apart = ground.nearest_m([where[i] for i in parts.test], [where[i] for i in parts.train])
        touching, near = int((apart <= TOUCH_M).sum()), int((apart <= max(distance_m, TOUCH_M)).sum())
    return Leakage(
        task=data.task.name,
        split=parts.kind,
        train_tiles=len(parts.train),
        test_tiles=len(parts.test),
        test_scenes=shared["scene"][0],
        shared_scenes=shared["scene"][1],
        test_blocks=shared["block"][0],
        shared_blocks=shared["block"][1],
        touching_tiles=touching,
        near_tiles=near,
        distance_m=float(distance_m),
        simulated=data.simulated,
    )
