"""Features of positions: grids made coarser and finer, windows put together again, weights of a seed or a folder."""

import numpy as np
import pytest
from made import tiny_adapt

from spectral_jax.adapt.parts.part import Part
from spectral_jax.adapt.parts.source import source_of
from spectral_jax.adapt.settings import WeightFolders
from spectral_jax.adapt.survey import contestants, maps


def test_a_grid_is_a_mean_or_repeats():
    x = np.arange(16.0).reshape(1, 4, 4, 1)
    np.testing.assert_array_equal(maps.pooled(x, 2)[0, :, :, 0], [[2.5, 4.5], [10.5, 12.5]])
    np.testing.assert_array_equal(maps.pooled(x, 8)[0, 2:4, 4:6, 0], np.full((2, 2), 6.0))
    with pytest.raises(ValueError, match="expected a side that divides 6 cells or is a multiple of them, got 4"):
        maps.pooled(x, 6)


def test_windows_are_put_together_as_they_were_cut():
    x = np.random.default_rng(0).normal(size=(2, 6, 6, 3))
    cut = maps._cut(x, 3, 2)
    assert cut.shape == (18, 2, 2, 3)
    np.testing.assert_array_equal(cut[1], x[0, :2, 2:4])
    np.testing.assert_array_equal(maps._joined(cut, 2, 3), x)


@pytest.mark.slow
def test_a_pixel_by_pixel_encoder_says_the_same_in_any_window():
    data = tiny_adapt.segmentation(tiles=2)
    part = Part(data, source_of(data), range(2))
    images = np.stack([part.sample(i)[0][0] for i in range(2)])
    valid = np.ones(images.shape[:3], bool)
    spectf = next(one for one in contestants.of(WeightFolders()) if one.encoder == "spectf")
    whole, halves = (maps.Embedder(spectf, part, window, 2) for window in (8, 4))
    params = whole.params(0)
    found = whole(params, images, valid, 8)
    assert found.shape[:3] == (2, 8, 8)
    np.testing.assert_allclose(halves(params, images, valid, 8), found, atol=1e-5)
    assert whole(params, images, valid, 4).shape[:3] == (2, 4, 4)
    assert np.abs(whole(whole.params(1), images, valid, 8) - found).max() > 1e-3
