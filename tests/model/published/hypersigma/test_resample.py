"""HyperSIGMA's resampling against PyTorch's outputs, and by hand."""

import jax.numpy as jnp
import numpy as np
import pytest
from made.oracle_file import channels_last, difference, part

from spectral_jax.model.published.hypersigma.resample import between_corners, enlarge, largest_of
from spectral_jax.model.resize import bin_weights


@pytest.mark.parametrize("sizes", [(30, 100), (100, 100), (150, 100), (154, 144), (191, 36)])
def test_bins_of_bands_agree_with_pytorch(oracles, sizes):
    path, case = oracles / "hypersigma.npz", "ops/avgpool_{}_{}".format(*sizes)
    assert difference(part(path, f"{case}/input")["x"] @ bin_weights(*sizes).T, part(path, f"{case}/output")["y"]) <= 1e-6


def test_bins_of_bands_by_hand():
    np.testing.assert_array_equal(bin_weights(3, 2), np.array([[0.5, 0.5, 0], [0, 0.5, 0.5]], np.float32))
    np.testing.assert_array_equal(bin_weights(2, 3), np.array([[1, 0], [0.5, 0.5], [0, 1]], np.float32))


@pytest.mark.parametrize("sizes", ["4x4_9x9", "1x1_4x4", "2x3_8x12", "16x16_33x33"])
def test_maps_are_enlarged_as_pytorch_does_it(oracles, sizes):
    path = oracles / "hypersigma.npz"
    found = enlarge(
        jnp.asarray(channels_last(part(path, f"ops/upsample_{sizes}/input")["x"])),
        tuple(int(n) for n in sizes.split("_")[1].split("x")),
    )
    assert difference(found, channels_last(part(path, f"ops/upsample_{sizes}/output")["y"])) <= 1e-6


def test_corners_stay_where_they_are():
    np.testing.assert_array_equal(between_corners(2, 3), np.array([[1, 0], [0.5, 0.5], [0, 1]], np.float32))
    np.testing.assert_array_equal(between_corners(5, 1), np.array([[1, 0, 0, 0, 0]], np.float32))
    np.testing.assert_array_equal(between_corners(4, 4), np.eye(4, dtype=np.float32))


def test_maxima_leave_out_what_is_no_whole_square(rng):
    maps = rng.normal(size=(2, 5, 7, 3)).astype(np.float32)
    found = largest_of(jnp.asarray(maps), 2)
    expected = np.maximum.reduce([maps[:, i:4:2, j:6:2] for i in (0, 1) for j in (0, 1)])
    np.testing.assert_array_equal(found, expected)
