"""HyperSIGMA in a comparison: on all bands, fresh, begun with weights of pretraining, or fine-tuned."""

import dataclasses
import re

import jax
import numpy as np
import pytest
from made import hypersigma_state, tiny_adapt

from spectral_jax import interop
from spectral_jax.adapt.encoders.encoder import Bands, Size
from spectral_jax.adapt.encoders.hypersigma import fresh_fused, fresh_spatial, read_fused, read_spatial, side_spatial
from spectral_jax.adapt.encoders.table import ENCODERS
from spectral_jax.adapt.fit import line, prepared
from spectral_jax.adapt.parts.part import Part
from spectral_jax.adapt.parts.source import source_of
from spectral_jax.interop import models
from spectral_jax.interop.weights_file import Weights
from spectral_jax.model.published.hypersigma import trunk
from spectral_jax.model.published.hypersigma.spatial import SpatialConfig
from spectral_jax.sensors import SensorSpec

pytestmark = pytest.mark.slow

ENMAP = SensorSpec.load("enmap_l2a")
BANDS = Bands(ENMAP, SensorSpec.load("sentinel2a_l2a"), ())


def saved(folder, rng, cfg):
    """A folder of random weights."""
    weights = Weights("a.pth", hypersigma_state.random_state(rng, cfg))
    interop.save(folder, *models.read("hypersigma", weights, heads=3, taps=(0, 0, 1, 1)))
    return str(folder)


def test_fresh_ones_have_the_size():
    published = fresh_spatial(Size(name="large", patch=8, px=64), BANDS)
    assert published == SpatialConfig(trunk.of_size("large"), 202, 8, (8, 8), "tokens")
    found = fresh_fused(Size(width=24, depth=8, heads=4, patch=2, px=16), BANDS)
    assert (found.spatial.trunk.interval, found.spatial.trunk.taps) == (2, (1, 3, 5, 7))
    assert (found.spectral.tokens, found.spectral.pixels, found.size) == (100, 256, (16, 16))
    with pytest.raises(ValueError, match="SpatialConfig.patch: the published pyramid is of patches of 1, 2, 4, 8, 11, 16 px"):
        fresh_fused(Size(patch=3, px=33), BANDS)


def test_weights_of_pretraining_take_other_bands_by_a_fresh_patch_embedding(tmp_path, rng):
    whole = SpatialConfig(hypersigma_state.trunk(interval=1, points=8), 4, 8, (8, 8), "tokens")
    state = hypersigma_state.random_state(rng, whole) | {"mask_token": np.ones((1, 1, 3), np.float32)}
    interop.save(tmp_path, *models.read("hypersigma", Weights("a.pth", state), heads=3, taps=(0, 0, 1, 1)))
    config, params, statistics = read_spatial(str(tmp_path), BANDS)
    assert (config.channels, config.trunk.interval, config.trunk.points, statistics) == (202, 2, 8, None)
    assert side_spatial(config) == 64
    np.testing.assert_array_equal(params["trunk"]["block0"]["attend"]["qkv"]["kernel"], state["blocks.0.attn.qkv.weight"].T)
    assert (params["kernel"].shape, "offsets" in params["trunk"]["block0"]["attend"]) == ((8, 8, 202, 10), True)
    assert "offsets" not in params["trunk"]["block1"]["attend"]


def test_fine_tuned_weights_are_for_their_channels(tmp_path, rng):
    five = saved(tmp_path / "five", rng, hypersigma_state.fused("classes"))
    said = (
        f"weights.hypersigma: {five} was fine-tuned on 5 channels, and enmap_l2a has 202 bands; take weights of pretraining, or"
    )
    with pytest.raises(ValueError, match=re.escape(said)):
        read_fused(five, BANDS)
    config, params, _ = read_fused(saved(tmp_path / "all", rng, hypersigma_state.fused("map", 8, 32, 202)), BANDS)
    assert (config.task, config.size, "head0" in params) == ("map", (32, 32), True)
    alone = saved(tmp_path / "alone", rng, SpatialConfig(hypersigma_state.trunk(), 5, 8, (4, 4)))
    with pytest.raises(ValueError, match=re.escape(f"weights.hypersigma_spatial: {alone} was fine-tuned on 5 channels")):
        read_spatial(alone, BANDS)
    with pytest.raises(ValueError, match="weights.hypersigma: .* holds a SpatialConfig, expected weights of hypersigma"):
        read_fused(alone, BANDS)


@pytest.mark.slow
@pytest.mark.parametrize(("row", "maps"), [("hypersigma/none", 4), ("hypersigma_spatial/none", 1)])
def test_a_fresh_one_is_fitted_to_a_task(row, maps):
    data, source = tiny_adapt.segmentation(), source_of(tiny_adapt.segmentation())
    short = dataclasses.replace(tiny_adapt.PROTOCOL, epochs=1, patience=1)
    cfg = tiny_adapt.run((row,), protocol=short)
    ready = prepared.prepare(cfg.lines()[0], cfg, data.task, source)
    assert (len(ready.model.taps), ready.model.side, ready.weights) == (maps, 8, prepared.RANDOM)
    parts = (Part(data, source, rows) for rows in (range(4), range(4, 6), range(6, 8)))
    assert np.isfinite(line.fit(cfg.lines()[0], ready, *parts, seed=0).metrics["iou_macro"])


def test_maps_of_the_fusion_come_finest_first(key):
    encoder = ENCODERS["hypersigma"]
    config = encoder.fresh(tiny_adapt.SIZE, BANDS)
    params = jax.eval_shape(lambda: encoder.init(key, config))
    image = jax.ShapeDtypeStruct((2, 8, 8, 202), np.float32)
    found = jax.eval_shape(lambda p, x: interop.encode(p, x, config, encoder.taps(config)), params, image)
    assert [m.shape for m in found.maps] == [(2, side, side, 128) for side in (8, 4, 2, 1)]
    assert found.pooled.shape == (2, 512)
    assert encoder.refuses("srf", 202) == "hypersigma/srf: hypersigma takes none; choose one of them."
