"""Models of the package: written, loaded by name, and refused where they are not as they were written."""

import json

import chex
import jax
import numpy as np
import pytest
from made import tiny_run

import spectral_jax
from spectral_jax import spec_files
from spectral_jax.released import compact, models


@pytest.fixture
def kept(tmp_path, monkeypatch, rng):
    """A folder of models that holds one, `tiny-one`."""
    monkeypatch.setattr(spec_files, "folder", lambda kind: tmp_path / kind)
    cfg = tiny_run.config()
    shapes = jax.eval_shape(lambda: spectral_jax.init(jax.random.key(0), cfg))["encoder"]
    params = jax.tree.map(lambda x: rng.normal(size=x.shape).astype(np.float32), shapes)
    made = compact.fit("stage1", rng.normal(size=(200, 64)))
    models.write(tmp_path / "models" / "tiny-one", cfg, params, made, {"name": "tiny-one"})
    return tmp_path / "models" / "tiny-one", cfg, params, made


@pytest.mark.slow
def test_a_model_is_loaded_by_its_name(kept):
    _, cfg, params, made = kept
    found, loaded = spectral_jax.load("tiny-one")
    assert found == cfg
    chex.assert_trees_all_equal(loaded["encoder"], params)
    held = models.readout("tiny-one")
    assert held.level == "stage1"
    chex.assert_trees_all_equal(held[1:], made[1:])


def test_a_name_that_does_not_exist_is_told_the_closest(kept):
    with pytest.raises(ValueError, match="'tiny-on' is neither a folder here nor a model .* closest first: tiny-one. A run of"):
        spectral_jax.load("tiny-on")


def test_a_folder_of_that_name_comes_first(kept, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny-one").mkdir()
    assert not models.is_name("tiny-one")
    assert not models.is_name("a/tiny-one")


def test_damaged_files_are_told(kept):
    place, *_ = kept
    path = place / models.ENCODER
    whole = path.read_bytes()
    path.write_bytes(whole[:-4] + b"\0\0\0\1")
    with pytest.raises(ValueError, match=r"encoder.safetensors: expected the SHA-256 \w{12}..., got \w{12}; install"):
        spectral_jax.load("tiny-one")
    path.unlink()
    with pytest.raises(ValueError, match="got no such file"):
        spectral_jax.load("tiny-one")
    path.write_bytes(whole)
    about = json.loads((place / models.ABOUT).read_text())
    about["config"]["model"]["width"] = 16
    (place / models.ABOUT).write_text(json.dumps(about))
    with pytest.raises(ValueError, match="its parameters are not those of"):
        spectral_jax.load("tiny-one")
