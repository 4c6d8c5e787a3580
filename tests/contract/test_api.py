"""The public functions are pure, and every config file is whole."""

from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made import tiny_run

import spectral_jax
from spectral_jax import configure
from spectral_jax.adapt.monthly.comparison import MonthlyComparison
from spectral_jax.adapt.settings import Comparison
from spectral_jax.microcystin.settings import Microcystin

CONFIGS = sorted((Path(__file__).resolve().parents[2] / "experiments" / "configs").glob("*.py"))


@pytest.fixture(scope="module")
def cfg():
    return tiny_run.config()


@pytest.fixture(scope="module")
def params(cfg):
    return spectral_jax.init(jax.random.key(0), cfg)


@pytest.mark.parametrize(
    "file",
    [pytest.param(f, id=f.stem, marks=[pytest.mark.slow] if f.stem == "spectralearth_fm_b" else []) for f in CONFIGS],
)
def test_every_config_file_makes_an_encoder_and_survives_json(file):
    cfg = configure.read(str(file), kind=object)
    assert configure.from_json(configure.to_json(cfg), kind=type(cfg)) == cfg
    if isinstance(cfg, Comparison | MonthlyComparison):
        return  # its encoders depend on a task's bands; tests/test_adapting.py makes them
    if isinstance(cfg, Microcystin):
        cfg = cfg.pretrain or pytest.skip("this fine-tuning uses no encoder")
    shapes = jax.eval_shape(lambda key: spectral_jax.init(key, cfg), jax.random.key(0))
    heads = {"spectm": cfg.objective.spectm, "levels": cfg.objective.levels}
    assert set(shapes) == {"encoder", "projector"} | {name for name, wanted in heads.items() if wanted}


@pytest.fixture(scope="module")
def pooled(cfg):
    """apply's pooled embedding, compiled once."""
    apply = jax.jit(spectral_jax.apply, static_argnames="cfg")
    return lambda params, batch: apply(params, batch, cfg).pooled


@pytest.mark.slow
def test_apply_gives_the_same_twice_and_finite_gradients(cfg, params, pooled, rng):
    batch = tiny_run.batch(cfg, rng)
    np.testing.assert_array_equal(pooled(params, batch), pooled(params, batch))
    assert np.std(pooled(params, batch), axis=0).max() > 0
    grad = jax.jit(jax.grad(lambda p: spectral_jax.apply(p, batch, cfg).pooled.sum()))(params)
    chex.assert_tree_all_finite(grad)


@pytest.mark.slow
def test_apply_under_vmap_equals_one_call_each(cfg, params, pooled, rng):
    batches = [tiny_run.batch(cfg, rng) for _ in range(2)]
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *batches)
    found = jax.jit(jax.vmap(lambda b: spectral_jax.apply(params, b, cfg).pooled))(stacked)
    for one, batch in zip(found, batches, strict=True):
        np.testing.assert_allclose(one, pooled(params, batch), atol=1e-5)


@pytest.mark.multidevice
@pytest.mark.slow
def test_apply_under_shard_map_equals_one_device(cfg, params, pooled, rng):
    from jax.sharding import AxisType, Mesh
    from jax.sharding import PartitionSpec as P

    mesh = Mesh(np.array(jax.devices()), ("data",), axis_types=(AxisType.Auto,))
    batch = tiny_run.batch(cfg, rng)
    each = jax.shard_map(
        lambda p, b: spectral_jax.apply(p, b, cfg).pooled, mesh=mesh, in_specs=(P(), P("data")), out_specs=P("data")
    )
    np.testing.assert_allclose(jax.jit(each)(params, batch), pooled(params, batch), atol=1e-5)


def test_physical_floats_and_stored_integers_give_the_same(cfg, params, pooled, rng):
    batch = tiny_run.batch(cfg, rng)
    data = batch.sensors["HSI"]
    floats = spectral_jax.SensorData(data.pixels.astype(np.float32) * np.float32(1e-4), data.present, data.time)
    found = [pooled(params, spectral_jax.Batch({"HSI": d})) for d in (data, floats)]
    np.testing.assert_allclose(*found, atol=1e-6)


def test_a_wrong_number_of_bands_is_a_sentence(cfg, params):
    data = spectral_jax.SensorData(jnp.zeros((1, 8, 8, 5)), jnp.ones(1, bool), jnp.zeros(1))
    with pytest.raises(ValueError, match=r"pixels of HSI: expected \[B H W C\] with C \(band\) = 6, got 5 at axis 3"):
        spectral_jax.apply(params, spectral_jax.Batch({"HSI": data}), cfg)
