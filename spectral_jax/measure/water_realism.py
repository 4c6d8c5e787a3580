"""How well simulated spectra of water reach real ones: spectral angles to PACE OCI's match-ups of western Lake Erie.

The simulated spectra are drawn from the prior of `lake.prior` alone, whatever the real ones are. The prior's middles and the
sizes of the correction's errors were chosen while looking at medians and percentiles of these same real spectra, by band and
without labels, so the shares are no proof for another lake or another sensor.

Real spectra are read from a match-up file that is not part of this project; see `matchups.load`.
"""

import os

import numpy as np

from spectral_jax import matchups
from spectral_jax.measure.scene_realism import nearest_angle
from spectral_jax.sensors import SensorSpec, nearest_bands
from spectral_jax.simulate.lake import prior

ANGLES_RAD = (0.1, 0.05)
LIMIT_SHARE = 0.9  # of the real spectra, within the first of the angles
COMPARED_NM = (400, 443, 490, 555, 620, 650, 665, 681, 709, 719)
SENSOR = "pace_oci_rrs_v3"
_RANGE_NM = (400.0, 719.0)  # below, what the correction leaves is larger than the water's signal


def report(file: str | os.PathLike, count: int = 20_000, seed: int = 0) -> dict:
    """Compares spectra drawn from the prior with the patch means of a match-up file.

    Args:
      file: match-ups of PACE OCI Rrs, version 3.
      count: simulated spectra.
      seed: of the draws.

    Returns:
      `real` and `simulated`, numbers of spectra; `share`, angle in radians -> share of the real ones that have a simulated
      neighbour as near, at 400-719 nm; `real_share`, the same for a real neighbour of another day; `median_rad` and `p90_rad`
      of the angle to the nearest simulated; `bands`, rows of (nm, real median, simulated median, real share below zero,
      simulated share below zero), Rrs in sr^-1.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: it is no match-up file, its bands are not those of the sensor, or a mean spectrum lacks a band.
    """
    data, spec = matchups.load(file), SensorSpec.load(SENSOR)
    nm = data.wavelength_nm
    if nm.shape != spec.centre_nm.shape or np.abs(nm - spec.centre_nm).max() > 2.0:
        raise ValueError(f"{file}: expected the {len(spec.used)} bands of {SENSOR}, got {len(nm)} bands that differ.")
    used = (nm >= _RANGE_NM[0]) & (nm <= _RANGE_NM[1])
    real = data.mean_rrs()
    real, day = (x[np.isfinite(real[:, used]).all(axis=1)] for x in (real, data.time.astype("datetime64[D]")))
    if not len(real):
        raise ValueError(f"{file}: no mean spectrum is complete from {_RANGE_NM[0]:g} to {_RANGE_NM[1]:g} nm.")
    made, _ = prior.simulate_spectra(np.random.default_rng(seed), count, spec)
    angle = nearest_angle(real[:, used], made[:, used].astype(float))
    others = np.full(len(real), np.inf)
    for date in np.unique(day):
        here = day == date
        if not here.all():
            others[here] = nearest_angle(real[here][:, used], real[~here][:, used])
    rows = []
    nearest, _ = nearest_bands(nm, np.array(COMPARED_NM))
    for wanted, at in zip(COMPARED_NM, nearest, strict=True):
        a, b = real[:, at], made[:, at]
        rows.append((wanted, *(float(x) for x in (np.median(a), np.median(b), (a < 0).mean(), (b < 0).mean()))))
    return {
        "real": len(real),
        "simulated": count,
        "share": {limit: float((angle < limit).mean()) for limit in ANGLES_RAD},
        "real_share": {limit: float((others < limit).mean()) for limit in ANGLES_RAD},
        "median_rad": float(np.median(angle)),
        "p90_rad": float(np.quantile(angle, 0.9)),
        "bands": rows,
    }


def text(result: dict) -> str:
    """The lines to print for a `report`."""
    lines = [f"{result['real']} real spectra (patch means), {result['simulated']} SIMULATED ones, 400-719 nm"]
    for limit, share in result["share"].items():
        other = result["real_share"][limit]
        lines.append(f"within {limit:g} rad: {share:6.1%} have a simulated neighbour, {other:6.1%} a real one of another day")
    lines.append(f"angle to the nearest simulated: median {result['median_rad']:.3f}, 90 % within {result['p90_rad']:.3f} rad")
    lines.append(f"{'nm':>5s}{'real median':>13s}{'simulated':>11s}{'real < 0':>10s}{'simulated':>11s}")
    lines += [f"{nm:5d}{a:13.4f}{b:11.4f}{c:10.0%}{d:11.0%}" for nm, a, b, c, d in result["bands"]]
    lines.append(f"to reach: {LIMIT_SHARE:.0%} within {ANGLES_RAD[0]:g} rad")
    return "\n".join(lines)
