"""From the raw codes of a label raster to class indices."""

from pathlib import Path

import numpy as np

from spectral_jax.means import IGNORED
from spectral_jax.tasks.spec import TaskSpec


def class_index(raw: np.ndarray, spec: TaskSpec, path: str | Path, gap: np.ndarray | None = None) -> np.ndarray:
    """Class indices, int16, of raw codes of any shape; -1 where ignored.

    Args:
      raw: codes, whole numbers of any type.
      spec: the task; its `others` says what a code outside its lists is.
      path: for the sentence.
      gap: True where the file has no label; ignored.

    Raises:
      ValueError: a number is no whole number, or a code is outside the class list.
    """
    gap = np.zeros(raw.shape, bool) if gap is None else gap
    gap = gap | ~np.isfinite(raw)
    codes, inverse = np.unique(np.where(gap, 0, raw), return_inverse=True)
    if (codes != np.round(codes)).any():
        raise ValueError(
            f"{path}: expected class codes, which are whole numbers, and it holds {codes[codes != np.round(codes)][0]:g}; is "
            "this a resampled map? Resample labels with the nearest neighbour."
        )
    table = {code: k for k, group in enumerate(spec.codes) for code in group}
    table |= dict.fromkeys(spec.ignored, IGNORED)
    fallback = {"ignore": IGNORED, "last": spec.classes - 1, "error": None}[spec.others]
    index = [table.get(int(code), fallback) for code in codes]
    present = np.bincount(inverse.ravel(), weights=~gap.ravel(), minlength=len(codes))
    wrong = [i for i, k in enumerate(index) if k is None and present[i]]
    if wrong:
        listed = ", ".join(str(code) for group in spec.codes for code in group)
        ignored = f" (ignored: {', '.join(map(str, spec.ignored))})" if spec.ignored else ""
        raise ValueError(
            f"{path}: expected the classes {listed}{ignored}, and {int(present[wrong[0]])} labels hold {int(codes[wrong[0]])}; "
            f"correct the labels, or add the code to {spec.path or spec.name}."
        )
    lookup = np.array([IGNORED if k is None else k for k in index], np.int16)
    return np.where(gap, np.int16(IGNORED), lookup[inverse.reshape(raw.shape)])


def one_band(numbers: np.ndarray, spec: TaskSpec, path: str | Path) -> np.ndarray:
    """The codes [H W] of a label raster [C H W].

    Raises:
      ValueError: it has several bands.
    """
    if len(numbers) != 1:
        raise ValueError(
            f"{path}: expected class codes in one band, got {len(numbers)} bands; is this a coloured picture of the labels? "
            f"Give task {spec.name} the codes themselves."
        )
    return numbers[0]


def refuse_class_as_nodata(nodata: float | None, spec: TaskSpec, path: str | Path) -> None:
    """Raises ValueError where a label raster declares the code of a class as missing: its pixels would drop out."""
    of_class = [k for k, group in enumerate(spec.codes) if nodata in group]
    if of_class:
        name = f" ({spec.class_names[of_class[0]]})" if spec.class_names else ""
        raise ValueError(
            f"{path}: it declares {nodata:g} as nodata, and {nodata:g} is a class{name} of {spec.path or spec.name}; a "
            "code has one meaning. Take nodata out of the file, or the code out of classes.codes."
        )


def refuse_all_ignored(labels, spec: TaskSpec, folder: str | Path) -> None:
    """Raises ValueError where every label of a task is ignored."""
    if not any((np.asarray(one) != IGNORED).any() for one in labels):
        raise ValueError(
            f"{folder}: expected labels of the {spec.classes} classes of {spec.name}, and every pixel of all {len(labels)} "
            f"label rasters is ignored; are these the labels of another task? See [classes] of {spec.path or spec.name}."
        )
