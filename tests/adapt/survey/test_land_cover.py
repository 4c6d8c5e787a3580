"""Land cover of positions: folds that training has not, few labels, cells by their mean and deviation."""

import numpy as np
import pytest

from spectral_jax.adapt.survey import land_cover
from spectral_jax.adapt.survey.land_cover import LandCover

pytest.importorskip("sklearn", reason="needs the extra spectral-jax[eval]")


@pytest.fixture
def task(rng):
    """Four images of 6 x 6 cells in two folds; the first image's first row has no label."""
    labels = rng.integers(2, 5, (4, 6, 6))
    labels[0, 0] = -1
    tile = np.broadcast_to(np.arange(4)[:, None, None], labels.shape)
    return LandCover("made", None, 6, 6, 1, labels, tile // 2, tile, 4)


def test_features_that_are_the_classes_are_read_off(task):
    features = np.eye(6)[task.labels]
    for few in (True, False):
        found = land_cover.scored(task, [features], range(2), few)
        assert found.value == found.low == found.high == 1.0
        assert len(found.seeds) == (2 if few else 1)


def test_features_of_a_seed_are_scored_by_themselves(task, rng):
    good, noise = np.eye(6)[task.labels], rng.normal(size=(*task.labels.shape, 3))
    found = land_cover.scored(task, [good, noise], range(2), few=False)
    assert found.seeds[0] == 1.0 > 0.6 > found.seeds[1]
    assert found.value == pytest.approx(np.mean(found.seeds))


def test_what_a_fold_alone_has_is_not_known_to_it(task):
    # A class that only one fold has cannot be learned from the other one.
    labels = task.labels.copy()
    labels[:2][labels[:2] == 4] = 3
    found = land_cover.scored(task._replace(labels=labels), [np.eye(6)[labels]], range(1), few=False)
    assert found.value < 0.7


def test_a_cell_is_its_mean_and_deviation(rng):
    images = rng.normal(size=(1, 8, 8, 3)).astype(np.float32)
    found = land_cover._cell_moments(images, 2)
    cell = images[0, :4, 4:].reshape(16, 3)
    np.testing.assert_allclose(found[0, 0, 1], [*cell.mean(axis=0), *cell.std(axis=0)], atol=1e-6)
    np.testing.assert_array_equal(land_cover._cell_moments(images, 8), images)


@pytest.mark.slow
def test_the_tables_tasks_are_as_specified(real_data):
    cover = land_cover.potsdam(real_data / "enmap_potsdam", 10)
    assert (int((cover.labels >= 0).sum()), len(np.unique(cover.fold)), len(np.unique(cover.place))) == (4040, 7, 14)
    bands = land_cover.bands(cover)
    assert [x.shape[-1] for x in bands.values()] == [10, 202]  # of 218 with data, those outside the water vapour's intervals
    cover = land_cover.terramesh(real_data / "terramesh", 10)
    known = cover.labels >= 0
    assert (int(known.sum()), len(np.unique(cover.labels[known])), len(np.unique(cover.place))) == (12537, 6, 16)
    assert [x.shape for x in land_cover.bands(cover).values()] == [(4, 56, 56, 20)]
