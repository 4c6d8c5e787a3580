"""Microcystin of new spectra from a finished run: a CSV with one row an input row, in order."""

import csv
from pathlib import Path

import numpy as np

from spectral_jax import configure, matchups
from spectral_jax.downstream import features, predictor
from spectral_jax.downstream.predictor import Predictor
from spectral_jax.downstream.settings import Finetune
from spectral_jax.matchups import Matchups

COLUMNS = (
    "mc_now",
    "mc_now_lower",
    "mc_now_upper",
    "mc_ahead",
    "mc_ahead_lower",
    "mc_ahead_upper",
    "p_exceed_1_6",
    "p_exceed_8",
)


def predict_file(path: Path, workdir: Path, out: Path) -> str:
    """Reads match-ups, predicts, writes the CSV, and returns a sentence about it.

    Concentrations are ug/L, ends those of 90 % intervals; the two probabilities are of now. A lower end below the detection
    limit means "not detected" cannot be ruled out. Rows without a valid pixel hold nan.

    Args:
      path: `.npz` with rrs, wavelength, station, time, lat and lon.
      workdir: of a finished run.
      out: CSV to write.

    Raises:
      FileNotFoundError, ValueError: a file is missing or does not do; the sentence names file and field.
    """
    made = predictor.load(workdir / predictor.FILE)
    config = workdir / "config.json"
    cfg = configure.from_json(config.read_text(), where=str(config), kind=Finetune)
    data = predictor.match_bands(made.wavelength_nm, matchups.load(path, labelled=False, region=cfg.data.region))
    _write(out, table(made, data))
    empty = int((~np.isfinite(data.rrs).any(axis=(1, 2, 3))).sum())
    outside = int(_outside(made, data).sum())
    simulated = " The predictor was fitted on SIMULATED data." if made.simulated else ""
    return (
        f"{len(data)} rows predicted into {out}; {empty} without a valid pixel (nan), {outside} outside the range of "
        f"the spectra "
        f"it was fitted on.{simulated}"
    )


def table(made: Predictor, data: Matchups) -> dict[str, np.ndarray]:
    """Column -> numbers [N]: those of `COLUMNS`, and whether the spectrum is outside the training range."""
    found = predictor.predict(made, data, None)
    columns = {}
    for target, prediction in found.items():
        for name, log10 in (("", prediction.log10), ("_lower", prediction.lower), ("_upper", prediction.upper)):
            columns[f"mc_{target}{name}"] = 10.0**log10
    columns["p_exceed_1_6"], columns["p_exceed_8"] = (found["now"].exceedance[t] for t in (1.6, 8.0))
    return {name: columns[name] for name in COLUMNS} | {"outside_training_range": _outside(made, data).astype(int)}


def _outside(made: Predictor, data: Matchups) -> np.ndarray:
    return predictor.outside(made, features.filled(data.mean_rrs()))


def _write(out: Path, columns: dict[str, np.ndarray]) -> None:
    with open(out, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in zip(*columns.values(), strict=True):
            writer.writerow([f"{v:.6g}" if isinstance(v, float) else v for v in row])
