"""From a scene to classes or quantities: what the model says of the pixels, with colours, probabilities and intervals."""

import dataclasses
import json

import jax
import numpy as np
import pytest
from made import tiny_adapt, tiny_geotiffs, tiny_kept

from spectral_jax.adapt import kept
from spectral_jax.adapt.encoders import table
from spectral_jax.adapt.encoders.encoder import Size
from spectral_jax.adapt.fit import adapted, prepared
from spectral_jax.adapt.fit.adapted import Adapted
from spectral_jax.adapt.parts.part import Part
from spectral_jax.adapt.parts.source import source_of
from spectral_jax.maps import prediction
from spectral_jax.sensors import SensorSpec

rasterio = tiny_geotiffs.rasterio
PX = tiny_adapt.PX


def write_scene(path, part, rows=16, columns=20, gap=None):
    """EnMAP numbers from the task's tiles, side by side, with wavelengths."""
    image = np.concatenate([part.sample(i)[0][0] for i in range(3)], axis=1)
    image = np.concatenate([image, image[:, ::-1]], axis=0)[:rows, :columns]
    numbers = np.rint(image * 1e4).astype(np.int16)
    if gap is not None:
        numbers[gap] = -32768
    bands = [{"wavelength": f"{b.centre_nm}", "fwhm": f"{b.fwhm_nm}"} for b in part.source.sensor.used]
    return tiny_geotiffs.write_tif(path, numbers.transpose(2, 0, 1), 30.0, band_tags=bands, tags={"simulated": "true"}), image


@pytest.mark.slow
def test_classes_are_the_most_probable_ones_with_their_colours(tmp_path, monkeypatch):
    model, params, buffers, part = tiny_kept.write(tmp_path / "toy_none", monkeypatch)
    path, image = write_scene(tmp_path / "scene.tif", part, rows=PX, columns=PX, gap=np.s_[0:2, 3])
    said = prediction.predict_scene(path, tmp_path / "toy_none", tmp_path / "map.tif", command="spectral-jax predict")
    valid = np.ones((1, 1, PX, PX), bool)
    valid[..., 0:2, 3] = False
    shown = np.where(valid[..., None], np.rint(image * 1e4) / 1e4, 0.0)[0].astype(np.float32)
    scores = np.asarray(adapted.predict(params, buffers, shown[None], valid, model))[0]
    odds = np.exp(scores - scores.max(axis=-1, keepdims=True))
    odds /= odds.sum(axis=-1, keepdims=True)
    with rasterio.open(tmp_path / "map_probabilities.tif") as file:
        found = file.read().transpose(1, 2, 0)
        assert file.descriptions == ("probability of dark", "probability of bright")
    np.testing.assert_allclose(found[valid[0, 0]], odds[valid[0, 0]], atol=1e-5)
    assert np.isnan(found[0:2, 3]).all()
    with rasterio.open(tmp_path / "map.tif") as file:
        index, tags = file.read(1), file.tags()
        assert (file.nodata, file.colormap(1)[1][:3]) == (0.0, (213, 94, 0))
    np.testing.assert_array_equal(index, np.where(valid[0, 0], scores.argmax(axis=-1) + 1, 0))
    assert json.loads(tags["CLASSES"]) == {"1": "dark", "2": "bright"}
    assert (tags["TASK"], tags["SIMULATED"], tags["MODEL_SIMULATED"]) == (f"tiny: {tiny_adapt.SPEC.title}", "true", "true")
    assert tags["INTERVAL"].startswith("none: classes have probabilities")
    assert said.startswith("SIMULATED scene scene.tif mapped in")
    page = (tmp_path / "map.html").read_text()
    assert "SIMULATED DATA" in page
    assert "spectral-jax predict" in page
    assert (tmp_path / "map.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.slow
def test_a_model_over_an_encoder_of_others_maps_what_it_says_of_the_pixels(tmp_path):
    # Presto, small and random, on EnMAP by its nearest bands of Sentinel-2, fitted to nothing.
    part = Part(of := tiny_kept.data(), source := source_of(of), range(len(of)))
    target = SensorSpec.load("sentinel2a_l2a")
    record = table.ENCODERS["presto"]
    read = prepared.read_encoder(record, "nearest", source.sensor, target, "leave_out", "", Size(width=16, depth=1, heads=2))
    head = adapted.head_of(of.task, dataclasses.replace(tiny_adapt.PROTOCOL, head="linear", head_width=None))
    model = Adapted(record, read.loaded.config, "nearest", source.sensor, target, read.bands.kept, head, (0,), PX)
    params = adapted.init(jax.random.key(0), model, read.start, PX)
    buffers = {"mean": np.full(12, 0.15, np.float32), "std": np.full(12, 0.1, np.float32)}
    buffers["matrix"] = read.start.matrix.astype(np.float32)
    about = {"row": "presto/nearest", "protocol": "tiny", "weights": "random initialisation", "simulated": True}
    kept.save(tmp_path / "m", model, params, buffers, of.task, PX, None, about)
    path, image = write_scene(tmp_path / "scene.tif", part, rows=PX, columns=PX)
    prediction.predict_scene(path, tmp_path / "m", tmp_path / "map.tif", with_page=False)
    shown = (np.rint(image * 1e4) / 1e4).astype(np.float32)[None, None]
    scores = np.asarray(adapted.predict(params, buffers, shown, np.ones(shown.shape[:-1], bool), model))[0]
    with rasterio.open(tmp_path / "map.tif") as file:
        index, tags = file.read(1), file.tags()
    np.testing.assert_array_equal(index, scores.argmax(axis=-1) + 1)
    assert (tags["ENCODER"], tags["PROTOCOL"]) == ("presto", "presto/nearest by tiny")


def test_quantities_have_their_unit_and_the_ends_of_their_interval(tmp_path, monkeypatch):
    part = tiny_kept.write(tmp_path / "m", monkeypatch, "pixel_regression", np.array([0.5, 2.0]))[-1]
    path, _ = write_scene(tmp_path / "scene.tif", part)
    prediction.predict_scene(path, tmp_path / "m", tmp_path / "map.tif", with_page=False)
    with rasterio.open(tmp_path / "map.tif") as file:
        values, names, units, tags = file.read(), file.descriptions, file.units, file.tags()
    assert names[:3] == ("carbon", "clay", "carbon, lower end of its 90% interval")
    assert units == ("g/kg", "%", "g/kg", "g/kg", "%", "%")
    np.testing.assert_allclose(values[3] - values[0], 0.5, atol=1e-5)
    np.testing.assert_allclose(values[1] - values[4], 2.0, atol=1e-5)
    assert "validation part" in tags["INTERVAL"]
    assert not (tmp_path / "map.html").exists()


def test_a_model_without_an_interval_says_so(tmp_path, monkeypatch):
    part = tiny_kept.write(tmp_path / "m", monkeypatch, "pixel_regression")[-1]
    path, _ = write_scene(tmp_path / "scene.tif", part)
    prediction.predict_scene(path, tmp_path / "m", tmp_path / "map.tif", with_page=False)
    with rasterio.open(tmp_path / "map.tif") as file:
        assert (file.count, file.tags()["INTERVAL"]) == (2, "none: this model has no interval")


def test_scenes_of_another_sensor_or_too_small_are_refused(tmp_path, monkeypatch):
    part = tiny_kept.write(tmp_path / "m", monkeypatch)[-1]
    small, _ = write_scene(tmp_path / "small.tif", part, rows=7)
    with pytest.raises(ValueError, match="small.tif: expected at least 8 x 8 pixels, one patch of the encoder, got 7 x 20"):
        prediction.predict_scene(small, tmp_path / "m", tmp_path / "map.tif")
    empty, _ = write_scene(tmp_path / "empty.tif", part, gap=np.s_[:])
    with pytest.raises(ValueError, match="empty.tif: expected a scene with at least one pixel that holds data in all bands"):
        prediction.predict_scene(empty, tmp_path / "m", tmp_path / "map.tif")
    other = tiny_geotiffs.write_tif(
        tmp_path / "other.tif",
        np.full((3, 16, 16), 900, np.int16),
        30.0,
        band_tags=[{"wavelength": f"{500 + i}"} for i in range(3)],
    )
    with pytest.raises(ValueError, match="other.tif: expected the 202 bands of enmap_l2a, got 3"):
        prediction.predict_scene(other, tmp_path / "m", tmp_path / "map.tif")
    with pytest.raises(FileNotFoundError, match="gone.tif is no file; expected a scene"):
        prediction.predict_scene(tmp_path / "gone.tif", tmp_path / "m", tmp_path / "map.tif")
    assert not list(tmp_path.glob("*map*"))
