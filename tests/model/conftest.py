"""Small sensors and a small encoder."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spectral_jax.batch import Batch, SensorData
from spectral_jax.config import Config, SensorInput, model_size
from spectral_jax.model.encoder import encode
from spectral_jax.sensors import Band, SensorSpec


def _optical(name, centres, gsd_m, **fields):
    bands = tuple(Band(f"b{i}", float(c), 10.0) for i, c in enumerate(centres))
    return SensorSpec(name, "optical", "reflectance", "1", gsd_m, "float32", bands, **fields)


def _small_config(**model) -> Config:
    hsi = _optical("hsi", np.linspace(450, 950, 9), 30.0, token_edges_nm=(600.0, 800.0))
    msi = _optical("msi", (490.0, 560.0, 660.0, 830.0), 10.0)
    radar = SensorSpec("sar", "radar", "backscatter", "dB", 60.0, "float32", (Band("VV", polarisation="VV"),))
    sensors = (SensorInput("HSI", hsi, "grouped"), SensorInput("MSI", msi), SensorInput("SAR", radar))
    model = dict(width=16, heads=2, spectral_width=16, fusion_width=32, footprint_m=480.0) | model
    return Config("small", sensors, model=model_size("tiny", **model))


def _make_batch(cfg: Config, keys=None, size=2, seed=0, spoil=0.0) -> Batch:
    """Uniform pixels in 0-1; a fraction `spoil` of them is marked invalid."""
    rng, sensors = np.random.default_rng(seed), {}
    for sensor in cfg.sensors:
        n = cfg.patch_px(sensor.key)
        pixels = rng.uniform(size=(size, n, n, len(sensor.spec.used))).astype(np.float32)
        valid = rng.uniform(size=(size, n, n)) >= spoil
        sensors[sensor.key] = SensorData(jnp.asarray(pixels), jnp.ones(size, bool), jnp.zeros(size), jnp.asarray(valid))
    return Batch({key: sensors[key] for key in keys or sensors})


@pytest.fixture(scope="session")
def cfg():
    return _small_config()


@pytest.fixture(scope="session")
def run(cfg):
    """The encoder of `cfg`, compiled."""
    return jax.jit(partial(encode.encode, cfg=cfg))


@pytest.fixture(scope="session")
def run_branch(cfg):
    """One branch of `cfg`, compiled: (params, key, pixels, valid)."""
    return jax.jit(lambda params, key, x, v: encode.encode_branch(params, key, x, v, cfg), static_argnums=1)


@pytest.fixture(scope="session")
def params(cfg):
    """Random numbers, biases too, larger than at the start: every part of the network decides what tests compare."""
    rng = np.random.default_rng(1)
    shapes = jax.eval_shape(partial(encode.init_encoder, cfg=cfg), jax.random.key(0))
    draw = lambda s: rng.normal(scale=0.2, size=s.shape)  # noqa: E731
    return jax.tree_util.tree_map_with_path(
        lambda path, s: jnp.asarray(draw(s) + (path[-1].key == "scale"), jnp.float32), shapes
    )


@pytest.fixture(scope="session")
def small_config():
    """The config `cfg` with fields of its model changed."""
    return _small_config


@pytest.fixture(scope="session")
def make_batch():
    """A batch of a config: uniform pixels in 0-1, a fraction `spoil` of them marked invalid."""
    return _make_batch
