import numpy as np

from spectral_jax.measure.worth.agreement import agreeing, whitening


def test_whitened_components_have_unit_variance_and_faint_ones_less(rng):
    mixed = rng.normal(size=(2000, 3)) @ np.array([[1.0, 2.0, 0.0], [0.0, 1.0, 5.0], [0.3, 0.0, 1.0]]) + 7.0
    out = whitening(mixed, components=3, floor=0.0)(mixed)
    np.testing.assert_allclose(out.T @ out / len(out), np.eye(3), atol=1e-9)
    standard = (mixed - mixed.mean(0)) / mixed.std(0)
    variance = np.sort(np.linalg.eigvalsh(np.cov(standard.T, bias=True)))[::-1]
    floored = whitening(mixed, components=2, floor=0.1)(mixed)
    np.testing.assert_allclose(floored.var(0), variance[:2] / (variance[:2] + 0.1), rtol=1e-9)


def test_the_direction_that_agrees_between_dates_is_found_under_what_changes(rng):
    """A faint lasting property under strong changes: principal components see the changes, agreement the property."""
    lasting = rng.normal(size=4000)
    property_axis, change_axis = np.array([0.6, -0.8, 0.0]), np.array([0.8, 0.6, 1.0])
    dates = [
        0.3 * lasting[:, None] * property_axis + rng.normal(size=(4000, 1)) * change_axis + 0.02 * rng.normal(size=(4000, 3))
        for _ in range(2)
    ]
    code = agreeing(*dates, count=1, components=3, floor=0.0)
    assert abs(np.corrcoef(code(dates[0])[:, 0], lasting)[0, 1]) > 0.99
    largest = whitening(dates[0], components=1)(dates[0])[:, 0]
    assert abs(np.corrcoef(largest, lasting)[0, 1]) < 0.3


def test_directions_come_in_the_order_of_their_agreement(rng):
    lasting = rng.normal(size=(3000, 2))
    dates = [np.stack([lasting[:, 0], lasting[:, 1]], 1) + rng.normal(size=(3000, 2)) * [0.2, 2.0] for _ in range(2)]
    a, b = (agreeing(*dates, count=2, components=2)(x) for x in dates)
    agreement = [np.corrcoef(a[:, k], b[:, k])[0, 1] for k in range(2)]
    np.testing.assert_allclose(agreement, [1 / 1.04, 1 / 5.0], atol=0.05)
