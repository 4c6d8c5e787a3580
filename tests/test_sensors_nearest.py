import numpy as np

from spectral_jax.sensors import nearest_bands


def test_the_nearest_band_is_found_whatever_their_order():
    at, away = nearest_bands(np.array([709.0, 443.0, 620.0]), np.array([440.0, 700.0, 620.0, 300.0]))
    np.testing.assert_array_equal(at, [1, 0, 2, 1])
    np.testing.assert_array_equal(away, [3.0, 9.0, 0.0, 143.0])


def test_of_two_bands_as_near_the_first_is_taken():
    at, away = nearest_bands(np.array([610.0, 630.0, 610.0]), np.array([620.0]))
    assert (at.tolist(), away.tolist()) == ([0], [10.0])
