import dataclasses

import numpy as np
import pytest

from spectral_jax import matchups
from spectral_jax.config import Config, Data, SensorInput, model_size
from spectral_jax.data import lake, lake_store
from spectral_jax.data.loader import Loader
from spectral_jax.sensors import SensorSpec

PACE = SensorSpec.load("pace_oci_rrs_v3")


def test_match_ups_of_a_season_pass_the_checks_of_real_ones(tmp_path):
    made = lake.simulate_matchups(0, stations=8, weeks=18)
    matchups.save(tmp_path / "lake.npz", made)
    data = matchups.load(tmp_path / "lake.npz")
    assert data.simulated
    assert len(data) == len(made) > 150
    assert data.rrs.shape[1:] == (3, 3, 172)
    assert all("SIMULATED" in name for name in data.granule)
    now, ahead = np.isfinite(data.mc_now), np.isfinite(data.mc_ahead)
    assert ahead.mean() > 0.5
    assert 0.1 < data.mc_now_censored[now].mean() < 0.6
    assert np.abs(data.mc_now_dt_days[now]).max() <= 2
    assert data.mc_now[now].min() == matchups.DETECTION_LIMIT_UG_L


def test_the_seed_decides():
    a, b, c = (lake.simulate_matchups(s, stations=3, weeks=4).rrs for s in (0, 0, 1))
    np.testing.assert_array_equal(a, b)
    assert a.shape != c.shape or not np.array_equal(a, c)


def test_biomass_is_remembered_for_days_and_sediment_is_not():
    days = np.arange(0, 400.0, 8)[None] % 1 + np.arange(50)[None] * 8.0
    found = lake.concentrations(np.random.default_rng(0), 300, days, 1)

    def memory(name):
        x = np.log10(found[name][:, :, 0, 0])
        x = x - x.mean(axis=0) - (x.mean(axis=1, keepdims=True) - x.mean())
        return np.corrcoef(x[:, :-1].ravel(), x[:, 1:].ravel())[0, 1]

    # exp(-8 / 10) = 0.45 and exp(-8 / 2) = 0.02, less what clipping and pixel noise take.
    assert 0.3 < memory("chlorophyll_ug_l") < 0.5
    assert abs(memory("suspended_g_m3")) < 0.1


def test_the_store_is_read_by_the_loader_with_a_later_date(tmp_path):
    spec = dataclasses.replace(PACE, bad_intervals_nm=((340.0, 399.0),))
    lake_store.write_lake_store(tmp_path / "lake.zarr", spec, footprint_m=4800.0, locations=40, dates=6, seed=0)
    cfg = Config(
        "lake", (SensorInput("PACE", spec),), model_size("tiny", footprint_m=4800.0, token_gsd_m=1200.0),
        Data(batch_size=32, lead_days=(6.0, 10.0)),
    )  # fmt: skip
    loader = Loader(cfg, tmp_path / "lake.zarr")
    assert loader.store.simulated
    batch = loader.batch(0)
    now, later = batch.sensors["PACE"], batch.later["PACE"]
    assert now.pixels.shape == (32, 4, 4, 150)
    assert 0.3 < later.present.mean() < 1.0
    lead = (later.time - now.time)[later.present]
    assert lead.min() >= 6
    assert lead.max() <= 10
    with pytest.raises(FileExistsError, match="expected nothing at .*lake.zarr"):
        lake_store.write_lake_store(tmp_path / "lake.zarr", spec, footprint_m=4800.0, locations=4, dates=2, seed=0)


def test_bad_requests_are_sentences(tmp_path):
    with pytest.raises(ValueError, match="expected 1 to 10 stations and at least 2 weeks, got 11, 5"):
        lake.simulate_matchups(0, stations=11, weeks=5)
    with pytest.raises(ValueError, match="expected an optical sensor"):
        lake_store.write_lake_store(
            tmp_path / "x", SensorSpec.load("sentinel1_grd"), footprint_m=480.0, locations=2, dates=2, seed=0
        )
