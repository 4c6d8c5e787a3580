"""What the attributes of an array say about its numbers: scale, offset, fill values, valid range.

They mean what the CF conventions 1.11 say (sections 2.5.1 and 8.1), in NetCDF, HDF5, Zarr and the tags of a GeoTIFF alike. An
attribute that is there and cannot be understood is refused; a default is taken only where nothing is said.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

SCALES, OFFSETS = ("scale_factor", "scale"), ("add_offset", "offset")
FILLS = ("_FillValue", "missing_value", "nodata", "no_data", "fill_value")
RANGES = ("valid_range", "valid_min", "valid_max")
# What stands in an array of a NetCDF file where nothing was written and no fill is stated: NC_FILL_SHORT and its like, by type
# (NetCDF User's Guide, "Fill Values"). Bytes have none.
NETCDF_FILLS = {
    "i2": -32767, "u2": 65535, "i4": -2147483647, "u4": 4294967295, "i8": -9223372036854775806, "u8": 18446744073709551614,
    "f4": 9.969209968386869e36, "f8": 9.969209968386869e36,
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Packing:
    """How stored numbers become physical ones: `stored * scale + offset`, unless they are missing.

    Attributes:
      scale: see above.
      offset: see above.
      missing: stored numbers that mean "no data".
      low: lowest stored number that is data; -inf: any.
      high: highest stored number that is data; inf: any.
      stated: whether scale or offset are stated; where not, numbers are in the unit that the array is said to have.
      unsigned: stored signed integers stand for unsigned ones (`_Unsigned`, of NetCDF 3 and Zarr).
      masked: a mask beside the numbers says more of them, as in a GeoTIFF.
    """

    scale: float = 1.0
    offset: float = 0.0
    missing: tuple[float, ...] = ()
    low: float = -math.inf
    high: float = math.inf
    stated: bool = False
    unsigned: bool = False
    masked: bool = False

    @property
    def plain(self) -> bool:
        """Whether stored numbers are physical ones as they stand."""
        return self.scale == 1.0 and self.offset == 0.0


def of_attributes(attributes: Mapping[str, Any], where: str, dtype: Any = None) -> Packing:
    """The packing that an array's attributes state.

    Names are compared without regard to case. A number may be a number, an array of one or of several (`missing_value`), bytes,
    or text such as "0.0001".

    Args:
      attributes: of the array.
      where: file and array, for the sentences.
      dtype: of the stored numbers; a fill value that it cannot hold marks nothing, and is left out.

    Raises:
      ValueError: a scale is 0 or not finite, an attribute is no number, or two names of one thing say two things.
    """
    said = {str(name).lower(): value for name, value in attributes.items()}
    scale = _one(said, SCALES, where)
    offset = _one(said, OFFSETS, where)
    if scale is not None and (scale == 0.0 or not math.isfinite(scale)):
        raise ValueError(f"{where}: expected a scale_factor above or below 0, got {scale:g}; write the attribute again.")
    if offset is not None and not math.isfinite(offset):
        raise ValueError(f"{where}: expected a finite add_offset, got {offset:g}; write the attribute again.")
    unsigned = str(_plain(said.get("_unsigned", "false"))).strip().lower() == "true"
    fills = [x for name in FILLS for x in numbers(said.get(name.lower()), f"{where}: attribute {name}")]
    fills = [_as_unsigned(x, dtype) if unsigned else x for x in fills]
    held = [x for x in fills if not math.isnan(x) and _holds(dtype, x, unsigned)]
    stated = scale is not None or offset is not None
    ends = _range(said, where, dtype if unsigned else None)
    low, high = _stored(ends, dtype, 1.0 if scale is None else scale, offset or 0.0, unsigned, stated)
    return Packing(1.0 if scale is None else scale, offset or 0.0, tuple(dict.fromkeys(held)), low, high, stated, unsigned)


def netcdf_fill(attributes: Mapping[str, Any], where: str, dtype: Any) -> tuple[float, ...]:
    """The fill that NetCDF's own default gives an array whose `_FillValue` is not stated, or cannot be held by its type.

    Raises:
      ValueError: `_FillValue` is no number.
    """
    kind = np.dtype(dtype)
    stated = numbers(attributes.get("_FillValue"), f"{where}: attribute _FillValue")
    default = NETCDF_FILLS.get(f"{kind.kind}{kind.itemsize}")
    if default is None or any(_marks(kind, x) for x in stated):
        return ()
    return (default,)


def unpacked(raw: np.ndarray, packing: Packing, missing: tuple[float, ...] = ()) -> tuple[np.ndarray, np.ndarray]:
    """Physical numbers, and where they are data.

    Args:
      raw: stored numbers of any shape and type.
      packing: of the array.
      missing: further stored numbers that mean "no data".

    Returns:
      float32 where there is something to unpack, else the stored numbers in their own type; and bool, alike in shape.
    """
    if packing.unsigned and raw.dtype.kind == "i":
        raw = raw.view(raw.dtype.str.replace("i", "u"))
    good = present(raw, packing, missing)
    if packing.plain:
        return raw, good
    values = raw.astype(np.float64)
    values *= packing.scale
    values += packing.offset
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is judged as any other number
        return values.astype(np.float32), good


def present(raw: np.ndarray, packing: Packing, missing: tuple[float, ...] = ()) -> np.ndarray:
    """Where stored numbers are data: finite, none of the missing ones, and in the valid range; bool in the shape of `raw`."""
    good = np.isfinite(raw) if raw.dtype.kind == "f" else np.ones(raw.shape, bool)
    for number in dict.fromkeys((*packing.missing, *missing)):
        if _holds(raw.dtype, number, False):
            good &= raw != raw.dtype.type(number)
    if packing.low > -math.inf:
        good &= raw >= _whole(raw.dtype, packing.low, math.ceil)
    if packing.high < math.inf:
        good &= raw <= _whole(raw.dtype, packing.high, math.floor)
    return good


def numbers(value: Any, where: str) -> list[float]:
    """The numbers of an attribute: none, one, or several.

    Raises:
      ValueError: it is text that is no number.
    """
    value = _plain(value)
    if value is None or (isinstance(value, str) and not value.strip()):
        return []
    many = value if isinstance(value, list) else [value]
    out = []
    for one in many:
        try:
            # Whole numbers stay whole: a fill of 64 bits is not among the floats.
            whole = isinstance(one, int) and not isinstance(one, bool)
            out.append(one if whole else _float(one.decode() if isinstance(one, bytes) else one))
        except (TypeError, ValueError, UnicodeDecodeError) as error:
            raise ValueError(f"{where}: expected a number, got {one!r}; write the attribute again.") from error
    return out


def _one(said: Mapping[str, Any], names: tuple[str, ...], where: str) -> float | None:
    """The one number that some of `names` state; None where none does."""
    found = {name: numbers(said[name.lower()], f"{where}: attribute {name}") for name in names if name.lower() in said}
    values = {x for several in found.values() for x in several}
    if len(values) > 1:
        raise ValueError(
            f"{where}: expected one number in {' and '.join(found)}, got {', '.join(f'{x:g}' for x in sorted(values))}; write "
            "the attributes again."
        )
    return values.pop() if values else None


def _range(said: Mapping[str, Any], where: str, dtype: Any) -> tuple[float, float]:
    """Ends as they are stated; `dtype` is the type whose negative numbers stand for unsigned ones, None where none does."""
    found = {name: numbers(said.get(name), f"{where}: attribute {name}") for name in RANGES}
    lows, highs = (found["valid_range"][cut] for cut in (slice(0, 1), slice(1, None)))
    sizes = {len(found["valid_range"]) in (0, 2), len(found["valid_min"]) < 2, len(found["valid_max"]) < 2}
    lows, highs = (
        [x if dtype is None else _as_unsigned(x, dtype) for x in (*ends, *found[name])]
        for ends, name in ((lows, "valid_min"), (highs, "valid_max"))
    )
    low, high = max(lows, default=-math.inf), min(highs, default=math.inf)
    if sizes != {True} or any(math.isnan(x) for x in (*lows, *highs)) or low > high:
        raise ValueError(
            f"{where}: expected a lowest and a highest number in {', '.join(RANGES)}, got {found}; write them again."
        )
    return low, high


def _stored(
    ends: tuple[float, float], dtype: Any, scale: float, offset: float, unsigned: bool, stated: bool
) -> tuple[float, float]:
    """A valid range in stored numbers.

    Of integers with a scale a range of floats that the packing can reach is one of physical numbers (NetCDF User's Guide,
    "valid_range": of the type of scale_factor it bounds what was unpacked). All others bound stored numbers.
    """
    kind = np.dtype(np.float64 if dtype is None else dtype)
    low, high = ends
    if kind.kind not in "iu":
        return low, high
    if stated and isinstance(low, float) and isinstance(high, float):
        reach = sorted(x * scale + offset for x in _limits(kind, unsigned))
        if all(reach[0] <= x <= reach[1] for x in (low, high) if math.isfinite(x)):
            low, high = sorted(((low - offset) / scale, (high - offset) / scale))
            # A thousandth of a step is rounding: the ends of a range belong to it.
            low = low if math.isinf(low) else math.ceil(low - 1e-3)
            high = high if math.isinf(high) else math.floor(high + 1e-3)
    return low, high


def _limits(kind: np.dtype, unsigned: bool) -> tuple[int, int]:
    limits = np.iinfo(kind)
    if unsigned and kind.kind == "i":
        return 0, 2 * int(limits.max) + 1
    return int(limits.min), int(limits.max)


def _holds(dtype: Any, number: float, unsigned: bool) -> bool:
    """Whether a type can hold a number; a fill that it cannot hold is in no pixel."""
    kind = np.dtype(np.float64 if dtype is None else dtype)
    if kind.kind == "f":
        return math.isinf(number) or abs(number) <= float(np.finfo(kind).max)
    if kind.kind not in "iu":
        return True
    low, high = _limits(kind, unsigned)
    return math.isfinite(number) and number == int(number) and low <= number <= high


def _marks(kind: np.dtype, number: float) -> bool:
    """Whether a stated fill can be in an array of a type; NaN can only be among floats."""
    if math.isnan(number):
        return kind.kind == "f"
    return _holds(kind, number, True) or _holds(kind, number, False)


def _as_unsigned(number: float, dtype: Any) -> float:
    """What a number of a signed type stands for under `_Unsigned`: -1 is 65535 of 16 bits."""
    kind = np.dtype(np.float64 if dtype is None else dtype)
    if kind.kind == "i" and np.iinfo(kind).min <= number < 0:
        return number + 2 ** (8 * kind.itemsize)
    return number


def _whole(dtype: np.dtype, end: float, rounded) -> float:
    """An end of a range in a form that compares with numbers of a type without turning them all into floats."""
    return rounded(end) if dtype.kind in "iu" else end


def _float(value: Any) -> float:
    """`float`, but for what only Python calls a number: 1_000."""
    if isinstance(value, str) and "_" in value:
        raise ValueError(value)
    return float(value)


def _plain(value: Any) -> Any:
    """An attribute as Python has it: arrays of one as their number, others as lists; bytes as text."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        value = list(value)
        return value[0] if len(value) == 1 else value
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
