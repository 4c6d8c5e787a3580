"""Principal components against NumPy's singular values."""

import numpy as np
import pytest

from spectral_jax.maps import components


def vectors(count=200, size=5):
    rng = np.random.default_rng(3)
    return (rng.normal(size=(count, size)) @ rng.normal(size=(size, size)) + 4.0).astype(np.float32)


def test_scores_are_those_of_the_singular_vectors():
    rows = vectors()
    found = components.fit(rows, 3)
    centred = rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64)
    _, values, axes = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(np.abs(found(rows)), np.abs(centred @ axes[:3].T), atol=1e-3)
    np.testing.assert_allclose(found.share, (values**2 / (values**2).sum())[:3], rtol=1e-5)
    assert (found.axes[np.abs(found.axes).argmax(axis=0), range(3)] > 0).all()
    assert "sample of 200 cells" in found.text


def test_a_missing_vector_stays_missing():
    rows = vectors()
    found = components.fit(rows, 2)
    rows[4] = np.nan
    assert np.isnan(found(rows[None])[0, 4]).all()
    assert np.isfinite(np.delete(found(rows[None])[0], 4, axis=0)).all()


@pytest.mark.parametrize(
    ("rows", "count", "sentence"),
    [
        (vectors(), 6, "--components: expected 1 to 5, the numbers of a vector of this level, got 6"),
        (vectors(), 0, "--components: expected 1 to 5"),
        (vectors(3), 3, "expected more than 3 cells with data to fit 3 components on, got 3"),
    ],
)
def test_components_that_cannot_be_fitted_are_refused(rows, count, sentence):
    with pytest.raises(ValueError, match=sentence):
        components.fit(rows, count)
