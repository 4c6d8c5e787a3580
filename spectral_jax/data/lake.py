"""A simulated lake through its seasons: what its places hold on each day, and match-ups of it with water samples.

Nothing here was observed. Logarithms of the concentrations follow an Ornstein-Uhlenbeck process about the place's own level
and the season, so the state a week ahead is partly known from that of now: biomass forgets in some ten days, sediment in two,
dissolved matter in a month (choices).
"""

import numpy as np

from spectral_jax.data import water_correction, water_prior, water_rrs, water_toxin
from spectral_jax.data.water_optics import Water
from spectral_jax.matchups import AHEAD_DAYS, DETECTION_LIMIT_UG_L, Matchups
from spectral_jax.sensors import SensorSpec

# Stations of the GLERL programme and the medians of their positions (spec/spectm.md, 4.1).
STATIONS = (
    ("WE2", 41.763, -83.330), ("WE4", 41.827, -83.194), ("WE6", 41.707, -83.384), ("WE8", 41.834, -83.361),
    ("WE9", 41.718, -83.423), ("WE12", 41.704, -83.256), ("WE13", 41.743, -83.137), ("WE14", 41.719, -83.016),
    ("WE15", 41.618, -83.012), ("WE16", 41.659, -83.145),
)  # fmt: skip
MEMORY_DAYS = {"chlorophyll_ug_l": 10.0, "suspended_g_m3": 2.0, "cdom_a440_1_m": 30.0}
PIXEL_LOG10 = 0.04  # of a concentration between neighbouring pixels
PLACE_SHARE = 0.4  # of the variance that is the place's own, not the day's
# Blooms of western Lake Erie rise in July and end in October; the amplitude is that of the mean log10 chlorophyll.
SEASON_PEAK_DAY, SEASON_WIDTH_DAYS, SEASON_LOG10 = 230.0, 40.0, 0.45
_FIRST_DAY = 135  # 15 May
_YEAR = 2030  # no year of an observation
_CLOUDY = 0.25  # of the stations of an image


def season_log10(day_of_year: np.ndarray) -> np.ndarray:
    """What the season adds to log10 chlorophyll, [...]; 0 on its mean between May and October."""
    return SEASON_LOG10 * (2.0 * np.exp(-0.5 * ((day_of_year - SEASON_PEAK_DAY) / SEASON_WIDTH_DAYS) ** 2) - 1.0)


def concentrations(rng: np.random.Generator, places: int, days: np.ndarray, side: int) -> dict[str, np.ndarray]:
    """Chlorophyll, sediment and dissolved matter of places on their days.

    Args:
      rng: source of randomness.
      places: N.
      days: [N T] or [1 T], increasing; the day of the year is taken from it modulo 365.25.
      side: pixels K along a side of a patch.

    Returns:
      Name of `MEMORY_DAYS` -> float64 [N T K K].
    """
    days = np.broadcast_to(days, (places, days.shape[1]))
    out = {}
    priors = (water_prior.CHLOROPHYLL_UG_L, water_prior.SUSPENDED_G_M3, water_prior.CDOM_A440_1_M)
    for (name, memory), (median, spread, low, high) in zip(MEMORY_DAYS.items(), priors, strict=True):
        state = np.empty(days.shape)
        state[:, 0] = rng.standard_normal(places)
        for i in range(1, days.shape[1]):
            kept = np.exp(-(days[:, i] - days[:, i - 1]) / memory)
            state[:, i] = kept * state[:, i - 1] + np.sqrt(1.0 - kept**2) * rng.standard_normal(places)
        own = rng.standard_normal((places, 1))
        log10 = np.log10(median) + spread * (np.sqrt(1.0 - PLACE_SHARE) * state + np.sqrt(PLACE_SHARE) * own)
        if name == "chlorophyll_ug_l":
            log10 = log10 + season_log10(days % 365.25)
        pixels = PIXEL_LOG10 * rng.standard_normal((*days.shape, side, side))
        out[name] = np.clip(10.0 ** (log10[..., None, None] + pixels), low, high)
    return out


def water_of(rng: np.random.Generator, found: dict[str, np.ndarray]) -> Water:
    """Water with these concentrations [N T K K]; specific optics and the share of cyanobacteria belong to a place."""
    chlorophyll = found["chlorophyll_ug_l"]
    place = (len(chlorophyll), 1, 1, 1)
    share = water_prior.cyanobacteria_share(rng, np.median(chlorophyll, axis=(2, 3), keepdims=True))
    pigment = water_prior.lognormal(rng, water_prior.PHYCOCYANIN_PER_CHLOROPHYLL, place)
    return Water(
        cyanobacteria_share=share, phycocyanin_ug_l=chlorophyll * share * pigment,
        **found, **water_prior.specific_optics(rng, place),
    )  # fmt: skip


def seen(rng: np.random.Generator, water: Water, spec: SensorSpec, *, one_scene_a_date: bool) -> np.ndarray:
    """Rrs of water [N T K K] as a product holds it, unpacked, sr^-1, float32 [N T K K C].

    Args:
      rng: source of the errors.
      water: places and dates.
      spec: the sensor; all its used bands.
      one_scene_a_date: places of a date lie in one image, whose haze they share; else each is an image of its own.
    """
    n, t = water.shape[:2]
    if one_scene_a_date:
        gain, offset = (np.moveaxis(x, 0, 1) for x in water_correction.scene_error(rng, t, n, spec.centre_nm))
    else:
        gain, offset = (x.reshape(n, t, -1) for x in water_correction.scene_error(rng, n * t, 1, spec.centre_nm))
    rrs = water_rrs.in_bands(water, spec)
    rrs = rrs * gain[:, :, None, None] + offset[:, :, None, None] + water_correction.noise(rng, rrs.shape[:-1], spec.centre_nm)
    return water_correction.unpack(water_correction.pack(rrs, spec), spec)


def simulate_matchups(seed: int, *, stations: int = 9, weeks: int = 14, spec: SensorSpec | None = None) -> Matchups:
    """Match-ups of a season of weekly sampling, as the real file has them: 3 x 3 pixels, non-detects, a label 6-10 days ahead.

    Args:
      seed: of everything.
      stations: of `STATIONS`, at most as many as there are.
      weeks: of sampling, from the middle of May, one after the other.
      spec: the sensor; None: PACE OCI Rrs, version 3.

    Raises:
      ValueError: a number of stations that the programme does not have, or fewer than two weeks.
    """
    if not 1 <= stations <= len(STATIONS) or weeks < 2:
        raise ValueError(
            f"simulated lake: expected 1 to {len(STATIONS)} stations and at least 2 weeks, got {stations}, {weeks}."
        )
    spec = spec or SensorSpec.load("pace_oci_rrs_v3")
    rng = np.random.default_rng(seed)
    # Boats leave every 7 days; images come on one or two days about each visit.
    visits = _FIRST_DAY + 7 * np.arange(weeks)
    images = np.unique(np.concatenate([[v + rng.integers(-2, 3), v + rng.integers(-2, 3)] for v in visits]))
    days = np.unique(np.concatenate([visits, images]))
    found = concentrations(rng, stations, days[None].astype(float), 3)
    water = water_of(rng, found)
    spread = water_toxin.PLACE_LOG10 * rng.standard_normal((stations, 1)) + water_toxin.BLOOM_LOG10 * rng.standard_normal(
        len(days)
    )
    toxin = water_toxin.microcystin(rng, np.mean(water.phycocyanin_ug_l, axis=(2, 3)), days[None], spread)
    toxin = toxin[:, np.searchsorted(days, visits)]
    rrs = seen(rng, water, spec, one_scene_a_date=True)
    at = np.searchsorted(days, images)
    rows = [(s, i) for i in range(len(images)) for s in range(stations) if rng.random() > _CLOUDY]
    place, image = np.array(rows).T
    now, now_days = _label(toxin, visits, images, place, image, (-2.0, 2.0))
    ahead, ahead_days = _label(toxin, visits, images, place, image, AHEAD_DAYS)
    midnight = np.datetime64(f"{_YEAR}-01-01T00:00:00", "s")
    time = midnight + images[image].astype("timedelta64[D]") + np.timedelta64(18, "h")
    names = [f"PACE_OCI.SIMULATED.{t}.L2.OC_AOP" for t in np.datetime_as_string(time, unit="D")]
    limit = DETECTION_LIMIT_UG_L
    state = {"chla": found["chlorophyll_ug_l"], "pc": water.phycocyanin_ug_l}
    means = {
        k: np.broadcast_to(v, found["chlorophyll_ug_l"].shape).mean(axis=(2, 3))[place, at[image]] for k, v in state.items()
    }
    made = Matchups(
        rrs=rrs[place, at[image]], wavelength_nm=np.asarray(spec.centre_nm, float),
        station=np.array([STATIONS[s][0] for s in place]), time=time, granule=np.array(names),
        lat=np.array([STATIONS[s][1] for s in place]), lon=np.array([STATIONS[s][2] for s in place]),
        mc_now=np.maximum(now, limit), mc_now_censored=now < limit, mc_now_dt_days=now_days,
        mc_ahead=np.maximum(ahead, limit), mc_ahead_censored=ahead < limit, mc_ahead_dt_days=ahead_days,
        simulated=True, source=f"simulated lake, seed {seed}", **means,
    )  # fmt: skip
    return made.take(np.isfinite(now) | np.isfinite(ahead))


def _label(toxin, visits, images, place, image, window: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Microcystin [N] of the visit nearest to the middle of a window of days after each image, and those days; NaN without."""
    after = (visits[None] - images[image][:, None]).astype(float)
    off = np.where((after >= window[0]) & (after <= window[1]), np.abs(after - sum(window) / 2), np.inf)
    best = np.argmin(off, axis=1)
    there = np.isfinite(off.min(axis=1))
    chosen = np.take_along_axis(after, best[:, None], axis=1)[:, 0]
    return np.where(there, toxin[place, best], np.nan), np.where(there, chosen, np.nan)
