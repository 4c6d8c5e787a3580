"""Band statistics: measured, written, read and used."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from made import tiny_run

from spectral_jax.batch import Batch, SensorData, decode
from spectral_jax.data.loader import Loader
from spectral_jax.sensors import SensorSpec
from spectral_jax.spectral import band_statistics

TOOL = Path(__file__).resolve().parents[2] / "tools" / "band_statistics.py"


def batch(rng, size):
    """Reflectance 0 to 0.6 of `tiny_hsi`, the first pixel of every patch missing."""
    pixels = rng.integers(0, 6000, (size, 8, 8, 6)).astype(np.int16)
    pixels[:, 0, 0] = -32768
    return Batch({"HSI": SensorData(pixels, np.ones(size, bool), np.zeros(size, np.float32))})


def test_measured_statistics_are_those_of_the_valid_pixels(rng):
    batches = [batch(rng, 2), batch(rng, 3), tiny_run.batch(tiny_run.config(), rng)]
    batches[2] = Batch({"MSI": batches[2].sensors["MSI"]})  # of another group: this sensor is not in it
    mean, std, count = band_statistics.measure(tiny_run.HSI, "HSI", batches)
    values = np.concatenate([b.sensors["HSI"].pixels.reshape(-1, 6) for b in batches[:2]]) * 1e-4
    values = values[values[:, 0] >= 0]
    assert count == len(values) == 5 * 63
    np.testing.assert_allclose(mean, values.mean(0), rtol=1e-5)
    np.testing.assert_allclose(std, values.std(0), rtol=1e-5)


def test_a_sensor_standardised_by_its_own_statistics_has_mean_0_and_deviation_1(tmp_path, rng):
    found = batch(rng, 16)
    band_statistics.write(
        tmp_path / "own.csv", tiny_run.HSI, *band_statistics.measure(tiny_run.HSI, "HSI", [found])[:2], "made up"
    )
    spec = band_statistics.standardised(tiny_run.HSI, str(tmp_path / "own.csv"))
    values, valid = (np.asarray(x) for x in decode(found.sensors["HSI"], spec))
    np.testing.assert_allclose(values[valid].mean(0), 0.0, atol=1e-3)
    np.testing.assert_allclose(values[valid].std(0), 1.0, atol=1e-3)


def test_bands_are_found_by_wavelength_not_by_position(tmp_path):
    bands = tiny_run.HSI.bands
    backwards = dataclasses.replace(tiny_run.HSI, bands=bands[::-1], token_edges_nm=())
    numbers = np.arange(1.0, 7.0)
    band_statistics.write(tmp_path / "a.csv", backwards, numbers, numbers / 10, "made up")
    assert band_statistics.standardised(tiny_run.HSI, str(tmp_path / "a.csv")).mean == (6.0, 5.0, 4.0, 3.0, 2.0, 1.0)
    band_statistics.write(tmp_path / "r.csv", tiny_run.SAR, np.array([0.5]), np.array([0.2]), "made up")
    assert band_statistics.standardised(tiny_run.SAR, str(tmp_path / "r.csv")).std == (0.2,)


def test_the_statistics_of_enmap_fit_its_202_bands():
    spec = band_statistics.standardised(SensorSpec.load("enmap_l2a"), "enmap_potsdam")
    assert len(spec.mean) == len(spec.std) == 202
    near_infrared, red = (int(np.abs(spec.centre_nm - nm).argmin()) for nm in (860.0, 670.0))
    assert spec.mean[near_infrared] > 3 * spec.mean[red]  # it is summer


def test_bad_statistics_are_refused(tmp_path):
    with pytest.raises(ValueError, match="band statistics: no table is called 'enmap_berlin'; the names are, "):
        band_statistics.standardised(tiny_run.HSI, "enmap_berlin")
    file = tmp_path / "a.csv"
    band_statistics.write(
        file, dataclasses.replace(tiny_run.HSI, bands=tiny_run.HSI.bands[:5]), np.ones(5), np.ones(5), "made up"
    )
    with pytest.raises(ValueError, match=r"a.csv: no line for band 5 at 700 nm of sensor tiny_hsi; measure the statistics"):
        band_statistics.standardised(tiny_run.HSI, str(file))
    band_statistics.write(file, tiny_run.HSI, np.ones(6), np.array([1, 1, 0, 1, 1, 1.0]), "made up")
    with pytest.raises(ValueError, match="band 2 has standard deviation 0.0; expected a number above 0"):
        band_statistics.standardised(tiny_run.HSI, str(file))
    file.write_text("name,centre_nm,mean\n" + "".join(f"{b.name},{b.centre_nm},1\n" for b in tiny_run.HSI.bands))
    with pytest.raises(ValueError, match="expected the columns name, centre_nm, mean, std"):
        band_statistics.standardised(tiny_run.HSI, str(file))
    with pytest.raises(ValueError, match="no valid pixel of HSI was read"):
        band_statistics.measure(tiny_run.HSI, "HSI", [])


def test_the_tool_measures_a_store(load_command, tmp_path, monkeypatch, capsys):
    cfg = tiny_run.config()
    path = tiny_run.write_store(tmp_path / "store.zarr", cfg)
    tool = load_command(TOOL)
    from absl import flags

    (tmp_path / "config.py").write_text("from made import tiny_run\nconfig = tiny_run.config\n")
    values = {
        "config": str(tmp_path / "config.py"),
        "store": str(path),
        "sensor": "MSI",
        "out": str(tmp_path / "o.csv"),
        "batches": 2,
    }
    for name, value in (values | {"out": str(tmp_path / "o.csv")}).items():
        monkeypatch.setattr(flags.FLAGS[name], "value", value)
    tool["main"](["band_statistics"])
    assert "tiny_msi: 2304 valid pixels (observed) in 2 batches of store.zarr" in capsys.readouterr().out
    mean, std, _ = band_statistics.measure(tiny_run.MSI, "MSI", Loader(cfg, path).batches(0, 2))
    spec = band_statistics.standardised(tiny_run.MSI, str(tmp_path / "o.csv"))
    np.testing.assert_allclose((spec.mean, spec.std), (mean, std), atol=1e-5)
