"""Heads of levels: their shapes, and that a config gets those that it asks for."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made import tiny_run

from spectral_jax.config import Levels, Objective
from spectral_jax.model.encoder import level_heads
from spectral_jax.model.layers import parameter_shapes


def shapes(cfg):
    return parameter_shapes(jax.eval_shape(lambda: level_heads.init_heads(jax.random.key(0), cfg)))


def test_a_head_for_every_level_and_a_reader_for_every_sensor():
    cfg = tiny_run.config(objective=Objective(agreement=1.0, dense=1.0, reconstruction=1.0), levels=Levels(out=5))
    assert shapes(cfg) == {
        "stage1/out/kernel": (16, 5), "stage1/out/bias": (5,), "stage2/out/kernel": (32, 5), "stage2/out/bias": (5,),
        "stage3/out/kernel": (64, 5), "stage3/out/bias": (5,), "cells/out/kernel": (8, 5), "cells/out/bias": (5,),
        "bands/HSI/kernel": (8, 6), "bands/HSI/bias": (6,), "bands/MSI/kernel": (8, 2), "bands/MSI/bias": (2,),
        "bands/SAR/kernel": (8, 1), "bands/SAR/bias": (1,),
    }  # fmt: skip


@pytest.mark.slow
def test_a_hidden_layer_standardises_what_it_gives(rng):
    cfg = tiny_run.config(objective=Objective(contrast=1.0), levels=Levels(names=("pooled",), hidden=6, out=3))
    assert set(shapes(cfg)) == {f"pooled/{x}" for x in ("hidden/kernel", "norm/scale", "norm/bias", "out/kernel", "out/bias")}
    params = level_heads.init_heads(jax.random.key(0), cfg)["pooled"]
    x, weight = rng.normal(3.0, 2.0, (2, 50, 32)).astype(np.float32), np.ones((2, 50), np.float32)
    weight[1, 10:] = 0
    hidden = x @ np.asarray(params["hidden"]["kernel"])
    counted = hidden[weight > 0]
    normal = (hidden - counted.mean(0)) / np.sqrt(counted.var(0) + 1e-5)
    expected = np.maximum(normal, 0) @ np.asarray(params["out"]["kernel"])
    np.testing.assert_allclose(level_heads.embed(params, jnp.asarray(x), jnp.asarray(weight), cfg), expected, atol=1e-4)


def test_one_is_linear_unless_told_otherwise(rng):
    cfg = dataclasses.replace(tiny_run.config(), objective=Objective(agreement=1.0))
    params = level_heads.init_heads(jax.random.key(0), cfg)["stage1"]
    x = rng.normal(size=(4, 16)).astype(np.float32)
    expected = x @ np.asarray(params["out"]["kernel"])
    np.testing.assert_allclose(level_heads.embed(params, jnp.asarray(x), jnp.ones(4), cfg), expected, atol=1e-5)
