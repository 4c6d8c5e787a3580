"""Clouds of scenes: which bands and pixels count, that a scene in shares is that of single pixels, and what is refused."""

import dataclasses
import re

import numpy as np
import pytest
from made.oracle_file import TOLERANCE, difference, part
from made.spectf_state import RELEASES, random_state
from reference import numpy_spectf

from spectral_jax import clouds
from spectral_jax.interop import models, read, spectf
from spectral_jax.interop.weights_file import Weights
from spectral_jax.sensors import SensorSpec

ENMAP, EMIT = SensorSpec.load("enmap_l2a"), SensorSpec.load("emit_l2a")


def first_bands(sensor, count):
    """A sensor of the first so many bands, none of them bad."""
    return dataclasses.replace(sensor, bands=sensor.bands[:count], bad_intervals_nm=(), token_edges_nm=())


@pytest.fixture
def made(rng):
    """Random weights: their state dict, config and parameters."""
    state = random_state(rng)
    return state, *spectf.read(Weights("a.pt", state), "v0.0.1", 4)[:2]


def test_a_scene_in_shares_gives_what_each_pixel_gives(rng, made, monkeypatch):
    state, cfg, params = made
    sensor = first_bands(ENMAP, 6)
    scene = rng.uniform(0, 1, (3, 5, 6))
    scene[1, 2, 3] = np.nan
    valid = np.ones((3, 5), bool)
    valid[0, 0] = False
    monkeypatch.setattr(clouds, "SHARE", 4)
    found = clouds.of_scene(params, scene, sensor, cfg, valid)
    assert [tuple(i) for i in np.argwhere(~found.valid)] == [(0, 0), (1, 2)]
    assert (found.probability.dtype, found.cloud.dtype) == (np.float32, bool)
    for i, j in np.ndindex(3, 5):
        if not found.valid[i, j]:
            assert np.isnan(found.probability[i, j])
            assert not found.cloud[i, j]
            continue
        expected = numpy_spectf.cloud_probability(numpy_spectf.spectrum(state, scene[i, j], sensor.centre_nm, 4)[2])
        assert found.probability[i, j] == pytest.approx(expected, rel=1e-5)
        assert found.cloud[i, j] == (expected >= 0.52)


@pytest.mark.slow
def test_bands_of_emit_that_were_not_trained_on_are_left_out(rng, made):
    _, cfg, params = made
    scene = rng.uniform(0, 1, (1, 2, 285))
    nm = np.array([band.centre_nm for band in EMIT.bands])
    out = (nm <= 405) | ((nm >= 1275) & (nm <= 1321)) | (nm >= 2455)
    assert np.count_nonzero(~out) == 268
    expected = clouds.of_scene(params, scene, EMIT, cfg).probability
    scene[..., out] = np.nan
    np.testing.assert_array_equal(clouds.of_scene(params, scene, EMIT, cfg).probability, expected)
    # Another sensor of the same bands keeps all, so none of its pixels is whole.
    with pytest.raises(ValueError, match=re.escape("expected numbers in every band, and B1 (381 nm) has none in any pixel")):
        clouds.of_scene(params, scene, dataclasses.replace(EMIT, name="carbon"), cfg)


@pytest.mark.slow
def test_an_array_of_the_used_bands_alone_is_taken_too(rng, made):
    _, cfg, params = made
    scene, index = rng.uniform(0, 0.2, (1, 2, 224)), list(ENMAP.used_index)
    scene[..., 140] = 1.5  # a band that is bad, and so bright that the maximum over the bands tells whether it was seen
    params = params | {"head": {name: 0.1 * value for name, value in params["head"].items()}}
    used = clouds.of_scene(params, scene[..., index], ENMAP, cfg)
    alone = clouds.of_scene(params, scene[..., index], ENMAP.without_bad_bands(), cfg)
    np.testing.assert_array_equal(used.probability, alone.probability)
    assert 140 not in index
    assert difference(clouds.of_scene(params, scene, ENMAP, cfg).probability, used.probability) > 1e-3


def test_a_scene_without_any_number_is_invalid_and_not_cloud(made):
    _, cfg, params = made
    found = clouds.of_scene(params, np.full((2, 2, 6), np.nan), first_bands(ENMAP, 6), cfg)
    assert not found.valid.any()
    assert not found.cloud.any()
    assert np.isnan(found.probability).all()


@pytest.mark.slow
@pytest.mark.parametrize("release", RELEASES)
def test_spectra_of_emit_get_the_published_probabilities(oracles, released, release):
    cfg, params, _ = models.read("spectf", read(released / "spectf_cloud" / f"weights_{release}.pt"))
    inputs = part(oracles / "spectf_cloud.npz", "emit/input")
    expected = part(oracles / "spectf_cloud.npz", f"emit/output/{release}")["cloud_probability"].reshape(6, 14)
    bands = tuple(dataclasses.replace(EMIT.bands[i], centre_nm=float(nm)) for i, nm in enumerate(inputs["wavelength_nm"]))
    sensor = dataclasses.replace(EMIT, bands=bands, bad_intervals_nm=(), token_edges_nm=())
    found = clouds.of_scene(params, inputs["reflectance"].reshape(6, 14, 268), sensor, cfg)
    assert difference(found.probability, expected) <= TOLERANCE
    np.testing.assert_array_equal(found.cloud, expected >= cfg.threshold)
    assert found.cloud.sum() == {"v0.0.1": 2, "v0.1.0": 0}[release]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda s: s[..., :5], "reflectance: expected [H W C] with the C = 6 bands of enmap_l2a, or its 6 used ones, got shape "
         "(8, 9, 5); give the sensor of the array."),
        (lambda s: s[0], "got shape (9, 6); give the sensor of the array."),
        (lambda s: (s * 1e4).astype(np.int16),
         "reflectance: expected fractions as floats, got int16; apply the scale and offset of the file."),
        (lambda s: s * 1e4, "reflectance: expected top-of-atmosphere reflectance, and the median of the numbers is "),
        (lambda s: s * 100, "they look like percent, or * 100"),
        (lambda s: np.where(np.arange(6) == 2, np.nan, s),
         "has none in any pixel, so that no pixel is whole; leave such bands out of the array and of the sensor."),
    ],
)  # fmt: skip
def test_arrays_that_are_no_reflectance_are_refused(rng, made, change, sentence):
    _, cfg, params = made
    with pytest.raises(ValueError, match=re.escape(sentence)):
        clouds.of_scene(params, change(rng.uniform(0.1, 0.9, (8, 9, 6))), first_bands(ENMAP, 6), cfg)


def test_masks_and_sensors_that_do_not_fit_are_refused(rng, made):
    _, cfg, params = made
    scene = rng.uniform(0, 1, (2, 3, 6))
    with pytest.raises(
        ValueError, match=re.escape("valid: expected bool of shape (2, 3), got bool of shape (3, 2); give [H W]")
    ):
        clouds.of_scene(params, scene, first_bands(ENMAP, 6), cfg, np.ones((3, 2), bool))
    with pytest.raises(ValueError, match="valid: expected bool of shape .2, 3., got float64"):
        clouds.of_scene(params, scene, first_bands(ENMAP, 6), cfg, np.ones((2, 3)))
    radar = SensorSpec.load("sentinel1_grd")
    with pytest.raises(ValueError, match="sentinel1_grd: expected a wavelength for every band, and .* has none; take another"):
        clouds.of_scene(params, scene[..., : len(radar.bands)], radar, cfg)


def test_reflectance_at_the_top_of_the_atmosphere():
    radiance = np.array([[[5.0, 2.0], [np.nan, 1.0]]])
    found = clouds.toa_reflectance(radiance, np.array([100.0, 50.0]), np.array([[60.0, 0.0]]), 1.01)
    expected = [[[np.pi * 5 * 1.01**2 / 50, np.pi * 2 * 1.01**2 / 25], [np.nan, np.pi * 1.01**2 / 50]]]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_allclose(clouds.toa_reflectance(radiance[0, 0], [100.0, 50.0], 60, 1.01), expected[0][0], rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (dict(irradiance=np.ones(3)), "irradiance: expected one number for each band of the radiance (2, 2), got shape (3,)"),
        (dict(irradiance=np.array([1.0, 0.0])), "irradiance: expected positive numbers, and the least is 0"),
        (
            dict(sun_zenith_deg=np.ones(3)),
            "sun_zenith_deg: expected one angle, or one for each of the pixels (2,), got shape (3,)",
        ),
        (dict(sun_zenith_deg=95.0), "sun_zenith_deg: expected degrees from 0 to below 90, and 95 is none"),
        (dict(sun_zenith_deg=np.array([20.0, -3.0])), "and -3 is none; a Sun at or below the horizon lights nothing"),
        (dict(distance_au=1.5e8), "distance_au: expected 0.98 to 1.02 astronomical units, got 1.5e+08; it is not in km."),
    ],
)
def test_what_makes_no_reflectance_is_refused(change, sentence):
    arguments = dict(radiance=np.ones((2, 2)), irradiance=np.ones(2), sun_zenith_deg=30.0, distance_au=1.0) | change
    with pytest.raises(ValueError, match=re.escape(sentence)):
        clouds.toa_reflectance(**arguments)
