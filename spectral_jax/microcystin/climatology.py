"""What a station's water held on that day in earlier years: a prior without image, and a baseline that models must beat.

A table in `data_specs/climatology` holds the mean log10 concentration by station and day; it is made from public sampling of
years before the first image, by `tools/climatology.py`, so it knows nothing of any week that is tested.
"""

import csv
import dataclasses
from pathlib import Path

import numpy as np

from spectral_jax import spec_files

EVERYWHERE = "*"  # column of stations that the table does not name
STEP_DAYS = 3
# log10 of the largest concentration that any sample can have, 20,000 ug/L, is 4.3.
MOST_LOG10 = 4.4


@dataclasses.dataclass(frozen=True)
class Climatology:
    """Mean log10 of max(MC, detection limit), ug/L.

    Attributes:
      day: [D] day of the year, increasing.
      stations: S names, the first is `EVERYWHERE`.
      log10_mc: [D S].
    """

    day: np.ndarray
    stations: tuple[str, ...]
    log10_mc: np.ndarray

    def at(self, station: np.ndarray, day_of_year: np.ndarray) -> np.ndarray:
        """Interpolated between days; held constant before the first and after the last. [N], [N] to [N]."""
        column = [self.stations.index(s) if s in self.stations else 0 for s in station]
        return np.array([np.interp(d, self.day, self.log10_mc[:, c]) for d, c in zip(day_of_year, column, strict=True)])


def build(
    station: np.ndarray,
    day_of_year: np.ndarray,
    log10_mc: np.ndarray,
    *,
    width_days: float = 10.0,
    own: float = 4.0,
    fewest: int = 30,
) -> Climatology:
    """Weighted means of samples of all years.

    Args:
      station: [N].
      day_of_year: [N].
      log10_mc: [N].
      width_days: standard deviation of the Gaussian in time (a choice: two visits of the weekly programme fall within it).
      own: weight of a sample of the station itself against one of another (a choice).
      fewest: samples that a station needs for a column of its own.

    Returns:
      Every third day from the first to the last sampled one.
    """
    names, count = np.unique(station, return_counts=True)
    stations = (EVERYWHERE, *(str(n) for n in names[count >= fewest]))
    day = np.arange(np.floor(day_of_year.min()), day_of_year.max() + STEP_DAYS, STEP_DAYS)
    near = np.exp(-0.5 * ((day[:, None] - day_of_year[None]) / width_days) ** 2)
    weights = np.stack([np.where(station == name, own, 1.0) for name in stations])
    return Climatology(day, stations, (near @ (weights * log10_mc).T) / (near @ weights.T))


def write(path: Path, table: Climatology, source: str) -> None:
    """One line a day, three decimals; the first lines say where it comes from."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        file.write("".join(f"# {line}\n" for line in source.splitlines()))
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["day_of_year", *table.stations])
        writer.writerows([f"{d:g}", *(f"{v:.3f}" for v in row)] for d, row in zip(table.day, table.log10_mc, strict=True))


def read(name: str) -> Climatology:
    """Reads `data_specs/climatology/<name>.csv`, or the CSV at the path `name`.

    Raises:
      FileNotFoundError: there is no file at the path.
      ValueError: no table has the name, or the file has another form.
    """
    file = spec_files.find("climatology", name, "data.climatology", "table", suffix=".csv")
    rows = spec_files.read_table(file)
    columns = list(rows[0]) if rows else []
    if columns[:2] != ["day_of_year", EVERYWHERE]:
        raise ValueError(f"{file}: expected columns day_of_year,{EVERYWHERE},STATION,... and their rows, got {columns}.")
    with file.open(encoding="utf-8") as lines:
        header = next(line for line in lines if not line.startswith("#")).strip().split(",")
    if len(set(header)) < len(header):
        raise ValueError(f"{file}: expected each station once in the line of columns, got {','.join(header)}; take one out.")
    values = np.array([[_number(text, column, i, file) for column, text in row.items()] for i, row in enumerate(rows, 1)])
    day, log10_mc = values[:, 0], values[:, 1:]
    if (np.diff(day) <= 0).any() or day[0] < 0 or day[-1] > 366 + STEP_DAYS:
        raise ValueError(f"{file}: expected days of the year that increase from row to row, got {day[0]:g} to {day[-1]:g}.")
    if (np.abs(log10_mc) > MOST_LOG10).any():
        raise ValueError(
            f"{file}: expected log10 of ug/L within -{MOST_LOG10:g} to {MOST_LOG10:g}, got {log10_mc.min():g} to "
            f"{log10_mc.max():g}; concentrations themselves are no logarithms."
        )
    return Climatology(values[:, 0], tuple(columns[1:]), values[:, 1:])


def _number(text: str, column: str, row: int, file: Path) -> float:
    try:
        number = float(text)
    except ValueError:
        number = np.nan
    if not np.isfinite(number) or "_" in text:
        raise ValueError(f"{file}: row {row}, column {column!r}: expected a number, got {text!r}; mend the cell.")
    return number
