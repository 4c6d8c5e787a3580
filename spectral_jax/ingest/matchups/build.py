"""Match-ups: spectra of PACE granules beside the water samples taken at the same stations, every loss counted."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from spectral_jax.ingest.matchups import labels
from spectral_jax.ingest.matchups.box import at as box_at
from spectral_jax.ingest.matchups.box import judged as judged_box
from spectral_jax.ingest.matchups.glerl import WaterSamples
from spectral_jax.ingest.matchups.granules import chosen as chosen_granules
from spectral_jax.ingest.pace import flags, read
from spectral_jax.ingest.pace.flags import Mask
from spectral_jax.ingest.pace.place import OutsideRegionError
from spectral_jax.ingest.pace.read import Granule
from spectral_jax.matchups import REGION, Matchups, check_unit

# A PACE pixel at nadir is so wide, and the public match-ups called HAB-F take the same limit.
MOST_KM = 1.2
# Version 3.2 writes 348.5 nm where earlier ones write the nominal 348; neighbouring bands are 1.25 nm apart.
_SAME_BAND_NM = 0.6
_FAR = "pairs: no pixel near enough"
_OUTSIDE = "granules: no pixel near the stations"
_NO_SAMPLE = "granules: no sample in their windows"
_NO_ROW = "granules: all their pairs left out"
_NO_LABEL = "samples: label of no row"


@dataclasses.dataclass(frozen=True)
class Rules:
    """How match-ups are made.

    Attributes:
      mask: flags that take pixels out, and rules for boxes.
      box: K, side of the box, pixels; odd.
      most_km: the nearest pixel may be this far from the station.
      now_days: a sample of now lies at most this many days before or after the image.
      region: west, south, east, north; a station outside is refused. None: anywhere.
    """

    mask: Mask = dataclasses.field(default_factory=lambda: flags.mask(flags.DEFAULT))
    box: int = 3
    most_km: float = MOST_KM
    now_days: int = labels.NOW_DAYS
    region: tuple[float, float, float, float] | None = REGION

    def __post_init__(self):
        if self.box < 1 or self.box % 2 == 0:
            raise ValueError(f"box: expected an odd number of pixels (3, 5, ...), got {self.box}.")
        if self.most_km <= 0 or self.now_days < 0:
            raise ValueError(f"most_km must be above 0 and now_days not below, got {self.most_km} and {self.now_days}.")
        if self.now_days >= labels.AHEAD_DAYS[0]:
            raise ValueError(
                f"now_days: expected fewer than {labels.AHEAD_DAYS[0]:g}, where the days ahead begin, got {self.now_days}."
            )


@dataclasses.dataclass(frozen=True)
class StationPair:
    """One image at one station: the samples (positions in the table) of now and of the days ahead, None where there is none."""

    station: str
    now: int | None
    ahead: int | None


def build(
    granules: Sequence[Path],
    samples: WaterSamples,
    rules: Rules | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> Matchups:
    """Match-ups of granules and samples, by time and station.

    A row is an image at a station with a sample of now, of the days ahead, or both. `left_out` of what comes back counts
    granules, samples and pairs (of an image and a station) by reason: all that went in are either in a row or counted.

    Args:
      granules: files of Level-2 AOP, of one set of bands.
      samples: of `glerl.read`.
      rules: None: the defaults.
      report: gets a line a granule, and a summary.

    Raises:
      ValueError: a file is not what it should be, granules have different bands, a station lies outside the region, or no row
        is left.
    """
    rules = rules or Rules()
    keep, lost = labels.usable(samples)
    left_out = Counter({f"samples: {reason}": n for reason, n in samples.left_out.items()} | lost)
    samples, keep, lost = labels.merged(samples, keep)
    left_out.update(lost)
    _check_region(samples, keep, rules.region)
    chosen, lost = chosen_granules([read.identify(path) for path in granules])
    left_out.update(lost)
    rows: list[dict] = []
    first, near = None, _around(samples, keep, rules.box)
    for who in chosen:
        wanted = pairs(samples, keep, who.time.astype("datetime64[D]"), rules.now_days)
        if not wanted:
            left_out[_NO_SAMPLE] += 1
            continue
        try:
            granule = read.read(who.path, region=near)
        except OutsideRegionError:
            left_out[_OUTSIDE] += 1
            continue
        assert isinstance(granule, Granule)  # only Level 2 is chosen
        first = first or granule
        _check_same_bands(granule, first)
        own, lost = _rows(granule, samples, wanted, rules)
        left_out.update(lost)
        left_out[_NO_ROW] += not own
        rows += own
        report(f"{who.granule}: {len(own)} of {len(wanted)} stations")
    used = {i for row in rows for i in (row["pair"].now, row["pair"].ahead) if i is not None}
    left_out[_NO_LABEL] += int(keep.sum()) - len(used)
    losses = {reason: n for reason, n in sorted(left_out.items()) if n}
    if first is None or not rows:
        raise ValueError(
            f"no match-up is left of {len(granules)} granules and {len(samples)} samples: "
            f"{'; '.join(f'{n} {reason}' for reason, n in losses.items())}."
        )
    versions = Counter(row["version"] for row in rows)
    report(f"{len(rows)} match-ups of processing version {', '.join(f'{v} ({n})' for v, n in sorted(versions.items()))}")
    matchups = _table(rows, samples, first.wavelength_nm, losses)
    check_unit(matchups.rrs, matchups.wavelength_nm, matchups.source)  # of all together: a single cut may have too few pixels
    return matchups


def pairs(samples: WaterSamples, keep: np.ndarray, day: np.datetime64, now_days: int = labels.NOW_DAYS) -> list[StationPair]:
    """The stations with a label for an image of a day, in the order of their names, each with its samples.

    Args:
      samples: N of them.
      keep: which can be labels, bool [N].
      day: of the image, datetime64[D].
      now_days: see `Rules`.
    """
    of_day = []
    for station in sorted(set(samples.station[keep].tolist()), key=_natural):
        own = np.flatnonzero(keep & (samples.station == station))
        dates = samples.date[own]
        now, ahead = labels.now(dates, day, now_days), labels.ahead(dates, day)
        if now is not None or ahead is not None:
            of_day.append(StationPair(station, *(None if i is None else int(own[i]) for i in (now, ahead))))
    return of_day


def _rows(granule: Granule, samples: WaterSamples, wanted: list[StationPair], rules: Rules) -> tuple[list[dict], Counter]:
    flagged = granule.flagged(rules.mask)
    rows: list[dict] = []
    lost: Counter[str] = Counter()
    for pair in wanted:
        place = pair.ahead if pair.now is None else pair.now
        lat, lon = float(samples.lat[place]), float(samples.lon[place])
        patch = box_at(granule, flagged, lat, lon, rules.box, rules.most_km)
        reason = _FAR
        if patch is not None:
            patch, reason = judged_box(patch, granule.wavelength_nm, rules.mask)
        if reason:
            lost[reason] += 1
            continue
        rows.append({
            "rrs": patch, "pair": pair, "lat": lat, "lon": lon, "time": granule.time, "granule": granule.granule,
            "version": granule.version,
        })  # fmt: skip
    return rows, lost


def _table(rows: list[dict], samples: WaterSamples, wavelength_nm: np.ndarray, left_out: dict[str, int]) -> Matchups:
    day = np.array([row["time"] for row in rows]).astype("datetime64[D]")

    def label(target: str, column: str, empty: float | np.datetime64 = np.nan) -> np.ndarray:
        index = [getattr(row["pair"], target) for row in rows]
        return np.array([empty if i is None else getattr(samples, column)[i] for i in index])

    def days(target: str) -> np.ndarray:
        date = np.array([label(target, "date", np.datetime64("NaT", "D"))]).ravel().astype("datetime64[D]")
        return np.where(np.isnat(date), np.nan, (date - day).astype(float))

    return Matchups(
        rrs=np.stack([row["rrs"] for row in rows]), wavelength_nm=wavelength_nm,
        station=np.array([row["pair"].station for row in rows]), time=np.array([row["time"] for row in rows]),
        lat=np.array([row["lat"] for row in rows]), lon=np.array([row["lon"] for row in rows]),
        granule=np.array([row["granule"] for row in rows]),
        mc_now=label("now", "mc"), mc_now_censored=label("now", "mc_censored", False).astype(bool), mc_now_dt_days=days("now"),
        mc_ahead=label("ahead", "mc"), mc_ahead_censored=label("ahead", "mc_censored", False).astype(bool),
        mc_ahead_dt_days=days("ahead"), chla=label("now", "chla"), pc=label("now", "pc"),
        source=f"PACE OCI and {', '.join(dict.fromkeys(samples.source.tolist()))}", left_out=left_out,
    )  # fmt: skip


def _check_same_bands(granule: Granule, first: Granule) -> None:
    a, b = first.wavelength_nm, granule.wavelength_nm
    if len(a) == len(b) and (np.abs(a - b) <= _SAME_BAND_NM).all():
        return
    where = "" if len(a) != len(b) else f", the largest difference {np.abs(a - b).max():.2f} nm"
    raise ValueError(
        f"{granule.source} (version {granule.version}) has {len(b)} bands of Rrs and {first.source} (version {first.version}) "
        f"{len(a)}{where}; one file of match-ups has one set of bands: build them apart."
    )


def _check_region(samples: WaterSamples, keep: np.ndarray, region: tuple[float, float, float, float] | None) -> None:
    if region is None:
        return
    west, south, east, north = region
    inside = (samples.lon >= west) & (samples.lon <= east) & (samples.lat >= south) & (samples.lat <= north)
    wrong = np.flatnonzero(keep & ~inside)
    if wrong.size:
        i = int(wrong[0])
        raise ValueError(
            f"{samples.source[i]}: row {samples.row[i]}: latitude and longitude of station {samples.station[i]} are "
            f"{samples.lat[i]:g}, {samples.lon[i]:g}, outside the region {west:g}..{east:g} E, {south:g}..{north:g} N "
            f"({wrong.size} samples are); mend the cells, or give the region of your water."
        )


def _around(samples: WaterSamples, keep: np.ndarray, box: int) -> tuple[float, float, float, float]:
    """West, south, east, north of the stations, with room for a box of pixels that are up to 3 km wide at the swath's edge."""
    margin = 0.05 + 0.03 * box
    lat, lon = samples.lat[keep], samples.lon[keep]
    if not lat.size:
        raise ValueError("no sample can be a label: none is of the surface with a position and particulate microcystin.")
    return float(lon.min() - margin), float(lat.min() - margin), float(lon.max() + margin), float(lat.max() + margin)


def _natural(station: str) -> tuple[str, float, str]:
    digits = station.removeprefix("WE")
    return ("WE", float(digits), station) if station.startswith("WE") and digits.isdigit() else ("~", 0.0, station)
