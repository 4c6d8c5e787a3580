"""One target of one set of match-ups, as every model and baseline gets it: labels, groups, and what may be looked at."""

from typing import NamedTuple

import numpy as np

from spectral_jax.matchups import Matchups
from spectral_jax.microcystin import features, metrics
from spectral_jax.microcystin.climatology import Climatology
from spectral_jax.microcystin.predictor.ensemble import ExpertInputs

# What a forecast is for: the middle of the 6 to 10 days in which its label is taken. The day of the sample is not known when it
# is made, so it is not looked at.
LEAD_DAYS = {"now": 0.0, "ahead": 8.0}


class Problem(NamedTuple):
    """N rows of match-ups and one target.

    Attributes:
      data: the match-ups.
      target: `now` or `ahead`.
      y: [N] log10 of max(MC, limit), NaN where there is no label.
      below: [N] True for non-detects.
      groups: [N] ISO weeks.
      rrs: [N C] mean spectra, sr^-1, missing bands interpolated.
      season: [N] climatology at the day predicted, log10; None where there is none.
      persistence: [N] the last label of the station from an earlier week, log10; NaN where there is none.
    """

    data: Matchups
    target: str
    y: np.ndarray
    below: np.ndarray
    groups: np.ndarray
    rrs: np.ndarray
    season: np.ndarray | None
    persistence: np.ndarray


def make(data: Matchups, target: str, climatology: Climatology | None) -> Problem:
    """Prepares match-ups; nothing is fitted here."""
    mc, below = data.label(target)
    return Problem(
        data, target, metrics.log10_label(mc), below, data.iso_week, features.filled(data.mean_rrs()),
        seasonal(data, target, climatology), _persistence(data, target),
    )  # fmt: skip


def seasonal(data: Matchups, target: str, climatology: Climatology | None) -> np.ndarray | None:
    """Climatology at the day that a prediction is for, [N] log10."""
    return None if climatology is None else climatology.at(data.station, data.day_of_year + LEAD_DAYS[target])


def inputs(problem: Problem, embedding: np.ndarray | None = None, experts: tuple[str, ...] = ()) -> ExpertInputs:
    """What the ensemble looks at.

    Args:
      problem: rows, of which those without a spectrum give NaN.
      embedding: [N D] of a frozen encoder, or None.
      experts: names of `features.EXPERTS`; empty: those of the target.
    """
    return inputs_of(problem.data, problem.target, problem.rrs, problem.season, embedding, experts)


def inputs_of(
    data: Matchups,
    target: str,
    rrs: np.ndarray,
    season: np.ndarray | None,
    embedding: np.ndarray | None,
    experts: tuple[str, ...] = (),
) -> ExpertInputs:
    """As `inputs`, without labels."""
    columns, censored = {}, {}
    for name in experts or features.EXPERTS_OF[target]:
        function, censored[name] = features.EXPERTS[name]
        columns[name] = function(rrs, data.wavelength_nm)
        if target == "ahead" and season is not None:
            columns[name] = np.column_stack([columns[name], season])
    if embedding is not None:
        columns["encoder"], censored["encoder"] = embedding, False
    return ExpertInputs(columns, censored, season, data.station, data.time)


def _persistence(data: Matchups, target: str) -> np.ndarray:
    """What was last known: for the forecast the label of the image itself, for now the station's label of an earlier week."""
    now = metrics.log10_label(data.mc_now)
    if target == "ahead":
        return now
    out, weeks = np.full(len(data), np.nan), data.iso_week
    for i in range(len(data)):
        before = (data.station == data.station[i]) & (weeks < weeks[i]) & (data.time < data.time[i]) & np.isfinite(now)
        if before.any():
            out[i] = now[before][np.argmax(data.time[before])]
    return out
