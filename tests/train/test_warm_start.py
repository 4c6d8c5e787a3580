"""What a run may not begin with."""

import dataclasses

import pytest
from made import tiny_stem

from spectral_jax.config import Train
from spectral_jax.spectral import whitening
from spectral_jax.train import warm_start


def test_weights_learned_behind_another_whitening_are_refused(tmp_path, monkeypatch):
    cfg = tiny_stem.config(tmp_path, ("HSI",))
    other = whitening.whitened(cfg.sensors[0], tiny_stem.table(tmp_path, tiny_stem.HSI, seed=1))
    before = dataclasses.replace(cfg, sensors=(other,))
    here, there = (c.sensors[0].whitening.digest for c in (cfg, before))
    monkeypatch.setattr(warm_start.place, "find", lambda path: tmp_path)
    monkeypatch.setattr(warm_start.checkpoint, "verify", lambda folder: None)
    monkeypatch.setattr(warm_start.checkpoint, "read_config", lambda folder: before)
    with pytest.raises(ValueError, match=f"another whitening of sensor HSI: digest {there}, and this run has {here}"):
        warm_start.begin(dataclasses.replace(cfg, train=Train(start_from=str(tmp_path))), None)
