"""A finished run becomes a model of the package; slow, as it trains one."""

import dataclasses

import pytest

import spectral_jax
from spectral_jax import spec_files
from spectral_jax.config import Config, Data, Jepa, SensorInput, Synthetic, Train, Views, model_size
from spectral_jax.measure import release
from spectral_jax.pretrain.run import pretrain
from spectral_jax.released import compact, models
from spectral_jax.sensors import SensorSpec


@pytest.mark.slow
def test_a_run_is_released_and_loaded_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(release, "LABELLED", 40)
    cfg = Config(
        "small",
        (SensorInput("S2", SensorSpec.load("sentinel2a_l2a")),),
        model_size("tiny", footprint_m=240.0, width=32, depths=(1, 1, 1)),
        Data(store="synthetic", synthetic=Synthetic(locations=72, groups=("enmap_only",)), batch_size=8),
        Views(local_views=0),
        Jepa(directions=16),
        train=Train(steps=2, save_every=2),
    )
    run = tmp_path / "run"
    pretrain(cfg, run)
    said = release.release(run, "small-one", "a command", "S2", "stage1", tmp_path / "models")
    assert "Readout of stage1, R2 at 32 SIMULATED places of the run itself" in said
    assert "64 of float32" in said
    assert "64 of int8" in said
    monkeypatch.setattr(spec_files, "folder", lambda kind: tmp_path / kind)
    found, _ = spectral_jax.load("small-one")
    assert dataclasses.replace(found, data=cfg.data) == cfg
    assert models.readout("small-one").kernel.shape == (64, compact.NUMBERS)
    with pytest.raises(ValueError, match="--level: no level of S2 is called 'pixels'"):
        release.release(run, "small-one", "a command", "S2", "pixels", tmp_path / "models")
