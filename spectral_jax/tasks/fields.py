"""Of what type each field of a task's TOML file is, told by file and field where a file has another."""

import re
from collections.abc import Mapping
from pathlib import Path

from spectral_jax.sentences import unknown

# Field -> what it holds, in the words of the sentences.
TEXT, WHOLE, TEXTS, NUMBERS, TABLE = "text", "a whole number", "a list of texts", "a list of numbers", "a table"
WHOLES = "a list of whole numbers"
CODES = "a list of whole numbers, or of lists of them"
TYPES = {
    "title": TEXT, "kind": TEXT, "image_px": WHOLE, "dates": WHOLE, "loss": TEXT, "metric": TEXT, "averaging": TEXT,
    "published_classes": WHOLE, "classes": TABLE, "targets": TABLE, "split": TABLE, "layout": TABLE, "sources": TABLE,
    "classes.codes": CODES, "classes.names": TEXTS, "classes.ignored": WHOLES, "classes.others": TEXT, "targets.names": TEXTS,
    "targets.units": TEXTS, "channels.sensor": TEXT, "channels.bands": TEXTS, "channels.count": WHOLE, "channels.unit": TEXT,
    "layout.name": TEXT, "layout.images": TEXT, "layout.labels": TEXT, "layout.image_ending": TEXT, "layout.label_ending": TEXT,
    "layout.file": TEXT, "layout.wavelength": TEXT, "layout.fwhm": TEXT, "layout.scene": TEXT, "layout.block": TEXT,
    "layout.order": TEXT, "layout.missing": NUMBERS,
}  # fmt: skip
CHANNELS = ("sensor", "bands", "count", "unit")
# Options of the layouts that need no code; those of published sets are known to their readers.
_PAIRS = ("images", "labels", "image_ending", "label_ending", "missing", "scene")
_ARRAYS = ("images", "labels", "order", "wavelength", "fwhm", "scene", "block", "missing")
OPTIONS = {"geotiff_pairs": (*_PAIRS, "splits"), "split_lists": (*_PAIRS, "splits"), "hdf5": _ARRAYS, "zarr": _ARRAYS}
ORDERS = ("NHWC", "NCHW")
# The smallest number of the fields that count something.
LOWEST = {"image_px": 1, "dates": 1, "published_classes": 1, "channels.count": 0}


def check(data: Mapping, path: Path) -> None:
    """Compares what a task's file holds with the types of its fields.

    Args:
      data: the whole file; fields that are not known here are left to the caller, save those of [[channels]].
      path: of the file, for the sentences.

    Raises:
      ValueError: a field is of another type, a count is too small, or a row of [[channels]] has an unknown field or no sensor.
    """
    for field, value in data.items():
        _typed(field, value, path)
        if TYPES.get(field) == TABLE:
            for key, inner in value.items():
                name = f"{field}.{key}"
                _typed(name, inner, path, {"split": WHOLE, "sources": TEXT}.get(field))
    rows = data.get("channels", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"{path}: channels is {rows!r}; expected tables, each under [[channels]].")
    for row in rows:
        strange = [key for key in row if key not in CHANNELS]
        if strange:
            raise unknown(
                f"{path}: [[channels]] has a row that is no group of channels",
                "field",
                strange[0],
                CHANNELS,
                most=len(CHANNELS),
            )
        if "sensor" not in row:
            raise ValueError(f"{path}: a row of [[channels]] that has {row} has no sensor; add the sensor of its bands.")
        for key, value in row.items():
            _typed(f"channels.{key}", value, path)
        if "count" in row and row.get("bands") and row["count"] != len(row["bands"]):
            raise ValueError(
                f"{path}: [[channels]] of {row['sensor']} has count = {row['count']} and {len(row['bands'])} bands; mend it."
            )
    _options(data.get("layout", {}), path)


def _typed(field: str, value: object, path: Path, kind: str | None = None) -> None:
    kind = kind or TYPES.get(field)
    if kind is None:
        return
    whole = lambda x: isinstance(x, int) and not isinstance(x, bool)  # noqa: E731
    good = {
        TEXT: lambda: isinstance(value, str),
        WHOLE: lambda: whole(value),
        TABLE: lambda: isinstance(value, dict),
        TEXTS: lambda: isinstance(value, list) and all(isinstance(x, str) for x in value),
        WHOLES: lambda: isinstance(value, list) and all(whole(x) for x in value),
        NUMBERS: lambda: isinstance(value, list) and all(whole(x) or isinstance(x, float) for x in value),
        CODES: lambda: isinstance(value, list) and all(whole(y) for x in value for y in (x if isinstance(x, list) else [x])),
    }[kind]()
    if not good:
        raise ValueError(f"{path}: {field} is {value!r}; expected {kind}.")
    lowest = LOWEST.get(field, 0 if field.startswith("split.") else None)
    if lowest is not None and isinstance(value, int) and value < lowest:
        raise ValueError(f"{path}: {field} is {value}; expected {lowest} or more.")


def _options(layout: Mapping, path: Path) -> None:
    """Refuses options that a layout without code does not have, and those that are not what they should be."""
    known = ("name", *OPTIONS.get(layout.get("name", ""), layout))
    strange = [key for key in layout if key not in known]
    if strange:
        raise unknown(f"{path}: [layout] {layout['name']}", "option", strange[0], known[1:], most=len(known))
    if layout.get("order", "NHWC") not in ORDERS:
        raise ValueError(f"{path}: layout.order is {layout['order']!r}; expected {' or '.join(ORDERS)}.")
    for field in ("scene", "block"):
        try:
            re.compile(layout.get(field, ""))
        except re.error as error:
            raise ValueError(
                f"{path}: layout.{field} is {layout[field]!r}, which is no pattern ({error}); correct it."
            ) from error
