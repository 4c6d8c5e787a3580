"""How the water of a simulated lake changes: from day to day, with the season, from place to place and pixel to pixel.

Nothing here was observed. Logarithms of the concentrations are a median, a season, a place's own level and a process that
forgets (Ornstein-Uhlenbeck): in two weeks for algae, in two days for stirred-up sediment, in a month for dissolved matter.
In one lake (`drifting`) the water also moves: what a station has today lay somewhere else yesterday. All sizes are choices
within the published ranges of `lake.prior`; with them the state of now tells about half of the toxin a week ahead.
"""

import dataclasses

import numpy as np

from spectral_jax.simulate.lake import prior
from spectral_jax.simulate.lake.optics import Water


@dataclasses.dataclass(frozen=True)
class Process:
    """One concentration: its median, the standard deviation of its log10, how long it remembers, and its bounds."""

    median: float
    spread_log10: float
    memory_days: float
    low: float
    high: float


PROCESSES = {
    "eukaryotes_ug_l": Process(9.0, 0.25, 10.0, 0.5, 200.0),
    "cyanobacteria_ug_l": Process(5.5, 0.65, 14.0, 0.01, 480.0),
    "suspended_g_m3": Process(9.0, 0.35, 2.0, 0.3, 120.0),
    "cdom_a440_1_m": Process(0.42, 0.22, 30.0, 0.15, 2.5),
}
PLACE_SHARE = 0.25  # of the variance that is the place's own level, for good
BASIN_SHARE = 0.35  # of the rest, in one lake, that all its places have in common: weather, nutrients of the spring
# Blooms of western Lake Erie rise in July, stand highest in August and end in October (GLERL samples): the log10 of
# cyanobacteria against the median above.
SEASON_PEAK_DAY, SEASON_WIDTH_DAYS, SEASON_TOP_LOG10, SEASON_DEPTH_LOG10 = 228.0, 35.0, 0.40, 2.8
PIXEL_LOG10, PIXEL_LENGTH = 0.06, 3.0  # of a concentration within a patch, and its correlation length in pixels
ONE_LAKE = 0.85  # how alike the optics of one lake's places are, as a share of the prior's range
PIGMENT_LOG10 = 0.06  # of phycocyanin per chlorophyll between dates
_STATION_LENGTH_KM, _DRIFT_KM, _MIXING_KM = 15.0, 2.0, 3.0  # of a station's news, of a day's drift, of a day's mixing


def season_log10(day_of_year: np.ndarray) -> np.ndarray:
    """What the season adds to log10 of cyanobacteria [...]: 0.4 in mid-August, -2.4 in spring and late autumn."""
    hill = np.exp(-0.5 * ((np.asarray(day_of_year, float) - SEASON_PEAK_DAY) / SEASON_WIDTH_DAYS) ** 2)
    return SEASON_TOP_LOG10 - SEASON_DEPTH_LOG10 * (1.0 - hill)


def independent(rng: np.random.Generator, days: np.ndarray) -> dict[str, np.ndarray]:
    """Standardised deviations of places that know nothing of each other, name -> [N T], on their days [N T], increasing."""
    out = {}
    for name, process in PROCESSES.items():
        state = np.empty(days.shape)
        state[:, 0] = rng.standard_normal(len(days))
        for i in range(1, days.shape[1]):
            kept = np.exp(-(days[:, i] - days[:, i - 1]) / process.memory_days)
            state[:, i] = kept * state[:, i - 1] + np.sqrt(1.0 - kept**2) * rng.standard_normal(len(days))
        out[name] = _about(rng.standard_normal((len(days), 1)), state)
    return out


def drifting(rng: np.random.Generator, lonlat: np.ndarray, days: int) -> dict[str, np.ndarray]:
    """Standardised deviations in one lake, name -> [N T], at N places [N 2] in degrees on T days in a row.

    Each day the water of a place is a mixture of what lay around the point it drifted from, and it gets news that it shares
    with its neighbours. Drift changes slowly and is the same for everything in the water.
    """
    km = lonlat * 111.2 * np.array([np.cos(np.deg2rad(lonlat[:, 1].mean())), 1.0])
    apart = np.linalg.norm(km[:, None] - km[None], axis=-1)
    news = np.linalg.cholesky(np.exp(-apart / _STATION_LENGTH_KM) + 1e-9 * np.eye(len(km)))
    drift, moves = np.zeros(2), []
    for _ in range(days):
        drift = 0.7 * drift + np.sqrt(1.0 - 0.7**2) * _DRIFT_KM * rng.standard_normal(2)
        from_point = np.linalg.norm(km[:, None] - drift - km[None], axis=-1)
        weight = np.exp(-0.5 * (from_point / _MIXING_KM) ** 2) + 1e-12
        moves.append(weight / weight.sum(axis=1, keepdims=True))
    out = {}
    for name, process in PROCESSES.items():
        kept = np.exp(-1.0 / process.memory_days)
        new = np.sqrt(1.0 - kept**2)
        local, basin = news @ rng.standard_normal(len(km)), rng.standard_normal()
        state = np.empty((len(km), days))
        for t, move in enumerate(moves):
            local = kept * (move @ local) + new * (news @ rng.standard_normal(len(km)))
            basin = kept * basin + new * rng.standard_normal()
            state[:, t] = np.sqrt(1.0 - BASIN_SHARE) * local + np.sqrt(BASIN_SHARE) * basin
        out[name] = _about(rng.standard_normal((len(km), 1)), state)
    return out


def water_of(
    rng: np.random.Generator, deviations: dict[str, np.ndarray], days: np.ndarray, side: int, *, one_lake: bool
) -> Water:
    """Water of places on their days, fields that broadcast to [N T K K].

    Args:
      rng: source of what differs within a patch, and of the specific optics, which belong to a place.
      deviations: name of `PROCESSES` -> [N T].
      days: day of the year [N T]; larger numbers go on into the next year.
      side: pixels K along a side of a patch.
      one_lake: whether the places have nearly the same specific optics and pigment ratio.
    """
    places, dates = days.shape
    here, now = (places, 1, 1, 1), (places, dates, 1, 1)
    found = {}
    for name, process in PROCESSES.items():
        log10 = np.log10(process.median) + process.spread_log10 * deviations[name]
        if name == "cyanobacteria_ug_l":
            log10 = log10 + season_log10(days % 365.25)
        within = PIXEL_LOG10 * patch_fields(rng, (places, dates), side)
        found[name] = np.clip(10.0 ** (log10[..., None, None] + within), process.low, process.high)
    blue, green = found.pop("cyanobacteria_ug_l"), found.pop("eukaryotes_ug_l")
    median, spread, low, high = prior.PHYCOCYANIN_PER_CHLOROPHYLL
    alike = ONE_LAKE if one_lake else 0.0
    common = rng.standard_normal((1, 1, 1, 1))
    own = alike * common + (1.0 - alike) * rng.standard_normal(here)
    between = spread * own + PIGMENT_LOG10 * rng.standard_normal(now)
    return Water(
        chlorophyll_ug_l=blue + green, cyanobacteria_share=blue / (blue + green),
        phycocyanin_ug_l=blue * np.clip(median * 10.0**between, low, high),
        **found, **prior.specific_optics(rng, here, alike=alike),
    )  # fmt: skip


def patch_fields(rng: np.random.Generator, shape: tuple[int, ...], side: int) -> np.ndarray:
    """Smooth fields of mean 0 and standard deviation 1 within patches, float64 [*shape K K].

    The correlation falls as exp(-distance / `PIXEL_LENGTH`) along rows and along columns.
    """
    at = np.arange(side)
    factor = np.linalg.cholesky(np.exp(-np.abs(at[:, None] - at[None]) / PIXEL_LENGTH))
    return factor @ rng.standard_normal((*shape, side, side)) @ factor.T


def _about(place: np.ndarray, state: np.ndarray) -> np.ndarray:
    return np.sqrt(PLACE_SHARE) * place + np.sqrt(1.0 - PLACE_SHARE) * state
