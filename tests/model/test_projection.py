"""Learned projections: exact or close to the fixed ones at the start, masked, trainable, and refused in sentences."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spectral_jax.model import projection
from spectral_jax.sensors import Band, SensorSpec
from spectral_jax.spectral.coverage import srf_weights
from spectral_jax.spectral.project import METHODS, apply, project

ENMAP, HYPERVIEW, S2A = (SensorSpec.load(n) for n in ("enmap_l2a", "hyperview", "sentinel2a_l2a"))
SOURCES = ("enmap_l2a", "hyperview", "emit_l2a", "desis_l2a", "prisma_l2d")


def sensor(name, *bands):
    bands = tuple(Band(f"b{i}", float(c), float(f)) for i, (c, f) in enumerate(bands))
    return SensorSpec(name, "optical", "surface reflectance", "1", 30.0, "float32", bands)


def spectra(spec, count, seed=0):
    """Smooth positive spectra [count C], as sensors see them."""
    rng = np.random.default_rng(seed)
    turns = rng.uniform(0, 6, (count, 1)) + rng.uniform(1, 4, (count, 1)) * spec.centre_nm[None] / 300
    return jnp.asarray(rng.uniform(0.1, 0.5, (count, 1)) * (1 + 0.5 * np.sin(turns)), jnp.float32)


def shuffled(spec):
    order = np.random.default_rng(0).permutation(len(spec.used))
    return dataclasses.replace(spec.without_bad_bands(), bands=tuple(spec.used[i] for i in order)), order


@functools.cache
def start(target):
    return projection.init_attention(SensorSpec.load(target))


def paths(params):
    return {
        jax.tree_util.keystr(p, simple=True, separator="/"): x.shape for p, x in jax.tree_util.tree_leaves_with_path(params)
    }


@pytest.fixture(scope="module")
def adapter():
    return projection.init_adapter(jax.random.key(0), spectra(ENMAP, 64), ENMAP, 12)


@pytest.fixture(scope="module")
def attention():
    return start("sentinel2a_l2a")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("policy", ["nearest", "zero", "leave_out"])
def test_linear_starts_exactly_as_the_fixed_projection(method, policy):
    fixed = project(HYPERVIEW, S2A, method, policy)
    params = projection.init_linear(fixed)
    assert paths(params) == {"matrix": fixed.matrix.shape, "bias": (len(fixed.kept),)}
    x = spectra(HYPERVIEW, 6).reshape(2, 3, -1)
    valid = jnp.asarray(np.random.default_rng(1).uniform(size=x.shape) < 0.7)
    for mask in (None, valid):
        np.testing.assert_array_equal(projection.call_linear(params, x, mask), apply(fixed.matrix, x, mask))


def test_linear_learns_every_number_also_of_uncovered_bands():
    params = projection.init_linear(project(HYPERVIEW, S2A, "srf", "zero"))
    gradient = jax.grad(lambda p: jnp.sum(projection.call_linear(p, spectra(HYPERVIEW, 3)) ** 2 - 1.0))(params)
    assert set(paths(gradient)) == {"matrix", "bias"}
    wanted = jax.grad(lambda p: jnp.sum(projection.call_linear(p, spectra(HYPERVIEW, 3))))(params)
    assert np.all(np.abs(wanted["matrix"]) > 0)


def test_linear_refuses_another_source():
    params = projection.init_linear(project(HYPERVIEW, S2A, "srf", "zero"))
    with pytest.raises(ValueError, match=r"expected 150 source bands, got values of shape \(2, 202\); initialise it with"):
        projection.call_linear(params, spectra(ENMAP, 2))


def test_adapter_has_the_published_convolutions(adapter):
    shapes = paths(adapter)
    assert {k: v for k, v in shapes.items() if k.startswith("conv")} == {
        "conv0/kernel": (7, 1, 32), "conv0/bias": (32,), "conv1/kernel": (7, 32, 64), "conv1/bias": (64,),
        "conv2/kernel": (5, 64, 128), "conv2/bias": (128,),
    }  # fmt: skip
    # The published count of the adapter, two numbers a channel of BatchNorm included: 56,192.
    assert sum(int(np.prod(v)) for k, v in shapes.items() if not k.startswith("out")) == 56192
    assert shapes["out/kernel"] == (128, 12)


def test_adapter_is_convolutions_norms_and_a_mean_over_the_spectrum(adapter):
    x = np.asarray(spectra(ENMAP, 3, seed=1))
    h, lengths = x[..., None].astype(float), []
    for i, stride in enumerate((5, 5, 3)):
        kernel = np.asarray(adapter[f"conv{i}"]["kernel"], float)
        padded = np.pad(h, ((0, 0), (1, 1), (0, 0)))
        starts = range(0, padded.shape[1] - len(kernel) + 1, stride)
        h = np.stack([np.einsum("nkd,kde->ne", padded[:, s : s + len(kernel)], kernel) for s in starts], axis=1)
        h = h + np.asarray(adapter[f"conv{i}"]["bias"])
        h = np.maximum(h * np.asarray(adapter[f"norm{i}"]["scale"]) + np.asarray(adapter[f"norm{i}"]["bias"]), 0)
        lengths.append(h.shape[1])
    assert lengths == [40, 8, 2]  # as published for 202 bands
    expected = h.mean(axis=1) @ np.asarray(adapter["out"]["kernel"], float) + np.asarray(adapter["out"]["bias"])
    np.testing.assert_allclose(projection.call_adapter(adapter, jnp.asarray(x), ENMAP), expected, atol=1e-4)


def test_adapter_does_not_depend_on_the_batch_and_keeps_leading_axes(adapter):
    x = spectra(ENMAP, 6, seed=2)
    together = projection.call_adapter(adapter, x.reshape(2, 3, 202), ENMAP)
    assert (together.shape, together.dtype) == ((2, 3, 12), jnp.float32)
    np.testing.assert_allclose(together[1, 2], projection.call_adapter(adapter, x[5], ENMAP), atol=1e-5)


def test_adapter_sees_brightness_and_is_normalised_on_its_sample(adapter):
    y = projection.call_adapter(adapter, spectra(ENMAP, 64), ENMAP)
    assert 0.1 < float(jnp.std(y)) < 3.0
    dark, bright = (projection.call_adapter(adapter, jnp.full(202, v), ENMAP) for v in (0.1, 0.4))
    assert float(jnp.abs(dark - bright).max()) > 0.3


def test_adapter_goes_by_wavelength_and_hidden_bands_do_not_count(adapter):
    x = spectra(ENMAP, 4, seed=3)
    other, order = shuffled(ENMAP)
    expected = projection.call_adapter(adapter, x, ENMAP)
    np.testing.assert_allclose(projection.call_adapter(adapter, x[:, order], other), expected, atol=1e-5)
    valid = jnp.broadcast_to((jnp.arange(202) % 5 > 0)[None], x.shape)
    hidden = jnp.where(valid, x, jnp.nan)
    mean = jnp.nanmean(hidden, axis=1, keepdims=True)
    filled = projection.call_adapter(adapter, jnp.where(valid, x, mean), ENMAP)
    np.testing.assert_allclose(projection.call_adapter(adapter, hidden, ENMAP, valid), filled, atol=1e-5)
    nothing = projection.call_adapter(adapter, jnp.full((1, 202), jnp.nan), ENMAP, jnp.zeros((1, 202), bool))
    assert np.all(np.isfinite(nothing))


def test_adapter_trains_every_parameter(adapter):
    x = spectra(ENMAP, 8, seed=4)
    gradient = jax.jit(jax.grad(lambda p: jnp.sum(projection.call_adapter(p, x, ENMAP) ** 2)))(adapter)
    assert all(np.isfinite(g).all() and np.abs(g).max() > 0 for g in jax.tree.leaves(gradient))


def test_adapter_refuses_wrong_and_short_spectra(adapter, key):
    with pytest.raises(ValueError, match=r"the 202 used bands of enmap_l2a, got shape \(2, 150\) and None; give both"):
        projection.call_adapter(adapter, spectra(HYPERVIEW, 2), ENMAP)
    with pytest.raises(ValueError, match=r"got shape \(2, 202\) and \(2,\)"):
        projection.call_adapter(adapter, spectra(ENMAP, 2), ENMAP, jnp.ones(2, bool))
    many = sensor("many", *((500 + 5 * i, 5) for i in range(75)))
    few = dataclasses.replace(many, name="few", bands=many.bands[:74])
    assert projection.init_adapter(key, spectra(many, 4), many, 3)["out"]["kernel"].shape == (128, 3)
    with pytest.raises(
        ValueError, match="few has 74 used bands, expected at least 75 for its three strided convolutions; take"
    ):
        projection.init_adapter(key, spectra(few, 4), few, 3)


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("target", ["sentinel2a_l2a", "sentinel2c_l2a", "landsat8_oli"])
def test_attention_starts_close_to_the_srf_weights(source, target):
    # Half the sum of absolute differences of weights: an upper limit of the error, as a share of the spectrum's range.
    source = SensorSpec.load(source)
    fixed, _ = srf_weights(source, SensorSpec.load(target))
    covered = fixed.sum(axis=1) > 0
    first = np.asarray(projection.attention_matrix(start(target), source))
    np.testing.assert_allclose(first.sum(axis=1), 1.0, atol=1e-6)
    moved = 0.5 * np.abs(first - fixed).sum(axis=1)[covered]
    assert moved.max() < 0.12
    assert moved.mean() < 0.06


def test_attention_starts_close_to_the_srf_result(attention):
    x = spectra(ENMAP, 200)
    fixed = apply(project(ENMAP, S2A, "srf", "refuse").matrix, x)
    error = np.abs(projection.call_attention(attention, x, ENMAP) - fixed)
    assert error.max() < 0.01
    assert error.mean() < 0.001


def test_attention_starts_from_a_narrow_gaussian_target_too():
    target = sensor("narrow", (500, 8), (600.5, 12), (1650, 20))
    fixed, _ = srf_weights(ENMAP, target)
    first = np.asarray(projection.attention_matrix(projection.init_attention(target), ENMAP))
    assert (0.5 * np.abs(first - fixed).sum(axis=1)).max() < 0.15


def test_the_same_weights_serve_any_order_of_any_source(attention):
    other, order = shuffled(ENMAP)
    x = spectra(ENMAP, 3)
    np.testing.assert_allclose(
        projection.call_attention(attention, x[:, order], other), projection.call_attention(attention, x, ENMAP), atol=1e-6
    )
    for source in (HYPERVIEW, sensor("one", (800, 10))):
        flat = projection.call_attention(attention, jnp.full((2, len(source.used)), 0.2), source)
        np.testing.assert_allclose(flat, 0.2, atol=1e-6)


def test_attention_leans_on_the_nearest_bands_where_the_target_is_not_seen(attention):
    weights = np.asarray(projection.attention_matrix(attention, HYPERVIEW))
    for band, edge in ((0, HYPERVIEW.centre_nm < 540), (10, HYPERVIEW.centre_nm > 800), (11, HYPERVIEW.centre_nm > 750)):
        assert weights[band, edge].sum() > 0.7


def test_attention_with_hidden_bands_is_a_softmax_over_the_others(attention):
    x, rng = spectra(ENMAP, 5), np.random.default_rng(0)
    valid = rng.uniform(size=x.shape) < 0.6
    weights = np.asarray(projection.attention_matrix(attention, ENMAP), float)
    kept = np.where(valid[:, None], weights[None], 0.0)
    expected = np.einsum("nts,ns->nt", kept / kept.sum(axis=-1, keepdims=True), np.asarray(x, float))
    hidden = jnp.where(jnp.asarray(valid), x, jnp.nan)
    np.testing.assert_allclose(projection.call_attention(attention, hidden, ENMAP, jnp.asarray(valid)), expected, atol=1e-5)


def test_attention_learns_from_the_width_of_bands(attention):
    assert paths(attention) == {"query": (12, 2 * (128 + 16))}
    np.testing.assert_array_equal(attention["query"][:, 256:], 0.0)
    x = spectra(ENMAP, 8)
    run = lambda p: projection.call_attention(p, x, ENMAP)  # noqa: E731
    gradient = jax.jit(jax.grad(lambda p: jnp.sum(run(p) ** 2)))(attention)["query"]
    assert np.all(np.abs(gradient).max(axis=0) > 0)
    wide = sensor("wide", (660, 10), (660, 40))
    other = {"query": attention["query"].at[:, 256:].set(1.0)}
    before, after = (projection.attention_matrix(p, wide) for p in (attention, other))
    np.testing.assert_allclose(before[:, 0], 5 / 40, atol=1e-5)  # shared inside 10 nm, alone in the other 30
    assert float(jnp.abs(after - before).min()) > 0.01


def test_attention_refuses_bands_outside_the_optical_range(attention):
    thermal, radar = SensorSpec.load("landsat_st"), SensorSpec.load("sentinel1_grd")
    with pytest.raises(
        ValueError, match=r"expected bands between 300 and 2600 nm, got \S+ of landsat_st; leave such bands out"
    ):
        projection.init_attention(thermal)
    with pytest.raises(ValueError, match="got VV, VH of sentinel1_grd"):
        projection.attention_matrix(attention, radar)
    with pytest.raises(ValueError, match=r"matrix \[C_target C_source\] of shape \(12, 202\), got shape \(2, 150\)"):
        projection.call_attention(attention, spectra(HYPERVIEW, 2), ENMAP)
