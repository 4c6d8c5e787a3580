"""xView2: an image before a disaster, one after it, and the damage of every pixel, in PNG.

Layout and split: `pangaea/datasets/xview2.py` and `xView2_create_masks.py` of github.com/yurujaja/pangaea-bench.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spectral_jax.sentences import needs
from spectral_jax.tasks.readers import rasters, tiles
from spectral_jax.tasks.readers.pairs import Pair
from spectral_jax.tasks.samples import TaskData
from spectral_jax.tasks.spec import TaskSpec

# xview2.py: the folders that training and validation share, a tenth of each event validates, drawn with this seed.
LEARNING, TESTING = ("train", "tier3"), ("test",)
VALIDATION, SEED = 0.1, 23
BEFORE, AFTER = "_pre_disaster", "_post_disaster"


def xview2(spec: TaskSpec, folder: Path, parts: Sequence[str]) -> TaskData | None:
    """`{train,tier3,test}/images/EVENT_NUMBER_{pre,post}_disaster.png` and `.../masks/EVENT_NUMBER_post_disaster.png`.

    Date 0 of a sample [H W 6] is the image before and date 1 the one after; red, green, blue, as the files have them. The event
    is the scene. Training and validation share events, the published split does not keep them apart.

    Raises:
      FileNotFoundError: a folder, an image or a mask is missing.
      ImportError: scikit-learn, whose split the benchmark uses, is not installed.
      ValueError: too few images of an event for the split, or files that do not fit the task.
    """
    chosen = []
    if {"train", "val"} & set(parts):
        before = _images_before(spec, folder, LEARNING)
        validation = _validation(spec, folder, [_event(path) for path in before])
        chosen += [(path, "val" if i in validation else "train") for i, path in enumerate(before)]
    if "test" in parts:
        chosen += [(path, "test") for path in _images_before(spec, folder, TESTING)]
    found = [_pair(spec, path, split) for path, split in chosen if split in parts]
    return tiles.read_tiles(spec, found, folder) if found else None


def _images_before(spec: TaskSpec, folder: Path, names: Sequence[str]) -> list[Path]:
    out = []
    for name in names:
        images = rasters.existing(folder / name / "images", spec, f"the images of {name}")
        out += sorted(images.glob(f"*{BEFORE}.png"))
    if not out:
        raise FileNotFoundError(
            f"task {spec.name}: expected images that end in {BEFORE}.png in {' and '.join(names)} of {folder}, and there is "
            "none; fetch them."
        )
    return out


def _pair(spec: TaskSpec, before: Path, split: str) -> Pair:
    name = before.name.replace(BEFORE, AFTER)
    after = rasters.existing(before.with_name(name), spec, "the image after the event")
    mask = before.parents[1] / "masks" / name
    if not mask.exists():
        raise FileNotFoundError(
            f"task {spec.name}: expected the damage mask of an image at {mask}, and nothing is there; labels are published as "
            "polygons: draw them with pangaea/datasets/xView2_create_masks.py of github.com/yurujaja/pangaea-bench."
        )
    return Pair(before.stem.removesuffix(BEFORE), (before, after), mask, split, scene=_event(before))


def _event(path: Path) -> str:
    return path.name.split("_")[0]


def _validation(spec: TaskSpec, folder: Path, events: list[str]) -> set[int]:
    with needs("scikit-learn", "eval", "the published split of xView2"):
        from sklearn.model_selection import train_test_split
    try:
        split = train_test_split(np.arange(len(events)), test_size=VALIDATION, random_state=SEED, stratify=events)
    except ValueError as error:
        raise ValueError(
            f"task {spec.name}: expected enough images in {' and '.join(LEARNING)} of {folder} to take a tenth of each event, "
            f"got {len(events)} of {len(set(events))} events ({error}); fetch the whole set."
        ) from error
    return {int(i) for i in split[1]}
