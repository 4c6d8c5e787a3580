"""Numbers of a regression judged before they are learned: fill values that no file declared, infinity, units that differ."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spectral_jax.ingest import units
from spectral_jax.tasks.samples import TaskData
from spectral_jax.tasks.spec import TaskSpec

# What programs write where they have no number: of hands and databases, of GDAL, NetCDF and ArcGIS by type.
FILLS = (
    -99.0, -999.0, -9999.0, -99999.0, -32768.0, -32767.0, -2147483648.0, -2147483647.0, 9999.0, 99999.0, 32767.0, 65535.0,
    2147483647.0, 1e20, -1e20, 9.969209968386869e36, -9.969209968386869e36, 3.4028234663852886e38, -3.4028234663852886e38,
)  # fmt: skip


def judge(data: TaskData) -> None:
    """Refuses targets in which a fill value stands as if it were measured, or infinity.

    A number of `FILLS` is a fill where it is farther from all others of its target than they are from one another, or below 0
    where all others are 0 or more. NaN is no number, and is not looked at.

    Args:
      data: samples of a regression.

    Raises:
      ValueError: a target holds infinity or a fill value; the sentence tells sample, target and count.
    """
    names = data.task.targets
    labels = data.labels
    # Samples of one size are looked at together, others one by one: [n P K].
    blocks = [labels] if isinstance(labels, np.ndarray) else [np.asarray(label)[None] for label in labels]
    if any(block.shape[-1:] != (len(names),) or not block.size for block in blocks):
        return
    blocks = [block.astype(np.float32, copy=False).reshape(len(block), -1, len(names)) for block in blocks]
    starts = np.cumsum([0, *(len(block) for block in blocks)])
    where = f"task {data.task.name}: target"
    fills = np.array(FILLS, np.float32)
    for k, name in enumerate(names):
        low, high = np.inf, -np.inf
        found: dict[float, tuple[int, int]] = {}
        for start, block in zip(starts, blocks, strict=False):
            column = block[..., k]
            endless = np.isinf(column).any(axis=1)
            if endless.any():
                sample = data.names[start + int(endless.argmax())]
                raise ValueError(f"{where} {name!r} of sample {sample} is infinite; write NaN where there is no number.")
            known = np.isin(column, fills)
            others = column[~known & np.isfinite(column)]
            if others.size:
                low, high = min(low, float(others.min())), max(high, float(others.max()))
            for value in np.unique(column[known]) if known.any() else ():
                there = column == value
                count, first = found.get(float(value), (0, start + int(there.any(axis=1).argmax())))
                found[float(value)] = (count + int(there.sum()), first)
        for value, (count, first) in found.items():
            apart = max(low - value, value - high)
            if low <= high and apart > 0 and (apart > high - low or value < 0 <= low):
                raise ValueError(
                    f"{where} {name!r} is {value:g} in {count} places (the first is of sample {data.names[first]}), and from "
                    f"{low:g} to {high:g} in all others; that is how missing numbers are written. Write NaN there, or declare "
                    "it as the file's missing value."
                )


def units_of(stated: Sequence[str | None], spec: TaskSpec, path: Path) -> tuple[str, ...]:
    """Units of a label raster's targets: its own, and the task's where it states none.

    Raises:
      ValueError: one is another than the task's, as a text and in what it means.
    """
    out = []
    for k, (name, text) in enumerate(zip(spec.targets, stated, strict=True)):
        unit = spec.target_units[k] if spec.target_units else ""
        if text and unit and _meaning(text) != _meaning(unit):
            raise ValueError(
                f"{path}: the unit of target {name!r} is {text!r}, and {spec.path or spec.name} states {unit!r}; convert the "
                "numbers, or correct targets.units."
            )
        out.append(text or unit)
    return tuple(out)


def check_alike(own: Sequence[str], path: Path, first: Sequence[str], first_path: Path) -> None:
    """Refuses label rasters of one task whose targets are in different units.

    Raises:
      ValueError: they are.
    """
    if [_meaning(text) for text in own] != [_meaning(text) for text in first]:
        raise ValueError(
            f"{path}: the units of its targets are {_told(own)}, and those of {first_path} are {_told(first)}; expected one "
            "unit for each target. Convert the numbers, or write the units again."
        )


def _meaning(text: str) -> str:
    plain = re.sub(r"\s+", "", text.lower())
    return units.WRITTEN.get(plain, plain)


def _told(stated: Sequence[str]) -> str:
    return ", ".join(repr(text) if text else "not stated" for text in stated)
