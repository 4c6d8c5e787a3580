"""One NetCDF file of PACE OCI: open it, find a variable, and unpack its numbers."""

import contextlib
import dataclasses
from pathlib import Path

import numpy as np

from spectral_jax import plausible
from spectral_jax.ingest import packing
from spectral_jax.sentences import needs

# Numbers unpacked at once: 64 MiB as float64.
_BLOCK = 2**23
# An offset of more steps than this lies far from 0, where no stored number of a packing that is used lies.
_FAR_OFFSET = 1000.0
# What a dimension is, by the last part of its name.
_ROLES = {
    "lines": ("number_of_lines", "lines", "line", "rows", "row", "lat", "latitude", "y"),
    "pixels": ("pixels_per_line", "pixel_control_points", "pixels", "pixel", "columns", "column", "lon", "longitude", "x"),
    "bands": ("wavelength_3d", "wavelength", "wavelengths", "number_of_bands", "bands", "band"),
}


@contextlib.contextmanager
def opened(path: Path):
    """An open `h5netcdf.File`.

    Raises:
      ImportError: h5netcdf is not installed.
      FileNotFoundError: there is no such file.
      ValueError: the file is no NetCDF-4, or damaged.
    """
    with needs("h5netcdf", "pace", "reading PACE files"):
        import h5netcdf
    if not path.is_file():
        raise FileNotFoundError(f"PACE file {path} does not exist.")
    try:
        # Dimensions without a name get one, as of files that another program wrote anew.
        file = h5netcdf.File(path, "r", phony_dims="access")
    except (OSError, RuntimeError, KeyError, AttributeError, TypeError) as error:  # a damaged file fails in many ways
        raise ValueError(
            f"{path}: expected a whole NetCDF-4 file, and it cannot be opened ({_first_line(error)}); it is truncated or of "
            "another format: fetch it again, or take it out of the folder."
        ) from error
    with file, _readable(path):
        yield file


@contextlib.contextmanager
def _readable(path: Path):
    """Turns what the library raises over a damaged part of a file into a sentence."""
    try:
        yield
    except (OSError, RuntimeError, KeyError, AttributeError, TypeError) as error:
        if isinstance(error, AttributeError | TypeError) and not _of_library(error):
            raise  # a fault of ours
        raise ValueError(
            f"{path}: a part of the file cannot be read ({_first_line(error)}); it is damaged: fetch it again, or take it out "
            "of the folder."
        ) from error


def _of_library(error: BaseException) -> bool:
    """Whether an error came up in the libraries that read the file."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return last is not None and any(name in last.tb_frame.f_code.co_filename for name in ("h5netcdf", "h5py"))


def find(file, name: str):
    """The variable `group/name` of an open file, or None."""
    group, _, own = name.rpartition("/")
    if group:
        file = file.groups.get(group)
    return None if file is None else file.variables.get(own)


def unpacked(
    variable, index: tuple[slice, ...], where: str, fills: tuple[float, ...] = (), kept: tuple[float, float] = (-np.inf, np.inf)
) -> np.ndarray:
    """Physical numbers of a cut of a variable, float32: `scale_factor * raw + add_offset`, NaN where it is missing.

    Missing is what any number of `_FillValue` and `missing_value` marks, what NetCDF's own default marks where the variable has
    no fill that its type can hold, what lies outside the valid range, and `fills`. What the packing clipped is kept: -32766
    stands for the lowest number that can be written (-0.015532 sr^-1 for Rrs).

    Args:
      variable: of an open file.
      index: slices, one a dimension.
      where: file and variable, for the sentences.
      fills: stored numbers that mean "no data" in this product, declared or not.
      kept: ends of a valid range that the product states, beyond which numbers are not missing.

    Raises:
      ValueError: whole numbers without a scale_factor, or attributes that cannot be understood.
    """
    said = packing.of_attributes(variable.attrs, where, variable.dtype)
    if np.issubdtype(variable.dtype, np.integer) and not _scaled(variable):
        raise ValueError(
            f"{where} is of type {variable.dtype} without the attribute 'scale_factor': packed integers whose meaning is lost; "
            "expected scale_factor and add_offset (2e-6 and 0.05 for Rrs), fetch the file anew."
        )
    low, high = -np.inf if said.low == kept[0] else said.low, np.inf if said.high == kept[1] else said.high
    said = dataclasses.replace(said, low=low, high=high)
    missing = (*fills, *packing.netcdf_fill(variable.attrs, where, variable.dtype))
    sizes = [len(range(*cut.indices(length))) for cut, length in zip(index, variable.shape, strict=True)]
    out = np.empty(sizes, np.float32)
    table = None
    if variable.dtype.kind in "iu" and variable.dtype.itemsize == 2 and out.size > 2**16 and variable.dtype.isnative:
        # Of 16 bits there are fewer numbers than most cuts have: each is unpacked once.
        table = _physical(np.arange(2**16, dtype=np.uint16).view(variable.dtype), said, missing)
    first = index[0].indices(variable.shape[0])[0]
    step = max(1, _BLOCK // max(1, int(np.prod(sizes[1:]))))
    for start in range(0, sizes[0], step):
        stop = min(start + step, sizes[0])
        raw = variable[(slice(first + start, first + stop), *index[1:])]
        _check_packed(raw, said, where)
        if table is not None:
            np.take(table, raw.view(np.uint16), out=out[start:stop], mode="wrap")
        else:
            out[start:stop] = _physical(raw, said, missing)
    return out


def text(value) -> str:
    """An attribute as text; empty where there is none."""
    if value is None:
        return ""
    value = np.ravel(value)[0] if np.size(value) else ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def roles(variable) -> tuple[str, ...]:
    """What each dimension of a variable is: lines, pixels, bands, or empty where its name does not tell."""
    names = [name.rpartition("/")[2].lower() for name in variable.dimensions]
    return tuple(next((role for role, words in _ROLES.items() if name in words), "") for name in names)


class Turned:
    """A variable with its dimensions in another order, read through slices."""

    def __init__(self, variable, axes: tuple[int, ...]):
        self.variable, self.axes = variable, axes
        self.attrs, self.dtype, self.name = variable.attrs, variable.dtype, variable.name
        self.shape = tuple(variable.shape[axis] for axis in axes)
        self.dimensions = tuple(variable.dimensions[axis] for axis in axes)

    def __getitem__(self, index) -> np.ndarray:
        stored: list = [slice(None)] * len(self.axes)
        for axis, cut in zip(self.axes, (slice(None),) * len(self.axes) if index is Ellipsis else index, strict=True):
            stored[axis] = cut
        return np.transpose(self.variable[tuple(stored)], self.axes)


def turned(variable, order: tuple[str, ...]):
    """A variable with its dimensions in an order of roles; as it stands where its names do not tell all of them."""
    found = roles(variable)
    if found == order or sorted(found) != sorted(order):
        return variable
    return Turned(variable, tuple(found.index(role) for role in order))


def _physical(raw: np.ndarray, said: packing.Packing, missing: tuple[float, ...]) -> np.ndarray:
    """Physical numbers, NaN where missing."""
    values, good = packing.unpacked(raw, said, missing)
    return np.where(good, values, np.float32(np.nan)).astype(np.float32)


def _scaled(variable) -> bool:
    return any(str(name).lower() in packing.SCALES for name in variable.attrs)


def _check_packed(raw: np.ndarray, said: packing.Packing, where: str) -> None:
    """Refuses numbers that were unpacked before, beside a scale that says they were not.

    Raises:
      ValueError: floats that are no whole ones, or whole ones that are too few steps from 0 for what they stand for.
    """
    if said.plain or not raw.size:
        return
    some = raw.reshape(-1)[:: max(1, raw.size // 4096)].astype(np.float64)
    some = some[packing.present(some, said) & np.isfinite(some)]
    if not some.size:
        return
    packing_is = f"scale_factor {said.scale:g} and add_offset {said.offset:g}"
    if raw.dtype.kind == "f" and np.mean(np.abs(some - np.rint(some)) > 1e-3) > 0.5:
        raise ValueError(
            f"{where} is of type {raw.dtype} with numbers such as {np.median(some):.4g}, which are no packed integers, beside "
            f"{packing_is}: they were unpacked already. Take the two attributes away, or fetch the file anew."
        )
    steps = float(np.quantile(np.abs(some), 0.99))
    if some.size >= plausible.ENOUGH and steps < plausible.LEAST_STEPS and abs(said.offset / said.scale) > _FAR_OFFSET:
        raise ValueError(
            f"{where}: the stored numbers are at most {steps:.4g}, so that all stand for {said.offset:g} ({packing_is}): they "
            "were unpacked before they were stored, or the scale was applied twice; fetch the file anew."
        )


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0].rstrip(".")
