import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made import tiny_run

from spectral_jax.config import Jepa, Model, Views
from spectral_jax.measure.peer import inputs
from spectral_jax.objective import sigreg, views
from spectral_jax.train import partition, state, step


def whole(**changes):
    """A tiny run whose global views show all sensors, of numbers that are valid everywhere."""
    cfg = tiny_run.config(views=Views(global_sensors=3, local_views=2), **changes)
    return dataclasses.replace(cfg, sensors=cfg.sensors[::-1])  # not in the order of their names


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    cfg, folder = whole(), tmp_path_factory.mktemp("inputs")
    batch = inputs.random_batch(cfg)
    inputs.write(folder, cfg, batch, steps=2)
    return cfg, folder, batch


@pytest.mark.slow
def test_plans_are_what_the_step_draws(written, monkeypatch):
    """What the step draws is caught inside the step itself, of which nothing else is then left to compile."""
    cfg, folder, batch = written
    plans, caught = np.load(folder / "plans.npz"), []
    draw_plan, directions = views.draw_plan, sigreg.directions
    monkeypatch.setattr(views, "draw_plan", lambda *a: caught.append(draw_plan(*a)) or caught[-1])
    monkeypatch.setattr(sigreg, "directions", lambda *a: caught.append(directions(*a)) or caught[-1])

    @jax.jit
    def drawn(number, batch):
        now = dataclasses.replace(jax.tree.map(jnp.ones_like, state.create(jax.random.key(0), cfg)), step=number)
        step.update(now, batch, jax.random.key(inputs.RUN_KEY), cfg)
        return tuple(caught)

    for number in range(2):
        plan, unit = drawn(jnp.int32(number), batch)
        assert np.array_equal(plans["sensor"][number], plan.sensor)
        assert np.array_equal(plans["shown"][number], plan.shown)
        assert np.allclose(plans["directions"][number], unit, atol=1e-6)
        for kind, cuts in (("global", plan.global_cuts), ("local", plan.local_cuts)):
            for field in dataclasses.fields(cuts):
                expected = getattr(cuts, field.name)
                assert np.allclose(plans[f"{kind}/{field.name}"][number], expected, atol=1e-6), field.name
    assert not np.allclose(plans["global/side"][0], plans["global/side"][1])


@pytest.mark.slow
def test_parameters_are_those_of_a_fresh_state_by_path(written):
    cfg, folder, _ = written
    params = np.load(folder / "params.npz")
    expected = inputs.by_path(partition.create_state(cfg, partition.make_mesh(cfg, jax.devices()[:1])).params)
    assert set(params.files) == set(expected)
    assert "encoder/branches/HSI/tokenize/bands/kernel" in expected
    assert all(np.array_equal(params[path], value) for path, value in expected.items())


@pytest.mark.slow
def test_pixels_are_channels_first_as_they_are_stored(written):
    _, folder, batch = written
    pixels = np.load(folder / "pixels.npz")
    assert set(pixels.files) == {"HSI", "MSI", "SAR"}
    assert np.array_equal(pixels["HSI"][:, 2], batch.sensors["HSI"].pixels[..., 2])
    assert pixels["HSI"].dtype == np.int16


@pytest.mark.slow
def test_rates_and_momenta_are_the_schedules(written):
    cfg, folder, _ = written
    plans = np.load(folder / "plans.npz")
    assert plans["rate"] == pytest.approx([1e-3 / 20, 1e-3 / 20 + (1e-3 - 1e-3 / 20) / 2])
    assert plans["momentum"][0] == pytest.approx(0.9)
    assert 0.9 < plans["momentum"][1] < 1.0


@pytest.mark.slow
def test_numbers_of_the_config_are_written(written):
    cfg, folder, _ = written
    numbers = json.loads((folder / "config.json").read_text())
    assert numbers["model"]["grid"] == 4
    assert numbers["model"]["folded_query"] is False
    assert numbers["sensors"][0] == {
        "key": "HSI", "token_px": 2, "grouped": True, "bands": [0, 0, 0, 1, 1, 1], "scale": 1e-4, "offset": 0.0, "low": 0.0,
        "high": 1.0, "mean": [], "std": [],
    }  # fmt: skip
    assert [sensor["bands"] for sensor in numbers["sensors"][1:]] == [[0, 0], [0]]


@pytest.mark.slow
def test_a_sensor_whose_range_is_not_valid_is_told():
    cfg = whole()
    narrow = dataclasses.replace(cfg.sensors[2].spec, valid_range=(0.0, 0.5))
    sensors = (*cfg.sensors[:2], dataclasses.replace(cfg.sensors[2], spec=narrow))
    with pytest.raises(ValueError, match="compare: expected numbers of HSI from 0 to 1 to be valid everywhere"):
        inputs.random_batch(dataclasses.replace(cfg, sensors=sensors))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"views": Views(global_sensors=2)}, "global views show 2 of the sensors, not all; the PyTorch step does not have it"),
        ({"views": Views(local_mode="native", native_tokens=4)}, "views.local_mode is native"),
        ({"model": Model(footprint_m=240.0, mask_unit=2)}, "model.mask_unit is 2, not 4"),
        ({"model": Model(footprint_m=240.0, dtype="bfloat16")}, "model.dtype is bfloat16"),
    ],
)
def test_what_the_torch_step_lacks_is_refused(tmp_path, changes, sentence):
    cfg = tiny_run.config(**changes)
    with pytest.raises(ValueError, match=sentence):
        inputs.write(tmp_path, cfg, inputs.random_batch(cfg), 1)


def test_local_views_that_count_unequally_are_refused(tmp_path):
    """Three views of two sensors: one sensor has two of them, which count 3/4 each."""
    cfg = tiny_run.config(views=Views(global_sensors=3, local_views=3))
    hsi, msi, sar = cfg.sensors
    cfg = dataclasses.replace(cfg, sensors=(hsi, dataclasses.replace(msi, local_views=True), sar))
    with pytest.raises(ValueError, match="views.local_views is 3, of which some of 2 sensors have more and so count less"):
        inputs.write(tmp_path, cfg, inputs.random_batch(cfg), 1)


def test_the_compared_run_is_that_of_the_specification():
    cfg = inputs.config("small")
    assert (cfg.data.batch_size, cfg.model.footprint_m, cfg.model.dtype) == (4, 960.0, "float32")
    assert (cfg.views.global_views, cfg.views.local_views, cfg.views.local_mode, cfg.jepa) == (2, 4, "resize", Jepa())
    assert [sensor.key for sensor in cfg.sensors] == ["ENMAP", "S2", "S1"]
