import dataclasses

import numpy as np
import pytest

from spectral_jax import matchups
from spectral_jax.config import Config, Data, SensorInput, model_size
from spectral_jax.data.loader import Loader
from spectral_jax.sensors import SensorSpec
from spectral_jax.simulate.lake import season, state, store
from spectral_jax.simulate.lake.toxin import microcystin

PACE = SensorSpec.load("pace_oci_rrs_v3")


def test_match_ups_of_a_season_pass_the_checks_of_real_ones(tmp_path):
    made = season.simulate_matchups(0, stations=8, weeks=18)
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
    a, b, c = (season.simulate_matchups(s, stations=3, weeks=4).rrs for s in (0, 0, 1))
    np.testing.assert_array_equal(a, b)
    assert a.shape != c.shape or not np.array_equal(a, c)


def test_algae_are_remembered_for_two_weeks_and_sediment_is_not():
    days = np.broadcast_to(8.0 * np.arange(50), (300, 50))
    found = state.independent(np.random.default_rng(0), days)

    def memory(name):
        x = found[name] - found[name].mean(axis=1, keepdims=True)
        return np.corrcoef(x[:, :-1].ravel(), x[:, 1:].ravel())[0, 1]

    # A place's mean takes a little of the slow ones away.
    assert memory("cyanobacteria_ug_l") == pytest.approx(np.exp(-8 / 14), abs=0.05)
    assert memory("suspended_g_m3") == pytest.approx(np.exp(-8 / 2), abs=0.05)


def test_one_lake_has_deviations_of_size_one_that_neighbours_share():
    near, far = [-83.33, 41.76], [-82.6, 41.4]
    found = [state.drifting(np.random.default_rng(s), np.array([near, [-83.35, 41.77], far]), 200) for s in range(40)]
    x = np.stack([f["cyanobacteria_ug_l"] for f in found])  # [40 3 200]
    # Mixing takes some of the differences away, so the standard deviation lies below 1 and not far.
    assert 0.6 < x.std() < 1.05
    today, tomorrow = x[..., :-1], x[..., 1:]
    assert np.corrcoef(today.ravel(), tomorrow.ravel())[0, 1] > 0.85
    beside, apart = (np.corrcoef(x[:, 0].ravel(), x[:, k].ravel())[0, 1] for k in (1, 2))
    assert beside > apart > 0.1


def test_blooms_stand_in_august_and_are_gone_in_spring():
    rng = np.random.default_rng(0)
    days = np.tile([120.0, 228.0, 300.0], (400, 1))
    water = state.water_of(rng, state.independent(rng, days), days, 1, one_lake=False)
    pigment = np.median(water.phycocyanin_ug_l, axis=0).ravel()
    assert pigment[1] > 20 * pigment[0]
    assert pigment[1] > 10 * pigment[2]
    toxin = microcystin(rng, water.phycocyanin_ug_l, days[..., None, None], 0.0)[:, :, 0, 0]
    below = (toxin < matchups.DETECTION_LIMIT_UG_L).mean(axis=0)
    assert below[0] > 0.9
    assert below[1] < 0.1


def test_pixels_of_a_patch_are_alike():
    field = state.patch_fields(np.random.default_rng(0), (4000,), 3)
    assert field.std() == pytest.approx(1.0, abs=0.03)
    across = np.corrcoef(field[:, 0, 0], field[:, 0, 2])[0, 1]
    assert across == pytest.approx(np.exp(-2 / state.PIXEL_LENGTH), abs=0.05)


def test_labels_come_from_samples_of_their_window_and_clouds_leave_gaps():
    made = season.simulate_matchups(1, stations=9, weeks=20)
    now, ahead = np.isfinite(made.mc_now), np.isfinite(made.mc_ahead)
    assert (np.abs(made.mc_now_dt_days[now]) <= 2).all()
    assert ((made.mc_ahead_dt_days[ahead] >= 6) & (made.mc_ahead_dt_days[ahead] <= 10)).all()
    assert np.isnan(made.mc_now_dt_days[~now]).all()
    missing = np.isnan(made.rrs[..., 0])
    assert not missing[:, 1, 1].any()  # the pixel over the station
    shore = np.isin(made.station, season.NEAR_SHORE)
    assert missing[shore].mean() > missing[~shore].mean() > 0.01
    assert len(np.unique(made.iso_week)) > 15


def test_earlier_years_tell_the_season_and_nothing_of_this_one():
    day, toxin = season.simulate_earlier_years(0, years=3, stations=4)
    assert 3 * 28 * 4 * 0.85 < len(day) < 3 * 28 * 4
    assert day.min() < 115
    summer, spring = np.median(toxin[np.abs(day - 220) < 15]), np.median(toxin[day < 140])
    assert summer > 30 * spring
    other, _ = season.simulate_earlier_years(1, years=3, stations=4)
    assert len(other) != len(day) or (other != day).any()


def test_the_store_is_read_by_the_loader_with_a_later_date(tmp_path):
    spec = dataclasses.replace(PACE, bad_intervals_nm=((340.0, 399.0),))
    store.write_lake_store(tmp_path / "lake.zarr", spec, footprint_m=4800.0, locations=40, dates=6, seed=0)
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
        store.write_lake_store(tmp_path / "lake.zarr", spec, footprint_m=4800.0, locations=4, dates=2, seed=0)


def test_bad_requests_are_sentences(tmp_path):
    with pytest.raises(ValueError, match="expected 1 to 10 stations and 2 to 28 weeks, got 11 and 5"):
        season.simulate_matchups(0, stations=11, weeks=5)
    with pytest.raises(ValueError, match="expected an optical sensor"):
        store.write_lake_store(
            tmp_path / "x", SensorSpec.load("sentinel1_grd"), footprint_m=480.0, locations=2, dates=2, seed=0
        )
