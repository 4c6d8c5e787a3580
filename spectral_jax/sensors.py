"""What a sensor is: its bands by wavelength, its units and packing, and the statistics a model sees it through.

A `SensorSpec` travels with the store and with the checkpoint. Bands are identified by wavelength, never by position: the bands
a model uses are those outside `bad_intervals_nm`, and `differences` compares two specs in sentences.
"""

import dataclasses
import functools
import hashlib
import json
from pathlib import Path

import numpy as np

from spectral_jax import spec_files
from spectral_jax.sentences import unknown

KINDS = ("optical", "thermal", "radar")
DTYPES = ("int8", "uint8", "int16", "uint16", "int32", "float32")
# Two band tables of one instrument drift by less than this between scenes (EnMAP: below 1 nm); the centres of different
# instruments, such as Sentinel-2 A and B in band 12, differ by more.
CENTRE_TOLERANCE_NM = 2.0
_NUMBERS = (
    "gsd_m", "scale", "offset", "nodata", "valid_range", "low", "high", "mean", "std", "bad_intervals_nm", "token_edges_nm",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Band:
    """One channel. Radar channels have a polarisation and no wavelength."""

    name: str
    centre_nm: float | None = None
    fwhm_nm: float | None = None
    detector: str = ""
    polarisation: str = ""


@dataclasses.dataclass(frozen=True)
class SensorSpec:
    """Bands, units and packing of one product of one sensor.

    A stored number `dn` means `dn * scale + offset` in `unit`; `dn == nodata` (or NaN in a float product), and a value outside
    `valid_range`, mean that the pixel is missing. The model sees
    `(clip((value - low) / (high - low), 0, 1) - mean) / std`, with `mean` 0 and `std` 1 where they are empty.
    """

    name: str
    kind: str
    quantity: str
    unit: str
    gsd_m: float
    dtype: str
    bands: tuple[Band, ...]
    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = None
    valid_range: tuple[float, float] | None = None
    low: float = 0.0
    high: float = 1.0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    bad_intervals_nm: tuple[tuple[float, float], ...] = ()
    token_edges_nm: tuple[float, ...] = ()
    srf_file: str = ""

    def __post_init__(self):
        # 30 and 30.0 are equal, so they must also give one digest: numbers are floats from here on.
        for field in _NUMBERS:
            object.__setattr__(self, field, _floats(getattr(self, field)))
        _validate(self)

    def __hash__(self):
        return hash(self.digest)

    @classmethod
    def load(cls, name: str) -> "SensorSpec":
        """Reads `data_specs/sensors/<name>.toml`, or the TOML file at the path `name`.

        Raises:
          FileNotFoundError: there is no file at the path.
          ValueError: no sensor has the name, with the closest ones; or the file breaks a rule of a spec.
        """
        return _load(spec_files.find("sensors", name, "sensor", "sensor"))

    @functools.cached_property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that change when any field changes."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()[:16]

    @functools.cached_property
    def used_index(self) -> tuple[int, ...]:
        """Positions in `bands` of the bands outside every bad interval, in the order of `bands`."""
        return tuple(i for i, band in enumerate(self.bands) if not self._is_bad(band))

    @functools.cached_property
    def used(self) -> tuple[Band, ...]:
        """The bands a model sees."""
        return tuple(self.bands[i] for i in self.used_index)

    @functools.cached_property
    def centre_nm(self) -> np.ndarray:
        """Centres of the used bands, nm [C]; NaN for radar."""
        return np.array([np.nan if b.centre_nm is None else b.centre_nm for b in self.used])

    @functools.cached_property
    def fwhm_nm(self) -> np.ndarray:
        """Full widths at half maximum of the used bands, nm [C]; NaN for radar."""
        return np.array([np.nan if b.fwhm_nm is None else b.fwhm_nm for b in self.used])

    @functools.cached_property
    def token_group(self) -> np.ndarray:
        """For each used band, the number of the interval of `token_edges_nm` that holds it [C]."""
        return np.searchsorted(np.asarray(self.token_edges_nm), self.centre_nm, side="right")

    @property
    def groups(self) -> int:
        """How many groups `token_edges_nm` makes."""
        return len(self.token_edges_nm) + 1

    def without_bad_bands(self) -> "SensorSpec":
        """The same sensor with only the used bands."""
        return dataclasses.replace(self, bands=self.used, bad_intervals_nm=())

    def to_dict(self) -> dict:
        """JSON-ready form; bands as columns."""
        out = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "bands"}
        columns = {f.name: [getattr(b, f.name) for b in self.bands] for f in dataclasses.fields(Band)}
        out["bands"] = {k: v for k, v in columns.items() if any(x not in (None, "") for x in v)}
        return json.loads(json.dumps(out))

    @classmethod
    def from_dict(cls, data: dict) -> "SensorSpec":
        """The inverse of `to_dict`."""
        fields = {k: _tuples(v) for k, v in data.items() if k != "bands"}
        columns = data["bands"]
        rows = zip(*columns.values(), strict=True)
        return cls(bands=tuple(Band(**dict(zip(columns, row, strict=True))) for row in rows), **fields)

    def _is_bad(self, band: Band) -> bool:
        return band.centre_nm is not None and any(a <= band.centre_nm <= b for a, b in self.bad_intervals_nm)


def names() -> list[str]:
    """The sensors of `data_specs/sensors`."""
    return spec_files.names("sensors")


def differences(expected: SensorSpec, found: SensorSpec) -> list[str]:
    """What differs between two specs in the bands a model uses, their order, units and packing, as phrases.

    Empty when a model made for `expected` can read data described by `found`.
    """
    out = []
    for field in ("kind", "quantity", "unit", "gsd_m", "scale", "offset", "nodata", "dtype"):
        a, b = getattr(expected, field), getattr(found, field)
        if a != b:
            out.append(f"{field} {a!r} against {b!r}")
    ours, theirs = expected.used, found.used
    if len(ours) != len(theirs):
        out.append(f"{len(ours)} used bands against {len(theirs)}")
        return out
    a, b = expected.centre_nm, found.centre_nm
    off = np.flatnonzero(~(np.isnan(a) & np.isnan(b)) & ~(np.abs(a - b) <= CENTRE_TOLERANCE_NM))
    if len(off):
        i = int(off[0])
        what = "the order of bands" if np.allclose(np.sort(a), np.sort(b), atol=CENTRE_TOLERANCE_NM) else "wavelengths"
        out.append(
            f"{what}: {len(off)} of {len(a)} bands, the first being band {ours[i].name} at {a[i]:g} nm against "
            f"{theirs[i].name} at {b[i]:g} nm"
        )
    polarisations = [tuple(x.polarisation for x in bands) for bands in (ours, theirs)]
    if polarisations[0] != polarisations[1]:
        out.append(f"polarisations {polarisations[0]} against {polarisations[1]}")
    return out


def response(spec: SensorSpec, grid_nm: np.ndarray) -> np.ndarray:
    """Spectral response of every used band on a wavelength grid.

    Sampled responses where `srf_file` gives them, else Gaussians of the band's FWHM.

    Args:
      spec: an optical sensor.
      grid_nm: increasing wavelengths, nm [G].

    Returns:
      Non-negative weights [C G] whose rows sum to 1.

    Raises:
      ValueError: a band has no response on the grid.
    """
    sampled = _sampled_responses(spec.srf_file) if spec.srf_file else {}
    rows = []
    for band in spec.used:
        if band.name in sampled:
            row = np.interp(grid_nm, *sampled[band.name], left=0.0, right=0.0)
        else:
            sigma = band.fwhm_nm / (2.0 * np.sqrt(2.0 * np.log(2.0)))
            row = np.exp(-0.5 * ((grid_nm - band.centre_nm) / sigma) ** 2)
        if row.sum() < 1e-9:
            raise ValueError(
                f"{spec.name}: band {band.name} at {band.centre_nm} nm has no response on a grid from {grid_nm[0]:g} to "
                f"{grid_nm[-1]:g} nm; take a grid that covers it with steps below its width of {band.fwhm_nm} nm."
            )
        rows.append(row / row.sum())
    return np.stack(rows)


def nearest_bands(centre_nm: np.ndarray, wanted_nm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which bands stand for wanted wavelengths.

    Args:
      centre_nm: centres of a product's bands, nm [C], in any order.
      wanted_nm: nm [K].

    Returns:
      Position [K] in `centre_nm` of the band nearest to each, the first of two that are as near; and its distance, nm [K].
    """
    away = np.abs(np.asarray(centre_nm)[:, None] - np.asarray(wanted_nm))
    return away.argmin(axis=0), away.min(axis=0)


@functools.cache
def _load(path: Path) -> SensorSpec:
    data = spec_files.read_toml(path)
    for note in ("title", "sources"):
        data.pop(note, None)
    norm = data.pop("normalisation", {})
    missing = [f for f in ("name", "kind", "quantity", "unit", "gsd_m", "dtype", "bands") if f not in data]
    if missing:
        raise ValueError(f"{path}: expected the fields of a sensor, and {', '.join(missing)} are missing; complete the file.")
    bands = data.pop("bands")
    rows = spec_files.read_table(path.parent / bands) if isinstance(bands, str) else bands
    known = {f.name for f in dataclasses.fields(SensorSpec)}
    strangers = sorted((set(data) | set(norm)) - known)
    if strangers:
        raise unknown(str(path), "field of a sensor", strangers[0], sorted(known), most=len(known))
    try:
        return SensorSpec(bands=tuple(_band(row, path) for row in rows), **{k: _tuples(v) for k, v in (data | norm).items()})
    except (AttributeError, TypeError) as error:
        raise ValueError(f"{path}: a field is of another type than a sensor has there ({error}); correct the file.") from error


def _band(row: dict, path: Path) -> Band:
    try:
        row = {k: float(v) if k.endswith("_nm") else str(v) for k, v in row.items() if v != ""}
        return Band(**row)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: band row {row} is not a band ({error}).") from error


@functools.cache
def _sampled_responses(name: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    table: dict[str, list[tuple[float, float]]] = {}
    for row in spec_files.read_table(spec_files.folder("sensors") / name):
        table.setdefault(row["band"], []).append((float(row["wavelength_nm"]), float(row["relative_response"])))
    return {band: tuple(np.array(samples).T) for band, samples in table.items()}


def _tuples(value):
    return tuple(_tuples(v) for v in value) if isinstance(value, list | tuple) else value


def _floats(value):
    if isinstance(value, list | tuple):
        return tuple(_floats(v) for v in value)
    return None if value is None else float(value)


def _validate(spec: SensorSpec) -> None:
    def fail(text):
        raise ValueError(f"sensor {spec.name}: {text}")

    if spec.kind not in KINDS:
        fail(f"kind is {spec.kind!r}; expected one of {', '.join(KINDS)}.")
    if spec.dtype not in DTYPES:
        fail(f"dtype is {spec.dtype!r}; expected one of {', '.join(DTYPES)}.")
    if not spec.bands:
        fail("it has no bands; list at least one.")
    if len({b.name for b in spec.bands}) != len(spec.bands):
        fail("two bands have the same name; names must be unique.")
    for field in ("gsd_m", "scale", "offset", "low", "high"):
        if not np.isfinite(getattr(spec, field)):
            fail(f"{field} is {getattr(spec, field)}; expected a finite number.")
    if spec.gsd_m <= 0 or spec.scale == 0 or spec.high <= spec.low:
        fail(f"gsd_m {spec.gsd_m} must be above 0, scale {spec.scale} not 0, and high {spec.high} above low {spec.low}.")
    for band in spec.bands:
        if spec.kind == "radar" and not band.polarisation:
            fail(f"radar band {band.name} has no polarisation; give VV, VH, HH or HV.")
        if spec.kind != "radar" and (band.centre_nm is None or band.fwhm_nm is None):
            fail(f"band {band.name} lacks centre_nm or fwhm_nm; both are needed to identify it.")
        if band.centre_nm is not None and band.fwhm_nm is None:
            fail(f"band {band.name} has a centre of {band.centre_nm} nm and no width; give fwhm_nm too, or neither.")
        if band.centre_nm is not None and not (100.0 < band.centre_nm < 1e6 and 0.0 < (band.fwhm_nm or 0.0) < 1e5):
            fail(
                f"band {band.name} has centre {band.centre_nm} and FWHM {band.fwhm_nm}; expected nanometres "
                f"(a value below 100 is probably in micrometres: multiply by 1000)."
            )
    if spec.nodata is not None and np.dtype(spec.dtype).kind in "iu":
        info = np.iinfo(spec.dtype)
        if not (spec.nodata.is_integer() and info.min <= spec.nodata <= info.max):
            fail(f"nodata {spec.nodata} is not a number that dtype {spec.dtype} can hold ({info.min} to {info.max}).")
    if spec.valid_range is not None and spec.valid_range[0] >= spec.valid_range[1]:
        fail(f"valid_range {spec.valid_range} must be (low, high).")
    if any(a >= b for a, b in spec.bad_intervals_nm):
        fail(f"bad_intervals_nm {spec.bad_intervals_nm} must be pairs (low, high).")
    if list(spec.token_edges_nm) != sorted(set(spec.token_edges_nm)):
        fail("token_edges_nm must increase.")
    if not spec.used:
        fail("bad_intervals_nm removes every band.")
    for field in ("mean", "std"):
        value = getattr(spec, field)
        if value and not np.isfinite(value).all() or (field == "std" and value and min(value) <= 0):
            fail(f"{field} is {value}; expected finite numbers{', above 0' if field == 'std' else ''}.")
        if value and len(value) != len(spec.used):
            fail(f"{field} has {len(value)} numbers for {len(spec.used)} used bands.")
