"""Whitening: what is whitened, measured in one pass, written, read and refused."""

import dataclasses
from pathlib import Path

import jax
import numpy as np
import pytest
from made import tiny_run, tiny_stem

from spectral_jax import configure, spec_files
from spectral_jax.batch import Batch, SensorData, decode
from spectral_jax.config import SensorInput
from spectral_jax.data.loader import Loader
from spectral_jax.sensors import SensorSpec
from spectral_jax.spectral import band_statistics, whitening

TOOL = Path(__file__).resolve().parents[2] / "tools" / "band_statistics.py"


def batch(spec, rng, size):
    """Reflectance about 0.3 of `tiny_stem`'s spectrometer, one pixel of every patch missing."""
    pixels = tiny_stem.cells(size * 64, len(spec.used), int(rng.integers(99))).reshape(size, 8, 8, -1).astype(np.float32)
    pixels[:, 2, 3] = np.nan
    return Batch({"HSI": SensorData(pixels, np.ones(size, bool), np.zeros(size, np.float32))})


def test_a_cell_of_one_pixel_is_the_pixel_and_invalid_ones_are_0(rng):
    pixels, valid = rng.normal(size=(2, 4, 4, 3)).astype(np.float32), rng.uniform(size=(2, 4, 4)) > 0.3
    found, seen = whitening.stem_input(np.where(valid[..., None], pixels, np.nan), valid, 1)
    np.testing.assert_array_equal(found, np.where(valid[..., None], pixels, 0.0))
    np.testing.assert_array_equal(seen, valid)


def test_a_cell_of_several_pixels_is_mean_and_deviation_of_its_valid_ones(rng):
    pixels, valid = rng.normal(size=(2, 6, 9, 3)).astype(np.float32), rng.uniform(size=(2, 6, 9)) > 0.4
    valid[0, :3, 3:6], valid[1, 3:, :3] = False, False
    valid[1, 4, 1] = True  # of one pixel alone
    found, seen = whitening.stem_input(np.where(valid[..., None], pixels, np.inf), valid, 3)
    assert found.shape == (2, 2, 3, 6)
    assert not seen[0, 0, 1]
    assert seen.sum() == 11
    for b, r, q in np.ndindex(2, 2, 3):
        part = np.s_[b, 3 * r : 3 * r + 3, 3 * q : 3 * q + 3]
        own = pixels[part][valid[part]].astype(np.float64)
        expected = np.concatenate([own.mean(0), own.std(0)]) if len(own) else np.zeros(6)
        np.testing.assert_allclose(found[b, r, q], expected, atol=1e-6)


def test_a_uniform_cell_has_no_deviation_and_a_finite_slope():
    def value(x):
        return whitening.stem_input(x, np.ones((1, 3, 3), bool), 3)[0].sum()

    np.testing.assert_allclose(jax.grad(value)(np.full((1, 3, 3, 2), 0.25, np.float32)), 1 / 9, rtol=1e-6)


def test_moments_of_one_pass_are_those_of_all_cells_together(rng):
    found = [batch(tiny_stem.HSI, rng, size) for size in (2, 1, 5)]
    moments = whitening.measure(tiny_stem.HSI, "HSI", found, 1)
    everything = np.concatenate([b.sensors["HSI"].pixels.reshape(-1, 6) for b in found]).astype(np.float64)
    everything = np.clip(everything[np.isfinite(everything[:, 0])], 0, 1)
    assert moments.number == len(everything) == 8 * 63
    np.testing.assert_allclose(moments.mean, everything.mean(0), rtol=1e-6)
    np.testing.assert_allclose(moments.covariance, np.cov(everything.T, bias=True), rtol=1e-5, atol=1e-9)


def test_moments_keep_what_is_small_beside_a_large_mean(rng):
    cells = 1e6 + rng.normal(size=(3000, 2)) * [1.0, 1e-3]
    moments = whitening.Moments(0, np.zeros(2), np.zeros((2, 2)))
    for part in np.split(cells, [10, 11, 1700]):
        moments = whitening.merged(moments, part)
    assert whitening.merged(moments, cells[:0]) is moments
    np.testing.assert_allclose(moments.covariance, np.cov(cells.T, bias=True), rtol=1e-6, atol=1e-9)


def test_whitened_numbers_are_uncorrelated_and_of_nearly_equal_variance():
    cells = tiny_stem.cells(4000, 6)
    cells = np.concatenate([cells, np.full((4000, 1), 0.4)], axis=1)  # a band that says nothing
    moments = whitening.merged(whitening.Moments(0, np.zeros(7), np.zeros((7, 7))), cells)
    table = whitening.fit(moments, 4)
    y = cells @ table.kernel + table.offset
    expected = np.sort(np.linalg.eigvalsh(np.corrcoef(cells[:, :6].T)))[::-1][:4]
    np.testing.assert_allclose(np.cov(y.T, bias=True), np.diag(expected / (expected + 2e-3)), atol=1e-9)
    np.testing.assert_allclose(y.mean(0), 0.0, atol=1e-9)
    assert table.kernel.shape == (7, 4)
    assert not table.kernel[6].any()
    weights = table.kernel[:6] * cells[:, :6].std(0)[:, None]
    assert (weights.max(0) >= -weights.min(0)).all()  # the sign is no matter of chance
    assert whitening.fit(moments, 48).kernel.shape == (7, 7)


@pytest.mark.parametrize("key", ["HSI", "MSI", "SAR"])
def test_a_standardised_sensor_is_whitened_to_the_same_numbers(key, tmp_path, rng):
    spec = tiny_stem.SPECS[key]
    side, bands = whitening.cell_px(spec, 30.0), len(spec.used)
    name = tiny_stem.table(tmp_path, spec)
    standard = dataclasses.replace(spec, mean=tuple(rng.uniform(0.1, 0.4, bands)), std=tuple(rng.uniform(0.05, 0.2, bands)))
    values = rng.uniform(spec.low, spec.high, (2, 6, 6, bands)).astype(np.float32)
    data = SensorData(values, np.ones(2, bool), np.zeros(2, np.float32))
    whitened = []
    for each in (spec, standard):
        x, _ = whitening.stem_input(*decode(data, each), side)
        table = whitening.read(each, name, side)
        whitened.append(np.asarray(x) @ table.kernel + table.offset)
    assert whitened[0].std() > 0.5
    np.testing.assert_allclose(whitened[1], whitened[0], rtol=1e-4, atol=1e-4 * np.abs(whitened[0]).max())


def test_a_table_is_read_by_wavelength_not_by_position(tmp_path):
    name = tiny_stem.table(tmp_path, tiny_stem.HSI)
    backwards = dataclasses.replace(tiny_stem.HSI, bands=tiny_stem.HSI.bands[::-1], token_edges_nm=())
    ours, theirs = (whitening.read(spec, name, 1) for spec in (tiny_stem.HSI, backwards))
    np.testing.assert_array_equal(theirs.kernel, ours.kernel[::-1])
    np.testing.assert_array_equal(theirs.offset, ours.offset)


def test_a_sensor_carries_the_name_and_the_digest_of_its_whitening(tmp_path):
    name, other = (tiny_stem.table(tmp_path, tiny_stem.HSI, seed=seed) for seed in (0, 1))
    first, second = (whitening.whitened(SensorInput("HSI", tiny_stem.HSI), table) for table in (name, other))
    assert (first.tokenizer, first.whitening.table, first.whitening.components) == ("stem", name, 4)
    assert len(first.whitening.digest) == 16
    assert first.whitening.digest != second.whitening.digest
    cfg = tiny_stem.config(tmp_path)
    again = configure.from_json(configure.to_json(cfg))
    assert again == cfg
    assert hash(again) == hash(cfg)
    elsewhere = dataclasses.replace(cfg.sensors[0].whitening, table="elsewhere.csv")
    moved = dataclasses.replace(cfg, sensors=(dataclasses.replace(cfg.sensors[0], whitening=elsewhere), *cfg.sensors[1:]))
    assert len(configure.changed(cfg, moved)) == 1
    assert configure.another_run(cfg, moved) == []  # the digest says which table it is
    changed = configure.override(cfg, "--config.model.stem_cells=deviation", "--config.model.skip=true")
    assert (changed.sensors, changed.model.stem_cells, changed.model.skip) == (cfg.sensors, "deviation", True)


@pytest.mark.parametrize(
    ("sensor", "table", "components"),
    [
        ("enmap_l2a", "enmap_simulated", 48),
        ("emit_l2a", "emit_simulated", 48),
        ("desis_l2a", "desis_simulated", 48),
        ("sentinel2a_l2a", "sentinel2_simulated", 24),
        ("landsat8_oli", "landsat_simulated", 7),
        ("landsat_st", "landsat_temperature_simulated", 1),
        ("sentinel1_grd", "sentinel1_simulated", 4),
    ],
)
def test_the_tables_of_simulated_scenes_fit_their_sensors(sensor, table, components):
    spec = dataclasses.replace(SensorSpec.load(sensor), mean=(), std=())
    found = whitening.read(spec, table, whitening.cell_px(spec, 30.0))
    assert found.offset.shape == (components,)
    path = spec_files.folder("whitening") / f"{table}.csv"
    assert path.read_text().startswith(f"# {sensor}, SIMULATED: ")
    mean, std = (np.array([float(row[name]) for row in spec_files.read_table(path)[1:]]) for name in ("mean", "std"))
    np.testing.assert_allclose(mean @ found.kernel + found.offset, 0.0, atol=1e-2)
    weights = found.kernel * std[:, None]  # eigenvectors of a correlation, over the root of their variance + 2e-3
    products = weights.T @ weights
    variance = 1 / np.diag(products) - 2e-3
    np.testing.assert_allclose(products, np.diag(np.diag(products)), atol=1e-3 * products.max())
    assert (np.diff(variance) < 1e-4).all()
    assert 0.997 * len(std) < variance.sum() < 1.0001 * len(std)


def test_bad_tables_are_refused(tmp_path):
    name = tiny_stem.table(tmp_path, tiny_stem.HSI)
    fewer = dataclasses.replace(tiny_stem.HSI, bands=tiny_stem.HSI.bands[:5])
    moved = dataclasses.replace(
        tiny_stem.HSI, bands=(*tiny_stem.HSI.bands[:5], dataclasses.replace(tiny_stem.HSI.bands[5], centre_nm=730.0))
    )
    with pytest.raises(ValueError, match="it has 6 rows, and a cell of 1 x 1 pixels of the 5 bands that stem_hsi uses has 5"):
        whitening.read(fewer, name, 1)
    with pytest.raises(
        ValueError, match=r"no line for band 5 at 730 nm of sensor stem_hsi; measure .*statistics.py --whitening"
    ):
        whitening.read(moved, name, 1)
    with pytest.raises(ValueError, match="measured on cells of 1 x 1 pixels, and model.stem_gsd_m makes cells of 2 x 2 pixels"):
        whitening.read(tiny_stem.HSI, name, 2)
    with pytest.raises(ValueError, match="whitening: no table is called 'enmapp'; "):
        whitening.read(tiny_stem.HSI, "enmapp", 1)
    with pytest.raises(FileNotFoundError, match="whitening: expected a file of a table, and gone.csv does not exist"):
        whitening.read(tiny_stem.HSI, "gone.csv", 1)
    text = Path(name).read_text().splitlines()
    for changed, sentence in (
        ([text[0], text[1], *text[3:]], "first the row called offset"),
        ([*text[:-1], text[-1].rsplit(",", 1)[0] + ",few"], "expected numbers in the columns mean, std and w1 to w4"),
        ([*text[:-1], text[-1].rsplit(",", 1)[0] + ",nan"], "expected finite numbers in the columns mean, std and w1 to w4"),
    ):
        (tmp_path / "bad.csv").write_text("\n".join(changed))
        with pytest.raises(ValueError, match=sentence):
            whitening.read(tiny_stem.HSI, str(tmp_path / "bad.csv"), 1)


def test_a_store_without_cells_or_without_differences_is_told(rng):
    with pytest.raises(ValueError, match="no valid pixel of HSI was read"):
        whitening.measure(tiny_stem.HSI, "HSI", [], 1)
    alike = whitening.merged(whitening.Moments(0, np.zeros(2), np.zeros((2, 2))), np.full((9, 2), 0.5))
    with pytest.raises(ValueError, match="expected cells that differ, and all 9 are alike in each of their 2 numbers"):
        whitening.fit(alike, 2)


def test_the_tool_measures_a_whitening(load_command, tmp_path, monkeypatch, capsys):
    cfg = tiny_run.config()
    path = tiny_run.write_store(tmp_path / "store.zarr", cfg)
    tool = load_command(TOOL)
    from absl import flags

    (tmp_path / "config.py").write_text("from made import tiny_run\nconfig = tiny_run.config\n")
    values = {"config": str(tmp_path / "config.py"), "store": str(path), "sensor": "MSI", "out": str(tmp_path / "w.csv")}
    for name, value in (values | {"batches": 2, "whitening": True, "components": 3}).items():
        monkeypatch.setattr(flags.FLAGS[name], "value", value)
    tool["main"](["band_statistics", "--config.model.stem_gsd_m=60"])
    assert "tiny_msi: 256 cells of 3 x 3 pixels (observed) in 2 batches of store.zarr" in capsys.readouterr().out
    moments = whitening.measure(tiny_run.MSI, "MSI", Loader(cfg, path).batches(0, 2), 3)
    plain = dataclasses.replace(tiny_run.MSI, mean=(), std=())
    np.testing.assert_allclose(
        whitening.read(plain, str(tmp_path / "w.csv"), 3).kernel, whitening.fit(moments, 3).kernel, rtol=1e-5, atol=1e-5
    )
    mean, std, _ = band_statistics.measure(tiny_run.MSI, "MSI", Loader(cfg, path).batches(0, 2))
    np.testing.assert_allclose(moments.mean[:2], mean, atol=1e-6)
