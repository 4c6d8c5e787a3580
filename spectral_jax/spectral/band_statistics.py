"""Band statistics: the mean and standard deviation by which a sensor's values are standardised, in a file of their own.

A CSV with the columns `name, centre_nm, mean, std`; lines that begin with # tell where the numbers come from. Values are
those of `batch.decode` without standardisation: scaled to 0..1 by `low` and `high`. `tools/band_statistics.py` measures them.
"""

import csv
import dataclasses
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from spectral_jax import spec_files
from spectral_jax.batch import Batch, decode
from spectral_jax.sensors import CENTRE_TOLERANCE_NM, Band, SensorSpec


def standardised(spec: SensorSpec, name: str) -> SensorSpec:
    """The same sensor, standardised by `data_specs/statistics/<name>.csv`, or by the CSV file at the path `name`.

    Bands are found by wavelength (by name where they have none); the file may hold more than the sensor uses.

    Raises:
      FileNotFoundError: there is no file at the path.
      ValueError: no table has the name; or a used band has no line, or a line is not a number, or a deviation is not above 0.
    """
    path = spec_files.find("statistics", name, "band statistics", "table", suffix=".csv")
    rows = spec_files.read_table(path)
    picked = [row_of(band, rows, spec, path) for band in spec.used]
    try:
        mean, std = (tuple(float(row[column]) for row in picked) for column in ("mean", "std"))
    except (KeyError, ValueError) as error:
        raise ValueError(f"{path}: expected the columns name, centre_nm, mean, std, with numbers ({error!r}).") from error
    low = int(np.argmin(std))
    if not (np.isfinite(mean).all() and np.isfinite(std).all() and std[low] > 0):
        raise ValueError(f"{path}: band {spec.used[low].name} has standard deviation {std[low]}; expected a number above 0.")
    return dataclasses.replace(spec, mean=mean, std=std)


def measure(spec: SensorSpec, key: str, batches: Iterable[Batch]) -> tuple[np.ndarray, np.ndarray, int]:
    """Mean and standard deviation [C] over the valid pixels of sensor `key`, and how many pixels they are of.

    Raises:
      ValueError: no batch has a valid pixel of this sensor.
    """
    plain = dataclasses.replace(spec, mean=(), std=())
    count, total, squares = 0, np.zeros(len(spec.used)), np.zeros(len(spec.used))
    for batch in batches:
        if key in batch.sensors:
            values, valid = (np.asarray(x) for x in decode(batch.sensors[key], plain))
            values = values[valid].astype(np.float64)
            count, total, squares = count + len(values), total + values.sum(0), squares + (values**2).sum(0)
    if not count:
        raise ValueError(f"no valid pixel of {key} was read; expected a store that holds this sensor.")
    mean = total / count
    return mean, np.sqrt(np.maximum(squares / count - mean**2, 0.0)), count


def write(path: Path, spec: SensorSpec, mean: np.ndarray, std: np.ndarray, origin: str) -> None:
    """Writes the CSV that `standardised` reads; `origin` says in a line what was measured."""
    with path.open("w", newline="") as file:
        file.write(f"# {origin}\n")
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["name", "centre_nm", "mean", "std"])
        for band, m, s in zip(spec.used, mean, std, strict=True):
            table.writerow([band.name, "" if band.centre_nm is None else f"{band.centre_nm:g}", f"{m:.5f}", f"{s:.5f}"])


def row_of(band: Band, rows: list[dict], spec: SensorSpec, path: Path, command: str = "tools/band_statistics.py") -> dict:
    """The row of a table that is of a band: by wavelength, or by name where the band has none.

    Args:
      band: of `spec`.
      rows: with `name` and `centre_nm`.
      spec: the sensor.
      path: of the table, for the sentence.
      command: that measures such a table, for the sentence.

    Raises:
      ValueError: there is none.
    """
    if band.centre_nm is None:
        near = [row for row in rows if row.get("name") == band.name]
    else:
        off = [abs(float(row.get("centre_nm") or "inf") - band.centre_nm) for row in rows]
        near = [rows[int(np.argmin(off))]] if off and min(off) <= CENTRE_TOLERANCE_NM else []
    if not near:
        at = "" if band.centre_nm is None else f" at {band.centre_nm:g} nm"
        raise ValueError(
            f"{path}: no line for band {band.name}{at} of sensor {spec.name}; measure the statistics of this sensor with "
            f"{command}."
        )
    return near[0]
