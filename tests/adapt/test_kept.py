"""Fitted models as folders: they predict what they predicted, and folders that are not whole are refused."""

import dataclasses
import json

import jax
import numpy as np
import pytest
from made import tiny_adapt, tiny_kept

from spectral_jax.adapt import kept
from spectral_jax.adapt.fit import adapted
from spectral_jax.model.heads.temporal import TemporalConfig


@pytest.fixture
def folder(tmp_path, monkeypatch):
    tiny_kept.write(tmp_path / "m", monkeypatch)
    return tmp_path / "m"


@pytest.mark.slow
def test_a_model_predicts_what_it_predicted_before_it_was_kept(tmp_path, monkeypatch):
    model, params, buffers, part = tiny_kept.write(tmp_path / "m", monkeypatch)
    found = kept.load(tmp_path / "m")
    samples = part.batch(range(2), 2)
    fields = ("encoder", "config", "adaptation", "source", "target", "kept", "head", "taps", "px")
    assert [getattr(found.model, name) for name in fields] == [getattr(model, name) for name in fields]
    before = adapted.predict(params, buffers, samples.images, samples.valid, model)
    after = adapted.predict(found.params, found.buffers, samples.images, samples.valid, found.model)
    np.testing.assert_allclose(after, before, atol=1e-6)
    jax.tree.map(np.testing.assert_array_equal, found.params, params)
    assert found.labels.names == ("dark", "bright")
    assert found.labels.codes == (1, 2)
    assert (found.image_px, found.half_width, found.about["row"]) == (tiny_adapt.PX, None, "toy/none")


@pytest.mark.slow
def test_nine_of_ten_validation_labels_lie_within_the_interval(tmp_path, monkeypatch):
    model, params, buffers, part = tiny_kept.write(tmp_path / "m", monkeypatch, "pixel_regression")
    width = kept.half_width(model, params, buffers, part, tiny_adapt.PROTOCOL)
    samples = part.batch(range(len(part)), len(part))
    said = np.asarray(adapted.predict(params, buffers, samples.images, samples.valid, model)) * 2.0 + 3.0
    inside = np.abs(said - samples.labels) <= width + 1e-5
    np.testing.assert_allclose(inside.mean(axis=(0, 1, 2)), 0.9, atol=0.005)


def test_classes_have_no_interval(folder, monkeypatch):
    model, params, buffers, part = tiny_kept.write(folder, monkeypatch)
    assert kept.half_width(model, params, buffers, part, tiny_adapt.PROTOCOL) is None


def test_a_model_of_several_dates_is_not_kept(tmp_path, monkeypatch):
    model, params, buffers, part = tiny_kept.write(tmp_path / "m", monkeypatch)
    dated = dataclasses.replace(model, temporal=TemporalConfig("ltae", 3))
    with pytest.raises(ValueError, match="task tiny: a model of 3 dates is not kept; maps are made of one scene"):
        kept.save(tmp_path / "n", dated, params, buffers, part.data.task, 8, None, {})


def changed(folder, without="", **fields):
    file = folder / "model.json"
    said = json.loads(file.read_text()) | fields
    said.pop(without, None)
    file.write_text(json.dumps(said))


def test_a_model_of_another_version_is_refused(folder):
    changed(folder, format=7, version="9.1.0")
    with pytest.raises(
        ValueError, match=r"model.json: expected the format 1 .* got 7; it was written by version 9.1.0: install"
    ):
        kept.load(folder)


def test_a_folder_that_is_not_whole_is_refused(folder):
    changed(folder, without="taps")
    with pytest.raises(ValueError, match=r"model.json: a field is missing or of another type \(KeyError\('taps'\)\); train"):
        kept.load(folder)
    changed(folder, encoder="toi")
    with pytest.raises(ValueError, match="model.json: no encoder is called 'toi'; the names are, closest first: toy"):
        kept.load(folder)
    weights = folder / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"abcd")
    with pytest.raises(ValueError, match="weights.safetensors: its numbers are not those that were written with model.json"):
        kept.load(folder)
    (folder / "model.json").write_text("{")
    with pytest.raises(ValueError, match="model.json is not JSON"):
        kept.load(folder)
    (folder / "model.json").write_text("[]")
    with pytest.raises(ValueError, match="model.json: expected an object of fields, got a list"):
        kept.load(folder)
    (folder / "model.json").unlink()
    with pytest.raises(
        FileNotFoundError, match="model.json does not exist; expected a model's folder, such as WORKDIR/models/ROW"
    ):
        kept.load(folder)
