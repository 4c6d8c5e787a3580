"""SpecTf in a comparison: pixel by pixel, on bands with wavelengths, and by its own weights on reflectance as it is."""

import dataclasses
import re

import jax
import numpy as np
import pytest
from made import tiny_adapt
from made.spectf_state import random_state

from spectral_jax import interop
from spectral_jax.adapt.encoders.encoder import Bands, Size
from spectral_jax.adapt.encoders.spectf import fresh, read
from spectral_jax.adapt.encoders.table import ENCODERS
from spectral_jax.adapt.fit import line, prepared
from spectral_jax.adapt.parts.part import Part
from spectral_jax.adapt.parts.source import source_of
from spectral_jax.adapt.settings import folders_of
from spectral_jax.interop import models
from spectral_jax.interop.weights_file import Weights
from spectral_jax.model.published.spectf import SpecTfConfig
from spectral_jax.sensors import SensorSpec

pytestmark = pytest.mark.slow

ENMAP, TARGET = SensorSpec.load("enmap_l2a"), SensorSpec.load("sentinel2a_l2a")


@pytest.fixture
def folder(tmp_path, rng):
    interop.save(tmp_path, *models.read("spectf", Weights("a.pt", random_state(rng)), release="v0.0.1", heads=4))
    return str(tmp_path)


def test_a_fresh_one_has_the_size_and_the_published_one_its_own():
    bands = Bands(ENMAP, TARGET, ())
    assert fresh(Size(width=12, heads=3), bands) == SpecTfConfig(12, 3, 12)
    assert fresh(Size(name="cloud"), bands) == SpecTfConfig()
    with pytest.raises(ValueError, match="size.name: SpecTf was published as cloud, got 'base'; leave it empty."):
        fresh(Size(name="base"), bands)
    radar = Bands(SensorSpec.load("sentinel1_grd"), TARGET, ())
    said = "spectf: expected bands with wavelengths, and sentinel1_grd is radar; take another encoder, or an optical sensor."
    with pytest.raises(ValueError, match=re.escape(said)):
        fresh(Size(), radar)


@pytest.mark.parametrize("kept", [(), (0, 3, 7)])
def test_its_weights_take_reflectance_that_nothing_standardises(folder, kept):
    config, params, statistics = read(folder, Bands(ENMAP, TARGET, kept))
    assert (config, params["head"]["kernel"].shape) == (SpecTfConfig(16, 4, 12, "v0.0.1"), (16, 2))
    count = len(kept) or len(ENMAP.used)
    np.testing.assert_array_equal(statistics, [np.zeros(count), np.ones(count)])


@pytest.mark.parametrize("row", ["spectf/none", pytest.param("spectf/srf", marks=pytest.mark.slow)])
def test_it_is_fitted_to_a_task_at_full_resolution(row, folder):
    data = tiny_adapt.segmentation()
    short = dataclasses.replace(tiny_adapt.PROTOCOL, epochs=1, patience=1)
    cfg = tiny_adapt.run((row,), protocol=short, weights=folders_of(ENCODERS)(spectf=folder))
    source = source_of(data)
    ready = prepared.prepare(cfg.lines()[0], cfg, data.task, source)
    assert (ready.model.taps, ready.model.side, ready.weights) == ((0,), 8, folder)
    parts = (Part(data, source, rows) for rows in (range(4), range(4, 6), range(6, 8)))
    assert np.isfinite(line.fit(cfg.lines()[0], ready, *parts, seed=0).metrics["iou_macro"])
    image = jax.ShapeDtypeStruct((1, 8, 8, ready.model.bands), np.float32)
    found = jax.eval_shape(lambda x: interop.encode(ready.params, x, ready.model.config, None, ready.model.centre_nm), image)
    assert found.maps[0].shape == (1, 8, 8, 16)
