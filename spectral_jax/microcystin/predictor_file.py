"""The predictor that a run leaves: fitted ensembles of both targets in one file of plain arrays."""

import dataclasses
import json
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spectral_jax.matchups import TARGETS, Matchups
from spectral_jax.microcystin import features
from spectral_jax.microcystin.climatology import Climatology
from spectral_jax.microcystin.metrics import THRESHOLDS_UG_L
from spectral_jax.microcystin.predictor import ensemble
from spectral_jax.microcystin.predictor.calibration import Spread
from spectral_jax.microcystin.predictor.censored_ridge import Ridge
from spectral_jax.microcystin.predictor.ensemble import Ensemble, Interval
from spectral_jax.microcystin.problem import inputs_of, seasonal
from spectral_jax.sensors import nearest_bands

FILE = "predictor.npz"
FORMAT = 1
# What NumPy, its zip reader and a missing or misplaced array raise.
_UNREADABLE = (
    ValueError, KeyError, OSError, EOFError, TypeError, AttributeError, zipfile.BadZipFile, zlib.error, NotImplementedError,
    RuntimeError, OverflowError, MemoryError, SyntaxError, tokenize.TokenError,
)  # fmt: skip
# A band of a new file stands for one of the model's this near, nm: a fifth of OCI's bandwidth.
NEAR_NM = 1.0


class Predictor(NamedTuple):
    """What prediction needs beside the encoders.

    Attributes:
      members: target -> one `Ensemble` a seed.
      climatology: None where season is not used.
      wavelength_nm: [C] bands it was fitted on.
      low: [F] smallest bio-optical feature of the rows it was fitted on, and `high` the largest.
      simulated: whether it was fitted on simulated match-ups.
    """

    members: dict[str, list[Ensemble]]
    climatology: Climatology | None
    wavelength_nm: np.ndarray
    low: np.ndarray
    high: np.ndarray
    simulated: bool


def training_range(rrs: np.ndarray, wavelength_nm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Range [F] of the bio-optical features of spectra [N C], a tenth wider on both sides."""
    x = features.bio_optical(rrs, wavelength_nm)
    margin = 0.1 * np.ptp(x, axis=0)
    return x.min(0) - margin, x.max(0) + margin


def outside(predictor: Predictor, rrs: np.ndarray) -> np.ndarray:
    """[N] True where a spectrum [N C] leaves the range of what the predictor was fitted on, or holds nothing."""
    x = features.bio_optical(rrs, predictor.wavelength_nm)
    return np.any(~((x >= predictor.low) & (x <= predictor.high)), axis=1)


def predict(predictor: Predictor, data: Matchups, embeddings: list[np.ndarray] | None) -> dict[str, Interval]:
    """Predictions of every row, in order; NaN where a row has no valid pixel. Members are averaged, on the log scale.

    Args:
      predictor: of `load`.
      data: rows whose bands are the predictor's (`match_bands`).
      embeddings: one [N D] a member, or None where it was fitted without encoders.
    """
    rrs = features.filled(data.mean_rrs())
    good = np.isfinite(rrs).all(axis=1)
    out = {}
    for target in TARGETS:
        season = seasonal(data, target, predictor.climatology)
        predicted = []
        for i, member in enumerate(predictor.members[target]):
            embedding = None if embeddings is None else embeddings[i]
            inputs = inputs_of(data, target, np.where(good[:, None], rrs, 0.0), season, embedding)
            part = ensemble.predict(member, inputs.take(np.flatnonzero(good)))
            predicted.append([part.low, part.middle, part.high, *(part.exceedance[t] for t in THRESHOLDS_UG_L)])
        whole = np.full((3 + len(THRESHOLDS_UG_L), len(data)), np.nan)
        whole[:, good] = np.mean(predicted, axis=0)
        low, middle, high, *exceedance = whole
        out[target] = Interval(low, middle, high, dict(zip(THRESHOLDS_UG_L, exceedance, strict=True)))
    return out


def match_bands(predictor_nm: np.ndarray, data: Matchups) -> Matchups:
    """The bands of `data` that the predictor uses, by wavelength; `predictor_nm` are its bands [C], nm.

    Raises:
      ValueError: the file lacks one.
    """
    at, away = nearest_bands(data.wavelength_nm, predictor_nm)
    if (away > NEAR_NM).any():
        i = int(np.argmax(away))
        raise ValueError(
            f"{data.source}: field 'wavelength' has no band within {NEAR_NM:g} nm of {predictor_nm[i]:g} nm (the nearest is at "
            f"{data.wavelength_nm[at[i]]:g} nm; {int((away > NEAR_NM).sum())} of the predictor's {len(predictor_nm)} bands are "
            "missing). Give the product that the predictor was fitted on."
        )
    return dataclasses.replace(data, rrs=data.rrs[..., at], wavelength_nm=predictor_nm)


def save(path: Path, predictor: Predictor) -> None:
    """Writes one `.npz`; `load` gives an equal one."""
    arrays: dict[str, np.ndarray] = {
        "wavelength_nm": predictor.wavelength_nm, "low": predictor.low, "high": predictor.high,
    }  # fmt: skip
    about: dict = {"format": FORMAT, "simulated": predictor.simulated, "members": {}, "stations": None}
    if predictor.climatology is not None:
        about["stations"] = list(predictor.climatology.stations)
        arrays |= {"climatology/day": predictor.climatology.day, "climatology/log10_mc": predictor.climatology.log10_mc}
    for target, members in predictor.members.items():
        about["members"][target] = []
        for i, member in enumerate(members):
            where = f"{target}/{i}"
            arrays[f"{where}/weights"] = member.weights
            for name, expert in member.experts.items():
                for field in ("mean", "deviation", "weights"):
                    arrays[f"{where}/{name}/{field}"] = getattr(expert, field)
            numbers = {n: [e.intercept, e.sigma, e.censored, e.strength] for n, e in member.experts.items()}
            # "lines" is what format 1 calls the experts.
            about["members"][target].append(
                {
                    "lines": numbers,
                    "spread": list(member.spread),
                    "highest": member.highest,
                    "context_days": member.context_days,
                }
            )
    arrays["about"] = np.array(json.dumps(about))
    np.savez_compressed(path, allow_pickle=False, **arrays)


def load(path: Path) -> Predictor:
    """Reads what `save` wrote.

    Raises:
      FileNotFoundError: there is no predictor in the folder.
      ValueError: the file is no predictor, or of another version.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"--checkpoint: {path} does not exist; give the work folder of a finished run of finetune_microcystin.py."
        )
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        about = json.loads(str(arrays["about"]))
        _check_finite(arrays)
        return _built(path, arrays, about)
    except _UNREADABLE as error:
        raise ValueError(
            f"--checkpoint: {path} is no predictor ({error}); it may be cut off. Run finetune_microcystin.py again."
        ) from error


def _check_finite(arrays: dict[str, np.ndarray]) -> None:
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(f"array {name!r} holds NaN or infinity")


def _built(path: Path, arrays: dict[str, Any], about: Any) -> Predictor:
    if about["format"] != FORMAT:
        raise ValueError(
            f"--checkpoint: {path} has format {about['format']}; this version reads {FORMAT}. Run finetune_microcystin.py "
            "again."
        )
    members: dict[str, list[Ensemble]] = {}
    for target, fitted in about["members"].items():
        members[target] = []
        for i, member in enumerate(fitted):
            where = f"{target}/{i}"
            experts = {
                name: Ridge(*(arrays[f"{where}/{name}/{f}"] for f in ("mean", "deviation", "weights")), *numbers)
                for name, numbers in member["lines"].items()
            }
            weights, spread = arrays[f"{where}/weights"], Spread(*member["spread"])
            members[target].append(Ensemble(experts, weights, spread, member["highest"], member["context_days"]))
    table = None
    if about["stations"] is not None:
        table = Climatology(arrays["climatology/day"], tuple(about["stations"]), arrays["climatology/log10_mc"])
    return Predictor(members, table, arrays["wavelength_nm"], arrays["low"], arrays["high"], about["simulated"])
