import numpy as np
import pytest
from reference import numpy_positions

from spectral_jax.model.published.bicubic import antialiased_weights, cubic_weights, resize_positions


def test_doubling_gives_the_numbers_of_the_kernel_worked_out_by_hand():
    # Of samples 0 and 1 at places -1/4, 1/4, 3/4, 5/4 with edges repeated: the kernel at 5/4 is -0.75 * 9/64, at 7/4 is
    # -0.75 * 3/64, at 3/4 is 67/256.
    expected = np.array([-0.10546875, 67 / 256 - 0.75 * 3 / 64, 1 - 0.2265625, 1.10546875])
    np.testing.assert_allclose(cubic_weights(2, 4) @ np.array([0.0, 1.0]), expected, atol=1e-7)


def test_a_table_of_two_by_two_becomes_four_by_four():
    step = np.array([-0.10546875, 0.2265625, 0.7734375, 1.10546875])
    expected = 1 + step[None] + 2 * step[:, None]  # bilinear in its samples 1 2 3 4, so a sum of both axes
    table = np.array([[1.0], [2.0], [3.0], [4.0]], np.float32)
    found = resize_positions(table, (2, 2), (4, 4))
    assert found.shape == (16, 1)
    np.testing.assert_allclose(np.asarray(found).reshape(4, 4), expected, atol=1e-6)
    assert found[0, 0] == pytest.approx(0.68359375)


@pytest.mark.parametrize(("size", "wanted"), [(14, 8), (4, 14), (14, 16), (5, 7)])
def test_weights_agree_with_a_loop_over_the_kernel(size, wanted):
    def kernel(x, a=-0.75):
        x = abs(x)
        if x <= 1:
            return ((a + 2) * x - (a + 3)) * x * x + 1
        return ((x - 5) * x + 8) * x * a - 4 * a if x < 2 else 0.0

    expected = np.zeros((wanted, size))
    for i in range(wanted):
        place = (i + 0.5) * size / wanted - 0.5
        for j in range(-3, size + 3):
            expected[i, min(max(j, 0), size - 1)] += kernel(place - j)
    np.testing.assert_allclose(cubic_weights(size, wanted), expected, atol=1e-6)


def test_antialiased_weights_are_those_worked_out_by_hand():
    # Four samples to two: the kernel is twice as wide, and the first wanted sample lies 1/4, 1/4, 3/4 and 5/4 of it away. Keys'
    # kernel of a = -1/2 is 111/128, 29/128 and -9/128 there; what lies beyond the edge is left out.
    first = np.array([111, 111, 29, -9]) / 242
    np.testing.assert_allclose(antialiased_weights(4, 2), [first, first[::-1]], atol=1e-7)
    # Two to four: distances 1/4 and 5/4, then 1/4 and 3/4.
    first, second = np.array([111, -9]) / 102, np.array([111, 29]) / 140
    np.testing.assert_allclose(antialiased_weights(2, 4), [first, second, second[::-1], first[::-1]], atol=1e-7)


@pytest.mark.parametrize(("size", "wanted"), [(32, 8), (14, 13), (4, 14), (16, 16), (32, 5), (5, 1), (1, 3)])
def test_antialiased_weights_agree_with_a_loop_over_samples(size, wanted):
    np.testing.assert_allclose(antialiased_weights(size, wanted), numpy_positions.antialiased(size, wanted), atol=1e-7)


def test_a_table_is_antialiased_on_request(rng):
    table = rng.normal(size=(12, 5)).astype(np.float32)
    found = np.asarray(resize_positions(table, (3, 4), (2, 7), antialias=True)).reshape(2, 7, 5)
    down, across = numpy_positions.antialiased(3, 2), numpy_positions.antialiased(4, 7)
    np.testing.assert_allclose(found, np.einsum("rn,cm,nmd->rcd", down, across, table.reshape(3, 4, 5)), atol=1e-6)
    assert np.abs(found - np.asarray(resize_positions(table, (3, 4), (2, 7))).reshape(2, 7, 5)).max() > 0.01


def test_rows_and_columns_are_not_confused(rng):
    table = rng.normal(size=(12, 5)).astype(np.float32)
    found = np.asarray(resize_positions(table, (3, 4), (6, 2))).reshape(6, 2, 5)
    for d in range(5):
        expected = cubic_weights(3, 6) @ table[:, d].reshape(3, 4) @ cubic_weights(4, 2).T
        np.testing.assert_allclose(found[..., d], expected, atol=1e-5)


def test_the_same_grid_leaves_the_table_alone(rng):
    table = rng.normal(size=(9, 2)).astype(np.float32)
    assert resize_positions(table, (3, 3), (3, 3)) is table
