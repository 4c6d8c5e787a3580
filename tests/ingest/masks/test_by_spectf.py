"""SpecTf on windows of products: which bands and pixels it sees, and that a pixel is what it is alone."""

import dataclasses

import numpy as np
import pytest
from made import spectf_state
from made.region import LEFT, TOP, in_memory
from reference import numpy_spectf

from spectral_jax import clouds
from spectral_jax.ingest.masks import by_spectf
from spectral_jax.sensors import SensorSpec

PLACE = (LEFT, 30.0, 0.0, TOP, 0.0, -30.0)


@pytest.fixture
def weights(tmp_path, rng):
    state = spectf_state.written(tmp_path / "weights", rng)
    return str(tmp_path / "weights"), state


def test_spectrometers_to_the_shortwave_infrared_are_taken_and_no_others():
    names = (
        "enmap_l2a",
        "emit_l2a",
        "prisma_l2d",
        "desis_l2a",
        "sentinel2a_l2a",
        "landsat8_oli",
        "sentinel1_rtc",
        "landsat_st",
    )
    assert [by_spectf.takes(SensorSpec.load(name)) for name in names] == [True] * 3 + [False] * 5


def test_each_pixel_is_cloud_by_its_own_spectrum_and_only_asked_ones_are_looked_at(weights, monkeypatch):
    folder, state = weights
    rng = np.random.default_rng(1)
    # From dark to bright, so that a random model tells pixels apart.
    numbers = (rng.uniform(100, 1000, (224, 6, 4)) * np.linspace(0.2, 9.0, 24).reshape(6, 4)).astype(np.int16)
    numbers[10, 2, 3] = -32768  # lacks a band
    numbers[60] = -32768  # of which the product has nothing anywhere
    product = in_memory("enmap_l2a", numbers, PLACE)
    monkeypatch.setattr(clouds, "SHARE", 8)
    monkeypatch.setattr(by_spectf, "BLOCK", 2 * 4 * 202)  # rows by twos
    wanted = np.ones((4, 3), bool)
    wanted[0, 0] = False
    window = slice(1, 5), slice(1, 4)
    used = [i for i in product.spec.used_index if i != 60]
    nm = np.array([product.bands[i].centre_nm for i in used])
    expected = np.full((4, 3), np.nan)
    for i, j in np.ndindex(4, 3):
        spectrum = numbers[used, 1 + i, 1 + j] * 1e-4
        if wanted[i, j] and (spectrum > -1).all():
            expected[i, j] = numpy_spectf.cloud_probability(numpy_spectf.spectrum(state, spectrum, nm, 4)[2])
    assert np.argwhere(np.isnan(expected)).tolist() == [[0, 0], [1, 2]]
    known = np.sort(expected[np.isfinite(expected)])
    assert known[5] - known[4] > 1e-5
    middle = float(known[4] + known[5]) / 2
    found = by_spectf.cloudy(product, window, wanted, folder, middle)
    np.testing.assert_array_equal(found, np.nan_to_num(expected) >= middle)
    assert found.sum() == 5
    published = by_spectf.cloudy(product, window, wanted, folder, None)
    np.testing.assert_array_equal(published, np.nan_to_num(expected) >= 0.51)


def test_a_window_without_a_pixel_to_look_at_needs_no_number(weights):
    product = in_memory("enmap_l2a", np.full((224, 4, 4), -32768, np.int16), PLACE)
    window = slice(0, 4), slice(0, 4)
    assert not by_spectf.cloudy(product, window, np.ones((4, 4), bool), weights[0], None).any()

    def numbers(chosen, window):
        raise AssertionError("a band was read")

    unread = dataclasses.replace(product, source=product.source._replace(numbers=numbers))
    assert not by_spectf.cloudy(unread, window, np.zeros((4, 4), bool), weights[0], None).any()


def test_weights_that_are_missing_or_of_another_model_are_told(tmp_path, rng, monkeypatch):
    with pytest.raises(FileNotFoundError, match="config.json does not exist; expected a folder that tools/convert_weights.py"):
        by_spectf.loaded(str(tmp_path / "none"))
    from made import toy_encoder

    from spectral_jax.interop import folder, models
    from spectral_jax.interop.weights_file import Weights

    toy_encoder.register(monkeypatch)
    folder.save(tmp_path / "toy", *models.read("toy", Weights("a.pt", toy_encoder.checkpoint())))
    with pytest.raises(ValueError, match=r"cloud_weights: .*toy holds a ToyConfig, expected weights of SpecTf; convert those"):
        by_spectf.loaded(str(tmp_path / "toy"))
