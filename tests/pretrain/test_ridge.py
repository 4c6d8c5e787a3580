import numpy as np
import pytest

from spectral_jax.pretrain import ridge

pytest.importorskip("sklearn")


def by_hand(x, y, unseen, penalties):
    """Predictions and mean squared leave-one-out errors [A K] of every penalty, by the hat matrix."""
    centre, spread = x.mean(0), x.std(0)
    x, unseen = (x - centre) / spread, (unseen - centre) / spread
    predictions, errors = [], []
    for penalty in penalties:
        inverse = np.linalg.inv(x.T @ x + penalty * np.eye(x.shape[1]))
        hat = x @ inverse @ x.T + 1.0 / len(x)
        residual = (y - hat @ y) / (1.0 - np.diag(hat))[:, None]
        errors.append((residual**2).mean(0))
        predictions.append(unseen @ inverse @ x.T @ (y - y.mean(0)) + y.mean(0))
    return np.array(predictions), np.array(errors)


@pytest.fixture
def data(rng):
    x = rng.normal(size=(30, 4)) * [1.0, 10.0, 0.1, 3.0] + 5.0
    weights = np.array([[1.0, 0.0], [0.3, 0.0], [2.0, 0.0], [0.0, 0.001]])
    return x, x @ weights + rng.normal(size=(30, 2)) * [0.3, 1.0], rng.normal(size=(7, 4)) + 5.0


def test_each_parameter_has_the_penalty_of_its_smallest_leave_one_out_error(data):
    x, y, unseen = data
    predictions, errors = by_hand(x, y, unseen, ridge.PENALTIES)
    best = errors.argmin(0)
    assert best[0] != best[1]
    expected = np.stack([predictions[best[k], :, k] for k in range(2)], 1)
    np.testing.assert_allclose(ridge.predict(x, y, unseen), expected, rtol=1e-6)


def test_a_shared_penalty_counts_each_parameter_by_its_own_variance(data):
    x, y, unseen = data
    predictions, errors = by_hand(x, y, unseen, ridge.PENALTIES)
    best = (errors / y.var(0)).sum(1).argmin()
    np.testing.assert_allclose(ridge.predict(x, y, unseen, shared=True), predictions[best], rtol=1e-6)


def test_a_parameter_that_is_the_same_everywhere_is_predicted_as_it_is(data):
    x, y, unseen = data
    y[:, 1] = 3.0
    np.testing.assert_allclose(ridge.predict(x, y, unseen)[:, 1], 3.0)


def test_r2_is_one_minus_error_over_variance():
    truth = np.array([[0.0, 1.0], [2.0, 3.0]])
    np.testing.assert_allclose(ridge.r2(truth, np.array([[0.0, 2.0], [2.0, 2.0]])), [1.0, 0.0])
