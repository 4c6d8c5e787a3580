"""Linear models of the table, and few labels drawn alike for everybody."""

import numpy as np
import pytest

from spectral_jax.adapt.survey import readout

pytest.importorskip("sklearn", reason="needs the extra spectral-jax[eval]")


def test_few_labels_are_of_every_class_and_of_the_seed():
    labels = np.repeat([0, 1, 2], [50, 20, 3])
    rows = np.arange(1, 73)
    drawn = readout.few_of_each(labels, rows, 5, seed=1)
    assert np.bincount(labels[drawn]).tolist() == [5, 5, 3]
    assert len(set(drawn.tolist())) == 13
    assert set(drawn.tolist()) <= set(rows.tolist())
    np.testing.assert_array_equal(drawn, readout.few_of_each(labels, rows, 5, seed=1))
    assert not np.array_equal(drawn, readout.few_of_each(labels, rows, 5, seed=2))
    assert len(set(readout.few(rows, 10, seed=0).tolist())) == 10


def test_classes_and_numbers_do_not_depend_on_the_scale_of_features(rng):
    features = rng.normal(size=(80, 3))
    scaled = features * np.array([1e-3, 1.0, 1e3]) + 5
    labels = (features[:, 0] > 0).astype(int)
    said = readout.classes(scaled[:60], labels[:60], scaled[60:])
    assert (said == labels[60:]).mean() > 0.85
    values = features @ np.array([[1.0, 0.0], [2.0, 1.0], [0.0, -1.0]])
    np.testing.assert_allclose(readout.numbers(scaled[:60], values[:60], scaled[60:]), values[60:], atol=0.01)
