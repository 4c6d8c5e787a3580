"""HyperSIGMA: files, images and structures that do not fit are refused, each in a sentence."""

import re

import jax.numpy as jnp
import numpy as np
import pytest
from made import hypersigma_state

from spectral_jax.interop import models
from spectral_jax.interop.weights_file import Weights
from spectral_jax.model.published.hypersigma import fusion, spatial
from spectral_jax.model.published.hypersigma.fusion import FusionConfig
from spectral_jax.model.published.hypersigma.spatial import SpatialConfig


def bad_weights(**changes):
    state = hypersigma_state.random_state(np.random.default_rng(1), hypersigma_state.fused("classes")) | changes
    return Weights("a.pth", {name: value for name, value in state.items() if value is not None})


SAID = dict(heads=3, taps=(0, 0, 1, 1))


@pytest.mark.parametrize(
    ("weights", "options", "sentence"),
    [
        (bad_weights(), {}, "a.pth: 10 is not a published width, and no shape tells the number of heads; say --heads."),
        (bad_weights(), dict(heads=3),
         "nothing tells the blocks whose tokens are taken out; say --taps, counted from 0."),
        (bad_weights(), dict(heads=3, taps=(0, 1, 2, 3)), "TrunkConfig.taps: expected 0 to 1, the first not above the second, "
         "got (0, 1, 2, 3)."),
        (bad_weights(), dict(SAID, size="base"),
         "a.pth looks like hypersigma (10 wide), expected base (768 wide); give another file or another size."),
        (bad_weights(**{"DR2.weight": np.full((128, 10, 1, 1), np.nan, np.float32)}), SAID,
         "a.pth: DR2.weight has 1280 NaN of 1280 numbers."),
        (bad_weights(**{"DR2.weight": None}), SAID, "a.pth does not fit: DR2.weight is missing."),
        (bad_weights(**{"spec_encoder.blocks.0.attn.sampling_offsets.bias": np.zeros(11, np.float32)}), SAID,
         "a.pth does not fit: spec_encoder.blocks.0.attn.sampling_offsets.bias has shape [11], expected [12]."),
        (bad_weights(**{"classifier.4.bias": None}), SAID,
         "a.pth does not fit: classifier.0.weight is no key of this model"),
        (bad_weights(**{"classifier.4.bias": None, "DR1.weight": None}), SAID,
         "a.pth: expected a fusion that classifies, maps or detects, and it has none of classifier.4.bias, "),
        (bad_weights(**{"spec_encoder.spat_map.weight": np.zeros((10, 65), np.float32)}), SAID,
         "FusionConfig: no image has the 65 pixels of the spectral encoder and the patches of 2 px of the spatial one, (4, 4); "
         "one of both is of another size."),
        (bad_weights(**{"spec_encoder.pos_embed": np.zeros((1, 8, 10), np.float32)}), SAID,
         "SpectralConfig.tokens: expected a square number, since tokens are folded into a square, got 8; the closest are 4 "
         "and 9."),
        (Weights("a.pth", {"blocks.0.attn.qkv.weight": np.ones((3, 1)), "cls_token": np.ones(1)}), {},
         "a.pth: expected hypersigma, whose keys hold one of sampling_offsets., spat_map., mask_token and no cls_token, and it "
         "has cls_token; check the source."),
        (Weights("a.pth", {"spectral_embed.linear.weight": np.ones(1)}), {},
         "a.pth looks like spectf, expected hypersigma: no key of it holds 'blocks.0.attn.qkv.'"),
    ],
)  # fmt: skip
def test_files_that_do_not_fit_are_refused_in_a_sentence(weights, options, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        models.read("hypersigma", weights, **options)


@pytest.mark.parametrize(
    ("task", "shape", "target", "sentence"),
    [
        ("classes", (1, 8, 8, 4), None, "image: expected [B H W C] with the C = 5 channels that the patch embedding is for, "
         "got shape (1, 8, 8, 4); give those"),
        ("classes", (1, 12, 8, 5), None, "image: expected 4 x 4 patches of 2 px, for which there are positions, got 6 x 4 of "
         "shape (1, 12, 8, 5); crop it"),
        ("classes", (1, 9, 8, 5), None, "image: expected [B H W C] with H * W = 64 pixels, all of which SpecSIGMA projects to "
         "one token, got shape (1, 9, 8, 5); crop it"),
        ("target", (1, 8, 8, 5), None, "target: expected (1, 5) for the task 'target', got none."),
        ("anomaly", (1, 8, 8, 5), (1, 5), "target: expected none for the task 'anomaly', got (1, 5)."),
    ],
)  # fmt: skip
def test_images_that_do_not_fit_are_refused(task, shape, target, sentence):
    cfg = hypersigma_state.fused(task)
    with pytest.raises(ValueError, match=re.escape(sentence)):
        fusion.apply({}, jnp.zeros(shape), cfg, None if target is None else jnp.zeros(target))


def test_structures_that_nobody_published_are_refused():
    with pytest.raises(ValueError, match="published pyramid is of patches of 1, 2, 4, 8, 11, 16 px, got 3; take one of them"):
        SpatialConfig(hypersigma_state.trunk(), 3, 3, None)
    with pytest.raises(ValueError, match="image: expected at least 4 x 4 patches of 4 px for the pyramid, got 3 x 4 of shape"):
        spatial.apply({}, jnp.zeros((1, 12, 16, 3)), SpatialConfig(hypersigma_state.trunk(), 3, 4, None))
    with pytest.raises(
        ValueError, match="SpatialConfig.grid: expected at least 2 x 2 patches of 16 px for the pyramid, got 1 x 4"
    ):
        SpatialConfig(hypersigma_state.trunk(), 3, 16, (1, 4))
    with pytest.raises(ValueError, match="FusionConfig.task: no task of HyperSIGMA is called 'clases'; the names are, closest"):
        FusionConfig(*(getattr(hypersigma_state.fused("classes"), name) for name in ("spatial", "spectral")), "clases", 3)
    with pytest.raises(ValueError, match="TrunkConfig.heads: expected at most the width of 2, got 3"):
        hypersigma_state.trunk(width=2)
