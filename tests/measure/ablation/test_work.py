"""What a child process of an ablation does, in this one."""

import json

import pytest
from made import tiny_run

from spectral_jax import configure
from spectral_jax.config import Data
from spectral_jax.measure.ablation import work


@pytest.mark.slow
def test_the_pace_of_a_step_is_measured_without_compiling(tmp_path, monkeypatch):
    monkeypatch.setattr(work, "LEAST_S", 0.0)  # eight steps are enough here
    cfg = tiny_run.lean(data=Data(store=str(tmp_path / "s"), batch_size=8))
    tiny_run.write_store(tmp_path / "s", cfg)
    (tmp_path / work.WANTED).write_text(configure.to_json(cfg))
    assert work.main(["work", "pace", str(tmp_path)]) == 0
    found = json.loads((tmp_path / work.PACE).read_text())
    assert found["steps"] == 8
    assert 0.0 < found["a_step_s"] < 5.0  # to compile the step takes longer than five seconds
