"""OmniCloudMask's function by a stand-in of the published signature: what it is given, and what becomes of its classes."""

import re
import sys

import numpy as np
import pytest
from made import omnicloudmask_stand_in
from made.region import LEFT, TOP, in_memory

from spectral_jax.ingest.masks import by_omnicloudmask
from spectral_jax.sensors import SensorSpec

PLACE = (LEFT, 10.0, 0.0, TOP, 0.0, -10.0)
SPEC = SensorSpec.load("sentinel2b_l2a")
RED, NEAR = ([band.name for band in SPEC.bands].index(name) for name in ("B04", "B08"))


def scene(side=400):
    """Clear ground; a thick cloud, a thin one, a shadow, and missing pixels as bright as cloud, in rows of ten."""
    numbers = np.full((12, side, side), 1000, np.int16)
    numbers[RED, 200:210], numbers[RED, 210:220], numbers[NEAR, 220:230] = 5000, 3500, 100
    numbers[:, 230:240] = -32768
    return in_memory("sentinel2b_l2a", numbers, PLACE)


def test_clouds_and_shadows_are_unclear_and_a_window_sees_what_is_around_it(monkeypatch):
    library = omnicloudmask_stand_in.installed(monkeypatch)
    found = by_omnicloudmask.unclear(scene(), (slice(190, 250), slice(10, 50)), None)
    expected = np.zeros((60, 40), bool)
    expected[10:40] = True
    np.testing.assert_array_equal(found, expected)
    # 150 pixels around it, where there are so many.
    assert library.calls == [((3, 360, 200), 200, 100, 0)]
    by_omnicloudmask.unclear(scene(1400), (slice(600, 700), slice(600, 800)), None)
    assert library.calls[1] == ((3, 400, 500), 400, 200, 0)


@pytest.mark.parametrize(("threshold", "of_clear", "of_cloud"), [(0.45, True, True), (0.6, False, True), (0.9, False, False)])
def test_a_threshold_is_of_cloud_and_shadow_together(monkeypatch, threshold, of_clear, of_cloud):
    # The stand-in gives clear ground 0.5 of the three others together, and a cloud 0.8.
    omnicloudmask_stand_in.installed(monkeypatch)
    found = by_omnicloudmask.unclear(scene(64 + 200), (slice(190, 220), slice(0, 40)), threshold)
    assert (found[0].all(), found[10].all()) == (of_clear, of_cloud)


def test_sentinel_2_and_landsat_are_taken_and_no_others():
    names = ("sentinel2a_l2a", "sentinel2c_l2a", "landsat9_oli", "enmap_l2a", "sentinel1_rtc", "landsat_st")
    assert [by_omnicloudmask.takes(SensorSpec.load(name)) for name in names] == [True, True, True, False, False, False]


def test_a_product_that_is_too_small_and_another_answer_are_told(monkeypatch):
    library = omnicloudmask_stand_in.installed(monkeypatch)
    small = in_memory("sentinel2b_l2a", np.full((12, 20, 40), 1000, np.int16), PLACE)
    sentence = "clouds=omnicloudmask: made sentinel2b_l2a has 20 x 40 pixels here, expected at least 32 x 32; leave it to"
    with pytest.raises(ValueError, match=sentence):
        by_omnicloudmask.unclear(small, (slice(0, 20), slice(0, 40)), None)
    monkeypatch.setattr(sys.modules["omnicloudmask"], "predict_from_array", lambda array, **more: np.zeros(array.shape[1:]))
    with pytest.raises(ValueError, match=re.escape("expected a mask [K 264 264], got shape (264, 264); install its version")):
        by_omnicloudmask.unclear(scene(264), (slice(0, 264), slice(0, 264)), None)
    assert library.calls == []


def test_a_library_without_weights_is_no_fault_of_the_product(monkeypatch):
    omnicloudmask_stand_in.installed(monkeypatch)

    def predict_from_array(array, **more):
        raise RuntimeError("no network")

    monkeypatch.setattr(sys.modules["omnicloudmask"], "predict_from_array", predict_from_array)
    with pytest.raises(
        ImportError, match=r"could not look at a scene \(RuntimeError: no network\); it fetches its weights when"
    ):
        by_omnicloudmask.unclear(scene(264), (slice(0, 64), slice(0, 64)), None)


def test_without_the_library_its_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "omnicloudmask", None)
    sentence = r"clouds=omnicloudmask needs omnicloudmask, and it is not installed; .*'spectral-jax\[clouds\]'"
    with pytest.raises(ImportError, match=sentence):
        by_omnicloudmask.library()
