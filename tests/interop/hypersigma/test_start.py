"""What the authors' programs make of weights of pretraining, for other images."""

import dataclasses
import re

import jax
import numpy as np
import pytest
from made import hypersigma_state
from made.oracle_file import TOLERANCE, difference, part

from spectral_jax.interop import names
from spectral_jax.interop.hypersigma.start import spatial_positions, spectral_positions, start
from spectral_jax.model.published.hypersigma import spatial, spectral
from spectral_jax.model.published.hypersigma.spatial import SpatialConfig
from spectral_jax.model.published.hypersigma.spectral import SpectralConfig

pytestmark = pytest.mark.slow

FULL = hypersigma_state.trunk(interval=1)


@pytest.fixture
def pretrained():
    """Both encoders as pretraining leaves them: every block looks at all tokens, 64 px, patches of 8 px, 100 tokens."""
    space = SpatialConfig(FULL, 4, 8, (8, 8), "tokens")
    spectrum = SpectralConfig(FULL, 100, 4096, summary=False)
    keys = jax.random.split(jax.random.key(1))
    return (space, spatial.init(keys[0], space)), (spectrum, spectral.init(keys[1], spectrum))


def test_positions_are_resized_as_the_published_loader_does(oracles):
    path = oracles / "hypersigma.npz"
    given, expected = part(path, "load/input"), part(path, "load/output")
    for name, value in expected.items():
        if name.startswith("spat"):
            px, patch = (int(text[3:] if text.startswith("img") else text[1:]) for text in name.split("_")[-2:])
            found = spatial_positions(given["spat_pos_embed_ckpt"][0], (px // patch, px // patch))
        else:
            found = spectral_positions(given["spec_pos_embed_ckpt"][0], int(name.split("_n")[-1]))
        assert difference(np.asarray(found), value[0]) <= TOLERANCE, name


def test_the_first_spectral_position_is_lost_even_where_none_need_be(rng):
    table = rng.normal(size=(100, 3)).astype(np.float32)
    np.testing.assert_array_equal(spectral_positions(table, 99), table[1:])
    found = spectral_positions(table, 100)
    # The first place of 100 in 99: (0 + 0.5) * 99 / 100 - 0.5 = -0.005, between the repeated first row and itself, and so on.
    t, a = 0.995, -0.75
    near, far = lambda z: ((a + 2) * z - (a + 3)) * z * z + 1, lambda z: ((a * z - 5 * a) * z + 8 * a) * z - 4 * a
    weights = [far(1 + t), near(t), near(1 - t), far(2 - t)]
    expected = sum(w * row for w, row in zip(weights, table[[1, 1, 1, 2]].astype(float), strict=True))
    np.testing.assert_allclose(found[0], expected, atol=1e-6)


def test_blocks_are_taken_and_what_pretraining_has_not_is_fresh(pretrained):
    cfg = hypersigma_state.fused("classes", 2, 16, 6, 16)
    params, account = start(jax.random.key(0), cfg, *pretrained)
    flat = names.flatten(params)
    for name, (_, given) in zip(("spatial", "spectral"), pretrained, strict=True):
        for path, value in names.flatten(given["trunk"]).items():
            np.testing.assert_array_equal(flat[f"{name}/trunk/{path}"], value)
    np.testing.assert_array_equal(flat["spatial/positions"], pretrained[0][1]["positions"])
    outcomes = {row.key: row.outcome for row in account.rows}
    assert len(outcomes) == len(flat)
    assert outcomes["spat_encoder.blocks.0.attn.qkv.weight"] == outcomes["spat_encoder.pos_embed"] == "loaded"
    assert outcomes["spec_encoder.pos_embed"] == "reshaped"
    fresh = {name for name, outcome in outcomes.items() if outcome == "absent"}
    assert {"spat_encoder.blocks.0.attn.sampling_offsets.weight", "spat_encoder.patch_embed.proj.weight", "DR1.weight",
            "spec_encoder.spat_map.weight", "spec_encoder.l1.weight", "spat_encoder.fpn1.0.weight"} <= fresh  # fmt: skip
    assert not any(".qkv." in name or ".norm1." in name for name in fresh)
    offsets = flat["spatial/trunk/block0/attend/offsets/kernel"]
    assert np.std(offsets) == pytest.approx(0.02, rel=0.3)


def test_notebooks_leave_spatial_positions_fresh_and_take_spectral_ones_as_they_are(pretrained):
    cfg = hypersigma_state.fused("classes", 8, 64, 6, 100)
    params, account = start(jax.random.key(0), cfg, *pretrained, loader="notebook")
    np.testing.assert_array_equal(params["spectral"]["positions"], pretrained[1][1]["positions"])
    outcomes = {row.key: row.outcome for row in account.rows}
    assert (outcomes["spat_encoder.pos_embed"], outcomes["spec_encoder.spat_map.weight"]) == ("absent", "absent")
    taken, account = start(jax.random.key(0), cfg, *pretrained)
    np.testing.assert_array_equal(taken["spectral"]["embed"]["kernel"], pretrained[1][1]["embed"]["kernel"])


def test_what_the_published_loaders_fail_at_is_refused(pretrained):
    key, cfg = jax.random.key(0), hypersigma_state.fused("classes", 8, 64, 3, 16)
    with pytest.raises(
        ValueError, match=re.escape("spatial: expected a patch embedding [8, 8, 3, 10], got [8, 8, 4, 10]; the")
    ):
        start(key, cfg, *pretrained)
    with pytest.raises(
        ValueError, match="spectral: expected positions of 16 tokens, got 100; the notebooks take them as they are"
    ):
        start(key, cfg, *pretrained, loader="notebook")
    oblong = SpatialConfig(hypersigma_state.trunk(), 4, 2, (6, 12), "tokens")
    with pytest.raises(
        ValueError, match=re.escape("spatial: expected positions for (6, 12), got 64, which the published code")
    ):
        start(key, oblong, pretrained[0])
    with pytest.raises(ValueError, match="spectral: a SpatialConfig has no such encoder; leave it out."):
        start(key, oblong, spectral=pretrained[1])
    wide = SpatialConfig(dataclasses.replace(FULL, width=12), 4, 8, (8, 8), "tokens")
    said = "spatial: expected weights 12 wide with 2 blocks of 3 heads, got some 10 wide with 2 blocks of 3 heads; take a model"
    with pytest.raises(ValueError, match=said):
        start(key, wide, pretrained[0])
    with pytest.raises(
        ValueError, match="loader: no loader of HyperSIGMA is called 'notebok'; the names are, closest first: note"
    ):
        start(key, wide, loader="notebok")
