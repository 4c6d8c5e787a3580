"""Microcystin of simulated water. It has no colour: it follows cyanobacteria by a quota that light does not show.

Microcystin = phycocyanin x quota. The quota changes with the season (toxic strains are most of the bloom in its first weeks
and give way later: Rinta-Kanto et al. 2009 and the mcyE counts of the GLERL programme for western Lake Erie), from lake to
lake or station to station, from bloom to bloom, and from sample to sample. All sizes are choices; together they leave a model
of spectra an R2 of log10 microcystin of 0.6 to 0.8, as published models reach, and about 40 % of a season's samples below the
detection limit, as in the programme. No label was compared with a spectrum to set them.
"""

import numpy as np

QUOTA_PEAK = 0.35  # ug microcystin per ug phycocyanin, median at the season's peak
PEAK_DAY, SPREAD_DAYS = 212.0, 42.0  # end of July
LATE_LOG10 = -1.0  # of the quota, far from the peak
PLACE_LOG10, BLOOM_LOG10, SAMPLE_LOG10 = 0.08, 0.15, 0.10  # standard deviations


def quota_log10(day_of_year: np.ndarray) -> np.ndarray:
    """Median log10 of microcystin per phycocyanin, ug/ug, by day of the year [...]."""
    season = np.exp(-0.5 * ((np.asarray(day_of_year, float) - PEAK_DAY) / SPREAD_DAYS) ** 2)
    return np.log10(QUOTA_PEAK) + LATE_LOG10 * (1.0 - season)


def microcystin(rng: np.random.Generator, phycocyanin_ug_l: np.ndarray, day_of_year, spread_log10: np.ndarray | float):
    """Particulate microcystin, ug/L [...].

    Args:
      rng: source of the scatter between samples.
      phycocyanin_ug_l: [...].
      day_of_year: [...], broadcast.
      spread_log10: what place and bloom add to log10 of the quota [...], broadcast.

    Raises:
      ValueError: a phycocyanin is negative.
    """
    pigment = np.asarray(phycocyanin_ug_l, float)
    if (pigment < 0).any():
        raise ValueError(f"microcystin: expected phycocyanin from 0 ug/L, got {pigment.min():g}.")
    sample = SAMPLE_LOG10 * rng.standard_normal(pigment.shape)
    return pigment * 10.0 ** (quota_log10(day_of_year) + spread_log10 + sample)
