"""What a run left before the package was rearranged is read as it was: config, predictor and report of tests/golden."""

import csv
from pathlib import Path

import numpy as np
import pytest
from made import tiny_matchups

from spectral_jax import configure
from spectral_jax.microcystin import predict
from spectral_jax.microcystin.report import write
from spectral_jax.microcystin.settings import Evaluation, MatchupData, Microcystin
from spectral_jax.pages import style

RUN = Path(__file__).resolve().parents[1] / "golden" / "microcystin_run"


def numbers(path):
    with open(path) as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in rows[0]}


def test_its_predictor_gives_the_numbers_it_gave(tmp_path):
    data = tiny_matchups.make(weeks=2, stations=2, seed=1)
    np.savez(
        tmp_path / "new.npz", rrs=data.rrs, wavelength=data.wavelength_nm, station=data.station,
        time=np.datetime_as_string(data.time), lat=data.lat, lon=data.lon,
    )  # fmt: skip
    predict.predict_file(tmp_path / "new.npz", RUN, tmp_path / "out.csv")
    before, now = numbers(RUN / "predictions.csv"), numbers(tmp_path / "out.csv")
    assert list(now) == list(before)
    for name, values in before.items():
        assert now[name] == pytest.approx(values, rel=2e-5), name


def test_its_config_is_read_whole():
    evaluation = Evaluation(seeds=1, baselines=("mean", "season"), label_fractions=(1.0,), workers=1)
    expected = Microcystin("before", MatchupData("matchups.npz", climatology="erie_microcystin"), evaluation)
    assert configure.read(str(RUN / "config.json"), kind=Microcystin) == expected


def test_its_report_gives_a_page(tmp_path, monkeypatch):
    monkeypatch.setattr(style, "as_svg", lambda draw: "data:,")
    for name in ("report.json", "out_of_fold.csv"):
        (tmp_path / name).write_bytes((RUN / name).read_bytes())
    page = write.write(tmp_path).read_text(encoding="utf-8")
    assert "It reaches R² = 0.817 in log10 of the concentration" in page
    assert page.count("<img ") == 14
