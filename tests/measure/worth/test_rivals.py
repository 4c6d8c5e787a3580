import numpy as np
import pytest

from spectral_jax.measure.worth import images, rivals
from spectral_jax.measure.worth.agreement import Linear
from spectral_jax.measure.worth.question import MOST_NUMBERS


def made(rng, places):
    values = rng.uniform(0.05, 0.6, (places, 9, 5)).astype(np.float32) * np.linspace(0.5, 1.0, places)[:, None, None]
    return images.of_pixels(values.astype(np.float32), rng.random((places, 9)) < 0.8)


@pytest.fixture(scope="module")
def found():
    rng = np.random.default_rng(0)
    first, second, unseen = (made(rng, n) for n in (40, 40, 12))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rivals, "RANDOM_FEATURES", 30)
        return unseen, {name: of(unseen) for name, of in rivals.fitted(first, second).items()}


def test_bands_are_their_own_features(found):
    unseen, by_name = found
    np.testing.assert_array_equal(by_name["bands"], unseen.mean)
    np.testing.assert_array_equal(by_name["bands, mean and deviation"][:, 5:], unseen.deviation)
    np.testing.assert_array_equal(by_name["bands and logs, mean and deviation"][:, 10:15], unseen.log_mean)
    assert by_name["bands and logs, mean and deviation"].shape == (12, 20)


def test_all_rivals_of_the_criterion_are_there_and_none_is_wider_than_a_readout_may_be(found):
    _, by_name = found
    assert [x.shape[1] for x in by_name.values()] == [5, 10, 20, 5, 5, 65, 5, 10, 20, 32]
    assert 2 * rivals.RANDOM_FEATURES + 202 <= MOST_NUMBERS


def test_random_features_are_mean_and_deviation_of_cosines_over_valid_pixels(rng):
    seen = made(rng, 3)
    white = Linear(np.full(5, 0.2), rng.normal(size=(5, 2)))
    frequencies, phases = rng.normal(size=(2, 4)).astype(np.float32), rng.uniform(0, 6, 4).astype(np.float32)
    found = rivals.random_moments(seen, white, frequencies, phases)
    for place in range(3):
        pixels = seen.pixels[place][seen.valid[place]]
        waves = [np.cos((p - 0.2) @ white.matrix @ frequencies + phases) for p in pixels]
        np.testing.assert_allclose(found[place], [*np.mean(waves, 0), *np.std(waves, 0)], rtol=1e-4, atol=1e-5)


def test_products_of_random_features_are_a_gaussian_kernel():
    """What the phases and frequencies are for: cos(wx + b) cos(wy + b), averaged, is half the kernel of x - y."""
    frequencies, phases = rivals._waves(2, 20_000)
    x, y = np.array([0.3, -1.0]), np.array([1.5, 0.2])
    product = 2 * np.cos(x @ frequencies + phases) * np.cos(y @ frequencies + phases)
    assert product.mean() == pytest.approx(np.exp(-0.5 * ((x - y) ** 2).sum() / 4.0), abs=0.02)
