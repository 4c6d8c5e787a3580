"""Sets that were cut into patches before they were published: an image and a label raster a patch."""

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spectral_jax.tasks.readers import pairs, rasters, tiles
from spectral_jax.tasks.readers.pairs import Pair
from spectral_jax.tasks.samples import TaskData
from spectral_jax.tasks.spec import TaskSpec


def patch_lists(spec: TaskSpec, folder: Path, parts: Sequence[str]) -> list[Pair]:
    """Patches that `train.txt`, `val.txt` and `test.txt` name, one a line; image and labels have one name.

    Layout: `gaofen5_wuhan_dataset.py` and `oxhyperminerals_emit_l2a_dataset.py` of github.com/mathisaras/spectral_earth_c.
    Options: `images`, `labels`, `splits` (folders), `block` (pattern for the part of a name that is its location).

    Raises:
      FileNotFoundError: a list, an image or a label raster is missing.
      ValueError: a patch is listed twice.
    """
    out = []
    for name, split, image, label in pairs.listed(spec, folder, parts, "patch", "patches"):
        stem = Path(name).stem
        out.append(Pair(stem, (image,), label, split, block=_part_of(spec, "block", stem)))
    return out


def mineral_patches(spec: TaskSpec, folder: Path, parts: Sequence[str]) -> TaskData | None:
    """Patches of EMIT and of the presence of each mineral: `patch_lists` with a label band a mineral, 0 or 1.

    Several minerals may be present in a pixel, so a pixel has a number for each: 1 present, 0 absent, NaN without label. Layout
    and numbers: `oxhyperminerals_emit_l2a_dataset.py` of github.com/mathisaras/spectral_earth_c. Option: `ignored_label`.

    Raises:
      FileNotFoundError: a list, an image or a label raster is missing.
      ValueError: a label is neither 0, 1 nor ignored, all are ignored, or files do not fit the task.
    """
    found = patch_lists(spec, folder, parts)
    if not found:
        return None
    data = pairs.read_pairs(spec, found, folder)
    ignored = float(spec.option("ignored_label"))
    labels = [np.where(label == ignored, np.float32(np.nan), label) for label in data.labels]
    for pair, label in zip(found, labels, strict=True):
        wrong = np.isfinite(label) & (label != 0) & (label != 1)
        if wrong.any():
            raise ValueError(
                f"{pair.label}: expected 0 or 1 for each mineral ({ignored:g}: no label), and {wrong.sum()} labels hold "
                f"{label[wrong][0]:g}; fetch the file again, or correct ignored_label in {spec.path or spec.name}."
            )
    if not any(np.isfinite(label).any() for label in labels):
        raise ValueError(
            f"{folder}: expected labels of {', '.join(spec.targets)}, and every pixel of all {len(labels)} label rasters is "
            "ignored; are these the labels of another task?"
        )
    # Patches of one size are one array, as read_pairs gives them.
    return dataclasses.replace(data, labels=np.stack(labels) if isinstance(data.labels, np.ndarray) else tuple(labels))


def five_billion_pixels(spec: TaskSpec, folder: Path, parts: Sequence[str]) -> TaskData:
    """`{train,val,test}/{imgs,labels}/*.tif`: crops of Gaofen-2 images and their labels.

    Layout: `pangaea/datasets/fivebillionpixels.py` of github.com/yurujaja/pangaea-bench, which takes the n-th label for the
    n-th image by name; this is done here too where their names differ, and noted. Option: `scene` (pattern for the number of
    the Gaofen-2 product in a name), which is the crop's location too.

    Raises:
      FileNotFoundError: a folder is missing or empty.
      ValueError: another number of labels than of images, or files that do not fit the task.
    """
    found: list[Pair] = []
    notes: tuple[str, ...] = ()
    for part in parts:
        images = _tifs(spec, folder / part / "imgs", f"a folder of {part} images")
        labels = _tifs(spec, folder / part / "labels", f"a folder of {part} labels")
        if len(images) != len(labels):
            raise ValueError(
                f"{labels[0].parent}: expected a label raster for each of the {len(images)} images of {images[0].parent}, got "
                f"{len(labels)}; fetch or cut the crops of {part} again."
            )
        if [p.name for p in images] != [p.name for p in labels]:
            notes = ("Images and labels have different names and were paired by their order.",)
        for image, label in zip(images, labels, strict=True):
            product = _part_of(spec, "scene", image.stem)
            found.append(Pair(image.stem, (image,), label, part, scene=product, block=product))
    return tiles.read_tiles(spec, found, folder, notes)


def _tifs(spec: TaskSpec, folder: Path, what: str) -> list[Path]:
    found = sorted(rasters.existing(folder, spec, what).glob("*.tif"))
    if not found:
        raise FileNotFoundError(f"task {spec.name}: expected files that end in .tif in {folder}, and there is none.")
    return found


def _part_of(spec: TaskSpec, option: str, name: str) -> str:
    """The part of a name that a pattern of the task finds; empty where it finds none."""
    match = re.search(spec.option(option, ""), name)
    return match.group(0) if match else ""
