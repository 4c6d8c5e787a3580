"""The check names letters, sizes and argument."""

import numpy as np
import pytest

from spectral_jax.shapes import check


def test_check_returns_the_sizes():
    assert check(np.zeros((2, 3, 3)), "B H W", "x") == {"B": 2, "H": 3, "W": 3}


@pytest.mark.parametrize(
    ("shape", "letters", "sizes", "sentence"),
    [
        ((2, 5), "B C", {"C": 4}, r"x: expected \[B C\] with C \(band\) = 4, got 5 at axis 1 of shape \(2, 5\)"),
        ((2, 5), "B H W", {}, r"x: expected 3 dimensions \[B H W\] \(batch, patch row, patch column\), got 2"),
        ((2, 3), "B 2", {}, r"with 2 \(fixed size\) = 2, got 3"),
        ((2, 3), "N N", {}, r"with N \(token\) = 2, got 3 at axis 1"),
    ],
)
def test_a_wrong_shape_is_a_sentence(shape, letters, sizes, sentence):
    with pytest.raises(ValueError, match=sentence):
        check(np.zeros(shape), letters, "x", sizes)
