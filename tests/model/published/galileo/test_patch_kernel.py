import numpy as np
import pytest
from made.oracle_file import difference
from reference import numpy_galileo

from spectral_jax.model.published.galileo import patch_kernel


@pytest.mark.parametrize("patch", range(1, 9))
def test_a_kernel_of_8_px_becomes_that_of_least_squares_over_both_axes(rng, patch):
    weight = rng.normal(size=(5, 3, 8, 8)).astype(np.float32)
    found = patch_kernel.resized(np.moveaxis(weight, (0, 1), (3, 2)), patch)
    wanted = np.moveaxis(numpy_galileo.kernel(weight, patch), (0, 1), (3, 2))
    assert difference(found, wanted) <= 2e-6


def test_the_published_size_stays_bit_by_bit(rng):
    weight = rng.normal(size=(8, 8, 2, 4)).astype(np.float32)
    np.testing.assert_array_equal(patch_kernel.resized(weight, 8), weight)
    np.testing.assert_array_equal(patch_kernel.matrix(8, 8), np.eye(8))
