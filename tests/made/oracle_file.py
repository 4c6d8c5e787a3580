"""Oracles by their parts, and the agreement that is asked for."""

import numpy as np

TOLERANCE = 2e-5  # relative to the output's maximum, float32 with highest matmul precision


def part(path, name):
    """What an oracle holds under `name/`."""
    with np.load(path) as file:
        return {key.removeprefix(f"{name}/"): file[key] for key in file.files if key.startswith(f"{name}/")}


def channels_last(image):
    """B C H W to B H W C."""
    return np.moveaxis(image, 1, -1)


def difference(found, expected):
    """Largest difference relative to the largest expected number; the shapes must be equal."""
    assert found.shape == expected.shape
    return np.abs(np.asarray(found) - expected).max() / np.abs(expected).max()


def assert_same_state(found, expected):
    """The same names, dtypes, shapes and bits."""
    assert set(found) == set(expected)
    for key, value in expected.items():
        assert (found[key].dtype, found[key].shape) == (value.dtype, value.shape), key
        assert found[key].tobytes() == value.tobytes(), key
