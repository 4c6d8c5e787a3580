"""Fields of a match-up file as numbers, flags, times and names; what is none of them is named with file, field and row."""

import datetime
import tokenize
import zipfile
import zlib
from pathlib import Path

import numpy as np

# No sample holds more microcystin, ug/L: scum of Lake Erie reached 2,779. And pigments: 273,000.
MOST_MC_UG_L = 20_000.0
MOST_PIGMENT_UG_L = 1_000_000.0
# Ocean colour is seen from space since Nimbus-7.
_FIRST = np.datetime64("1978-10-24", "s")
_RULE = "fields 'time', 'lat' and 'lon' must be ISO times (2024-07-01T17:51:12) and degrees"
_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": False, "nan": False}


# What NumPy and its zip reader raise over files that are cut off, damaged or of another kind.
_UNREADABLE = (
    ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error, AttributeError, TypeError, KeyError, NotImplementedError,
    RuntimeError, OverflowError, MemoryError, SyntaxError, tokenize.TokenError,
)  # fmt: skip


def read(file: Path) -> dict[str, np.ndarray]:
    """Field -> array of an `.npz`; nothing in it is executed.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: it is no whole `.npz` of plain arrays.
    """
    if not file.is_file():
        raise FileNotFoundError(f"match-up file {file} does not exist.")
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except _UNREADABLE as error:
        raise ValueError(
            f"{file} cannot be read as an .npz of plain arrays ({error}); no pickled objects are read from outside."
        ) from error


def spectra(values: np.ndarray, where: str) -> np.ndarray:
    """The field `rrs` as [N K K C], in its own type; [N C] is one pixel a row.

    Raises:
      ValueError: another shape, other things than numbers, or an infinite one.
    """
    if values.dtype.kind not in "fiu":
        raise ValueError(f"{where}: field 'rrs' is of type {values.dtype}; expected numbers, sr^-1.")
    rrs = values[:, None, None, :] if values.ndim == 2 else values
    if rrs.ndim != 4 or rrs.shape[1] != rrs.shape[2]:
        raise ValueError(f"{where}: field 'rrs' has shape {values.shape}; expected [N K K C] or [N C].")
    if np.isinf(rrs).any():
        row = int(np.argmax(np.isinf(rrs).any(axis=(1, 2, 3))))
        raise ValueError(f"{where}: field 'rrs' of row {row} has infinite numbers; expected sr^-1, NaN where missing.")
    return rrs


def label(values: np.ndarray, name: str, where: str) -> np.ndarray:
    """A label of a match-up file: flags, days, or concentrations that a sample can have.

    Raises:
      ValueError: as `numbers` and `flags` do.
    """
    if name.endswith("censored"):
        return flags(values, name, where)
    if name in ("chla_surface", "pc_surface"):
        return numbers(values, name, where, 0.0, MOST_PIGMENT_UG_L)
    return numbers(values, name, where, high=MOST_MC_UG_L)


def numbers(values: np.ndarray, name: str, where: str, low: float = -np.inf, high: float = np.inf) -> np.ndarray:
    """A field as float64 of its shape; NaN stays.

    Raises:
      ValueError: it holds other things than numbers, an infinite one, or one beyond `low` and `high`.
    """
    if values.dtype.kind in "US":
        values = np.array([_number(x, name, where, row) for row, x in enumerate(values.ravel())]).reshape(values.shape)
    if values.dtype.kind not in "fiu":
        raise ValueError(f"{where}: field {name!r} is of type {values.dtype}; expected numbers.")
    out = values.astype(float)
    wrong = np.isinf(out) | (out < low) | (out > high)
    if wrong.any():
        row = int(np.argmax(wrong.reshape(len(out), -1).any(axis=1))) if out.ndim else 0
        first = out[wrong].ravel()[0]
        raise ValueError(
            f"{where}: field {name!r} of row {row} is {first:g}; expected finite numbers from {low:g} to {high:g}, NaN "
            f"where there is none ({int(wrong.sum())} are not)."
        )
    return out


def flags(values: np.ndarray, name: str, where: str) -> np.ndarray:
    """A field as bool of its shape: of bool, 0 and 1, or words such as True and False; NaN and empty words are False.

    Raises:
      ValueError: it holds anything else.
    """
    if values.dtype.kind == "b":
        return values
    plain = np.asarray([_word(x) for x in values.ravel().tolist()], object)
    wrong = np.array([word not in _FLAGS for word in plain], bool)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"{where}: field {name!r} of row {row} is {values.ravel().tolist()[row]!r}; expected True or False, or 1 or 0."
        )
    return np.array([_FLAGS[word] for word in plain], bool).reshape(values.shape)


def times(values: np.ndarray, where: str, simulated: bool = False) -> np.ndarray:
    """The field `time` as datetime64[s], UTC; of ISO times, with or without an offset from UTC, or datetime64.

    Raises:
      ValueError: one is no time, missing, in the future (which simulated ones may be), or before ocean colour was seen from
        space.
    """
    if values.dtype.kind == "M":
        out = values.astype("datetime64[s]")
    elif values.dtype.kind in "US":
        out = np.array([_time(_text(x), where, row) for row, x in enumerate(values.ravel())], "datetime64[s]").reshape(
            values.shape
        )
    else:
        raise ValueError(f"{where}: {_RULE}: 'time' is of type {values.dtype}, whose unit and origin nobody knows.")
    latest = np.datetime64(datetime.datetime.now(datetime.UTC).replace(tzinfo=None)).astype("datetime64[s]")
    wrong = ~((out >= _FIRST) & (simulated | (out <= latest + np.timedelta64(1, "D"))))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"{where}: field 'time' of row {row} is {out.ravel()[row]}; expected times from {_FIRST} on and not in the future "
            f"({int(wrong.sum())} rows have none)."
        )
    return out


def names(values: np.ndarray, name: str, where: str) -> np.ndarray:
    """A field of names, as text without spaces around; whole numbers are names too.

    Raises:
      ValueError: it holds other things than text or whole numbers.
    """
    if values.dtype.kind == "S":
        values = np.char.decode(values, "latin-1")
    if values.dtype.kind not in "Uiu":
        raise ValueError(f"{where}: field {name!r} is of type {values.dtype}; expected names.")
    return np.char.strip(values.astype(str))


def _number(cell, name: str, where: str, row: int) -> float:
    text = _text(cell).strip()
    try:
        if "_" in text:
            raise ValueError(text)
        return float(text or "nan")
    except ValueError as error:
        rule = (
            "fields 'time', 'lat' and 'lon' must be ISO times (2024-07-01T17:51:12) and degrees: "
            if name in ("lat", "lon")
            else ""
        )
        raise ValueError(f"{where}: {rule}field {name!r} of row {row} is {text!r}; expected a number.") from error


def _time(text: str, where: str, row: int) -> np.datetime64:
    try:
        time = datetime.datetime.fromisoformat(text.strip())
        if time.tzinfo is not None:
            time = time.astimezone(datetime.UTC).replace(tzinfo=None)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{where}: {_RULE}: 'time' of row {row} is {text!r}.") from error
    return np.datetime64(time).astype("datetime64[s]")


def _word(value) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return _text(value).strip().lower()


def _text(value) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
