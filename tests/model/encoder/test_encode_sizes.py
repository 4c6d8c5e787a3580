"""Parameter counts, token grids and parameter names of the published size and of `tiny`; nothing is computed."""

from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from spectral_jax.batch import Batch, SensorData
from spectral_jax.config import Config, model_size, spectralearth_sensors
from spectral_jax.model.encoder import encode, projector

GOLDEN = Path(__file__).resolve().parents[2] / "golden"


def _config(size):
    return Config(size, spectralearth_sensors(), model=model_size(size))


@pytest.fixture(scope="module")
def size_b():
    cfg = _config("b")
    key = jax.eval_shape(lambda: jax.random.key(0))
    return (
        jax.eval_shape(partial(encode.init_encoder, cfg=cfg), key),
        jax.eval_shape(partial(projector.init_projector, cfg=cfg), key),
        cfg,
    )


def _millions(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree)) / 1e6


@pytest.mark.slow
def test_size_b_has_the_published_number_of_parameters(size_b):
    assert _millions(size_b[0]) == pytest.approx(156, rel=0.01)
    assert _millions(size_b[1]) == pytest.approx(6.04, rel=0.01)


@pytest.mark.slow
def test_shared_parts_have_the_published_number_of_parameters(size_b):
    params = size_b[0]
    assert _millions([params["stage3"], params["norm"]]) == pytest.approx(70.3, rel=0.01)
    assert _millions(params["fuse"]) == pytest.approx(2.96, rel=0.01)
    assert _millions(params["position"]) == pytest.approx(0.79, rel=0.01)


# The published table is rounded to 0.01 M; S1, LO and LT are given as "below 0.02 M".
@pytest.mark.parametrize(
    ("key", "tokenizer"),
    [("ENMAP", 0.80), ("DESIS", 0.81), ("EMIT", 0.64), ("S2", 0.11), ("S1", 0.02), ("LO", 0.01), ("LT", 0)],
)
def test_branch_has_the_published_number_of_parameters(size_b, key, tokenizer):
    branch = dict(size_b[0]["branches"][key])
    assert _millions(branch.pop("tokenize")) == pytest.approx(tokenizer, rel=0.01, abs=0.0055)
    assert _millions(branch) == pytest.approx(11.39, rel=0.01)


@pytest.mark.slow
def test_token_grids_are_64_32_16(size_b):
    params, _, cfg = size_b
    sensors = {}
    for s in cfg.sensors:
        n = cfg.patch_px(s.key)
        pixels = jax.ShapeDtypeStruct((2, n, n, len(s.spec.used)), s.spec.dtype)
        sensors[s.key] = SensorData(pixels, jax.ShapeDtypeStruct((2,), bool), jax.ShapeDtypeStruct((2,), jnp.float32))
    out = jax.eval_shape(lambda p, b: encode.encode(p, b, cfg), params, Batch(sensors))
    assert {k: v.shape for k, v in out.stage1.items()} == {s.key: (2, 64, 64, 192) for s in cfg.sensors}
    assert {k: v.shape for k, v in out.stage2.items()} == {s.key: (2, 32, 32, 384) for s in cfg.sensors}
    assert (out.fused.shape, out.tokens.shape, out.pooled.shape) == ((2, 32, 32, 384), (2, 256, 768), (2, 768))


def test_published_patch_sizes_in_pixels(size_b):
    cfg = size_b[2]
    assert {s.key: cfg.patch_px(s.key) for s in cfg.sensors} == {
        "ENMAP": 128, "EMIT": 64, "DESIS": 128, "S2": 384, "LO": 128, "LT": 128, "S1": 384,
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("size", ["tiny", "b"])
def test_parameter_paths_are_those_of_the_golden_list(size):
    cfg = _config(size)
    key = jax.eval_shape(lambda: jax.random.key(0))
    tree = {
        "encoder": jax.eval_shape(partial(encode.init_encoder, cfg=cfg), key),
        "projector": jax.eval_shape(partial(projector.init_projector, cfg=cfg), key),
    }
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    lines = ["/".join(k.key for k in path) + f" {leaf.dtype}{list(leaf.shape)}" for path, leaf in leaves]
    assert lines == (GOLDEN / f"parameter_paths_{size}.txt").read_text().splitlines()
