"""Match-ups: the right pixel, the right sample, one granule of each scene, and every loss counted."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made.pace_files import NM, WATER, name, packed, positions, write_l2, write_l3m

from spectral_jax import matchups
from spectral_jax.ingest.matchups import box, glerl
from spectral_jax.ingest.matchups.build import Rules
from spectral_jax.ingest.matchups.build import build as build_matchups
from spectral_jax.ingest.matchups.granules import files
from spectral_jax.ingest.matchups.labels import ahead, now
from spectral_jax.ingest.pace import read
from spectral_jax.ingest.pace.flags import mask as flag_mask

HEADER = (
    "date,station_name,sample_depth_category,sample_depth_m,time,lat,lon,particulate_microcystin,extracted_phycocyanin,"
    "extracted_chla"
)
# The stations lie on pixels (2, 2) and (3, 4) of `positions(5, 6)`, a little off.
PLACE = {"WE2": (41.7785, -83.3708), "WE4": (41.7671, -83.3410)}
LAND, CLOUD, COCCOLITH = 1 << 1, 1 << 9, 1 << 10


def sample(day, station, mc, depth="Surface", place=None, chla="5", pc="0.3"):
    lat, lon = PLACE.get(station, (41.7785, -83.3708)) if place is None else place
    return f"{day},{station},{depth},0.75,9:00,{lat},{lon},{mc},{pc},{chla}"


def table(folder, *rows, **options):
    path = folder / "samples.csv"
    path.write_text("\n".join([HEADER, *rows, ""]))
    return glerl.read(path, most_shift_km=100.0, **options)


def build(folder, samples, rules=None, report=lambda line: None):
    return build_matchups(files(folder), samples, rules, report)


def ledger(made, granules, samples):
    """What went in is either in a row or counted, for granules and samples; and the pairs that were left out."""
    lost = {kind: sum(n for k, n in made.left_out.items() if k.startswith(kind)) for kind in ("granules", "samples", "pairs")}
    labels = {(s, round(float(t + d))) for s, t, d in zip(
        np.tile(made.station, 2), np.tile(made.time.astype("datetime64[D]").astype(int), 2),
        np.concatenate([made.mc_now_dt_days, made.mc_ahead_dt_days]), strict=True,
    ) if np.isfinite(d)}  # fmt: skip
    assert len(set(made.granule)) + lost["granules"] == granules
    assert len(labels) + lost["samples"] == samples
    return lost["pairs"]


def test_pixels_and_labels_of_an_image(tmp_path):
    # 8 July 2024, 17:51 UTC. Each pixel has its own brightness; negative at 400 nm.
    bright = 1e-4 * np.arange(30).reshape(5, 6, 1)
    raw = packed(WATER + bright * (NM > 450))
    write_l2(tmp_path / "pace", raw=raw, flags=np.where(np.arange(30).reshape(5, 6) == 20, CLOUD, COCCOLITH).astype(np.int32))
    samples = table(
        tmp_path,
        sample("7/7/2024", "WE2", "1.25", chla="11", pc="0.7"), sample("7/10/2024", "WE2", "9"),
        sample("7/15/2024", "WE2", "<0.1"), sample("7/18/2024", "WE2", "4"),
        sample("7/8/2024", "WE2", "77", depth="Bottom"), sample("7/8/2024", "WE2", "99", depth="Scum"),
        sample("7/14/2024", "WE4", "2.5"), sample("7/8/2024", "WE4", ""), sample("7/11/2024", "WE4", "3"),
    )  # fmt: skip
    made = build(tmp_path / "pace", samples)
    assert list(made.station) == ["WE2", "WE4"]
    expected = raw[1:4, 1:4] * 2e-6 + 0.05
    expected[2, 1] = np.nan  # pixel 20 is line 3, pixel 2: cloud
    np.testing.assert_allclose(made.rrs[0], expected, atol=1e-7)
    assert (made.rrs[0, 0, 0, 0], made.rrs.dtype) == (pytest.approx(-0.002, abs=1e-6), np.float32)
    np.testing.assert_allclose(made.rrs[1], raw[2:5, 3:6] * 2e-6 + 0.05, atol=1e-7)
    np.testing.assert_array_equal(made.mc_now, [1.25, np.nan])
    np.testing.assert_array_equal(made.mc_now_dt_days, [-1, np.nan])
    np.testing.assert_array_equal(made.mc_ahead, [0.1, 2.5])
    np.testing.assert_array_equal(made.mc_ahead_censored, [True, False])
    np.testing.assert_array_equal(made.mc_ahead_dt_days, [7, 6])
    np.testing.assert_array_equal(made.chla, [11, np.nan])
    np.testing.assert_array_equal(made.pc, [0.7, np.nan])
    np.testing.assert_array_equal(made.lat, [41.7785, 41.7671])
    assert made.left_out == {
        "samples: depth bottom": 1,
        "samples: depth scum": 1,
        "samples: no particulate microcystin": 1,
        "samples: label of no row": 3,
    }
    assert ledger(made, 1, 9) == 0
    matchups.save(tmp_path / "m.npz", made)
    again = matchups.load(tmp_path / "m.npz")
    np.testing.assert_array_equal(again.rrs, made.rrs)
    np.testing.assert_array_equal(again.mc_ahead, made.mc_ahead)
    assert list(again.granule) == [name()] * 2


def test_a_box_at_the_edge_is_filled_with_nan(tmp_path):
    scene = read.read(write_l2(tmp_path))
    patch = box.cut(scene, np.zeros((5, 6), bool), 0, 5, 3)
    assert np.isnan(patch[0]).all()
    assert np.isnan(patch[:, 2]).all()
    assert np.isfinite(patch[1:, :2]).all()


def test_of_one_scene_the_final_granule_is_kept_and_each_other_counted(tmp_path):
    folder = tmp_path / "pace"
    write_l2(folder, "3.0", nrt=True)
    final = write_l2(folder, "3.0")
    write_l2(folder, "2.0", raw=packed(np.broadcast_to(WATER, (5, 6, 10)) * 1.5))
    (folder / "again").mkdir()
    (folder / "again" / final.name).write_bytes(final.read_bytes())
    write_l2(folder, "3.0", stamp="20240708T193000")  # the next orbit is a scene of its own
    samples = table(tmp_path, sample("7/8/2024", "WE2", "1"))
    made = build(folder, samples)
    assert list(made.granule) == [name("3.0"), name("3.0", "20240708T193000")]
    assert {k: v for k, v in made.left_out.items() if k.startswith("granules")} == {
        "granules: near-real-time beside the final one": 1,
        "granules: an older version beside a newer one": 1,
        "granules: the same granule twice": 1,
    }
    np.testing.assert_allclose(made.mean_rrs()[0], WATER, atol=1e-6)


def test_a_near_real_time_granule_alone_is_used(tmp_path):
    write_l2(tmp_path / "pace", "3.1", nrt=True)
    made = build(tmp_path / "pace", table(tmp_path, sample("7/8/2024", "WE2", "1")))
    assert list(made.granule) == [name("3.1", nrt=True)]


def test_every_loss_is_counted(tmp_path):
    folder = tmp_path / "pace"
    flags = np.zeros((5, 6), np.int32)
    flags[2:, 3:] = CLOUD  # all of WE4's box
    write_l2(folder, flags=flags)
    write_l2(folder, stamp="20240901T180000")  # no sample near this day
    write_l2(folder, stamp="20240709T180000", place=positions(3, 3, lat=10.0))  # another place
    write_l2(folder, stamp="20240710T180000", place=positions(3, 3, lat=41.90))  # near, and not near enough
    rows = [sample("7/8/2024", "WE2", "1"), sample("7/8/2024", "WE4", "2"), sample("7/8/2024", "2024.1", "3", place=("", ""))]
    made = build(folder, table(tmp_path, *rows))
    assert len(made) == 1
    assert made.left_out == {
        "granules: all their pairs left out": 1,
        "granules: no pixel near the stations": 1,
        "granules: no sample in their windows": 1,
        "pairs: no pixel near enough": 2,
        "pairs: no valid pixel": 1,
        "samples: label of no row": 1,
        "samples: no position": 1,
    }
    assert ledger(made, 4, 3) == 3


def test_nasas_rules_for_a_box():
    nm = np.array([400.0, 443, 490, 555, 700])
    mask, bloom = flag_mask("nasa_matchup"), flag_mask("inland_bloom")
    even = np.full((5, 5, 5), 0.01, np.float32) + 1e-5 * np.arange(25, dtype=np.float32).reshape(5, 5, 1)
    kept, reason = box.judged(even, nm, mask)
    assert reason == ""
    # 25 equally spaced numbers: those beyond 1.5 standard deviations (7.21 steps each) are 11 or more steps off the middle.
    far = np.abs(np.arange(25) - 12).reshape(5, 5) >= 11
    np.testing.assert_array_equal(np.isnan(kept).all(axis=-1), far)
    few = even.copy()
    few.reshape(25, 5)[:12] = np.nan  # 13 of 25 are 52 %
    assert box.judged(few, nm, mask)[1] == "pairs: too few valid pixels"
    assert box.judged(few, nm, bloom)[1] == ""
    uneven = np.where(np.arange(25).reshape(5, 5, 1) % 2, np.float32(0.006), np.float32(0.014)) + np.zeros(5, np.float32)
    assert box.judged(uneven, nm, mask)[1] == "pairs: spectra vary too much"  # 0.004 over 0.010
    np.testing.assert_array_equal(box.judged(uneven, nm, bloom)[0], uneven)
    assert box.judged(-uneven, nm, mask)[1] == "pairs: spectra vary too much"  # a negative mean hides nothing
    only_red = uneven * np.float32(0.1) + np.float32(0.01)
    only_red[..., 4] = uneven[..., 4]
    assert box.judged(only_red, nm, mask)[1] == ""  # judged over 405-570 nm only
    assert box.judged(np.full((3, 3, 5), np.nan, np.float32), nm, bloom)[1] == "pairs: no valid pixel"


def test_the_nearest_sample_and_its_ties():
    day = np.datetime64("2024-07-10")
    dates = day + np.array([-3, -2, -1, 1, 6, 7, 9, 10, 11], "timedelta64[D]")
    assert now(dates, day) == 2  # of -1 and 1 the earlier
    assert now(dates[:1], day) is None
    assert now(dates[:1], day, days=3) == 0
    assert ahead(dates, day) == 5  # of 7 and 9 the earlier
    assert ahead(dates[7:], day) == 0
    assert ahead(dates[8:], day) is None
    with pytest.raises(ValueError, match="after the image, got -2 to 10 days; a label from before the image is no forecast"):
        ahead(dates, day, (-2, 10))


def test_what_cannot_be_matched_is_a_sentence(tmp_path):
    folder = tmp_path / "pace"
    one = write_l2(folder)
    samples = table(tmp_path, sample("7/8/2024", "WE2", "1"))
    outside = table(tmp_path, sample("7/8/2024", "WE2", "1"), sample("7/9/2024", "A7", "1", place=(41.01, -83.0)))
    with pytest.raises(
        ValueError, match=r"samples.csv: row 3: latitude and longitude of station A7 are 41.01, -83, outside the re"
    ):
        build(folder, outside)
    assert len(build(folder, outside, Rules(region=None))) == 1
    with pytest.raises(
        ValueError, match="no match-up is left of 1 granules and 1 samples: .*1 granules: no sample in their windows"
    ):
        build(folder, table(tmp_path, sample("7/8/2022", "WE2", "1")))
    with pytest.raises(ValueError, match="no sample can be a label"):
        build(folder, table(tmp_path, sample("7/8/2024", "WE2", "")))
    bright = np.full((5, 6, 10), np.nan, np.float32)
    bright[1:4, 1:4] = 0.08
    write_l2(tmp_path / "bright", raw=bright)
    with pytest.raises(
        ValueError, match="PACE OCI and samples.csv: field 'rrs' has a median of 0.08 .* looks like surface refl"
    ):
        build(tmp_path / "bright", samples)
    write_l2(folder, "3.2", stamp="20240709T175000", nm=NM + 1.0)
    with pytest.raises(
        ValueError, match=r"version 3.2\) has 10 bands of Rrs .* 10, the largest difference 1.00 nm; .* build them a"
    ):
        build(folder, samples)
    write_l2(folder, "3.2", stamp="20240709T175000", raw=packed(np.full((5, 6, 9), 0.01)), nm=NM[:9])
    with pytest.raises(ValueError, match="has 9 bands of Rrs and .* 10; one file of match-ups has one set of bands"):
        build(folder, samples)
    for other in (write_l2(tmp_path / "other", product="sfrefl"), write_l3m(tmp_path)):
        with pytest.raises(ValueError, match=r"expected Level-2 AOP .* got the product (sfrefl|l3m)"):
            build_matchups([one, other], samples)
    with pytest.raises(FileNotFoundError, match="none is not a folder"):
        files(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"has no file that ends in .nc \(it is empty\)"):
        files(tmp_path / "empty")


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        ({"box": 4}, "box: expected an odd number of pixels .* got 4"),
        ({"most_km": 0}, "most_km must be above 0"),
        ({"now_days": 6}, "now_days: expected fewer than 6, where the days ahead begin, got 6"),
    ],
)
def test_wrong_rules_are_a_sentence(rules, sentence):
    with pytest.raises(ValueError, match=sentence):
        Rules(**rules)


def test_versions_with_nominal_and_exact_wavelengths_go_together_and_are_told(tmp_path):
    folder, lines = tmp_path / "pace", []
    write_l2(folder, "3.1")
    write_l2(folder, "3.2", stamp="20240709T175000", nm=NM + 0.5)
    made = build(folder, table(tmp_path, sample("7/8/2024", "WE2", "1")), report=lines.append)
    np.testing.assert_array_equal(made.wavelength_nm, NM)
    assert lines[-1] == "2 match-ups of processing version 3.1 (1), 3.2 (1)"


def run_tool(*arguments):
    tool = Path(__file__).resolve().parents[3] / "tools" / "build_matchups.py"
    return subprocess.run([sys.executable, str(tool), *arguments], capture_output=True, text=True, timeout=120)


@pytest.mark.slow
def test_the_command(tmp_path):
    write_l2(tmp_path / "pace")
    write_l2(tmp_path / "pace", nrt=True)
    table(tmp_path, sample("7/8/2024", "WE2", "1"), sample("7/16/2024", "WE2", "bdl"))
    common = (f"--granules={tmp_path / 'pace'}", f"--insitu={tmp_path / 'samples.csv'}")
    done = run_tool(*common, f"--out={tmp_path / 'm.npz'}", "--mask=nasa_matchup")
    assert done.returncode == 0, done.stderr
    assert "left out: 1 granules: near-real-time beside the final one" in done.stdout
    assert "mended: 2 samples, position too far off: the station's median taken" in done.stdout
    assert "1 match-ups, 1 with a label of now and 1 with one 6 to 10 days ahead" in done.stdout
    assert matchups.load(tmp_path / "m.npz").mc_ahead_censored[0]
    wrong = run_tool(*common, f"--out={tmp_path / 'm.npz'}", "--mask=nasa")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (1, 1)
    assert wrong.stderr.startswith("build_matchups: mask: no mask is called 'nasa'; the names are, closest first: nasa_matchup")
