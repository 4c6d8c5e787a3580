"""Stored numbers to physical and normalised values, against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spectral_jax.batch import Batch, SensorData, decode, physical
from spectral_jax.sensors import Band, SensorSpec

SPEC = SensorSpec(
    name="three", kind="optical", quantity="surface reflectance", unit="1", gsd_m=10.0, dtype="int16",
    bands=(Band("a", 500.0, 20.0), Band("b", 600.0, 20.0), Band("c", 700.0, 20.0)), scale=1e-4, offset=-0.1, nodata=-32768,
    mean=(0.2, 0.3, 0.4), std=(0.5, 0.25, 0.125),
)  # fmt: skip


def changed(**fields) -> SensorSpec:
    return SensorSpec(**({f: getattr(SPEC, f) for f in SPEC.__dataclass_fields__} | fields))


@pytest.fixture
def pixels() -> np.ndarray:
    """Integers [2 4 4 3] with nodata in one band of pixel (0, 1, 2) and in all bands of (1, 3, 0)."""
    stored = np.random.default_rng(0).integers(-2000, 14000, (2, 4, 4, 3)).astype(np.int16)
    stored[0, 1, 2, 1] = -32768
    stored[1, 3, 0, :] = -32768
    return stored


def data(pixels, present=(True, True), valid=None) -> SensorData:
    return SensorData(jnp.asarray(pixels), jnp.asarray(present), jnp.zeros(2, jnp.float32), valid)


def test_physical_scales_integers_and_masks_a_pixel_with_nodata_in_one_band(pixels):
    values, valid = physical(jnp.asarray(pixels), SPEC)
    expected_valid = np.ones((2, 4, 4), bool)
    expected_valid[0, 1, 2] = expected_valid[1, 3, 0] = False
    expected = np.where(expected_valid[..., None], pixels.astype(np.float64) * 1e-4 - 0.1, 0.0)
    assert values.dtype == jnp.float32
    np.testing.assert_array_equal(valid, expected_valid)
    np.testing.assert_allclose(values, expected, atol=1e-6)


def test_physical_leaves_floats_in_their_unit_and_masks_nan_and_infinity():
    given = np.random.default_rng(1).uniform(-0.2, 1.2, (1, 3, 3, 3)).astype(np.float32)
    given[0, 0, 0, 2] = np.nan
    given[0, 2, 1, 0] = np.inf
    given[0, 1, 1, 1] = -32768.0  # a float is physical already, so the stored nodata means nothing to it
    values, valid = physical(jnp.asarray(given), SPEC)
    expected_valid = np.isfinite(given).all(-1)
    np.testing.assert_array_equal(valid, expected_valid)
    assert expected_valid.sum() == 7
    np.testing.assert_array_equal(values, np.where(expected_valid[..., None], given, 0.0))


def test_physical_without_nodata_takes_every_integer(pixels):
    values, valid = physical(jnp.asarray(pixels), changed(nodata=None))
    assert bool(valid.all())
    np.testing.assert_allclose(values, pixels.astype(np.float64) * 1e-4 - 0.1, atol=1e-6)


def test_physical_masks_what_lies_outside_the_valid_range(pixels):
    _, valid = physical(jnp.asarray(pixels), changed(valid_range=(0.0, 1.0)))
    reflectance = pixels.astype(np.float64) * 1e-4 - 0.1
    expected = ((reflectance >= 0.0) & (reflectance <= 1.0)).all(-1)
    assert 0 < expected.sum() < expected.size
    np.testing.assert_array_equal(valid, expected)


def test_physical_counts_only_used_bands():
    spec = changed(bad_intervals_nm=((590.0, 610.0),), mean=(), std=())
    values, _ = physical(jnp.zeros((1, 2, 2, 2), jnp.int16), spec)
    assert values.shape == (1, 2, 2, 2)
    with pytest.raises(ValueError, match=r"pixels of three: expected \[B H W C\] with C \(band\) = 2, got 3"):
        physical(jnp.zeros((1, 2, 2, 3), jnp.int16), spec)


def test_physical_reads_unsigned_landsat_numbers():
    spec = SensorSpec.load("landsat_st")
    stored = jnp.asarray([0, 1, 44000, 65535], jnp.uint16).reshape(1, 2, 2, 1)
    values, valid = physical(stored, spec)
    assert valid.reshape(-1).tolist() == [False, False, True, True]  # 0 is the fill; 149.003 K is below the valid range
    np.testing.assert_allclose(values.reshape(-1)[2:], [299.39288, 372.99994], rtol=1e-6)


def test_decode_normalises_clips_and_standardises(pixels):
    values, valid = decode(data(pixels), SPEC)
    reflectance = pixels.astype(np.float64) * 1e-4 - 0.1
    expected = (np.clip(reflectance, 0.0, 1.0) - [0.2, 0.3, 0.4]) / [0.5, 0.25, 0.125]
    assert (reflectance[reflectance > -1] < 0.0).any()
    assert (reflectance > 1.0).any()
    np.testing.assert_allclose(values, np.where(np.asarray(valid)[..., None], expected, 0.0), atol=2e-6)
    assert valid.sum() == 2 * 16 - 2


def test_decode_uses_low_and_high():
    spec = SensorSpec.load("landsat_st")
    stored = np.array([[[[35000], [50000]]]], np.uint16)
    values, _ = decode(SensorData(jnp.asarray(stored), jnp.array([True]), jnp.zeros(1, jnp.float32)), spec)
    np.testing.assert_allclose(values, (stored * 0.00341802 + 149.0 - 250.0) / 100.0, atol=1e-5)


def test_decode_with_only_a_mean_or_only_a_deviation(pixels):
    plain = np.asarray(decode(data(pixels), changed(mean=(), std=()))[0])
    valid = (pixels != -32768).all(-1, keepdims=True)
    shifted = decode(data(pixels), changed(std=()))[0]
    np.testing.assert_allclose(shifted, np.where(valid, plain - np.float32([0.2, 0.3, 0.4]), 0.0), atol=1e-6)
    scaled = decode(data(pixels), changed(mean=()))[0]
    np.testing.assert_allclose(scaled, plain / np.float32([0.5, 0.25, 0.125]), atol=1e-6)


def test_decode_of_radar_is_the_papers():
    spec = SensorSpec.load("sentinel1_grd")
    stored = np.array([[[[-1234, -2345]]]], np.int16)
    values, _ = decode(SensorData(jnp.asarray(stored), jnp.array([True]), jnp.zeros(1, jnp.float32)), spec)
    expected = ((np.array([-12.34, -23.45]) + 50.0) / 50.0 - [0.7351, 0.5659]) / [0.1094, 0.1560]
    np.testing.assert_allclose(values[0, 0, 0], expected, atol=1e-5)


def test_decode_makes_absent_samples_invalid_and_zero(pixels):
    values, valid = decode(data(pixels, present=(False, True)), SPEC)
    assert not valid[0].any()
    assert not np.asarray(values[0]).any()
    np.testing.assert_array_equal(values[1], decode(data(pixels), SPEC)[0][1])


def test_decode_honours_a_given_mask(pixels):
    given = np.random.default_rng(2).random((2, 4, 4)) < 0.5
    _, valid = decode(data(pixels, valid=jnp.asarray(given)), SPEC)
    np.testing.assert_array_equal(valid, given & (pixels != -32768).all(-1))


def test_decode_does_not_see_what_stands_in_invalid_pixels(pixels):
    floats = np.where(pixels == -32768, np.nan, pixels * np.float32(1e-4) - np.float32(0.1)).astype(np.float32)
    other = floats.copy()
    other[0, 1, 2, [0, 2]] *= 1e6
    np.testing.assert_array_equal(decode(data(floats), SPEC)[0], decode(data(other), SPEC)[0])
    gradient = jax.grad(lambda x: decode(data(x), SPEC)[0].sum())(jnp.asarray(floats))
    assert np.isfinite(gradient).all()


def test_decode_compiles_with_the_spec_as_a_static_argument(pixels):
    compiled = jax.jit(decode, static_argnames="spec")
    np.testing.assert_allclose(compiled(data(pixels), spec=SPEC)[0], decode(data(pixels), SPEC)[0], rtol=1e-6, atol=1e-7)


def test_batch_is_a_pytree_with_a_size(pixels):
    batch = Batch({"A": data(pixels)}, location=jnp.arange(2))
    assert batch.size == 2
    doubled = jax.tree.map(lambda x: jnp.concatenate([x, x]), batch)
    assert doubled.size == 4
    assert doubled.sensors["A"].valid is None
