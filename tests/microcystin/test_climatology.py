import numpy as np
import pytest

from spectral_jax.microcystin import climatology


def test_weighted_mean_by_hand(tmp_path):
    station = np.array(["WE2"] * 30 + ["WE4"])
    day, y = np.array([200.0] * 30 + [203.0]), np.array([1.0] * 30 + [-1.0])
    table = climatology.build(station, day, y)
    assert table.stations == ("*", "WE2")
    near = np.exp(-0.5 * 0.3**2)
    at = table.at(np.array(["WE2", "WE4", "elsewhere"]), np.array([200.0, 203.0, 300.0]))
    expected = [(4 * 30 - near) / (4 * 30 + near), (30 * near - 1) / (30 * near + 1), None]
    np.testing.assert_allclose(at[:2], expected[:2])
    climatology.write(tmp_path / "t.csv", table, "made up")
    again = climatology.read(str(tmp_path / "t.csv"))
    np.testing.assert_allclose(again.log10_mc, table.log10_mc, atol=5e-4)


def test_the_table_of_lake_erie_peaks_in_late_summer():
    table = climatology.read("erie_microcystin")
    may, august = table.at(np.array(["WE2", "WE2"]), np.array([135.0, 230.0]))
    assert may < -0.8 < 0.0 < august


def test_an_unknown_table_and_a_missing_or_other_file_are_sentences(tmp_path):
    with pytest.raises(ValueError, match="data.climatology: no table is called 'erie'; .* closest first: erie_microcystin"):
        climatology.read("erie")
    with pytest.raises(FileNotFoundError, match="data.climatology: .*none.csv does not exist"):
        climatology.read(str(tmp_path / "none.csv"))
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="expected columns day_of_year"):
        climatology.read(str(tmp_path / "bad.csv"))
