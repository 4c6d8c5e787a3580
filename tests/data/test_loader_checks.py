"""Whether a store holds what a config expects."""

import dataclasses

import numpy as np
import pytest
from made.tiny_store import HY, build, config

from spectral_jax.data.loader import Loader
from spectral_jax.sensors import SensorSpec


@pytest.mark.parametrize("reduced", [True, False])
def test_store_may_hold_all_bands_or_the_used_ones(tmp_path, reduced):
    stored = HY.without_bad_bands() if reduced else dataclasses.replace(HY, bad_intervals_nm=())
    _, written = build(tmp_path / "s", {"g": 5}, keys={"g": ("HY",)}, specs={"HY": stored}, valid_share=1.0, dates=1)
    batch = Loader(config(("HY",)), tmp_path / "s").batch(0)
    kept = [0, 1, 2, 3] if reduced else [0, 1, 3, 4]
    expected = np.moveaxis(written["g", "HY"][0][batch.location, 0], 1, -1)[..., kept]
    np.testing.assert_array_equal(batch.sensors["HY"].pixels, expected)


def different(**changes) -> SensorSpec:
    return dataclasses.replace(HY, **changes)


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        (different(scale=1e-4), r"sensor HY: the config expects tiny30 .* which differ in scale 1.0 against 0.0001"),
        (different(unit="K"), "unit '1' against 'K'"),
        (different(bands=HY.bands[::-1]), "the order of bands: 4 of 4 bands"),
        (different(bands=HY.bands[:4]), "4 used bands against 3"),
    ],
)
def test_a_store_of_another_sensor_is_refused(tmp_path, stored, text):
    build(tmp_path / "s", {"g": 4}, keys={"g": ("HY",)}, specs={"HY": stored})
    with pytest.raises(ValueError, match=text):
        Loader(config(("HY",)), tmp_path / "s")
