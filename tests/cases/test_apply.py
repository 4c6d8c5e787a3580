"""Arrays that users give to `apply`: refused by a sentence where they cannot be what the config says."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import spectral_jax
from spectral_jax.config import Config, SensorInput, model_size
from spectral_jax.model.encoder import encode
from spectral_jax.sensors import SensorSpec

SPEC = SensorSpec.load("sentinel2a_l2a")
CFG = Config(
    "mine", (SensorInput("S2", SPEC),), model=model_size("tiny", footprint_m=240.0, width=16, heads=1, depths=(1, 1, 1))
)
SIDE = CFG.patch_px("S2")
LAND = np.random.default_rng(0).gamma(2.0, 0.08, (2, SIDE, SIDE, 12)).clip(0.01, 0.9).astype(np.float32)


HERE, THEN = np.ones(2, bool), np.zeros(2, np.float32)


def batch(pixels=LAND, present=HERE, time=THEN, valid=None, key="S2"):
    return spectral_jax.Batch({key: spectral_jax.SensorData(pixels, present, time, valid)})


@pytest.mark.slow
def test_reflectance_and_stored_numbers_pass_outside_jit(monkeypatch):
    """What is outside is the look at the numbers; the encoder itself is compiled as one."""
    monkeypatch.setattr(encode, "encode", jax.jit(encode.encode, static_argnums=2))
    params = spectral_jax.init(jax.random.key(0), CFG)
    stored = np.rint(LAND * 1e4).astype(np.int16)
    a, b = (spectral_jax.apply(params, batch(pixels=pixels), CFG) for pixels in (LAND, stored))
    assert np.isfinite(a.pooled).all()
    np.testing.assert_allclose(a.pooled, b.pooled, atol=0.05)


def test_reflectance_and_stored_numbers_of_a_wider_type_are_what_they_should_be():
    stored = np.rint(LAND * 1e4)
    for pixels in (LAND, stored.astype(np.int16), jnp.asarray(stored.astype(np.int32)), LAND.astype(np.float64)):
        assert spectral_jax.check_batch(batch(pixels=pixels), CFG) is None


@pytest.mark.parametrize(
    ("pixels", "sentence"),
    [
        (LAND * 1e4, r"pixels of S2: expected surface reflectance, and the median .* packed integers \* 1e4; give surface"),
        (LAND * 100, "pixels of S2: .*percent"),
        (LAND.astype(np.int16), "pixels of S2: .*exactly 0"),
        (np.rint(LAND).astype(np.int16), "pixels of S2: "),
        (LAND * 1e-4, "pixels of S2: .*they are at most"),
        (np.rint(LAND * 1e8).astype(np.int32), "pixels of S2: .*the median of the numbers"),
    ],
    ids=["floats of stored numbers", "percent", "cast to 0", "cast to 0 and 1", "scaled twice", "scaled too far"],
)
def test_numbers_that_cannot_be_reflectance_are_refused_outside_jit(pixels, sentence):
    with pytest.raises(ValueError, match=sentence):
        spectral_jax.apply({"encoder": {}}, batch(pixels=pixels), CFG)
    with pytest.raises(ValueError, match=sentence):
        spectral_jax.check_batch(batch(pixels=pixels), CFG)


@pytest.mark.slow
def test_under_jit_numbers_are_not_looked_at():
    params = spectral_jax.init(jax.random.key(0), CFG)
    shapes = jax.eval_shape(lambda p, b: spectral_jax.apply(p, b, CFG), params, batch(pixels=LAND * 1e4))
    assert shapes.pooled.shape == (2, 64)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (dict(pixels=LAND > 0.1), "pixels of S2: expected numbers of type int16 .* got bool"),
        (dict(pixels=(LAND * 1e4).astype(np.uint16)), r"type int16 .*, got uint16, which does not hold them all \(its nodata"),
        (dict(pixels=LAND.tolist()), "pixels of S2: expected an array of NumPy or JAX, got a list"),
        (dict(pixels=LAND[..., :11]), r"pixels of S2: expected \[B H W C\] with C \(band\) = 12, got 11"),
        (dict(present=np.ones(3, bool)), r"present of S2: expected \[B\] with B .* = 2, got 3"),
        (dict(present=np.ones(2, np.float32)), "present of S2: expected bool, got float32"),
        (dict(time=np.zeros(1, np.float32)), "time of S2: expected .* = 2, got 1"),
        (dict(time=np.zeros(2, np.int32)), "time of S2: expected floats, days since 2000-01-01 UTC, got int32"),
        (dict(valid=np.ones((2, SIDE, SIDE, 12), bool)), "valid of S2: expected 3 dimensions"),
        (dict(valid=np.ones((2, SIDE, SIDE), np.float32)), "valid of S2: expected bool"),
        (dict(key="S3"), "no sensor is called 'S3'; the names are, closest first: S2"),
    ],
)  # fmt: skip
def test_shapes_and_types_are_checked_while_tracing_too(changes, sentence):
    params = {"encoder": {}}
    with pytest.raises(ValueError, match=sentence):
        spectral_jax.apply(params, batch(**changes), CFG)
    if not isinstance(changes.get("pixels"), list):
        with pytest.raises(ValueError, match=sentence):
            jax.eval_shape(lambda b: spectral_jax.apply(params, b, CFG), batch(**changes))


def test_what_is_no_batch_and_no_parameters_is_told():
    with pytest.raises(ValueError, match="batch: expected a spectral_jax.Batch of sensors, got a dict"):
        spectral_jax.apply({"encoder": {}}, {"S2": LAND}, CFG)
    with pytest.raises(ValueError, match="params: expected the dictionary of spectral_jax.init"):
        spectral_jax.apply({}, batch(), CFG)
    with pytest.raises(ValueError, match="expected at least one of the sensors S2, got none"):
        spectral_jax.apply({"encoder": {}}, spectral_jax.Batch({}), CFG)


def test_missing_numbers_do_not_count():
    gaps = np.where(np.arange(SIDE)[None, :, None, None] < 3, np.nan, LAND)
    assert spectral_jax.check_batch(batch(pixels=gaps), CFG) is None
    odd = dataclasses.replace(batch().sensors["S2"], pixels=LAND * 1e4, present=np.zeros(2, bool))
    assert spectral_jax.check_batch(spectral_jax.Batch({"S2": odd}), CFG) is None


def test_a_range_of_the_sensor_does_not_hide_numbers_of_another_unit():
    ranged = dataclasses.replace(SPEC, valid_range=(-0.1, 1.5))
    cfg = dataclasses.replace(CFG, sensors=(SensorInput("S2", ranged),))
    some_missing = LAND.copy()
    some_missing[:, 0] = -9999.0  # out of range, so missing
    spectral_jax.check_batch(batch(pixels=some_missing), cfg)
    with pytest.raises(ValueError, match="pixels of S2: .* packed integers"):
        spectral_jax.check_batch(batch(pixels=LAND * 1e4), cfg)
