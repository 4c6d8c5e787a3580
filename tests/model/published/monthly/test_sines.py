import numpy as np
import pytest
from reference import numpy_galileo, numpy_presto

from spectral_jax.model.published.monthly import sines


@pytest.mark.parametrize("width", [8, 32])
def test_tables_are_those_of_the_formulas(width):
    for t in range(24):
        np.testing.assert_allclose(sines.galileo_steps(24, width)[t], numpy_galileo.sincos(width, t), atol=1e-7)
        np.testing.assert_allclose(sines.presto_steps(24, width)[t], numpy_presto.step(width, t), atol=1e-7)
    for m in range(12):
        np.testing.assert_allclose(sines.months(width)[m], numpy_presto.month(width, m), atol=1e-7)


def test_a_place_is_told_in_units_of_10_m_column_first():
    table = sines.galileo_places(2, 3, 8, 1.5)
    wanted = np.concatenate([numpy_galileo.sincos(4, 2 * 1.5), numpy_galileo.sincos(4, 1 * 1.5)])
    np.testing.assert_allclose(table[1, 2], wanted, atol=1e-7)
    # Patches of 15 m: the third column of one image is where the first of another is whose patches are of 30 m.
    np.testing.assert_array_equal(table[0, 2], sines.galileo_places(1, 2, 8, 3.0)[0, 1])


def test_frequencies_of_steps_end_at_an_eighth():
    """The exponent is k / (2 D), where the original transformer has 2 k / D and would end at 0.0002."""
    slowest = np.arctan2(sines.galileo_steps(24, 32)[1, 15], sines.galileo_steps(24, 32)[1, 31])
    assert slowest == pytest.approx(10000 ** (-15 / 64))
    assert 0.11 < slowest < 0.12
