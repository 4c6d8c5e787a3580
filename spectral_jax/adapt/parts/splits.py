"""The task of a comparison and its parts for each seed."""

import dataclasses

import numpy as np

from spectral_jax.adapt.parts import blocks, label_fraction
from spectral_jax.adapt.parts.blocks import Split
from spectral_jax.adapt.settings import AdaptData
from spectral_jax.simulate import task
from spectral_jax.tasks.read import read as read_task
from spectral_jax.tasks.samples import TaskData


def read(cfg: AdaptData) -> TaskData:
    """The samples of the task.

    Raises:
      ValueError: an unknown task, one without a folder, or what its reader refuses.
      FileNotFoundError: missing files.
    """
    if cfg.task == task.NAME:
        return task.simulate(cfg.tiles, cfg.footprint_m)
    if not cfg.root:
        raise ValueError(
            f"data.root: task {cfg.task!r} needs the folder of its files; give --config.data.root=DIR, or take data.task "
            f"{task.NAME!r}."
        )
    return read_task(cfg.task, cfg.root)


def parts(cfg: AdaptData, data: TaskData, seed: int, fraction: float = 1.0) -> Split:
    """The parts of a seed.

    Args:
      cfg: which split.
      data: the task.
      seed: of the draw, where the split varies with it.
      fraction: share of the training samples that keep their labels, drawn with `seed`.

    Raises:
      ValueError: a part would be empty.
    """
    drawn = seed if cfg.vary else 0
    if cfg.split == "published":
        split = published(data, drawn, cfg.fractions)
    elif cfg.split in ("scene", "location"):
        split = blocks.scene_disjoint(data, drawn, cfg.fractions, "scene" if cfg.split == "scene" else "block")
    else:
        split = blocks.block_disjoint(data, cfg.block_m, drawn, cfg.fractions, cfg.buffer_m)
    if fraction < 1:
        split = dataclasses.replace(split, train=label_fraction.draw(data, split.train, fraction, seed))
    return split


def published(data: TaskData, seed: int, fractions: tuple[float, float, float]) -> Split:
    """The split that came with the data, completed where it has two parts alone.

    Test labels that were withheld leave training and validation: validation is the test then. Whichever of the two is there is
    the test, and validation is drawn from the training scenes, as much of them as `fractions` say.

    Raises:
      ValueError: no training or no test samples.
    """
    whole = blocks.published(data, ("train",))
    if len(whole.test) and len(whole.val):
        return whole
    test = whole.test if len(whole.test) else whole.val
    if not len(test):
        return blocks.published(data, blocks.PARTS)
    share = fractions[1] / (fractions[0] + fractions[1])
    cut = blocks.scene_disjoint(data.select(whole.train), seed, (1 - share, 0.0, share))
    which = "test" if len(whole.test) else "validation"
    kind = f"published ({which} part as the test; {share:.0%} of the training scenes as validation, seed {seed})"
    return Split(kind, whole.train[cut.train], whole.train[cut.test], np.asarray(test))
