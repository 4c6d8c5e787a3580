"""When the observation of a PACE file began: from its attributes, else from its name; both must say one thing."""

import datetime
import re

import numpy as np

# PACE_OCI.20240730T181157.L2.OC_AOP.V3_0.NRT.nc; Level 3 has 20240601_20240630 in place of the time, and more parts.
NAME = re.compile(r"PACE_OCI\.(\d{8})(?:T(\d{6}))?[._].*\.nc4?$", re.IGNORECASE)
LAUNCH = np.datetime64("2024-02-08T06:33:00", "s")
# Of the name of a file and its attribute, and of the clocks of two machines.
_APART = np.timedelta64(1, "D")


def of(said: str, granule: str, where: str) -> np.datetime64:
    """Start of an observation, UTC, datetime64[s].

    Args:
      said: the attribute `time_coverage_start`, ISO 8601 with or without an offset from UTC; empty where there is none.
      granule: name of the file as the archive gave it.
      where: the file, for the sentences.

    Raises:
      ValueError: neither has a time, the two lie more than a day apart, or nobody can have seen it: before PACE was launched or
        in the future.
    """
    stated = _of_attribute(said, where) if said.strip() else None
    named = _of_name(granule, where)
    time = named if stated is None else stated
    if time is None:
        raise ValueError(
            f"{where}: expected the attribute 'time_coverage_start', or a name such as "
            "PACE_OCI.20240730T181157.L2.OC_AOP.V3_0.nc."
        )
    if stated is not None and named is not None and abs(stated - named) > _APART:
        raise ValueError(
            f"{where}: the attribute 'time_coverage_start' is {said!r}, and the name {granule!r} says {named}; expected one "
            "time. Give the file its own name again, or fetch it anew."
        )
    now = np.datetime64(datetime.datetime.now(datetime.UTC).replace(tzinfo=None), "s")
    if time < LAUNCH or time > now + _APART:
        raise ValueError(
            f"{where}: expected a time after the launch of PACE ({LAUNCH}) and not in the future, got {time} (attribute "
            f"'time_coverage_start' {said!r}, name {granule!r}); fetch the file anew."
        )
    return time


def _of_attribute(said: str, where: str) -> np.datetime64:
    try:
        time = datetime.datetime.fromisoformat(said.strip().replace(" UTC", "Z"))
        if time.tzinfo is not None:
            time = time.astimezone(datetime.UTC).replace(tzinfo=None)
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"{where}: expected a time such as 2024-07-30T18:11:57Z in the attribute 'time_coverage_start', got {said!r}."
        ) from error
    return np.datetime64(time).astype("datetime64[s]")


def _of_name(granule: str, where: str) -> np.datetime64 | None:
    stamp = NAME.search(granule)
    if stamp is None:
        return None
    day, clock = stamp[1], stamp[2] or "000000"
    iso = f"{day[:4]}-{day[4:6]}-{day[6:]}T{clock[:2]}:{clock[2:4]}:{clock[4:]}"
    try:
        return np.datetime64(iso, "s")
    except ValueError as error:
        raise ValueError(f"{where}: expected a date in the name, got {granule!r}; {iso} is none.") from error
