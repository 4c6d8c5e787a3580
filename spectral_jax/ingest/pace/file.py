"""One NetCDF file of PACE OCI: open it, tell what it is, and unpack its numbers."""

import contextlib
import dataclasses
import re
from pathlib import Path

import numpy as np

from spectral_jax.ingest.facts import facts
from spectral_jax.sentences import needs

# PACE_OCI.20240730T181157.L2.OC_AOP.V3_0.NRT.nc; Level 3 has 20240601_20240630 in place of the time, and more parts.
_NAME = re.compile(r"PACE_OCI\.(\d{8})(?:T(\d{6}))?[._].*\.nc4?$", re.IGNORECASE)
_NAME_VERSION = re.compile(r"\.V(\d+)_(\d+)\.")
# Numbers unpacked at once: 64 MiB as float64.
_BLOCK = 2**23


@dataclasses.dataclass(frozen=True)
class Identity:
    """What a file says it is.

    Attributes:
      path: the file.
      granule: its name as the archive gave it.
      product: `aop` (Level-2 Rrs), `sfrefl` (Level-2 rhos) or `l3m` (Level-3 mapped Rrs).
      version: of the processing, such as 3.1.
      near_real_time: made from predicted ancillary data, to be replaced by a final file of the same scene.
      time: start of the observation, UTC, datetime64[s].
    """

    path: Path
    granule: str
    product: str
    version: str
    near_real_time: bool
    time: np.datetime64


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
        file = h5netcdf.File(path, "r")
    except OSError as error:
        raise ValueError(
            f"{path}: expected a whole NetCDF-4 file, and it cannot be opened ({_first_line(error)}); it is truncated or of "
            "another format: fetch it again, or take it out of the folder."
        ) from error
    with file:
        yield file


def identify(file, path: Path) -> Identity:
    """Product, version and time of an open file, from its variables and attributes, and from its name where they are silent.

    Raises:
      ValueError: it is not of PACE OCI, of another product, of a version that is not read, or without a time.
    """
    title, said = text(file.attrs.get("title")), text(file.attrs.get("product_name"))
    # A user's path is believed first: archives name near-real-time files, the attribute does not always.
    granule = next((name for name in (path.name, said) if _NAME.search(name)), path.name)
    if text(file.attrs.get("instrument")).upper() != "OCI" and "OCI" not in title.split() and not _NAME.search(granule):
        raise ValueError(
            f"{path}: expected a file of PACE OCI, and its attributes 'instrument' and 'title' say "
            f"{text(file.attrs.get('instrument'))!r} and {title!r}."
        )
    return Identity(
        path=path, granule=granule, product=_product(file, path, title), version=_version(file, path, granule),
        near_real_time=".NRT" in granule.upper(), time=_time(file, path, granule),
    )  # fmt: skip


def find(file, name: str):
    """The variable `group/name` of an open file, or None."""
    group, _, own = name.rpartition("/")
    if group:
        file = file.groups.get(group)
    return None if file is None else file.variables.get(own)


def unpacked(variable, index: tuple[slice, ...], where: str) -> np.ndarray:
    """Physical numbers of a cut of a variable, float32: `scale_factor * raw + add_offset`, NaN where it has its fill value.

    What the packing clipped is kept: -32766 stands for the lowest number that can be written (-0.015532 sr^-1 for Rrs).

    Raises:
      ValueError: whole numbers without a scale_factor.
    """
    packed = np.issubdtype(variable.dtype, np.integer)
    scale, offset = (_number(variable.attrs.get(name)) for name in ("scale_factor", "add_offset"))
    if packed and scale is None:
        raise ValueError(
            f"{where} is of type {variable.dtype} without the attribute 'scale_factor': packed integers whose meaning is lost; "
            "expected scale_factor and add_offset (2e-6 and 0.05 for Rrs), fetch the file anew."
        )
    fills = [x for x in (_number(variable.attrs.get(name)) for name in ("_FillValue", "missing_value")) if x is not None]
    sizes = [len(range(*cut.indices(length))) for cut, length in zip(index, variable.shape, strict=True)]
    out = np.empty(sizes, np.float32)
    first = index[0].indices(variable.shape[0])[0]
    step = max(1, _BLOCK // max(1, int(np.prod(sizes[1:]))))
    for start in range(0, sizes[0], step):
        stop = min(start + step, sizes[0])
        raw = variable[(slice(first + start, first + stop), *index[1:])]
        value = raw.astype(np.float64) * (1.0 if scale is None else scale) + (offset or 0.0)
        for fill in fills:
            value[raw == raw.dtype.type(fill)] = np.nan
        out[start:stop] = value
    return out


def text(value) -> str:
    """An attribute as text; empty where there is none."""
    if value is None:
        return ""
    value = np.ravel(value)[0] if np.size(value) else ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _number(value) -> float | None:
    return None if value is None else float(np.ravel(value)[0])


def _product(file, path: Path, title: str) -> str:
    for product, layout in facts("pace_oci")["variables"].items():
        if find(file, f"{layout['group']}/{layout['variable']}".lstrip("/")) is not None:
            return product
    group = file.groups.get("geophysical_data", file)
    names = ", ".join(sorted(group.variables)[:6]) or "nothing"
    raise ValueError(
        f"{path}: expected PACE OCI Level-2 AOP (geophysical_data/Rrs), Level-2 SFREFL (geophysical_data/rhos) or Level-3 "
        f"mapped Rrs; this file's title is {title!r} and it holds {names}."
    )


def _version(file, path: Path, granule: str) -> str:
    said = text(file.attrs.get("processing_version"))
    parts = re.match(r"\s*[vV]?(\d+)(?:[._](\d+))?", said) or _NAME_VERSION.search(granule)
    if parts is None:
        raise ValueError(
            f"{path}: expected the attribute 'processing_version' or a name with .V3_0., got {said!r} and {granule!r}; the "
            "layout depends on the version."
        )
    major, minor = int(parts[1]), int(parts[2] or 0)
    known = facts("pace_oci")["major_versions"]
    if major not in known:
        raise ValueError(
            f"{path}: expected PACE processing version {' or '.join(f'{v}.x' for v in known)}, got {major}.{minor} (attribute "
            "'processing_version', or the name); fetch the granule in a newer version."
            + (" This version came after these readers." if major > max(known) else "")
        )
    return f"{major}.{minor}"


def _time(file, path: Path, granule: str) -> np.datetime64:
    said = text(file.attrs.get("time_coverage_start"))
    if said:
        try:
            return np.datetime64(said.strip().removesuffix("Z").removesuffix("+00:00")).astype("datetime64[s]")
        except ValueError as error:
            raise ValueError(
                f"{path}: expected a time such as 2024-07-30T18:11:57Z in the attribute 'time_coverage_start', got {said!r}."
            ) from error
    stamp = _NAME.search(granule)
    if stamp is None:
        raise ValueError(
            f"{path}: expected the attribute 'time_coverage_start', or a name such as "
            "PACE_OCI.20240730T181157.L2.OC_AOP.V3_0.nc."
        )
    day, clock = stamp[1], stamp[2] or "000000"
    iso = f"{day[:4]}-{day[4:6]}-{day[6:]}T{clock[:2]}:{clock[2:4]}:{clock[4:]}"
    try:
        return np.datetime64(iso, "s")
    except ValueError as error:
        raise ValueError(f"{path}: expected a date in the name, got {granule!r}; {iso} is none.") from error


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0].rstrip(".")
