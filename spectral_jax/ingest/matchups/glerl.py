"""Water samples of NOAA GLERL and CIGLR in western Lake Erie, from the CSVs as published, in all their header styles.

Every row of the files becomes a sample, whatever its depth, or is counted in `left_out`. Cells that cannot be read are
named with file, row and column.
"""

import csv
import dataclasses
import io
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from spectral_jax.ingest.facts import facts
from spectral_jax.ingest.matchups import glerl_cells
from spectral_jax.ingest.pace.place import distance_km

# A choice. From 2019 on nineteen of twenty fixes lie within 0.5 km of their station's median; of all files none lies between
# 2.9 and 3.5 km, and the 35 beyond are jumps of 3.6 to 166 km: wrong digits, or positions of other stations.
MOST_SHIFT_KM = 3.0
_NAMED = {",": "comma", ";": "semicolon", "\t": "tab"}


@dataclasses.dataclass(frozen=True)
class WaterSamples:
    """N water samples.

    Attributes:
      station: [N] such as WE2; places visited once keep the file's name.
      date: [N] datetime64[D], of the place.
      time: [N] datetime64[s], UTC; NaT where the file has no time.
      lat: degrees north [N], NaN where unknown; `lon` degrees east.
      depth: [N] surface, bottom, scum, mid or unknown.
      depth_m: [N] metres below the surface, NaN where the file has none.
      mc: particulate microcystin, ug/L [N], NaN where the file has none.
      mc_censored: [N] True where `mc` is the detection limit and the truth is below it.
      chla: extracted chlorophyll-a, ug/L [N]; `pc` extracted phycocyanin. A limit stands for what is below it (<0.36 is 0.36);
        NaN where the file has none, or a code without the limit.
      row: [N] line of the file, the header being 1.
      source: [N] name of the file.
      left_out: reason -> rows of the files that are not here.
      mended: what was put right -> samples.
      unknown: (file, row, column, cell) of each concentration with an unknown code; its number is NaN.
    """

    station: np.ndarray
    date: np.ndarray
    time: np.ndarray
    lat: np.ndarray
    lon: np.ndarray
    depth: np.ndarray
    depth_m: np.ndarray
    mc: np.ndarray
    mc_censored: np.ndarray
    chla: np.ndarray
    pc: np.ndarray
    row: np.ndarray
    source: np.ndarray
    left_out: Mapping[str, int] = dataclasses.field(default_factory=dict)
    mended: Mapping[str, int] = dataclasses.field(default_factory=dict)
    unknown: tuple[tuple[str, int, str, str], ...] = ()

    def __len__(self) -> int:
        return len(self.station)

    def take(self, rows: np.ndarray) -> "WaterSamples":
        """Some samples, in the order given (numbers, or a bool mask)."""
        return dataclasses.replace(self, **{name: getattr(self, name)[rows] for name in COLUMNS})


COLUMNS = tuple(f.name for f in dataclasses.fields(WaterSamples) if f.name not in ("left_out", "mended", "unknown"))


def read(
    paths: str | os.PathLike | Sequence[str | os.PathLike], *, unknown: str = "raise", most_shift_km: float = MOST_SHIFT_KM
) -> WaterSamples:
    """Reads one or more CSVs to one table, in the order of files and rows.

    Cells are parted by commas, semicolons (then decimals may have a comma) or tabs; text is UTF-8, UTF-16 or Latin-1.

    Args:
      paths: the files; the header style is found for each.
      unknown: `raise` on the first concentration whose code is in no list, or `collect` them in `WaterSamples.unknown`.
      most_shift_km: a fix further than this from its station's median is replaced by it, and counted.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: an unknown header, two columns of one thing, an unknown code, date, time, depth or position, or a number that
        the quantity cannot have; the sentence names file, row and column.
    """
    if unknown not in ("raise", "collect"):
        raise ValueError(f"unknown: expected 'raise' or 'collect', got {unknown!r}.")
    files = [Path(p) for p in ([paths] if isinstance(paths, str | os.PathLike) else paths)]
    rows: list[dict] = []
    left_out: Counter[str] = Counter()
    mended: Counter[str] = Counter()
    odd: list[tuple[str, int, str, str]] = []
    seen: set[tuple[str, ...]] = set()
    for path in files:
        for number, cells, headers, comma in _cells(path):
            if not any(cells.values()):
                left_out["empty row"] += 1
                continue
            sample, codes = _sample(path, number, cells, headers, comma)
            if codes and unknown == "raise":
                raise ValueError(_unknown_sentence(codes[0]))
            odd += codes
            key = tuple(str(sample[name]) if name in ("station", "date", "depth") else cell for name, cell in cells.items())
            if key in seen:
                left_out["the same sample twice"] += 1
                continue
            seen.add(key)
            mended[_mend_position(path, sample, most_shift_km)] += 1
            rows.append(sample)
    mended.pop("", None)
    columns = {name: np.array([row[name] for row in rows], dtype=_TYPES[name]) for name in COLUMNS}
    return WaterSamples(**columns, left_out=dict(left_out), mended=dict(mended), unknown=tuple(odd))


_TYPES: dict[str, np.typing.DTypeLike] = {
    "station": str, "date": "datetime64[D]", "time": "datetime64[s]", "lat": float, "lon": float, "depth": str,
    "depth_m": float, "mc": float, "mc_censored": bool, "chla": float, "pc": float, "row": int, "source": str,
}  # fmt: skip


def _cells(path: Path):
    """Line, field -> cell, and field -> header, of each row after the header."""
    if not path.is_file():
        raise FileNotFoundError(f"in-situ file {path} does not exist.")
    content = _text(path)
    separator = max(",;\t", key=content.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=separator, strict=True)
    try:
        yield from _rows(path, reader, separator)
    except csv.Error as error:
        raise ValueError(
            f"{path}: row {reader.line_num} cannot be read as cells ({error}); a quotation mark is missing or one too many."
        ) from error


def _text(path: Path) -> str:
    raw = path.read_bytes()
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            return raw.decode("utf-16")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{path}: expected text in UTF-16, as its first bytes say, and it is cut off ({error})."
            ) from error
    if b"\x00" in raw:
        raise ValueError(f"{path}: expected a CSV, and the file has bytes of 0: it is no text, or UTF-16 without its mark.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")  # 2012-2019, for the degree sign and the micro sign


def _rows(path: Path, reader, separator: str):
    header: list[str] = next(reader, [])
    place, headers = _style(path, header)
    for cells in reader:
        if cells and len(cells) != len(header):
            raise ValueError(
                f"{path}: row {reader.line_num} has {len(cells)} cells, and the header has {len(header)}; a "
                f"{_NAMED[separator]} is missing or one too many."
            )
        if cells:
            yield reader.line_num, {field: cells[i].strip() for field, i in place.items()}, headers, separator == ";"


def _style(path: Path, header: list[str]) -> tuple[dict[str, int], dict[str, str]]:
    plain = [_plain(name) for name in header]
    missing = {}
    styles = facts("glerl_microcystin")["styles"]
    for style, names in styles.items():
        missing[style] = [name for name in names.values() if _plain(name) not in plain]
        if not missing[style]:
            _check_alone(path, header, names, styles)
            return {field: plain.index(_plain(name)) for field, name in names.items()}, names
    style = min(missing, key=lambda s: len(missing[s]))
    raise ValueError(
        f"{path}: the header is of no known style ({', '.join(missing)}); the nearest is {style}, and it lacks "
        f"{', '.join(missing[style])}."
    )


def _check_alone(path: Path, header: list[str], names: Mapping[str, str], styles: Mapping[str, Mapping[str, str]]) -> None:
    """Refuses a header in which two columns mean one thing: a name that stands twice, or the name of another style."""
    for field in names:
        meant = {_plain(style[field]) for style in styles.values()}
        if field in ("mc", "pc", "chla"):  # or the same quantity in another unit
            meant |= {_quantity(name) for name in meant}
            columns = [name for name in header if _plain(name) in meant or _quantity(name) in meant]
        else:
            columns = [name for name in header if _plain(name) in meant]
        if len(columns) > 1:
            raise ValueError(
                f"{path}: expected one column of {names[field]!r}, and the header has {len(columns)}: "
                f"{', '.join(repr(name.strip()) for name in columns)}; take out those that are not meant."
            )


def _quantity(name: str) -> str:
    """A header without its unit."""
    return re.sub(r"[\s_]*(\(.*\)|[munp\u00b5]g[_/ ]?m?l(-1)?)$", "", _plain(name)).replace("_", " ")


def _plain(name: str) -> str:
    return name.strip().lower().replace("\u03bc", "\u00b5")  # the Greek letter mu for the micro sign


def _sample(
    path: Path, number: int, cells: dict[str, str], headers: dict[str, str], comma: bool
) -> tuple[dict, list[tuple[str, int, str, str]]]:
    """A row as a sample, and its concentrations with unknown codes."""

    def needed(field: str, value, expected: str):
        if value is None:
            raise ValueError(
                f"{path}: row {number}, column {headers[field]!r}: expected {expected}, got {cells[field]!r}; mend the cell."
            )
        return value

    day = needed("date", glerl_cells.date(cells["date"]), "a date such as 7/8/2024")
    if not cells["station"]:
        needed("station", None, "the name of a station")
    limits = facts("glerl_microcystin")["most"]
    metres = glerl_cells.amount(cells["depth_m"], most=limits["depth_m"], comma=comma)
    sample = {
        "station": glerl_cells.station(cells["station"]),
        "date": day,
        "time": needed("time", glerl_cells.utc(day, cells["time"]), "a time such as 9:31, or nothing"),
        "lat": needed("lat", glerl_cells.degrees(cells["lat"], 90.0, comma), "degrees, or nothing"),
        "lon": needed("lon", glerl_cells.degrees(cells["lon"], comma=comma), "degrees, or nothing"),
        "depth": needed("depth", glerl_cells.depth(cells["depth"]), "Surface, Bottom, Scum or Mid-column"),
        "depth_m": needed("depth_m", metres.value if metres.known and not metres.censored else None, "metres, or nothing"),
        "row": number, "source": path.name,
    }  # fmt: skip
    odd = []
    for field in ("mc", "chla", "pc"):
        # The limits of the pigments' methods are not published beside the data, so their `bdl` has no number.
        below = glerl_cells.DETECTION_LIMIT_UG_L if field == "mc" else np.nan
        amount = glerl_cells.amount(cells[field], below, limits[field], comma)
        sample[field] = amount.value
        if field == "mc":
            sample["mc_censored"] = amount.censored
        if not amount.known:
            odd.append((str(path), number, headers[field], cells[field]))
    return sample, odd


def _mend_position(path: Path, sample: dict, most_shift_km: float) -> str:
    """Puts a station's median in place of no fix or a wrong one; says what was done, empty where nothing was."""
    known = facts("glerl_microcystin")["stations"].get(sample["station"])
    if np.isnan(sample["lat"]) != np.isnan(sample["lon"]):
        raise ValueError(
            f"{path}: row {sample['row']}: expected latitude and longitude, or neither, got {sample['lat']:g} and "
            f"{sample['lon']:g} (nan: an empty cell); mend the row."
        )
    blank = np.isnan(sample["lat"])
    if known is None or (not blank and distance_km(sample["lat"], sample["lon"], *known) <= most_shift_km):
        return ""
    lat, lon = sample["lat"], sample["lon"]
    sample["lat"], sample["lon"] = known
    if blank:
        return "no position: the station's median taken"
    if not np.isnan(lon) and distance_km(lat, -lon, *known) <= most_shift_km:
        return "longitude without its minus sign: the station's median taken"
    if abs(lon) <= 90.0 and distance_km(lon, lat, *known) <= most_shift_km:
        return "latitude and longitude exchanged: the station's median taken"
    return "position too far off: the station's median taken"


def _unknown_sentence(code: tuple[str, int, str, str]) -> str:
    path, row, column, cell = code
    codes = facts("glerl_microcystin")["codes"]
    known = ", ".join(repr(c) for c in (*codes["below_detection"], *codes["missing"]))
    return (
        f"{path}: row {row}, column {column!r}: unknown code {cell!r}; expected a number, a limit such as <0.1, or one of "
        f"{known}. Mend the cell, or collect unknown codes instead (unknown='collect'): their numbers are then missing."
    )
