"""The whole job on made-up match-ups: report, out-of-fold file, predictor, prediction of a file without labels."""

import csv
import dataclasses
import json
import sys

import numpy as np
import pytest
from made import pace_files, tiny_matchups

from spectral_jax import configure, matchups
from spectral_jax.microcystin import predict, predictor_file
from spectral_jax.microcystin.run import compare_and_fit
from spectral_jax.microcystin.settings import Evaluation, MatchupData, Microcystin

pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("microcystin")
    matchups.save(folder / "m.npz", tiny_matchups.make())
    cfg = Microcystin(
        "tiny", MatchupData(str(folder / "m.npz"), climatology="erie_microcystin"),
        Evaluation(seeds=2, baselines=("mean", "season", "ridge"), label_fractions=(0.5, 1.0), workers=1),
    )  # fmt: skip
    return folder, cfg, compare_and_fit(cfg, folder / "run")


@pytest.mark.slow
def test_the_report_has_every_number_that_was_asked_for(run):
    folder, _, report = run
    assert json.loads((folder / "run" / "report.json").read_text()) == report
    assert report["simulated"] is True
    rows = {(r["target"], r["split"], r["model"]): r for r in report["results"]}
    for target in matchups.TARGETS:
        for model in ("ensemble", "mean", "season", "ridge"):
            row = rows[target, "week", model]
            assert {"r2_log10", "rmse_log10", "auc_1_6", "coverage_90", "n", "seeds"} <= set(row)
            assert row["n"] == 40
    assert rows["now", "week", "ensemble"]["r2_log10"] > 0.6 > rows["now", "week", "mean"]["r2_log10"]
    assert {c["baseline"] for c in report["comparisons"]} >= {"mean", "season", "ridge"}
    assert {(r["model"], r["fraction"]) for r in report["label_efficiency"]} >= {("ensemble", 0.5), ("ridge", 1.0)}


@pytest.mark.slow
def test_out_of_fold_rows_give_the_reported_number(run):
    folder, _, report = run
    with open(folder / "run" / "out_of_fold.csv") as file:
        rows = [r for r in csv.DictReader(file) if (r["target"], r["model"]) == ("now", "ensemble")]
    y, p = (np.log10([max(float(r[k]), 0.1) for r in rows]) for k in ("observed_ug_l", "predicted_ug_l"))
    reported = next(r for r in report["results"] if (r["target"], r["model"]) == ("now", "ensemble"))["r2_log10"]
    assert 1 - ((y - p) ** 2).sum() / ((y - y.mean()) ** 2).sum() == pytest.approx(reported, abs=1e-4)


def test_a_run_without_scikit_learn_says_so_before_it_begins(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ImportError, match=r"comparing models needs scikit-learn.*pip install 'spectral-jax\[eval\]'"):
        compare_and_fit(Microcystin("none"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def unlabelled(path, data):
    np.savez(
        path, rrs=data.rrs, wavelength=data.wavelength_nm, station=data.station,
        time=np.datetime_as_string(data.time), lat=data.lat, lon=data.lon,
    )  # fmt: skip
    return path


@pytest.mark.slow
def test_prediction_has_a_row_for_every_input_row_in_order(run):
    folder, _, _ = run
    data = tiny_matchups.make(seed=1)
    data.rrs[5] = np.nan
    data.rrs[7] *= 2.0
    said = predict.predict_file(unlabelled(folder / "new.npz", data), folder / "run", folder / "out.csv")
    assert "40 rows predicted" in said
    assert "1 without a valid pixel" in said
    assert "SIMULATED" in said
    with open(folder / "out.csv") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:8] == list(predict.COLUMNS)
    made = {k: np.array([float(r[k]) for r in rows]) for k in rows[0]}
    assert list(np.flatnonzero(np.isnan(made["mc_now"]))) == [5]
    good = np.arange(40) != 5
    for target in matchups.TARGETS:
        low, value, high = (made[f"mc_{target}{x}"][good] for x in ("_lower", "", "_upper"))
        assert (low <= value).all()
        assert (value <= high).all()
        assert value.min() >= 0.1
    assert ((made["p_exceed_8"] <= made["p_exceed_1_6"]) | ~good).all()
    assert made["outside_training_range"][7] == 1
    y, p = np.log10(data.mc_now[good]), np.log10(made["mc_now"][good])
    assert np.corrcoef(y, p)[0, 1] > 0.85


@pytest.mark.slow
def test_bands_are_found_by_wavelength(run):
    folder, _, _ = run
    data = tiny_matchups.make(seed=1)
    nm = np.sort(np.append(data.wavelength_nm, 675.0))
    at = np.searchsorted(nm, data.wavelength_nm)
    rrs = np.full((*data.rrs.shape[:3], len(nm)), 0.02, np.float32)
    rrs[..., at] = data.rrs
    more = dataclasses.replace(data, rrs=rrs, wavelength_nm=nm)
    for name, one in (("a", data), ("b", more)):
        predict.predict_file(unlabelled(folder / f"{name}.npz", one), folder / "run", folder / f"{name}.csv")
    assert (folder / "a.csv").read_text() == (folder / "b.csv").read_text()
    fewer = dataclasses.replace(data, rrs=data.rrs[..., 1:], wavelength_nm=data.wavelength_nm[1:])
    with pytest.raises(ValueError, match="no band within 1 nm of 410 nm .*1 of the predictor's 19 bands are missing"):
        predict.predict_file(unlabelled(folder / "c.npz", fewer), folder / "run", folder / "c.csv")


@pytest.mark.slow
def test_a_saved_predictor_is_the_same(run):
    folder, _, _ = run
    made = predictor_file.load(folder / "run" / predictor_file.FILE)
    predictor_file.save(folder / "again.npz", made)
    again = predictor_file.load(folder / "again.npz")
    data = tiny_matchups.make(seed=2)
    for target in matchups.TARGETS:
        a, b = (predictor_file.predict(m, data, None)[target] for m in (made, again))
        np.testing.assert_array_equal(a.middle, b.middle)
    assert again.climatology.stations == made.climatology.stations


@pytest.mark.slow
def test_no_predictor_and_a_broken_one_are_sentences(run, tmp_path):
    folder, _, _ = run
    path = unlabelled(folder / "d.npz", tiny_matchups.make())
    with pytest.raises(FileNotFoundError, match="give the work folder of a finished run"):
        predict.predict_file(path, tmp_path, tmp_path / "out.csv")
    (tmp_path / predictor_file.FILE).write_text("nothing")
    with pytest.raises(ValueError, match="is no predictor"):
        predict.predict_file(path, tmp_path, tmp_path / "out.csv")


@pytest.mark.slow
def test_the_config_comes_back_and_a_config_of_another_job_is_refused(run):
    folder, cfg, _ = run
    assert configure.read(str(folder / "run" / "config.json"), kind=Microcystin) == cfg
    changed = configure.override(cfg, "--config.data.region=none", "--config.evaluation.seeds=3")
    assert changed.data.region is None
    assert changed.evaluation.seeds == 3
    with pytest.raises(ValueError, match="evaluation.splits: no split is called 'year'; the names are, closest first: "):
        configure.override(cfg, "--config.evaluation.splits=year")
    with pytest.raises(ValueError, match="no baseline is called 'rigde'; the names are, closest first: ridge, .* in all"):
        configure.override(cfg, "--config.evaluation.baselines=rigde")
    with pytest.raises(ValueError, match="'simulated' goes with simulated match-ups alone, and data.matchups is .*m.npz"):
        configure.override(cfg, "--config.data.climatology=simulated")
    with pytest.raises(ValueError, match="makes a Config, and this command takes a Microcystin"):
        configure.read("experiments/configs/quickstart.py", kind=Microcystin)


@pytest.mark.parametrize("level", [2, 3])
@pytest.mark.slow
def test_an_image_becomes_a_map(run, tmp_path, level):
    rasterio = pytest.importorskip("rasterio")
    pytest.importorskip("h5netcdf")
    folder, _, _ = run
    nm, spectra = tiny_matchups.NM, tiny_matchups.make(seed=3).mean_rrs()[:30].reshape(5, 6, -1).copy()
    spectra[2, 3] = np.nan
    spectra[0, 0] *= 2.5
    if level == 2:
        flags = np.zeros((5, 6), np.int32)
        flags[1, 1] = 1 << 9  # CLDICE
        image = pace_files.write_l2(tmp_path, raw=pace_files.packed(spectra), nm=nm, flags=flags)
    else:
        lat, lon = 41.9 - 0.05 * np.arange(5), -83.4 + 0.05 * np.arange(6)
        image = pace_files.write_l3m(tmp_path, rrs=spectra, lat=lat, lon=lon, nm=nm)
    said = predict.predict_image(image, folder / "run", tmp_path / "map.tif")
    assert "map.tif" in said
    assert (tmp_path / "map.png").stat().st_size > 10_000
    if level == 3:
        with rasterio.open(tmp_path / "map.tif") as file:
            assert file.crs.to_epsg() == 4326
            assert file.xy(0, 0) == pytest.approx((-83.4, 41.9))
            assert file.tags()["simulated"] == "true"
            layers = dict(zip((d.split(":")[0] for d in file.descriptions), file.read(), strict=True))
        assert np.isnan(layers["mc_now"][2, 3])
        assert layers["outside_training_range"][0, 0] == 1
        one = tiny_matchups.make(seed=3).take(np.arange(30))
        one = dataclasses.replace(one, rrs=spectra.reshape(30, 1, 1, -1).astype(np.float32), station=np.arange(30).astype(str))
        alone = predictor_file.predict(predictor_file.load(folder / "run" / predictor_file.FILE), one.take([8]), None)[
            "now"
        ].middle
        # The map is of one day in July; season and rounding of the packing are all that differ from the row alone.
        assert np.log10(layers["mc_now"][1, 2]) == pytest.approx(alone[0], abs=0.5)


@pytest.mark.slow
def test_an_image_without_water_is_a_sentence(run, tmp_path):
    pytest.importorskip("h5netcdf")
    folder, _, _ = run
    nothing = pace_files.packed(np.full((5, 6, len(tiny_matchups.NM)), np.nan))
    image = pace_files.write_l2(tmp_path, raw=nothing, nm=tiny_matchups.NM)
    with pytest.raises(ValueError, match="expected water pixels, and none is left"):
        predict.predict_image(image, folder / "run", tmp_path / "map.tif")
