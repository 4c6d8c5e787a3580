import math

import jax
import numpy as np
import pytest

from spectral_jax.model.published import dofa, spectralearth, terramind
from spectral_jax.model.published.sine_positions import columns_first_after_class, rows_first
from spectral_jax.model.published.terramind import Modality

MODALITIES = (Modality("S2", "untok_a", ("a", "b")), Modality("S1", "untok_b", ("c",)))


def encode(place, width):
    """Sines then cosines of one number, in plain Python."""
    rates = [10000 ** (-k / (width // 2)) for k in range(width // 2)]
    return [math.sin(place * w) for w in rates] + [math.cos(place * w) for w in rates]


@pytest.mark.parametrize(("grid", "width"), [(1, 4), (3, 8), (14, 192)])
def test_every_patch_holds_its_row_and_its_column(grid, width):
    rows, columns = rows_first(grid, width), columns_first_after_class(grid, width)
    assert rows.dtype == columns.dtype == np.float32
    assert (rows.shape, columns.shape) == ((grid**2, width), (1 + grid**2, width))
    assert not columns[0].any()
    for i in range(grid**2):
        row, column = encode(i // grid, width // 2), encode(i % grid, width // 2)
        np.testing.assert_allclose(rows[i], row + column, rtol=0, atol=1e-7)
        np.testing.assert_allclose(columns[1 + i], column + row, rtol=0, atol=1e-7)


def test_no_two_patches_have_the_same_position():
    for table in (rows_first(14, 192), columns_first_after_class(14, 192)):
        apart = np.linalg.norm(table[:, None] - table[None], axis=-1) + 9 * np.eye(len(table))
        assert apart.min() > 0.5


@pytest.mark.slow
def test_fresh_encoders_whose_positions_are_fixed_start_with_them_whatever_the_key():
    of_terramind = terramind.TerraMindConfig(12, 1, 3, "gelu", MODALITIES, patch=2, grid=3)
    of_dofa = dofa.DofaConfig(width=12, depth=1, heads=3, layout="new", patch=4, grid=3)
    for seed in (0, 1):
        params = terramind.init(jax.random.key(seed), of_terramind)
        for name in ("embed_S2", "embed_S1"):
            np.testing.assert_array_equal(params[name]["positions"], rows_first(3, 12))
        params = dofa.init(jax.random.key(seed), of_dofa)
        np.testing.assert_array_equal(params["class"]["positions"], columns_first_after_class(3, 12))


@pytest.mark.slow
def test_positions_that_train_start_as_small_random_numbers():
    second = dofa.DofaConfig(width=64, depth=1, heads=2, layout="new", patch=4, grid=8, version=2)
    earth = spectralearth.SpectralEarthConfig(width=64, depth=1, heads=2, patch=4, grid=8)
    for module, cfg in ((dofa, second), (spectralearth, earth)):
        found = [np.asarray(module.init(jax.random.key(seed), cfg)["class"]["positions"]) for seed in (0, 1)]
        assert np.std(found[0]) == pytest.approx(0.02, rel=0.05)
        assert abs(np.corrcoef(found[0].ravel(), found[1].ravel())[0, 1]) < 0.1


def test_widths_that_are_not_four_parts_are_refused():
    said = "expected a multiple of 4, since a quarter of it .*, got 18; the closest are 16 and 20"
    with pytest.raises(ValueError, match=f"^TerraMindConfig.width: {said}"):
        terramind.TerraMindConfig(18, 1, 3, "gelu", MODALITIES)
    with pytest.raises(ValueError, match=f"^DofaConfig.width: {said}"):
        dofa.DofaConfig(width=18, depth=1, heads=3, layout="new")
    # Those that train have no such parts.
    assert dofa.DofaConfig(width=18, depth=1, heads=3, layout="new", version=2).width == 18
