import dataclasses

import numpy as np
import pytest

from spectral_jax import matchups
from spectral_jax.measure import water_realism
from spectral_jax.sensors import SensorSpec
from spectral_jax.simulate.lake import prior, season


def test_nine_in_ten_real_spectra_have_a_simulated_neighbour(real_data):
    found = water_realism.report(real_data / "pace_erie" / "pace_glerl_matchups.npz", count=20_000, seed=1)
    assert found["real"] == 212  # of 214: two have no label
    assert found["share"][0.1] >= water_realism.LIMIT_SHARE
    assert found["share"][0.05] <= found["share"][0.1]
    assert found["median_rad"] < 0.1
    medians = {nm: real for nm, real, *_ in found["bands"]}
    # Medians of the real spectra, measured once on 292 patches, these among them.
    assert medians[555] == pytest.approx(0.0167, rel=0.1)
    assert medians[709] == pytest.approx(0.0060, rel=0.15)
    said = water_realism.text(found)
    assert "20000 SIMULATED ones" in said
    assert "to reach: 90% within 0.1 rad" in said


def test_the_shares_are_those_of_the_nearest_angles(tmp_path):
    made = season.simulate_matchups(3, stations=2, weeks=3)
    matchups.save(tmp_path / "m.npz", made)
    found = water_realism.report(tmp_path / "m.npz", count=300, seed=0)
    drawn, _ = prior.simulate_spectra(np.random.default_rng(0), 300, SensorSpec.load("pace_oci_rrs_v3"))
    used = made.wavelength_nm >= 400
    a, b = made.mean_rrs()[:, used], drawn[:, used].astype(float)
    cosine = (a @ b.T) / np.linalg.norm(a, axis=1)[:, None] / np.linalg.norm(b, axis=1)
    nearest = np.arccos(np.clip(cosine, -1, 1)).min(axis=1)
    assert found["share"][0.1] == pytest.approx((nearest < 0.1).mean())
    assert found["p90_rad"] == pytest.approx(np.quantile(nearest, 0.9), abs=1e-4)


def test_bands_of_another_sensor_are_a_sentence(tmp_path):
    made = season.simulate_matchups(0, stations=2, weeks=3)
    fewer = dataclasses.replace(made, rrs=made.rrs[..., ::2], wavelength_nm=made.wavelength_nm[::2])
    matchups.save(tmp_path / "m.npz", fewer)
    with pytest.raises(ValueError, match="expected the 172 bands of pace_oci_rrs_v3, got 86 bands that differ"):
        water_realism.report(tmp_path / "m.npz", count=10)
