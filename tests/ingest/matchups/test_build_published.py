"""Our rules against the match-ups of 2024 and 2025 that others made of the same CSVs: labels, positions and spectra."""

import numpy as np
import pytest
from made.pace_files import packed, write_l2

from spectral_jax.ingest.matchups import build, glerl, granules, labels
from spectral_jax.ingest.pace import read


@pytest.fixture(scope="module")
def real_pairs(real_data):
    """The rows of the published match-ups, and what our rules say of the same station and image."""
    folder = real_data / "pace_erie"
    with np.load(folder / "pace_glerl_matchups.npz") as stored:
        published = {field: stored[field] for field in stored.files}
    samples = glerl.read([folder / "insitu" / f"{year}_WLE_weekly.csv" for year in (2024, 2025)])
    keep, _ = labels.usable(samples)
    days = published["time"].astype("datetime64[D]")
    found = [
        next((p for p in build.pairs(samples, keep, day) if p.station == station), build.StationPair(str(station), None, None))
        for station, day in zip(published["station"], days, strict=True)
    ]
    return published, samples, found, days


@pytest.mark.parametrize("target", ["now", "ahead"])
def test_labels_agree_with_the_published_match_ups_wherever_the_week_is_in_the_csvs(real_pairs, target):
    published, samples, found, days = real_pairs
    column = {"now": "surface", "ahead": "ahead"}[target]
    after = published[f"mc_{column}_dt_days"]
    weeks = set(samples.date.tolist())
    # A label's day is its image's plus dt. Weeks that the CSVs leave out cannot be found by any rule.
    sampled = days + np.nan_to_num(after).astype("timedelta64[D]")
    there = np.isfinite(after) & np.array([day.item() in weeks for day in sampled])
    labelled = np.isfinite(published[f"mc_{column}"])
    index = np.array([-1 if getattr(p, target) is None else getattr(p, target) for p in found])
    assert (labelled.sum(), (labelled & there).sum()) == {"now": (212, 199), "ahead": (130, 104)}[target]
    for row in np.flatnonzero(there):
        i = index[row]
        assert samples.mc[i] == published[f"mc_{column}"][row]
        assert samples.mc_censored[i] == published[f"mc_{column}_censored"][row]
        assert (samples.date[i] - days[row]).astype(int) == after[row]
        if target == "now":
            np.testing.assert_array_equal(samples.chla[i], published["chla_surface"][row])
            np.testing.assert_array_equal(samples.pc[i], published["pc_surface"][row])
    assert (index[~labelled] == -1).all()  # and no label where the published file has none
    assert (index[~there] == -1).all()


def test_positions_agree_with_the_published_match_ups(real_pairs):
    published, samples, found, _ = real_pairs
    rows = [(row, pair.now) for row, pair in enumerate(found) if pair.now is not None]
    lat, lon = (np.array([getattr(samples, name)[i] - published[name][row] for row, i in rows]) for name in ("lat", "lon"))
    agree = np.hypot(lat, lon) < 1e-6
    # The published file has three decimals for five rows: no fix that day, or scum sampled without one on the same day.
    assert (len(agree), (~agree).sum()) == (199, 5)
    assert max(np.abs(lat).max(), np.abs(lon).max()) < 0.005


def test_published_spectra_survive_the_packing(real_pairs, tmp_path):
    rrs = real_pairs[0]["rrs"]
    lat, lon = np.meshgrid(np.linspace(41.6, 41.9, len(rrs)), np.linspace(-83.5, -83.0, 9), indexing="ij")
    stored = packed(rrs.reshape(len(rrs), 9, 172))
    scene = read.read(write_l2(tmp_path, raw=stored, nm=real_pairs[0]["wavelength"].astype(float), place=(lat, lon)))
    np.testing.assert_allclose(scene.rrs, rrs.reshape(len(rrs), 9, 172), rtol=0, atol=2e-8)  # a hundredth of a step
    assert (scene.rrs < 0).sum() == (rrs < 0).sum() > 10_000


@pytest.mark.slow
def test_scenes_around_the_published_spectra_give_the_published_match_ups(real_pairs, tmp_path):
    published, samples, found, _ = real_pairs
    lat, lon = np.meshgrid(np.arange(41.95, 41.55, -0.0105), np.arange(-83.5, -83.0, 0.012), indexing="ij")
    names = sorted(set(published["granule"]))
    for granule in names:
        raw = np.full((*lat.shape, 172), -32767, np.int16)
        # Without the two places of scum: they lie in the boxes of stations beside them.
        for row in np.flatnonzero((published["granule"] == granule) & np.char.startswith(published["station"], "WE")):
            away = (lat - published["lat"][row]) ** 2 + ((lon - published["lon"][row]) * np.cos(np.deg2rad(41.7))) ** 2
            line, pixel = np.unravel_index(away.argmin(), away.shape)
            raw[line - 1 : line + 2, pixel - 1 : pixel + 2] = packed(published["rrs"][row])
        nm = published["wavelength"].astype(float)
        write_l2(tmp_path, raw=raw, nm=nm, place=(lat, lon), stamp=granule[9:24], nrt=".NRT." in granule)
    made = build.build(granules.files(tmp_path), samples)
    # The final granules alone, where a near-real-time one of the scene lies beside them; and the rows whose sample of now is in
    # the CSVs, for the others' position is not known.
    beside = {g for g in names if ".NRT." in g and g.replace(".NRT", "") in names}
    theirs = list(zip(published["granule"].tolist(), published["station"].tolist(), strict=True))
    wanted = [i for i, (granule, _) in enumerate(theirs) if granule not in beside and found[i].now is not None]
    assert (len(wanted), len(beside), made.left_out["granules: near-real-time beside the final one"]) == (199 - 8, 1, 1)
    ours = {pair: i for i, pair in enumerate(zip(made.granule.tolist(), made.station.tolist(), strict=True))}
    order = [ours[theirs[i]] for i in wanted]
    assert sorted(ours[pair] for pair in ours if np.isfinite(made.mc_now[ours[pair]])) == sorted(order)
    np.testing.assert_allclose(made.rrs[order], published["rrs"][wanted], rtol=0, atol=2e-8)
    np.testing.assert_array_equal(made.time[order], published["time"][wanted].astype("datetime64[s]"))
    np.testing.assert_array_equal(made.mc_now[order], published["mc_surface"][wanted])
    np.testing.assert_array_equal(made.mc_now_censored[order], published["mc_surface_censored"][wanted])
    np.testing.assert_array_equal(made.mc_now_dt_days[order], published["mc_surface_dt_days"][wanted])
