"""Fetching PACE OCI granules from NASA's Earthdata cloud, through `earthaccess` and the user's own account."""

import contextlib
import datetime
import os
import re
from collections.abc import Callable
from pathlib import Path

from spectral_jax.ingest.facts import facts
from spectral_jax.matchups import REGION
from spectral_jax.sentences import needs, unknown

_START = re.compile(r"\d{8}T\d{6}")


def fetch(
    start: str, end: str, folder: str | os.PathLike, *, product: str = "aop", near_real_time: bool = True, version: str = "",
    region: tuple[float, float, float, float] = REGION, most: int = 400, report: Callable[[str], None] = lambda line: None,
) -> list[Path]:  # fmt: skip
    """Fetches the granules of a period that touch a region; files that are there already are not fetched again.

    Args:
      start: first day, 2024-07-01.
      end: last day.
      folder: where the files go; made where it does not exist.
      product: `aop` or `sfrefl`.
      near_real_time: also granules of scenes that have no final one yet.
      version: of the processing, such as 3.1; empty: whatever the archive has.
      region: west, south, east, north, degrees.
      most: more granules than this are refused before anything is fetched; one granule of AOP is about 0.5 GB.
      report: gets a line with the count.

    Returns:
      The files, by name.

    Raises:
      ImportError: earthaccess is not installed.
      PermissionError: the account was not accepted.
      ValueError: no such product or period, no granule, or more than `most`.
      OSError: a granule could not be fetched.
    """
    names = facts("pace_oci")["download"]
    if product not in names:
        raise unknown("product", "product of PACE OCI", product, names)
    first, last = _days(start, end)
    with needs("earthaccess", "download", "fetching granules"):
        import earthaccess
    _log_in(earthaccess)
    period = (f"{first}T00:00:00", f"{last}T23:59:59")
    granules: list = []
    for name in names[product] if near_real_time else names[product][:1]:
        asked = {"short_name": name, "temporal": period, "bounding_box": region} | ({"version": version} if version else {})
        with _archive("was asked"):
            answer = earthaccess.search_data(**asked)
        granules += [granule for granule in answer if not _is_there(granule, granules)]
    what = f"granules of {product} between {first} and {last}"
    if not granules:
        raise ValueError(f"the archive has no {what} in the region {region}; take another period, region or version.")
    if len(granules) > most:
        raise ValueError(
            f"the archive has {len(granules)} {what}, more than {most}; take a shorter period or fetch it in parts."
        )
    report(f"{len(granules)} {what}")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with _archive("sent granules"):
        answer = earthaccess.download(granules, str(folder))
    paths = [Path(p) for p in answer if isinstance(p, str | os.PathLike)]
    if len(paths) < len(granules):
        raise OSError(
            f"{len(paths)} of {len(granules)} granules were fetched into {folder}; run the same command again to "
            "fetch the others."
        )
    return sorted(paths)


@contextlib.contextmanager
def _archive(doing: str):
    try:
        yield
    except Exception as error:  # earthaccess passes on what its libraries raise
        raise OSError(f"the archive failed while it {doing} ({error}); run the same command again to continue.") from error


def _is_there(granule, before: list) -> bool:
    """Whether the scene of a granule is among those before; scenes are told by the start in their names."""
    starts = [_START.search(g["umm"]["GranuleUR"]) for g in (granule, *before)]
    return starts[0] is not None and starts[0][0] in {start[0] for start in starts[1:] if start}


def _days(start: str, end: str) -> tuple[datetime.date, datetime.date]:
    try:
        first, last = (datetime.date.fromisoformat(day.strip()) for day in (start, end))
    except ValueError as error:
        raise ValueError(f"period: expected days such as 2024-07-01, got {start!r} and {end!r}.") from error
    if first > last:
        raise ValueError(f"period: the first day, {first}, lies after the last, {last}.")
    return first, last


def _log_in(earthaccess) -> None:
    advice = (
        "Earthdata did not accept the account; make one, then set EARTHDATA_USERNAME and EARTHDATA_PASSWORD, or write a file "
        "called .netrc."
    )
    try:
        account = earthaccess.login()
    except Exception as error:  # earthaccess has its own classes, which differ between its versions
        raise PermissionError(f"{advice} ({error})") from error
    if not getattr(account, "authenticated", False):
        raise PermissionError(advice)
