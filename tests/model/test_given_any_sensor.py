"""One more sensor for an encoder that was not trained on it."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made import tiny_run

import spectral_jax
from spectral_jax.batch import Batch, SensorData
from spectral_jax.config import Config, SensorInput, model_size, spectralearth_sensors
from spectral_jax.model import given
from spectral_jax.model.encoder import encode
from spectral_jax.sensors import SensorSpec
from spectral_jax.spectral import estimate, whitening

SMALL = dict(footprint_m=240.0, width=16, heads=1, depths=(1, 1, 1), stem_hidden=12, stem_width=8, stem_depth=1)
PRISMA = SensorSpec.load("prisma_l2d")


def shared() -> Config:
    """EnMAP and EMIT in one branch, and a radar in its own."""
    enmap, emit, radar = spectralearth_sensors(only=("ENMAP", "EMIT", "S1"))
    optical = [estimate.through(s, "enmap_simulated", "enmap_l2a") for s in (enmap, emit)]
    return Config("shared", (*optical, whitening.whitened(radar, "sentinel1_simulated")), model_size("tiny", **SMALL))


@pytest.fixture(scope="module")
def made():
    cfg = shared()
    return cfg, spectral_jax.init(jax.random.key(0), cfg)


def flat(cfg: Config, key: str) -> Batch:
    side, bands = cfg.patch_px(key), len(cfg.sensor(key).spec.used)
    pixels = jnp.full((2, side, side, bands), 0.2, jnp.float32)
    return Batch({key: SensorData(pixels, np.ones(2, bool), np.zeros(2, np.float32))})


@pytest.mark.slow
def test_sensors_share_a_stem_and_keep_a_whitening_each(made):
    cfg, params = made
    branches = params["encoder"]["branches"]
    assert set(branches) == {"optical", "S1"}
    held = branches["optical"]["tokenize"]["whitening"]
    assert {key: x["kernel"].shape for key, x in held.items()} == {"ENMAP": (202, 48), "EMIT": (244, 48)}
    table = estimate.estimated(cfg.sensor("EMIT").spec, SensorSpec.load("enmap_l2a"), "enmap_simulated", 1)
    np.testing.assert_allclose(held["EMIT"]["kernel"], table.kernel, rtol=1e-5)
    given.check(params["encoder"], cfg)
    held["EMIT"]["kernel"] = held["EMIT"]["kernel"] * 1.001
    with pytest.raises(ValueError, match="whitening of sensor EMIT is not the one that its bands and 'enmap_simulated' give"):
        given.check(params["encoder"], cfg)
    held["EMIT"]["kernel"] = jnp.asarray(table.kernel)


@pytest.mark.slow
def test_a_sensor_that_was_not_trained_on_is_added_and_nothing_else_changes(made):
    cfg, params = made
    told, more = spectral_jax.with_sensor(cfg, params, "PRISMA", PRISMA)
    assert [s.key for s in told.sensors] == ["ENMAP", "EMIT", "S1", "PRISMA"]
    held = more["encoder"]["branches"]["optical"]["tokenize"]["whitening"]
    assert set(held) == {"ENMAP", "EMIT", "PRISMA"}
    assert "PRISMA" not in params["encoder"]["branches"]["optical"]["tokenize"]["whitening"]
    given.check(more["encoder"], told)
    apply = jax.jit(spectral_jax.apply, static_argnames="cfg")
    same = apply(more, flat(cfg, "ENMAP"), told).pooled
    np.testing.assert_array_equal(same, apply(params, flat(cfg, "ENMAP"), cfg).pooled)
    # A flat reflectance is one spectrum to both, but for what either does not see.
    pixels = [np.asarray(apply(more, flat(told, key), told).pixels[key], np.float64).mean(axis=(0, 1, 2))
              for key in ("ENMAP", "PRISMA")]  # fmt: skip
    assert np.linalg.norm(pixels[0] - pixels[1]) < 0.5 * np.linalg.norm(pixels[0])


def test_new_bands_under_an_old_key_take_its_place():
    cfg, params = shared(), {"branches": {"optical": {"tokenize": {"whitening": {"EMIT": {"kernel": np.zeros((244, 48))}}}}}}
    told, more = given.added(params, cfg, "EMIT", dataclasses.replace(PRISMA, gsd_m=60.0))
    assert [s.key for s in told.sensors] == [s.key for s in cfg.sensors]
    assert told.sensor("EMIT").spec.name == PRISMA.name
    assert more["branches"]["optical"]["tokenize"]["whitening"]["EMIT"]["kernel"].shape == (len(PRISMA.used), 48)


def test_with_the_wavelength_tokenizer_parameters_stay_as_they_are():
    cfg = dataclasses.replace(tiny_run.config(), sensors=(SensorInput("HSI", tiny_run.HSI, "wavelength"),))
    params = {"branches": {"optical": {}}}
    told, same = given.added(params, cfg, "PRISMA", PRISMA)
    assert same is params
    assert (told.sensor("PRISMA").tokenizer, told.sensor("PRISMA").branch) == ("wavelength", "optical")


def test_bands_of_another_sensor_are_not_taken_for_those_of_the_config():
    pixels = jnp.zeros((1, 8, 8, len(PRISMA.used)))
    with pytest.raises(ValueError, match="whitening of ENMAP is of the bands of enmap_l2a, and those of prisma_l2d are others"):
        encode.encode_branch({}, "ENMAP", pixels, jnp.ones((1, 8, 8), bool), shared(), spec=PRISMA)


def test_an_encoder_of_its_own_sensors_alone_says_so():
    cfg = tiny_run.config()
    with pytest.raises(
        ValueError, match=r"no tokenizer of this encoder takes a sensor but the one .* \(HSI grouped, MSI linear"
    ):
        given.added({}, cfg, "PRISMA", PRISMA)


def test_sensors_of_other_references_do_not_share_a_branch():
    cfg = shared()
    other = dataclasses.replace(cfg.sensors[1].whitening, table="emit_simulated", reference="emit_l2a")
    sensors = (cfg.sensors[0], dataclasses.replace(cfg.sensors[1], whitening=other))
    with pytest.raises(ValueError, match="share branch 'optical', and their whitenings differ"):
        encode.init_encoder(jax.random.key(0), dataclasses.replace(cfg, sensors=sensors))
