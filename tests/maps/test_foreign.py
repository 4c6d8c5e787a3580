"""Maps of encoders of others: the encoder's own numbers in their place, for the bands that it takes, and every wrong word."""

import dataclasses
import re

import jax
import numpy as np
import pytest
from made import tiny_geotiffs, toy_encoder

from spectral_jax import interop
from spectral_jax.interop.account import Account
from spectral_jax.interop.weights_file import Weights
from spectral_jax.maps import embedding, foreign
from spectral_jax.maps.embedding import Choices
from spectral_jax.model.published.presto import images
from spectral_jax.model.published.presto.inputs import statistics
from spectral_jax.model.published.presto.network import PrestoConfig
from spectral_jax.sensors import SensorSpec

rasterio = tiny_geotiffs.rasterio
ENMAP, S2 = tiny_geotiffs.ENMAP, SensorSpec.load("sentinel2b_l2a")
LAND = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")


def enmap_scene(path, rows=16, columns=20, gap=np.s_[0:0]):
    """Smooth spectra, brighter to the south-east, with their wavelengths; physical numbers [H W C] of the used bands too."""
    rng = np.random.default_rng(0)
    ground = np.add.outer(np.arange(rows), np.arange(columns)) * 60.0
    numbers = (500 + ground + 1000 * rng.uniform(size=(len(ENMAP.bands), rows, columns))).astype(np.int16)
    for band in numbers:
        band[gap] = -32768
    tags = [{"wavelength": f"{b.centre_nm}", "fwhm": f"{b.fwhm_nm}"} for b in ENMAP.bands]
    tiny_geotiffs.write_tif(path, numbers, 30.0, band_tags=tags, nodata=-32768)
    values = numbers[list(ENMAP.used_index)].transpose(1, 2, 0) * 1e-4
    return np.where(values > -1, values, np.nan)


def sentinel2_scene(path, rows=24, columns=20):
    numbers = np.random.default_rng(1).integers(200, 4000, (12, rows, columns)).astype(np.int16)
    tags = {"processing_baseline": "03.01"}
    tiny_geotiffs.write_tif(path, numbers, 10.0, descriptions=[b.name for b in S2.bands], tags=tags)
    return numbers.transpose(1, 2, 0) * 1e-4


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Weights of the toy encoder: mean, deviation and slope of 2 x 2 pixels, mixed; its input is 8 x 8 pixels."""
    toy_encoder.register(monkeypatch)
    state = toy_encoder.checkpoint()
    interop.save(tmp_path / "toy", *interop.models.read("toy", Weights("a.pt", state)))
    return str(tmp_path / "toy"), state


def mapped(tmp_path, encoder, weights, **choices):
    choices = {"page": False, "weights": weights} | choices
    said = embedding.embed_scene(tmp_path / "scene.tif", encoder, tmp_path / "map.tif", Choices(**choices))
    with rasterio.open(tmp_path / "map.tif") as file:
        return file.read().transpose(1, 2, 0), file.tags(), file.transform, said


def toy_numbers(pixels, nm, state):
    """What the toy encoder gives of standardised pixels [H W C], 0 where missing, patches of 2 x 2."""
    height, width, count = pixels.shape
    patches = pixels.reshape(height // 2, 2, width // 2, 2, count).mean(axis=(1, 3))
    slope = patches @ ((nm - nm.mean()) / 1000) / count
    three = np.stack([patches.mean(-1), patches.std(-1), slope], axis=-1)
    return three @ state["toy.mix.weight"].T + state["toy.mix.bias"]


def test_a_map_holds_the_encoders_numbers_of_bands_in_the_order_of_wavelengths(toy, tmp_path):
    folder, state = toy
    values = enmap_scene(tmp_path / "scene.tif", gap=np.s_[4:6, 6:9])
    nm = np.array([ENMAP.bands[i].centre_nm for i in ENMAP.used_index])
    order = np.argsort(nm, kind="stable")
    seen = values[..., order].reshape(-1, len(nm))
    seen = seen[np.isfinite(seen).all(axis=1)]
    # The sample of windows of 16 pixels is the whole scene, its middle columns twice.
    found, tags, transform, said = mapped(tmp_path, "toy/none", folder, overlap=0.0)
    twice = values[:, 4:16][..., order].reshape(-1, len(nm))
    spectra = np.concatenate([seen, twice[np.isfinite(twice).all(axis=1)]])
    standard = (values[..., order] - spectra.mean(axis=0)) / spectra.std(axis=0)
    expected = toy_numbers(np.nan_to_num(standard), nm[order], state)
    expected[2, 3] = np.nan  # all four pixels are missing
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert tuple(transform)[:2] == (60.0, 0.0)
    assert (tags["ENCODER"], tags["ADAPTATION"], tags["LEVEL"], tags["SENSOR"]) == ("toy", "none", "toy, last map", "enmap_l2a")
    assert tags["STATISTICS"].startswith("mean and deviation of a sample of this scene")
    assert "8 x 10 cells of 2 x 2 pixels, 8 numbers of toy, last map each" in said


def test_bands_are_projected_where_that_is_asked_for(toy, tmp_path):
    folder, state = toy
    values = enmap_scene(tmp_path / "scene.tif", columns=16)
    found, tags, _, _ = mapped(tmp_path, "toy/nearest", folder, overlap=0.0)
    assert tags["ADAPTATION"] == "nearest, 12 bands of sentinel2a_l2a"
    nm = np.array([ENMAP.bands[i].centre_nm for i in ENMAP.used_index])
    target = SensorSpec.load("sentinel2a_l2a").centre_nm
    seen = values[..., [int(np.abs(nm - one).argmin()) for one in target]]
    standard = (seen - seen.mean(axis=(0, 1))) / seen.std(axis=(0, 1))
    np.testing.assert_allclose(found, toy_numbers(standard, target, state), atol=2e-3)


def test_a_scene_smaller_than_the_input_is_enlarged_to_it(toy, tmp_path):
    enmap_scene(tmp_path / "scene.tif", 6, 7)
    found, tags, _, _ = mapped(tmp_path, "toy", toy[0])
    assert found.shape == (6, 7, 8)
    assert tags["WINDOWS"].startswith("windows of 4 x 4 cells")
    enmap_scene(tmp_path / "scene.tif", 3, 7)
    with pytest.raises(ValueError, match="scene.tif: expected at least 8 x 8 pixels, one patch of the encoder, got 3 x 7"):
        mapped(tmp_path, "toy", toy[0])


@pytest.mark.slow
def test_presto_gives_every_pixel_its_own_vector(tmp_path):
    # Small and random, saved as converted weights are.
    cfg = PrestoConfig(16, 1, 2, decoder_depth=0, bands=LAND)
    params = images.MODEL.init(jax.random.key(0), cfg)
    interop.save(tmp_path / "presto", cfg, params, Account("made", ()))
    values = sentinel2_scene(tmp_path / "scene.tif")
    found, tags, _, _ = mapped(tmp_path, "presto", str(tmp_path / "presto"))
    assert (tags["SENSOR"], tags["ADAPTATION"], tags["STATISTICS"]) == (
        "sentinel2a_l2a", "none", "what the weights were trained with",
    )  # fmt: skip
    assert tags["WINDOWS"].startswith("windows of 16 x 16 cells, 0 cells shared")
    names = [b.name for b in S2.bands]
    mean, std = statistics(tuple(names))
    pixels = (values - mean) / std
    expected = interop.encode(params, pixels[None].astype(np.float32), dataclasses.replace(cfg, bands=tuple(names)))
    np.testing.assert_allclose(found, np.asarray(expected.maps[0])[0], atol=1e-4)


@pytest.mark.parametrize(
    ("encoder", "sentence"),
    [
        ("prest", "--encoder (with --weights): no encoder is called 'prest'; the names are, closest first: presto"),
        ("ours_pixels", "--encoder=ours_pixels: an encoder of ours is named by its model or by the folder of its run alone"),
        ("ours_finest", "--encoder=ours_finest: an encoder of ours is named by its model or by the folder of its run alone"),
        ("presto/srv", "--encoder: no adaptation is called 'srv'; the names are, closest first: srf"),
        ("presto/learned_linear", "--encoder=presto/learned_linear: learned_linear learns from the labels of a task; without"),
    ],
)
def test_names_that_do_not_do_are_refused(encoder, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        foreign.named(encoder, "weights")


def test_what_an_encoder_does_not_take_is_told(toy, tmp_path):
    enmap_scene(tmp_path / "scene.tif")
    with pytest.raises(ValueError, match="--level: toy is mapped at its finest map alone, and stage2 is asked for"):
        mapped(tmp_path, "toy", toy[0], level="stage2")
    with pytest.raises(ValueError, match="presto: enmap_l2a has 202 bands of which some are not Sentinel-2's"):
        mapped(tmp_path, "presto/none", toy[0])
    with pytest.raises(ValueError, match=r"weights.spectf: .*toy holds a ToyConfig, expected weights of spectf"):
        mapped(tmp_path, "spectf", toy[0])
    radar = SensorSpec.load("sentinel1_rtc")
    tiny_geotiffs.write_tif(tmp_path / "vv.tif", np.full((2, 8, 8), -12.0, np.float32), 10.0, descriptions=["VV", "VH"])
    with pytest.raises(ValueError, match="--encoder=dofa: it cannot map these bands: dofa: expected bands with wavelengths"):
        embedding.embed_scene(tmp_path / "vv.tif", "dofa", tmp_path / "map.tif", Choices(weights=toy[0], sensor=radar.name))
    with pytest.raises(FileNotFoundError, match="config.json does not exist; expected a folder that tools/convert_weights.py"):
        mapped(tmp_path, "dofa", str(tmp_path / "gone"))
    with pytest.raises(ValueError, match="--sensor: no sensor is called 'sentinel2'; the names are, closest first: sentinel2"):
        mapped(tmp_path, "toy", toy[0], sensor="sentinel2")
    tiny_geotiffs.write_tif(tmp_path / "mute.tif", np.full((3, 8, 8), 900, np.int16), 30.0)
    with pytest.raises(
        ValueError, match="mute.tif: expected bands with wavelengths .tag wavelength., or the names of all bands"
    ):
        embedding.embed_scene(tmp_path / "mute.tif", "toy", tmp_path / "map.tif", Choices(weights=toy[0]))
    enmap_scene(tmp_path / "scene.tif", gap=np.s_[:])
    with pytest.raises(ValueError, match="an encoder without statistics of its own takes those of the scene, and no window"):
        mapped(tmp_path, "toy", toy[0])
    assert not list(tmp_path.glob("map*"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("encoder", "weights", "cell"), [("presto", "presto/default_model.pt", 1), ("galileo", "galileo_nano/encoder.pt", 4)]
)
def test_released_weights_map_a_real_tile(released, real_data, tmp_path, encoder, weights, cell):
    options = {"heads": 8} if encoder == "galileo" else {}
    interop.save(tmp_path / "w", *interop.models.read(encoder, interop.read(released / weights), **options))
    with rasterio.open(sorted((real_data / "terramesh" / "S2L2A").glob("*.tif"))[0]) as file:
        numbers = file.read()[:, :48, :48]
    tiny_geotiffs.write_tif(tmp_path / "scene.tif", numbers, 10.0, descriptions=[b.name for b in S2.bands])
    found, tags, _, _ = mapped(tmp_path, encoder, str(tmp_path / "w"), offset="0")
    assert found.shape == (48 // cell, 48 // cell, 128)
    assert np.isfinite(found).all()
    assert found.std(axis=(0, 1)).min() > 0
