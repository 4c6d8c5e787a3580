"""Cells of the GLERL CSVs: dates, clock times, positions, and concentrations with their codes."""

import dataclasses
import datetime
import re

import numpy as np

from spectral_jax.ingest.facts import facts
from spectral_jax.matchups import DETECTION_LIMIT_UG_L

# Digits of other scripts are \d too, and none that a laboratory writes. Thousands are parted by commas only where every group
# is whole; 1,5 stays unknown, and so does 1e5.
_NUMBER = r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?|[0-9]+(?:\.[0-9]*)?|\.[0-9]+"
_PLAIN = re.compile(rf"^({_NUMBER})$")
_BELOW = re.compile(rf"^<\s*({_NUMBER})$")
_DEGREES = re.compile(r"^([+-]?[0-9]{1,3}(?:\.[0-9]*)?)$")
# Nobody wrote water samples of western Lake Erie to these files before.
_FIRST_YEAR = 1990
# One cell of 2018 reads `2778.75 ± 294`; the sign is lost where the file was saved in another encoding.
_WITH_ERROR = re.compile(rf"^({_NUMBER})\s*(?:±|\+/-|\+-|�)\s*(?:{_NUMBER})$")
_DATE = re.compile(r"^([0-9]{1,2})/([0-9]{1,2})/([0-9]{4}|[0-9]{2})$")
_ISO = re.compile(r"^([0-9]{4})-([0-9]{2})-([0-9]{2})$")
_CLOCK = re.compile(r"^([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:\.0*)?)?(?:\s*([AaPp])\.?[Mm]\.?)?$")
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


def amount(cell: str, limit_ug_l: float = DETECTION_LIMIT_UG_L, most: float = np.inf, comma: bool = False) -> Amount:
    """A concentration from a cell.

    `<0.1` is the limit 0.1, censored; a code for "below detection" is `limit_ug_l`, censored (NaN where the limit is not known
    and NaN is given); an empty cell and the codes for "no data" are NaN; `2778.75 +/- 294` and `2,778.75` are 2778.75. A sign,
    an exponent, a letter beside a number, or more than `most` is unknown.

    Args:
      cell: as it stands in the file.
      limit_ug_l: see above.
      most: no concentration of the kind is larger.
      comma: the file writes decimals with a comma: `1,5` is 1.5, and `1.5` is unknown.
    """
    cell = cell.strip()
    if comma:
        cell = _decimal_point(cell)
    codes = facts("glerl_microcystin")["codes"]
    if cell.lower() in codes["missing"]:
        return Amount(np.nan)
    if cell.lower() in codes["below_detection"]:
        return Amount(limit_ug_l, censored=not np.isnan(limit_ug_l))
    if below := _BELOW.match(cell):
        return _within(float(below[1].replace(",", "")), most, censored=True)
    if number := _PLAIN.match(cell) or _WITH_ERROR.match(cell):
        return _within(float(number[1].replace(",", "")), most)
    return Amount(np.nan, known=False)


def _within(value: float, most: float, censored: bool = False) -> Amount:
    return Amount(value, censored) if np.isfinite(value) and value <= most else Amount(np.nan, known=False)


def _decimal_point(cell: str) -> str:
    """A cell of a file with decimal commas, its comma a point; empty thousands and points are kept apart from numbers."""
    return cell.replace(",", ".") if cell.count(",") == 1 and "." not in cell else cell if "." not in cell else f"?{cell}"


def date(cell: str) -> np.datetime64 | None:
    """datetime64[D] of m/d/yyyy, m/d/yy (of this century) or yyyy-mm-dd; None where it is none, before 1990 or to come."""
    if found := _ISO.match(cell.strip()):
        year, month, day = (int(part) for part in found.groups())
    elif found := _DATE.match(cell.strip()):
        month, day, year = (int(part) for part in found.groups())
        year += 2000 if len(found[3]) == 2 else 0
    else:
        return None
    try:
        taken = datetime.date(year, month, day)
    except ValueError:
        return None
    # A day more: the place's date, and this machine's, may differ.
    latest = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=1)
    return np.datetime64(taken, "D") if year >= _FIRST_YEAR and taken <= latest else None


def utc(day: np.datetime64, cell: str) -> np.datetime64 | None:
    """Time in UTC, datetime64[s], of a clock time of the US Eastern zone.

    NaT where the cell is empty, None where it is no time.

    The headers of 2012-2019 say Eastern time; later ones say nothing, and their times span the same hours of the morning, so
    the same is taken. 0:00 is no time: nobody samples at midnight, and the only one, of 2025, left before noon. `9:31 PM` and
    `9:31:00` are understood; 0931, 24:00 and 13:05 PM are not.
    """
    cell = cell.strip()
    if cell.lower() in facts("glerl_microcystin")["codes"]["missing"]:
        return np.datetime64("NaT", "s")
    found = _CLOCK.match(cell)
    if found is None or int(found[2]) > 59 or int(found[3] or 0) > 59:
        return None
    hour = int(found[1])
    if found[4]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if found[4] in "Pp" else 0)
    if hour > 23:
        return None
    minutes = 60 * hour + int(found[2])
    if minutes == 0:
        return np.datetime64("NaT", "s")
    behind = 4 if _daylight_saving(day) else 5
    return day.astype("datetime64[s]") + np.timedelta64(60 * (minutes + 60 * behind), "s")


def degrees(cell: str, most: float = 180.0, comma: bool = False) -> float | None:
    """A latitude or longitude in decimal degrees, at most `most` from 0; NaN where the cell is empty, None where it is none."""
    cell = _decimal_point(cell.strip()) if comma else cell.strip()
    if cell.lower() in facts("glerl_microcystin")["codes"]["missing"]:
        return np.nan
    found = _DEGREES.match(cell)
    return float(found[1]) if found and abs(float(found[1])) <= most else None


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
