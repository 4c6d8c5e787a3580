"""HyperSIGMA made small: configs, and state dicts of random numbers by their published names."""

import jax
import numpy as np

from spectral_jax.interop import names
from spectral_jax.interop.hypersigma import keys
from spectral_jax.model.published.hypersigma import fusion, spatial, spectral
from spectral_jax.model.published.hypersigma.fusion import TASKS, FusionConfig
from spectral_jax.model.published.hypersigma.spatial import SpatialConfig
from spectral_jax.model.published.hypersigma.spectral import SpectralConfig
from spectral_jax.model.published.hypersigma.trunk import TrunkConfig

MODELS = {FusionConfig: fusion, SpatialConfig: spatial, SpectralConfig: spectral}


def trunk(width=10, depth=2, heads=3, interval=2, taps=(0, 0, 1, 1), points=2, **more):
    """Few blocks, and heads that do not divide the width."""
    return TrunkConfig(width, depth, heads, interval, taps, points, **more)


def fused(task, patch=2, px=8, channels=5, tokens=9, **more):
    """A fusion for images of `px` x `px`."""
    space = SpatialConfig(trunk(**more), channels, patch, (px // patch,) * 2, TASKS[task])
    spectrum = SpectralConfig(trunk(**more), tokens, px**2)
    return FusionConfig(space, spectrum, task, 3 if task in ("classes", "map") else 0)


def random_state(rng, cfg):
    """Numbers that matter in every layer."""
    shapes = names.flatten(jax.eval_shape(lambda: MODELS[type(cfg)].init(jax.random.key(0), cfg)))
    state = {leaf.name: leaf.published_shape(shapes[leaf.path].shape) for leaf in keys.leaves(cfg)}
    return {name: rng.normal(0, 0.4, size=shape).astype(np.float32) for name, shape in state.items()}
