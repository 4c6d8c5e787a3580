"""A simulated lake through a season: stations, images, water samples, and the match-ups that come of them.

Nothing here was observed. The stations carry the names and positions of the GLERL programme in western Lake Erie, so that what
is written for the real file can be tried on this one; the year is one of which there are no observations.
"""

import numpy as np

from spectral_jax.matchups import AHEAD_DAYS, DETECTION_LIMIT_UG_L, Matchups
from spectral_jax.sensors import SensorSpec
from spectral_jax.simulate.lake import correction, state
from spectral_jax.simulate.lake.optics import Water
from spectral_jax.simulate.lake.rrs import in_bands
from spectral_jax.simulate.lake.toxin import BLOOM_LOG10, PLACE_LOG10, microcystin

# Medians of the positions in GLERL's samples, north, east; those with PACE match-ups come first.
STATIONS = (
    ("WE2", 41.763, -83.330), ("WE4", 41.827, -83.194), ("WE6", 41.707, -83.384), ("WE8", 41.834, -83.361),
    ("WE9", 41.718, -83.423), ("WE12", 41.704, -83.256), ("WE13", 41.743, -83.137), ("WE16", 41.659, -83.145),
    ("WE14", 41.719, -83.016), ("WE15", 41.618, -83.012),
)  # fmt: skip
NEAR_SHORE = ("WE6", "WE9")
YEAR = 2030
MIDDLE_DAY = 206  # 25 July; the weeks of sampling lie evenly about it, from 20 April at the earliest
NOW_DAYS = (-2.0, 2.0)  # from image to sample, as in the real file
_FIRST_DAY = 110
_SIDE = 3  # pixels, as in the real file
_CLOUDY = 0.35  # share of the stations that an image misses
_NOT_SAILED = 0.05  # of the samples
_SAMPLE_LOG10 = 0.05  # of extracted chlorophyll and phycocyanin: bottle against pixel


def simulate_matchups(seed: int, *, stations: int = 9, weeks: int = 14, spec: SensorSpec | None = None) -> Matchups:
    """Match-ups of a season of weekly sampling, with what the real ones have.

    One to three usable images a week at irregular days, some stations under clouds, some pixels missing, near the shore more;
    a sample a week, non-detects, the sample of now within two days and the one ahead 6 to 10 days after the image.

    Args:
      seed: of everything.
      stations: the first of `STATIONS`.
      weeks: of sampling.
      spec: the sensor, whose used bands are simulated; None: PACE OCI Rrs, version 3.

    Returns:
      Rows by image, then station, those that have a label; `simulated` is True.

    Raises:
      ValueError: a number of stations that the programme does not have, too few or too many weeks, or a sensor that cannot see
        this water.
    """
    if not 1 <= stations <= len(STATIONS) or not 2 <= weeks <= 28:
        raise ValueError(
            f"simulated lake: expected 1 to {len(STATIONS)} stations and 2 to 28 weeks, got {stations} and {weeks}."
        )
    spec = spec or SensorSpec.load("pace_oci_rrs_v3")
    rng = np.random.default_rng(seed)
    names, lat, lon = (np.array(x) for x in zip(*STATIONS[:stations], strict=True))
    first = max(_FIRST_DAY, round(MIDDLE_DAY - 3.5 * weeks))
    visits = _visits(rng, weeks)
    images = np.concatenate([7 * w + np.sort(rng.permutation(7)[: rng.integers(1, 4)]) for w in range(weeks)])
    days = np.broadcast_to(first + np.arange(7 * weeks), (stations, 7 * weeks))
    deviations = state.drifting(rng, np.stack([lon, lat], 1), 7 * weeks)
    water = state.water_of(rng, deviations, days, _SIDE, one_lake=True)
    samples = _samples(rng, water, days, visits)
    rrs = seen(rng, water, spec, one_scene_a_date=True)[:, images]
    clear = rng.random((len(images), stations)) > _CLOUDY
    image, place = np.nonzero(clear)
    rrs = np.where(_clouded(rng, np.isin(names, NEAR_SHORE)[place])[..., None], np.nan, rrs[place, image]).astype(np.float32)
    now, now_days = _nearest_sample(samples["toxin"][place], visits, images[image], NOW_DAYS)
    ahead, ahead_days = _nearest_sample(samples["toxin"][place], visits, images[image], AHEAD_DAYS)
    minutes = rng.integers(17 * 60, 19 * 60, len(images))
    midnight = np.datetime64(f"{YEAR}-01-01T00:00:00", "s") + (first - 1 + images).astype("timedelta64[D]")
    time = (midnight + minutes.astype("timedelta64[m]"))[image]
    made = Matchups(
        rrs=rrs, wavelength_nm=np.asarray(spec.centre_nm, float), station=names[place], time=time, lat=lat[place],
        lon=lon[place], granule=np.array([_granule(t) for t in time]),
        mc_now=np.maximum(now, DETECTION_LIMIT_UG_L), mc_now_censored=now < DETECTION_LIMIT_UG_L, mc_now_dt_days=now_days,
        mc_ahead=np.maximum(ahead, DETECTION_LIMIT_UG_L), mc_ahead_censored=ahead < DETECTION_LIMIT_UG_L,
        mc_ahead_dt_days=ahead_days,
        chla=_nearest_sample(samples["chlorophyll"][place], visits, images[image], NOW_DAYS)[0],
        pc=_nearest_sample(samples["phycocyanin"][place], visits, images[image], NOW_DAYS)[0],
        simulated=True, source=f"simulated lake, seed {seed}",
    )  # fmt: skip
    return made.take(np.isfinite(now) | np.isfinite(ahead))


def simulate_earlier_years(seed: int, *, years: int = 9, stations: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Samples of earlier years, of whose images nothing is known: what a climatology of the simulated lake is made of.

    Args:
      seed: of everything; the years have nothing in common with those of `simulate_matchups` but the laws of the lake.
      years: each from `_FIRST_DAY` on, 28 weeks.
      stations: the first of `STATIONS`.

    Returns:
      Day of the year [N] and microcystin [N], ug/L, not cut at the detection limit.
    """
    rng = np.random.default_rng([seed, years])
    lonlat = np.array([(lon, lat) for _, lat, lon in STATIONS[:stations]])
    days = np.broadcast_to(_FIRST_DAY + np.arange(7 * 28), (stations, 7 * 28))
    found = []
    for _ in range(years):
        water = state.water_of(rng, state.drifting(rng, lonlat, days.shape[1]), days, 1, one_lake=True)
        visits = _visits(rng, 28)
        toxin = _samples(rng, water, days, visits)["toxin"]
        found.append(np.stack([days[:, visits], toxin])[:, np.isfinite(toxin)])
    day, toxin = np.concatenate(found, axis=1)
    return day, toxin


def seen(rng: np.random.Generator, water: Water, spec: SensorSpec, *, one_scene_a_date: bool) -> np.ndarray:
    """Rrs of water [N T K K] as a product holds it: with errors, packed and unpacked, sr^-1, float32 [N T K K C].

    Args:
      rng: source of the errors.
      water: places and dates.
      spec: the sensor; its used bands.
      one_scene_a_date: places of a date lie in one image, whose haze they share; else each is an image of its own.

    Raises:
      ValueError: the sensor cannot see this water.
    """
    rrs = in_bands(water, spec)
    n, t = water.shape[:2]
    if one_scene_a_date:
        gain, offset = (np.moveaxis(x, 0, 1) for x in correction.scene_error(rng, t, n, spec.centre_nm))
    else:
        gain, offset = (x.reshape(n, t, -1) for x in correction.scene_error(rng, n * t, 1, spec.centre_nm))
    rrs *= gain[:, :, None, None]
    rrs += offset[:, :, None, None]
    rrs += correction.noise(rng, rrs.shape[:-1], spec.centre_nm)
    return correction.unpack(correction.pack(rrs, spec), spec)


def _visits(rng: np.random.Generator, weeks: int) -> np.ndarray:
    """Days of the boat's visits [V], from the first Monday on: Monday to Wednesday of each week."""
    return np.clip(7 * np.arange(weeks) + rng.integers(0, 3, weeks), 0, 7 * weeks - 1)


def _samples(rng: np.random.Generator, water: Water, days: np.ndarray, visits: np.ndarray) -> dict[str, np.ndarray]:
    """What the laboratory finds [N V], ug/L; NaN where the boat stayed in port."""
    stations, weeks = len(days), len(visits)
    pigments = {"chlorophyll": water.chlorophyll_ug_l, "phycocyanin": water.phycocyanin_ug_l}
    truth = {name: np.asarray(values).mean(axis=(2, 3), dtype=float)[:, visits] for name, values in pigments.items()}
    place = PLACE_LOG10 * rng.standard_normal((stations, 1))
    bloom = BLOOM_LOG10 * rng.standard_normal()
    toxin = microcystin(rng, truth["phycocyanin"], days[:, visits], place + bloom)
    found = {name: x * 10.0 ** (_SAMPLE_LOG10 * rng.standard_normal(x.shape)) for name, x in truth.items()}
    sailed = rng.random((stations, weeks)) > _NOT_SAILED
    return {name: np.where(sailed, x, np.nan) for name, x in (found | {"toxin": toxin}).items()}


def _nearest_sample(
    samples: np.ndarray, visits: np.ndarray, images: np.ndarray, window: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """The sample [R V] nearest to the middle of a window of days after each row's image [R], and those days; NaN without."""
    after = (visits[None] - images[:, None]).astype(float)
    usable = (after >= window[0]) & (after <= window[1]) & np.isfinite(samples)
    off = np.where(usable, np.abs(after - sum(window) / 2), np.inf)
    best = off.argmin(axis=1)[:, None]
    there = usable.any(axis=1)
    value, days = (np.take_along_axis(x, best, axis=1)[:, 0] for x in (samples, after))
    return np.where(there, value, np.nan), np.where(there, days, np.nan)


def _clouded(rng: np.random.Generator, near_shore: np.ndarray) -> np.ndarray:
    """Missing pixels, bool [R K K]: those beyond a straight edge at random, a cloud's or the shore's; never the middle one."""
    rows = len(near_shore)
    turn, edge = rng.uniform(0.0, 2.0 * np.pi, rows), rng.uniform(0.05, np.where(near_shore, 1.3, 2.4))
    y, x = np.mgrid[-1:2, -1:2]
    return np.cos(turn)[:, None, None] * x + np.sin(turn)[:, None, None] * y > edge[:, None, None]


def _granule(time: np.datetime64) -> str:
    stamp = str(time).replace("-", "").replace(":", "")
    return f"PACE_OCI.{stamp}.L2.OC_AOP.SIMULATED.nc"
