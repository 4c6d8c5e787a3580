import json

import jax
import numpy as np
import pytest
from made import toy_encoder

from spectral_jax.interop import folder, models, safetensors_file
from spectral_jax.interop.weights_file import Weights


@pytest.fixture
def toy(monkeypatch):
    """Config, parameters and account of a toy checkpoint."""
    toy_encoder.register(monkeypatch)
    return models.read("toy", Weights("toy.pt", toy_encoder.checkpoint()))


def names(place):
    return sorted(p.name for p in place.iterdir())


def test_a_folder_comes_back(toy, tmp_path):
    folder.save(tmp_path / "deep" / "a", *toy)
    assert names(tmp_path / "deep") == ["a"]
    assert names(tmp_path / "deep" / "a") == ["config.json", "report.json", "weights.safetensors"]
    cfg, params = folder.load(tmp_path / "deep" / "a")
    assert cfg == toy[0]
    jax.tree.map(np.testing.assert_array_equal, params, toy[1])


def test_a_folder_that_is_there_keeps_what_else_is_in_it(toy, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "notes.txt").write_text("mine")
    (tmp_path / "a" / "config.json").write_text("old")
    folder.save(tmp_path / "a", *toy)
    assert names(tmp_path) == ["a"]
    assert names(tmp_path / "a") == ["config.json", "notes.txt", "report.json", "weights.safetensors"]
    assert folder.load(tmp_path / "a")[0] == toy[0]


@pytest.mark.parametrize("there", [False, True])
def test_a_save_that_fails_leaves_nothing_half_written(toy, tmp_path, monkeypatch, there):
    if there:
        folder.save(tmp_path / "a", *toy)
    monkeypatch.setattr(safetensors_file, "write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match=r"a could not be written: .*No space left on device; free some space or take another"):
        folder.save(tmp_path / "a", *toy)
    assert names(tmp_path) == (["a"] if there else [])
    if there:
        assert folder.load(tmp_path / "a")[0] == toy[0]


def test_a_place_that_cannot_be_written_is_told(toy, tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "a" / "b"):
        with pytest.raises(NotADirectoryError, match=f"folder of weights: .*{place}.* is a file; name another place"):
            folder.save(place, *toy)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_numbers_that_are_none_are_refused_by_their_path(toy, tmp_path, wrong):
    cfg, params, account = toy
    params["mix"]["kernel"][1, 2] = wrong
    folder.save(tmp_path, cfg, params, account)
    with pytest.raises(
        ValueError, match=r"weights\.safetensors: mix/kernel has 1 .* of 24 numbers\. Every embedding would be NaN"
    ):
        folder.load(tmp_path)


def test_parameters_of_whole_numbers_are_refused(toy, tmp_path):
    folder.save(tmp_path, *toy)
    flat = safetensors_file.read(tmp_path / "weights.safetensors")
    safetensors_file.write(tmp_path / "weights.safetensors", flat | {"mix/bias": np.zeros(8, np.int8)})
    with pytest.raises(ValueError, match="mix/bias is of int8, whole numbers: the weights are likely quantised"):
        folder.load(tmp_path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", r"config\.json is not JSON"),
        ("[" * 100_000, r"config\.json is not JSON"),
        ("[]", r"config\.json holds a list, expected an object with 'kind' and 'config'"),
        ('{"kind": ["toy"]}', r"config\.json: no kind of encoder is called \['toy'\]"),
        ('{"kind": "toy"}', r"config\.json: 'config' is a NoneType, expected an object of fields"),
        ('{"kind": "toy", "config": {}}', r"config\.json: .*a field is missing or of another type \(.*'width'"),
        ('{"kind": "toy", "config": {"width": "a"}}', r"config\.json: its values are those of no encoder \(TypeError"),
        ('{"kind": "toy", "config": {"width": 8, "grid": 99999}}', r"config\.json: grid is 99999, and the weights beside it"),
        ('{"kind": "toy", "config": {"width": 8, "depth": 1000000}}', r"config\.json: depth is 1000000, and the weights"),
        ('{"kind": "toy", "config": {"width": 8000000000}}', r"config\.json: width is 8000000000, and the weights"),
    ],
)
def test_a_damaged_config_is_a_sentence(toy, tmp_path, text, sentence):
    folder.save(tmp_path, *toy)
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ValueError, match=sentence):
        folder.load(tmp_path)


def test_the_report_tells_what_was_taken_off(monkeypatch, tmp_path):
    toy_encoder.register(monkeypatch)
    state = {f"module.{key}": value for key, value in toy_encoder.checkpoint().items()}
    folder.save(tmp_path, *models.read("toy", Weights("toy.pt", state)))
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["notes"] == ["All keys that were loaded begin with 'module.', which was taken off."]
    assert [row["key"] for row in report["keys"]] == list(state)
