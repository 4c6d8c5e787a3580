"""A foreign encoder that is three files and two rows of tables is fitted, and its weights are read, like any other."""

import dataclasses

import jax
import numpy as np
import pytest
from made import tiny_adapt, toy_encoder

from spectral_jax import interop
from spectral_jax.adapt import settings
from spectral_jax.adapt.encoders.table import ENCODERS
from spectral_jax.adapt.fit import line, prepared
from spectral_jax.adapt.parts.part import Part
from spectral_jax.adapt.parts.source import source_of
from spectral_jax.interop import models
from spectral_jax.interop.weights_file import Weights

NAMES = [
    "terramind", "spectralearth", "spectralearth_resnet", "dofa", "spectf", "hypersigma", "hypersigma_spatial", "galileo",
    "presto", "ours", "ours_finest", "ours_pixels",
]  # fmt: skip


@pytest.fixture
def registered(monkeypatch):
    toy_encoder.register(monkeypatch)


def fitted(row, **changes):
    """The encoder of a row on the tiny task, and the test part's scores."""
    data = tiny_adapt.segmentation()
    cfg = tiny_adapt.run((row,), **changes)
    source = source_of(data)
    ready = prepared.prepare(cfg.lines()[0], cfg, data.task, source)
    parts = (Part(data, source, rows) for rows in (range(4), range(4, 6), range(6, 8)))
    return ready, line.fit(cfg.lines()[0], ready, *parts, seed=0)


def test_encoders_and_folders_of_weights_have_the_same_names():
    assert list(ENCODERS) == NAMES
    assert [name for name, record in ENCODERS.items() if record.name != name] == []
    assert settings.WeightFolders() == settings.WeightFolders(**dict.fromkeys(NAMES, ""))
    with pytest.raises(ValueError, match="rows: no encoder is called 'toy'; the names are, closest first: "):
        tiny_adapt.run(("toy/none",))


@pytest.mark.slow
def test_a_toy_encoder_of_two_rows_is_fitted(registered):
    folders = settings.folders_of(ENCODERS)()
    fast = dataclasses.replace(tiny_adapt.PROTOCOL, learning_rate=3e-2)
    ready, scores = fitted("toy/none", weights=folders, protocol=fast)
    assert ready.weights == prepared.RANDOM
    assert (ready.model.side, ready.model.taps, ready.model.bands) == (8, (0,), 202)
    assert scores.metrics["iou_macro"] > 0.9


@pytest.mark.slow
def test_its_weights_go_in_and_out_and_are_compared(registered, tmp_path):
    state = toy_encoder.checkpoint()
    weights = Weights("toy.pt", state)
    assert models.recognised(state) == "toy tiny (8 wide)"
    with pytest.raises(ValueError, match=r"toy\.pt looks like toy tiny \(8 wide\), expected dofa: no key of it"):
        models.read("dofa", weights, layout="new")
    cfg, params, account = models.read("toy", weights)
    assert account.counts() == {"loaded": 1, "reshaped": 1, "ignored": 0, "absent": 0}
    interop.save(tmp_path, cfg, params, account)
    again, held = interop.load(tmp_path)
    assert again == cfg
    jax.tree.map(np.testing.assert_array_equal, held, params)
    published = interop.publish(tmp_path)
    assert set(published) == set(state)
    for name, value in state.items():
        np.testing.assert_array_equal(published[name], value)
    short = dataclasses.replace(tiny_adapt.PROTOCOL, epochs=1, patience=1)
    folders = settings.folders_of(ENCODERS)(toy=str(tmp_path))
    ready, _ = fitted("toy/srf", weights=folders, protocol=short)
    assert ready.weights == str(tmp_path)
    np.testing.assert_array_equal(ready.params["mix"]["kernel"], state["toy.mix.weight"].T)
    with pytest.raises(ValueError, match="weights.dofa: .* holds a ToyConfig, expected weights of dofa"):
        fitted("dofa/none", weights=settings.folders_of(ENCODERS)(dofa=str(tmp_path)))
