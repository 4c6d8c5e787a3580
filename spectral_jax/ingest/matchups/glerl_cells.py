"""Cells of the GLERL CSVs: dates, clock times, positions, and concentrations with their codes."""

import dataclasses
import datetime
import re

import numpy as np

from spectral_jax.ingest.facts import facts
from spectral_jax.matchups import DETECTION_LIMIT_UG_L

_NUMBER = r"\d+(?:\.\d*)?|\.\d+"
_PLAIN = re.compile(rf"^({_NUMBER})$")
_BELOW = re.compile(rf"^<\s*({_NUMBER})$")
# One cell of 2018 reads `2778.75 ± 294`; the sign is lost where the file was saved in another encoding.
_WITH_ERROR = re.compile(rf"^({_NUMBER})\s*(?:±|\+/-|\+-|�)\s*(?:{_NUMBER})$")
_DATE = re.compile(r"^(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})$")
_CLOCK = re.compile(r"^(\d{1,2}):(\d{2})(?::\d{2})?$")
_STATION = re.compile(r"^WE\s*0*(\d+)$", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Amount:
    """A concentration.

    Attributes:
      value: ug/L, NaN where there is none.
      censored: `value` is a limit, and the truth is below it.
      known: False for a code that is in no list.
    """

    value: float
    censored: bool = False
    known: bool = True


def amount(cell: str, limit_ug_l: float = DETECTION_LIMIT_UG_L) -> Amount:
    """A concentration from a cell.

    `<0.1` is the limit 0.1, censored; a code for "below detection" is `limit_ug_l`, censored (NaN where the limit is not known
    and NaN is given); an empty cell and the codes for "no data" are NaN; `2778.75 +/- 294` is 2778.75.
    """
    cell = cell.strip()
    codes = facts("glerl_microcystin")["codes"]
    if cell.lower() in codes["missing"]:
        return Amount(np.nan)
    if cell.lower() in codes["below_detection"]:
        return Amount(limit_ug_l, censored=not np.isnan(limit_ug_l))
    if below := _BELOW.match(cell):
        return Amount(float(below[1]), censored=True)
    if number := _PLAIN.match(cell) or _WITH_ERROR.match(cell):
        return Amount(float(number[1]))
    return Amount(np.nan, known=False)


def date(cell: str) -> np.datetime64 | None:
    """datetime64[D] of m/d/yyyy or m/d/yy (of this century); None where it is no date."""
    found = _DATE.match(cell.strip())
    if found is None:
        return None
    month, day, year = (int(part) for part in found.groups())
    try:
        return np.datetime64(datetime.date(year + 2000 if year < 100 else year, month, day), "D")
    except ValueError:
        return None


def utc(day: np.datetime64, cell: str) -> np.datetime64 | None:
    """Time in UTC, datetime64[s], of a clock time of the US Eastern zone.

    NaT where the cell is empty, None where it is no time.

    The headers of 2012-2019 say Eastern time; later ones say nothing, and their times span the same hours of the morning, so
    the same is taken. 0:00 is no time: nobody samples at midnight, and the only one, of 2025, left before noon.
    """
    cell = cell.strip()
    if cell.lower() in facts("glerl_microcystin")["codes"]["missing"]:
        return np.datetime64("NaT", "s")
    found = _CLOCK.match(cell)
    if found is None or int(found[1]) > 23 or int(found[2]) > 59:
        return None
    minutes = 60 * int(found[1]) + int(found[2])
    if minutes == 0:
        return np.datetime64("NaT", "s")
    behind = 4 if _daylight_saving(day) else 5
    return day.astype("datetime64[s]") + np.timedelta64(60 * (minutes + 60 * behind), "s")


def degrees(cell: str) -> float | None:
    """A latitude or longitude; NaN where the cell is empty, None where it is no number."""
    cell = cell.strip()
    if cell.lower() in facts("glerl_microcystin")["codes"]["missing"]:
        return np.nan
    try:
        return float(cell)
    except ValueError:
        return None


def station(cell: str) -> str:
    """WE2 for WE2, WE02, we 2; other names as they are."""
    found = _STATION.match(cell.strip())
    return f"WE{int(found[1])}" if found else cell.strip()


def depth(cell: str) -> str | None:
    """surface, bottom, scum, mid, or unknown for an empty cell; None for any other word."""
    return next((name for name, words in facts("glerl_microcystin")["depths"].items() if cell.strip().lower() in words), None)


def _daylight_saving(day: np.datetime64) -> bool:
    """From the second Sunday of March to the first of November, the rule since 2007 (Energy Policy Act of 2005)."""
    year = day.astype("datetime64[Y]")
    starts, ends = (_sunday(year + np.timedelta64(months, "M"), nth) for months, nth in ((2, 2), (10, 1)))
    return bool(starts <= day < ends)


def _sunday(month: np.datetime64, nth: int) -> np.datetime64:
    first = month.astype("datetime64[D]")
    weekday = (first.astype(int) + 3) % 7  # 1970-01-01 was a Thursday; Monday is 0
    return first + np.timedelta64(int((6 - weekday) % 7 + 7 * (nth - 1)), "D")
