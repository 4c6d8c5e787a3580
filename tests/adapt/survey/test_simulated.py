"""The simulated task of the table: places of their own, and parameters read off features."""

import numpy as np
import pytest

from spectral_jax.adapt.survey import simulated

pytest.importorskip("sklearn", reason="needs the extra spectral-jax[eval]")


def test_scenes_are_simulated_and_of_places_of_their_own():
    task = simulated.scenes(train=2, test=1)
    assert task.part.data.simulated
    assert (task.truth.shape, task.train, len(task.part)) == ((3, 11), 2, 3)
    moments = simulated.bands(task)
    image, valid, _ = task.part.sample(2)
    np.testing.assert_allclose(moments[2][: image.shape[-1]], image[valid].mean(axis=0), rtol=1e-5)
    assert not np.array_equal(task.truth[0], task.truth[1])


def test_features_that_are_the_parameters_give_them(rng):
    truth = rng.normal(size=(120, 11)) * np.logspace(-2, 2, 11)
    task = simulated.Scenes(None, truth, 80)
    # Parameters of small numbers count as much as those of large ones.
    features = (truth / truth.std(axis=0)) @ (np.eye(11) + 0.1 * rng.normal(size=(11, 11)))
    assert simulated.scored(task, [features], range(2), 0).value > 0.99
    few = simulated.scored(task, [truth], range(2), 20)
    assert len(few.seeds) == 2
    assert few.value > 0.9
    assert simulated.scored(task, [rng.normal(size=(120, 5))], range(1), 0).value < 0.1
