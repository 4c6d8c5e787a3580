"""From a scene to a map of embeddings: the encoder's numbers in their place, and every wrong word a sentence."""

from pathlib import Path

import numpy as np
import pytest
from absl.testing import flagsaver
from made import tiny_geotiffs, tiny_scene

import spectral_jax
from spectral_jax.batch import Batch, SensorData
from spectral_jax.maps import embedder, embedding, observed
from spectral_jax.maps.bands import Known
from spectral_jax.maps.embedding import Choices

rasterio = tiny_geotiffs.rasterio
ENMAP = tiny_geotiffs.ENMAP
TOOL = Path(__file__).resolve().parents[2] / "tools" / "embed.py"


@pytest.fixture(scope="module")
def tool(load_command):
    return load_command(TOOL)


def write_scene(path, rows=16, columns=20, gap=np.s_[0:0]):
    """EnMAP numbers with their wavelengths."""
    rng = np.random.default_rng(0)
    numbers = rng.integers(200, 4000, (len(ENMAP.bands), rows, columns)).astype(np.int16)
    for band in numbers:
        band[gap] = -32768
    tags = [{"wavelength": f"{b.centre_nm}", "fwhm": f"{b.fwhm_nm}"} for b in ENMAP.bands]
    return tiny_geotiffs.write_tif(path, numbers, 30.0, band_tags=tags, nodata=-32768), numbers


@pytest.fixture
def means(monkeypatch):
    """An encoder that gives cells of 2 x 2 pixels of EnMAP the mean of three bands."""

    class Told(Known):
        spec = ENMAP.without_bad_bands()

    made = tiny_scene.embedder()
    of_three = made._replace(function=lambda pixels: made.function(pixels[..., :3]))
    monkeypatch.setattr(embedder, "loaded", lambda name: (None, {"encoder": {"w": np.zeros(2)}}))
    monkeypatch.setattr(observed.bands, "of_file", lambda cfg, params, dataset, path: Told(cfg, params, "ENMAP"))
    monkeypatch.setattr(embedder, "of_level", lambda known, level: of_three)


def test_a_map_has_the_cells_of_the_scene_in_their_place(means, tmp_path):
    path, numbers = write_scene(tmp_path / "scene.tif", 17, 20, np.s_[4:8, 6:10])
    said = embedding.embed_scene(path, "means", tmp_path / "map.tif", Choices(), "spectral-jax embed scene.tif")
    some = numbers[list(ENMAP.used_index[:3])].astype(np.float32).transpose(1, 2, 0) / 1e4
    some[some < 0] = np.nan
    whole = np.pad(some, ((0, 1), (0, 0), (0, 0)), constant_values=np.nan)
    with rasterio.open(tmp_path / "map.tif") as file:
        np.testing.assert_allclose(file.read().transpose(1, 2, 0), tiny_scene.cell_means(2)(whole[None])[0], atol=1e-6)
        assert tuple(file.transform)[:6] == (60.0, 0.0, 500000.0, 0.0, -60.0, 5800000.0)
        tags = file.tags()
        assert file.descriptions[0] == "means 1 of 3"
    assert (tags["ENCODER"], tags["SENSOR"], tags["LEVEL"], tags["SOURCE_FILE"]) == ("means", "enmap_l2a", "means", "scene.tif")
    assert (len(tags["ENCODER_SHA256"]), tags["SIMULATED"], tags["SOURCE_TIME"]) == (16, "false", "unknown")
    assert float(tags["VALID_SHARE"]) == pytest.approx(86 / 90, abs=1e-5)
    assert "9 x 10 cells of 2 x 2 pixels, 3 numbers of means each, 95.6% of the cells with data" in said
    page = (tmp_path / "map.html").read_text()
    assert "spectral-jax embed scene.tif" in page
    assert "SIMULATED" not in page
    assert sorted(p.name for p in tmp_path.iterdir()) == ["map.html", "map.png", "map.tif", "scene.tif"]


def test_components_and_eight_bits_are_said(means, tmp_path):
    path, _ = write_scene(tmp_path / "scene.tif")
    embedding.embed_scene(path, "means", tmp_path / "map.tif", Choices(components=2, int8=True, page=False))
    with rasterio.open(tmp_path / "map.tif") as file:
        assert file.dtypes == ("int8", "int8")
        assert file.descriptions[0].startswith("component 1 of means, ")
        assert "fitted on a sample of 144 cells of this scene" in file.tags()["COMPONENTS"]
        values = file.read().reshape(2, -1) * np.array(file.scales)[:, None] + np.array(file.offsets)[:, None]
    assert abs(np.corrcoef(values)[0, 1]) < 0.05
    assert not (tmp_path / "map.html").exists()


@pytest.mark.parametrize(
    ("scene", "choices", "error", "sentence"),
    [
        (dict(gap=np.s_[:]), Choices(), ValueError, "expected a scene with at least one pixel that holds data in all bands"),
        (
            dict(gap=np.s_[:]),
            Choices(components=3),
            ValueError,
            "--components=3 is fitted on windows spread over the scene",
        ),
        (dict(rows=7), Choices(), ValueError, "expected at least 8 x 8 pixels, one patch of the encoder, got 7 x 20"),
        ({}, Choices(components=4), ValueError, "--components: expected 1 to 3, the numbers of a vector of this level, got 4"),
        ({}, Choices(offset="1000"), ValueError, "--offset: expected it with a sensor of Sentinel-2, and ENMAP is enmap_l2a"),
    ],
)
def test_scenes_and_choices_that_do_not_do_are_refused_and_leave_nothing(means, tmp_path, scene, choices, error, sentence):
    path, _ = write_scene(tmp_path / "scene.tif", **scene)
    with pytest.raises(error, match=sentence):
        embedding.embed_scene(path, "means", tmp_path / "map.tif", choices)
    assert [p.name for p in tmp_path.iterdir()] == ["scene.tif"]


def test_a_scene_that_is_not_there_is_told(means, tmp_path):
    with pytest.raises(FileNotFoundError, match="gone.tif does not exist; expected a scene"):
        embedding.embed_scene(tmp_path / "gone.tif", "means", tmp_path / "map.tif", Choices())
    with pytest.raises(IsADirectoryError, match="is a folder; expected a scene"):
        embedding.embed_scene(tmp_path, "means", tmp_path / "map.tif", Choices())


def test_an_unknown_encoder_is_told_with_the_closest(tmp_path):
    with pytest.raises(ValueError, match="'spectral-mni' is neither a folder here nor a model .* spectral-mini"):
        embedding.embed_scene(tmp_path / "scene.tif", "spectral-mni", tmp_path / "map.tif", Choices())


@pytest.mark.parametrize(
    ("words", "flags", "sentence"),
    [
        ((), {}, "--encoder is needed: a model's name, such as spectral-mini"),
        ((), {"encoder": "x", "out": "map.tif"}, "a map is made of one scene, and there are 0; give embed SCENE.tif"),
        (("a.tif",), {"encoder": "x", "out": "map.tif", "store": "s"}, "there are 1 and a store"),
        (("a.tif",), {"encoder": "x"}, "the scene a.tif is for maps, and --out=embeddings.npz is none; let it end in .tif"),
        ((), {"encoder": "x", "int8": True, "store": "s"}, "--int8 is for maps"),
        ((), {"encoder": "presto", "weights": "w", "store": "s"}, "--weights is for maps"),
        (("a.tif",), {"encoder": "prest", "weights": "w", "out": "map.tif"}, "no encoder is called 'prest'; the names are"),
    ],
)
def test_the_command_says_what_it_lacks(tool, capsys, words, flags, sentence):
    with flagsaver.flagsaver(**flags):
        assert tool["main"](["embed", *words]) == 1
    assert sentence in capsys.readouterr().err


@pytest.mark.slow
def test_the_small_encoder_maps_what_it_says_of_the_patches(tmp_path):
    path, numbers = write_scene(tmp_path / "scene.tif", 16, 16)
    embedding.embed_scene(path, "spectral-mini", tmp_path / "map.tif", Choices(page=False))
    cfg, params = spectral_jax.load("spectral-mini")
    stored = numbers[list(ENMAP.used_index)].transpose(1, 2, 0)[None, 8:, :8]
    data = SensorData(stored, np.ones(1, bool), np.zeros(1, np.float32))
    expected = np.asarray(spectral_jax.apply(params, Batch({"ENMAP": data}), cfg).pixels["ENMAP"])[0]
    with rasterio.open(tmp_path / "map.tif") as file:
        np.testing.assert_allclose(file.read().transpose(1, 2, 0)[8:, :8], expected, atol=1e-4)
        assert file.tags()["LEVEL"] == "pixels"
    with pytest.raises(ValueError, match="--level: no level of the sensor ENMAP is called 'stag2'; .* closest first: stage2"):
        embedding.embed_scene(path, "spectral-mini", tmp_path / "map.tif", Choices(level="stag2"))
