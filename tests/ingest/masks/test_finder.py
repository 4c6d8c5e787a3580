"""Products with what a model says of them: joined with their own layers, looked at once, and of the right sensor."""

import pickle

import numpy as np
import pytest
from made import omnicloudmask_stand_in, spectf_state
from made.region import LEFT, TOP, in_memory

from spectral_jax.ingest.masks import by_spectf, finder
from spectral_jax.ingest.masks.asked import Asked
from spectral_jax.ingest.masks.finder import CloudFinder
from spectral_jax.sensors import SensorSpec

WINDOW = slice(0, 8), slice(0, 8)
SPECTF = Asked(("spectf",), "weights")


def product(sensor="enmap_l2a"):
    """Its first row is cloud by its own layers, its last outside."""
    flags = {"cloud": np.zeros((8, 8), bool), "background": np.zeros((8, 8), bool), "water": np.ones((8, 8), bool)}
    flags["cloud"][0], flags["background"][-1] = True, True
    pixel = SensorSpec.load(sensor).gsd_m
    numbers = np.full((len(SensorSpec.load(sensor).bands), 8, 8), 1000, np.int16)
    return in_memory(
        sensor, numbers, (LEFT, pixel, 0.0, TOP, 0.0, -pixel), flags=flags, dropped=("background", "cloud")
    )  # fmt: skip


@pytest.fixture
def asked_of(monkeypatch):
    """Where the model was asked; it calls the second column cloud."""
    calls = []

    def cloudy(of, window, wanted, folder, threshold):
        calls.append((window, wanted.copy(), folder, threshold))
        out = np.zeros(wanted.shape, bool)
        out[:, 1] = True
        return out & wanted

    monkeypatch.setattr(by_spectf, "cloudy", cloudy)
    return calls


def test_a_pixel_is_unclear_where_either_says_so_and_only_clear_ones_are_looked_at(asked_of):
    of = product()
    seen = CloudFinder(SPECTF)(of)
    expected = np.ones((8, 8), bool)
    expected[0], expected[-1], expected[:, 1] = False, False, False
    np.testing.assert_array_equal(seen.clear(*WINDOW), expected)
    ((window, wanted, folder, threshold),) = asked_of
    assert (window, folder, threshold) == (WINDOW, "weights", None)
    np.testing.assert_array_equal(wanted, of.clear(*WINDOW))
    assert seen.dropped == ("background", "cloud", "model_cloud")
    assert "surface reflectance, which its weights were not trained on" in seen.flags["model_cloud"]


def test_a_window_is_looked_at_once_in_a_process_as_far_as_there_is_room(asked_of, monkeypatch):
    made, of = CloudFinder(SPECTF), product()
    first = made(of).clear(*WINDOW)
    np.testing.assert_array_equal(made(of).clear(*WINDOW), first)
    assert len(asked_of) == 1
    sent = pickle.loads(pickle.dumps(made))
    np.testing.assert_array_equal(sent(of).clear(*WINDOW), first)
    assert len(asked_of) == 2
    monkeypatch.setattr(finder, "REMEMBERED", 8)  # one window of 64 bits
    made(of).clear(slice(0, 8), slice(0, 7))
    made(of).clear(*WINDOW)
    assert len(asked_of) == 4


def test_what_is_not_asked_for_changes_nothing(asked_of):
    of = product()
    assert CloudFinder()(of) is of
    landsat = product("landsat8_oli")
    assert CloudFinder(SPECTF)(landsat) is landsat
    assert not asked_of


def test_none_leaves_missing_pixels_alone_unclear():
    seen = CloudFinder(Asked(("none",)))(product())
    expected = np.ones((8, 8), bool)
    expected[-1] = False
    np.testing.assert_array_equal(seen.clear(*WINDOW), expected)


def test_each_model_looks_at_its_own_sensors(monkeypatch):
    omnicloudmask_stand_in.installed(monkeypatch)
    made = CloudFinder(Asked(("spectf", "omnicloudmask"), "weights"))
    names = ("enmap_l2a", "sentinel2b_l2a", "landsat9_oli", "desis_l2a", "sentinel1_rtc", "landsat_st")
    ways = [made.way_of(SensorSpec.load(name)) for name in names]
    assert ways == ["spectf", "omnicloudmask", "omnicloudmask", None, None, None]
    flags = {"no_data": np.zeros((64, 64), bool)}
    numbers = np.full((12, 64, 64), 1000, np.int16)
    numbers[[b.name for b in SensorSpec.load("sentinel2b_l2a").bands].index("B04"), :5] = 5000
    place = (LEFT, 10.0, 0.0, TOP, 0.0, -10.0)
    seen = made(in_memory("sentinel2b_l2a", numbers, place, flags=flags, dropped=("no_data",)))
    np.testing.assert_array_equal(seen.clear(slice(0, 64), slice(0, 64)).all(axis=1), np.arange(64) >= 5)


@pytest.mark.parametrize(
    ("asked", "sensor", "sentence"),
    [
        (SPECTF, "sentinel2a_l2a", "clouds=spectf: it looks at spectra from 500 to 2200 nm: EnMAP, EMIT and PRISMA, and there "
         "is sentinel2a_l2a; leave it out, so that the products' own layers tell cloud."),
        (Asked(("omnicloudmask",)), "enmap_l2a", "clouds=omnicloudmask: it looks at Sentinel-2 and Landsat, and there is "
         "enmap_l2a; leave it out"),
    ],
)  # fmt: skip
def test_a_model_that_looks_at_none_of_the_sensors_is_refused(asked, sensor, sentence):
    with pytest.raises(ValueError, match=sentence):
        CloudFinder(asked).expect_use([SensorSpec.load(sensor)])
    CloudFinder().expect_use([SensorSpec.load(sensor)])


def test_models_are_looked_for_before_anything_is_read(tmp_path, rng, monkeypatch):
    folder = tmp_path / "weights"
    with pytest.raises(FileNotFoundError, match="weights/config.json does not exist"):
        CloudFinder(Asked(("spectf",), str(folder))).check()
    spectf_state.written(folder, rng)
    by_spectf.loaded.cache_clear()
    CloudFinder(Asked(("spectf",), str(folder))).check()
    monkeypatch.setitem(__import__("sys").modules, "omnicloudmask", None)
    with pytest.raises(ImportError, match=r"spectral-jax\[clouds\]"):
        CloudFinder(Asked(("omnicloudmask",))).check()
    assert CloudFinder().check() is None
    assert CloudFinder(SPECTF).told(SensorSpec.load("enmap_l2a")).endswith("not trained on (as published)")
