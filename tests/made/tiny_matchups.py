"""Made-up match-ups with a known rule: the toxin follows the red edge, and nothing else."""

import numpy as np

from spectral_jax.matchups import Matchups

NM = np.array([410, 443, 490, 510, 555, 560, 580, 600, 620, 625, 640, 650, 660, 665, 681, 690, 700, 709, 715], float)


def make(weeks=10, stations=4, noise=0.1, seed=0) -> Matchups:
    """One image a week of every station; a sample on its day, and one 7 days later."""
    rng = np.random.default_rng(seed)
    n = weeks * stations
    bloom = np.repeat(rng.normal(size=weeks), stations) + 0.5 * rng.normal(size=n)
    base = 0.008 + 0.006 * np.exp(-0.5 * ((NM - 560) / 60) ** 2)
    rrs = base * np.exp(0.2 * rng.normal(size=(n, 1)))
    rrs = rrs + 0.004 * np.exp(0.6 * bloom)[:, None] * np.exp(-0.5 * ((NM - 705) / 8) ** 2)
    rrs = rrs[:, None, None] + 1e-5 * rng.normal(size=(n, 3, 3, len(NM)))
    y = -0.4 + 0.5 * bloom + noise * rng.normal(size=n)
    later = -0.4 + 0.4 * bloom + 3 * noise * rng.normal(size=n)
    start = np.datetime64("2024-06-03T17:30:00")
    time = start + np.repeat(np.arange(weeks), stations) * np.timedelta64(7 * 86400, "s")
    limit = 0.1
    return Matchups(
        rrs=rrs.astype(np.float32), wavelength_nm=NM, station=np.array([f"WE{i}" for i in range(stations)] * weeks),
        time=time.astype("datetime64[s]"), lat=np.full(n, 41.7), lon=np.full(n, -83.2), granule=np.full(n, ""),
        mc_now=np.maximum(10**y, limit), mc_now_censored=10**y < limit, mc_now_dt_days=np.zeros(n),
        mc_ahead=np.maximum(10**later, limit), mc_ahead_censored=10**later < limit, mc_ahead_dt_days=np.full(n, 7.0),
        chla=np.full(n, np.nan), pc=np.full(n, np.nan), simulated=True, source="made up",
    )  # fmt: skip
