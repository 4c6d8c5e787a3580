"""Match-ups: satellite spectra beside the water samples taken at the same place, in one checked file.

The file is an `.npz` of plain arrays (nothing in it is executed). Spectra, wavelengths, station, time and position are needed;
labels are there for training and may be missing for prediction. Reading never drops a row without counting it.
"""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from spectral_jax import matchup_fields, places, plausible
from spectral_jax.sensors import SensorSpec

DETECTION_LIMIT_UG_L = 0.1  # of particulate microcystin in the GLERL programme
NEEDED = ("rrs", "wavelength", "station", "time", "lat", "lon")
TARGETS = ("now", "ahead")
# Field of the file -> field of `Matchups`, for what may be missing.
_LABELS = {
    "mc_surface": "mc_now", "mc_surface_censored": "mc_now_censored", "mc_surface_dt_days": "mc_now_dt_days",
    "mc_ahead": "mc_ahead", "mc_ahead_censored": "mc_ahead_censored", "mc_ahead_dt_days": "mc_ahead_dt_days",
    "chla_surface": "chla", "pc_surface": "pc",
}  # fmt: skip
# The median of real water at 530-580 nm stays below this: 0.017 in western Lake Erie, at most 0.035 (PACE match-ups).
_BRIGHTEST_MEDIAN_RRS = 0.045
# Western basin of Lake Erie: west, south, east, north, degrees.
REGION = (-83.5, 41.3, -82.45, 42.2)
AHEAD_DAYS = (6.0, 10.0)
# Sampling is weekly: a sample further than half a week from an image belongs to another one.
MOST_NOW_DAYS = 3.5


@dataclasses.dataclass(frozen=True)
class Matchups:
    """N spectra patches with their labels.

    Attributes:
      rrs: remote-sensing reflectance, sr^-1, float32 [N K K C], NaN where missing. Negative numbers are kept.
      wavelength_nm: [C], increasing.
      station: [N] names.
      time: [N] datetime64[s], UTC.
      lat: [N] degrees north, and `lon` [N] degrees east.
      granule: [N] name of the scene's file; empty where the file does not say.
      mc_now: [N] particulate microcystin within two days of the image, ug/L; NaN where there is none.
      mc_now_censored: [N] True where `mc_now` is the detection limit and the truth is below it.
      mc_now_dt_days: [N] days from image to sample.
      mc_ahead: the sample 6 to 10 days after the image; `mc_ahead_censored` and `mc_ahead_dt_days` as above.
      chla: [N] extracted chlorophyll-a of the sample of now, ug/L, and `pc` phycocyanin.
      simulated: whether these are simulated and no observations.
      source: the file.
      left_out: reason -> rows that the file has and this does not.
    """

    rrs: np.ndarray
    wavelength_nm: np.ndarray
    station: np.ndarray
    time: np.ndarray
    lat: np.ndarray
    lon: np.ndarray
    granule: np.ndarray
    mc_now: np.ndarray
    mc_now_censored: np.ndarray
    mc_now_dt_days: np.ndarray
    mc_ahead: np.ndarray
    mc_ahead_censored: np.ndarray
    mc_ahead_dt_days: np.ndarray
    chla: np.ndarray
    pc: np.ndarray
    simulated: bool = False
    source: str = ""
    left_out: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rrs)

    @property
    def iso_week(self) -> np.ndarray:
        """[N] such as 2024-W36, of the image."""
        dates = self.time.astype("datetime64[D]").astype(object)
        return np.array(["{}-W{:02d}".format(*d.isocalendar()[:2]) for d in dates], "<U8")

    @property
    def day_of_year(self) -> np.ndarray:
        """[N] days since the year's first midnight, UTC."""
        return (self.time - self.time.astype("datetime64[Y]")).astype("timedelta64[s]").astype(float) / 86400.0

    def label(self, target: str) -> tuple[np.ndarray, np.ndarray]:
        """Microcystin [N] ug/L and whether it is censored [N], of target `now` or `ahead`."""
        if target not in TARGETS:
            raise ValueError(f"target: expected one of {', '.join(TARGETS)}, got {target!r}.")
        return getattr(self, f"mc_{target}"), getattr(self, f"mc_{target}_censored")

    def mean_rrs(self) -> np.ndarray:
        """Mean spectrum of each patch's valid pixels, sr^-1, float64 [N C]; NaN where a band has none."""
        return patch_mean(self.rrs)

    def take(self, rows: np.ndarray) -> "Matchups":
        """Some rows, in the order given (numbers, or a bool mask)."""
        arrays = {f.name: getattr(self, f.name)[rows] for f in dataclasses.fields(self) if f.name in _BY_ROW}
        return dataclasses.replace(self, **arrays)


_BY_ROW = {f.name for f in dataclasses.fields(Matchups)} - {"wavelength_nm", "simulated", "source", "left_out"}


def patch_mean(rrs: np.ndarray) -> np.ndarray:
    """Mean over the two pixel axes of [N K K C], skipping NaN; NaN where nothing is left. float64 [N C]."""
    good = np.isfinite(rrs)
    total = np.where(good, rrs, 0.0).sum(axis=(1, 2), dtype=np.float64)
    count = good.sum(axis=(1, 2))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def load(
    path: str | os.PathLike, *, labelled: bool = True, region: tuple[float, float, float, float] | None = REGION
) -> Matchups:
    """Reads and checks a match-up file.

    Args:
      path: the `.npz`.
      labelled: rows without any label, without any valid pixel, or of a repeated scene at one station are left out and
        counted, and `mc_surface` must be there. False, for prediction: every row is kept, in order.
      region: west, south, east, north; a station outside is refused. None: anywhere.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: a field is missing or has the wrong shape, wavelengths do not fit, the spectra are no Rrs in sr^-1, a label
        lies before its image, or a station lies outside the region.
    """
    file = places.local(path, "match-ups")
    fields = matchup_fields.read(file)
    missing = [name for name in (*NEEDED, *(["mc_surface"] if labelled else [])) if name not in fields]
    if missing:
        raise ValueError(f"{file}: field {missing[0]!r} is missing; expected {', '.join(NEEDED)}, found {', '.join(fields)}.")
    found = _checked(fields, file)
    if region is not None:
        _check_region(found, region)
    _check_label_times(found)
    return _without_unusable(found) if labelled else found


def save(path: str | os.PathLike, data: Matchups) -> None:
    """Writes a file that `load` reads back."""
    fields = {file: getattr(data, own) for file, own in _LABELS.items()}
    plain = {name: getattr(data, name) for name in ("rrs", "station", "lat", "lon", "granule")}
    np.savez_compressed(
        path, wavelength=data.wavelength_nm, time=np.datetime_as_string(data.time, unit="s"), iso_week=data.iso_week,
        simulated=np.array(data.simulated), **plain, **fields,
    )  # fmt: skip


def check_wavelengths(centre_nm: np.ndarray, bands: int, where: str) -> None:
    """Raises ValueError unless there is one wavelength a band, finite, increasing, and in nanometres."""
    if centre_nm.shape != (bands,):
        raise ValueError(
            f"{where}: field 'wavelength' has shape {centre_nm.shape}, and rrs has {bands} bands; expected one each."
        )
    if not np.isfinite(centre_nm).all() or (np.diff(centre_nm) <= 0).any():
        raise ValueError(f"{where}: field 'wavelength' must be finite and increase from band to band.")
    if centre_nm.max() < 10:
        raise ValueError(
            f"{where}: field 'wavelength' runs from {centre_nm[0]:g} to {centre_nm[-1]:g}, which looks like micrometres; "
            "expected nanometres (multiply by 1000)."
        )
    if centre_nm[0] < 300 or centre_nm[-1] > 2600:
        raise ValueError(
            f"{where}: field 'wavelength' runs from {centre_nm[0]:g} to {centre_nm[-1]:g}; expected nanometres within 300-2600."
        )


def check_unit(rrs: np.ndarray, centre_nm: np.ndarray, where: str) -> None:
    """Raises ValueError when spectra [N K K C] look like packed integers, percent or surface reflectance and not Rrs, sr^-1."""
    if np.issubdtype(rrs.dtype, np.integer):
        raise ValueError(
            f"{where}: field 'rrs' is of type {rrs.dtype}, packed integers; apply the product's scale_factor and add_offset "
            "(2e-6 and 0.05 for PACE OCI) and set the fill value to NaN."
        )
    green = (centre_nm >= 530) & (centre_nm <= 580)
    values = rrs[..., green] if green.any() else rrs
    values = values[np.isfinite(values)]
    if not values.size:
        return
    median = float(np.median(values))
    if abs(median) > 50:
        kind = "packed integers; apply scale_factor and add_offset"
    elif abs(median) > 0.5:
        kind = "percent; divide by 100, and by pi if they are surface reflectance"
    elif median > _BRIGHTEST_MEDIAN_RRS:
        kind = "surface reflectance rhos (unitless); Rrs is about rhos / pi, read the AOP product or divide by pi"
    else:
        return
    raise ValueError(
        f"{where}: field 'rrs' has a median of {median:.4g} at 530-580 nm, where Rrs of water stays below "
        f"{_BRIGHTEST_MEDIAN_RRS} sr^-1. It looks like {kind}."
    )


def _checked(fields: dict[str, np.ndarray], file: Path) -> Matchups:
    where = str(file)
    rrs = matchup_fields.spectra(fields["rrs"], where)
    n = len(rrs)
    blank = {
        "mc_now": np.full(n, np.nan), "mc_ahead": np.full(n, np.nan), "chla": np.full(n, np.nan), "pc": np.full(n, np.nan),
        "mc_now_dt_days": np.full(n, np.nan), "mc_ahead_dt_days": np.full(n, np.nan),
        "mc_now_censored": np.zeros(n, bool), "mc_ahead_censored": np.zeros(n, bool),
    }  # fmt: skip
    labels = {own: matchup_fields.label(fields[name], name, where) for name, own in _LABELS.items() if name in fields}
    simulated = bool(matchup_fields.flags(np.asarray(fields.get("simulated", False)), "simulated", where).any())
    time = matchup_fields.times(fields["time"], where, simulated)
    lat, lon = (
        matchup_fields.numbers(fields[name], name, where, -most, most) for name, most in (("lat", 90.0), ("lon", 180.0))
    )
    wavelength_nm = matchup_fields.numbers(fields["wavelength"], "wavelength", where)
    check_wavelengths(wavelength_nm, rrs.shape[-1], where)
    check_unit(fields["rrs"], wavelength_nm, where)
    spec = SensorSpec.load("pace_oci_rrs_v3")
    plausible.check(rrs, np.isfinite(rrs), spec, f"{where}: field 'rrs'", advice="convert it to Rrs, NaN where missing")
    made = Matchups(
        rrs=rrs.astype(np.float32), wavelength_nm=wavelength_nm,
        station=matchup_fields.names(fields["station"], "station", where), time=time, lat=lat, lon=lon,
        granule=matchup_fields.names(fields["granule"], "granule", where) if "granule" in fields else np.full(n, "", "<U1"),
        simulated=simulated, source=where, **(blank | labels),
    )  # fmt: skip
    for name in sorted(_BY_ROW):
        shape = getattr(made, name).shape
        if not shape or shape[0] != n:
            raise ValueError(f"{file}: {name} has {shape[0] if shape else 'no'} rows, and rrs has {n}.")
        if name != "rrs" and len(shape) != 1:
            raise ValueError(f"{file}: {name} has shape {shape}; expected one entry a row, ({n},).")
    return made


def _check_region(found: Matchups, region: tuple[float, float, float, float]) -> None:
    west, south, east, north = region
    outside = ~((found.lon >= west) & (found.lon <= east) & (found.lat >= south) & (found.lat <= north))
    if outside.any():
        row = int(np.argmax(outside))
        raise ValueError(
            f"{found.source}: fields 'lat' and 'lon' of row {row} (station {found.station[row]}) are {found.lat[row]:g}, "
            f"{found.lon[row]:g}, outside the region {west:g}..{east:g} E, {south:g}..{north:g} N ({int(outside.sum())} rows "
            "are); mend them, or set data.region to where your water is (none: anywhere)."
        )


def _check_label_times(found: Matchups) -> None:
    days = found.mc_now_dt_days
    wrong = np.isfinite(found.mc_now) & (np.abs(days) > MOST_NOW_DAYS)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"{found.source}: field 'mc_surface_dt_days' of row {row} is {days[row]:g}; a sample of now must be taken within "
            f"{MOST_NOW_DAYS:g} days of its image ({int(wrong.sum())} rows are not)."
        )
    low, high = AHEAD_DAYS
    days = found.mc_ahead_dt_days
    wrong = np.isfinite(found.mc_ahead) & np.isfinite(days) & ~((days >= low) & (days <= high))
    if wrong.any():
        row = int(np.argmax(wrong))
        when = "before the image" if days[row] < 0 else f"outside {low:g} to {high:g} days"
        raise ValueError(
            f"{found.source}: field 'mc_ahead_dt_days' of row {row} is {days[row]:g}, a label {when}; a forecast's label must "
            f"be taken {low:g} to {high:g} days after its image ({int(wrong.sum())} rows are not)."
        )
    negative = (found.mc_now < 0) | (found.mc_ahead < 0)
    if negative.any():
        raise ValueError(
            f"{found.source}: row {int(np.argmax(negative))} has a negative microcystin; expected ug/L from 0, NaN where there "
            "is none."
        )


def _without_unusable(found: Matchups) -> Matchups:
    """Without rows that cannot be used for training, each counted under the first reason that holds."""
    reasons = {
        "no valid pixel": ~np.isfinite(found.rrs).any(axis=(1, 2, 3)),
        "no microcystin label": ~np.isfinite(found.mc_now) & ~np.isfinite(found.mc_ahead),
        "the same spectrum twice": _repeats(found),
    }
    keep, counts = np.ones(len(found), bool), {}
    for reason, rows in reasons.items():
        counts[reason] = int((keep & rows).sum())
        keep &= ~rows
    if not keep.any():
        raise ValueError(f"{found.source}: no row is left: {', '.join(f'{n} {reason}' for reason, n in counts.items() if n)}.")
    return dataclasses.replace(found.take(keep), left_out={reason: n for reason, n in counts.items() if n})


def _repeats(found: Matchups) -> np.ndarray:
    """[N] True for a row whose station, time and numbers an earlier row has: one granule listed twice."""
    seen: set[tuple] = set()
    out = np.zeros(len(found), bool)
    for i in range(len(found)):
        key = (str(found.station[i]), str(found.time[i]), found.rrs[i].tobytes())
        out[i] = key in seen
        seen.add(key)
    return out
