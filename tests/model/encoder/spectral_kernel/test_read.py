"""The spectral transformer as one kernel against `ReadSpectrum` as XLA computes it: values, gradients, meshes, refusals."""

import dataclasses
from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import topologies
from jax.sharding import PartitionSpec as P

from spectral_jax.config import Model, model_size
from spectral_jax.model.devices import platform_of, split_by_xla
from spectral_jax.model.encoder.spectral_kernel.read import chosen, read_spectrum
from spectral_jax.model.encoder.spectral_kernel.sizes import fits
from spectral_jax.model.encoder.tokenize import ReadSpectrum

SOME = np.array([1, 1, 0, 1, 1, 1, 0, 1, 1, 1], bool)
TINY = dict(spectral_width=32, spectral_heads=1, spectral_depth=1, width=32, heads=1, kernel="xla")


def _draw(model, groups, cells):
    """Parameters, biases too, larger than at the start; tokens exact in bfloat16; and weights of a loss."""
    rng = np.random.default_rng(0)
    one = jnp.zeros((1, 1, 1, groups, model.spectral_width), model.dtype)
    shapes = jax.eval_shape(ReadSpectrum(model).init, jax.random.key(0), one, None)["params"]
    params = jax.tree_util.tree_map_with_path(
        lambda path, s: jnp.asarray(rng.normal(scale=0.2, size=s.shape) + (path[-1].key == "scale"), jnp.float32), shapes
    )
    x = jnp.asarray(rng.normal(size=(cells, groups, model.spectral_width)), jnp.bfloat16)
    return params, x, jnp.asarray(rng.normal(size=(cells, model.width)), jnp.float32)


def _read(model, has_bands, params, x):
    x = x.astype(model.dtype)[None, None]
    return ReadSpectrum(model).apply({"params": params}, x, has_bands)[0, 0].astype(jnp.float32)


def _values_and_gradients(model, has_bands, params, x, weigh):
    def loss(params, x):
        y = _read(model, has_bands, params, x)
        return jnp.sum(y * weigh), y

    (_, y), grads = jax.jit(jax.value_and_grad(loss, argnums=(0, 1), has_aux=True))(params, x.astype(jnp.float32))
    return y, grads


def _assert_near(got, expected, part):
    """Every array within `part` of the largest number of the expected one."""
    limits = jax.tree.map(lambda e: part * max(float(np.abs(e).max()), 1e-6), expected)
    chex.assert_trees_all_equal_shapes_and_dtypes(got, expected)
    errors = jax.tree.map(lambda g, e: float(np.abs(g - e).max()), got, expected)
    wrong = [(jax.tree_util.keystr(k), e) for k, e in jax.tree_util.tree_leaves_with_path(errors)]
    assert all(e <= m for (_, e), m in zip(wrong, jax.tree.leaves(limits), strict=True)), (wrong, limits)


@pytest.mark.parametrize(
    ("groups", "cells", "has_bands", "changes"),
    [
        pytest.param(3, 5, None, {}, id="3-groups"),
        pytest.param(1, 5, None, dict(spectral_depth=0), marks=pytest.mark.slow, id="one-group-and-no-layer"),
        # Of 32 cells a tile has four packs: the second tile is filled up.
        pytest.param(10, 40, SOME, dict(spectral_depth=2, spectral_heads=2, heads=2), marks=pytest.mark.slow, id="some-groups"),
        pytest.param(16, 33, None, dict(width=96, heads=3, mlp_ratio=2), marks=pytest.mark.slow, id="16-groups"),
        # Two layers: the kernel has one program for any number, and the plain form one for each.
        pytest.param(15, 3, None, dict(spectral_width=96, spectral_heads=2, spectral_depth=2, width=192, heads=2),
                     marks=pytest.mark.slow, id="widths-of-size-b"),
    ],
)  # fmt: skip
def test_values_and_gradients_are_those_of_the_plain_form(groups, cells, has_bands, changes):
    model = Model(**TINY | changes)
    drawn = _draw(model, groups, cells)
    expected = _values_and_gradients(model, has_bands, *drawn)
    got = _values_and_gradients(dataclasses.replace(model, kernel="interpret"), has_bands, *drawn)
    _assert_near(got, expected, 1e-5)


@pytest.mark.slow
def test_cells_without_any_band_get_what_the_plain_form_gives_and_finite_gradients():
    model, nothing = Model(**TINY), np.zeros(12, bool)
    drawn = _draw(model, 12, 5)
    expected = _values_and_gradients(model, nothing, *drawn)
    got = _values_and_gradients(dataclasses.replace(model, kernel="interpret"), nothing, *drawn)
    chex.assert_tree_all_finite(got)
    _assert_near(got, expected, 1e-5)


@pytest.mark.slow
def test_a_group_without_bands_is_never_looked_at():
    model = Model(**TINY | dict(kernel="interpret"))
    params, x, _ = _draw(model, 10, 5)
    read = jax.jit(partial(_read, model, SOME))
    np.testing.assert_allclose(read(params, x.at[:, ~SOME].set(50.0)), read(params, x), atol=1e-6)
    assert np.abs(read(params, x.at[:, 0].set(50.0)) - read(params, x)).max() > 1e-2


@pytest.mark.slow
def test_bfloat16_errs_as_the_plain_form_does():
    full = Model(**TINY | dict(spectral_depth=2, spectral_heads=2, heads=2))
    drawn = _draw(full, 15, 64)
    exact = _values_and_gradients(full, None, *drawn)
    half = dataclasses.replace(full, dtype="bfloat16")
    plain = _values_and_gradients(half, None, *drawn)
    got = _values_and_gradients(dataclasses.replace(half, kernel="interpret"), None, *drawn)

    def errors(a):
        return [
            float(np.linalg.norm(x - y) / np.linalg.norm(y)) for x, y in zip(*map(jax.tree.leaves, (a, exact)), strict=True)
        ]

    # Array by array; the keys' bias of the pooling has no gradient but rounding, and stands in one array with others'.
    assert all(ours <= 1.5 * theirs for ours, theirs in zip(errors(got), errors(plain), strict=True))


def _loss(model, params, x):
    return jnp.sum(jnp.sin(_read(model, None, params, x)))


@pytest.fixture(scope="module")
def one_device():
    """Model, parameters, tokens and the gradients of a loss on one device."""
    model = Model(**TINY)
    params, x, _ = _draw(model, 15, 24)
    x = x.astype(jnp.float32)
    return model, params, x, jax.jit(jax.grad(partial(_loss, model), argnums=(0, 1)))(params, x)


@pytest.mark.slow
@pytest.mark.multidevice
@pytest.mark.parametrize("whole", [False, True], ids=["weights-vary", "weights-whole"])
def test_gradients_over_a_mesh_are_those_of_one_device(one_device, whole):
    model, params, x, expected = one_device
    axes = ("data", "fsdp")
    mesh = jax.make_mesh((4, 2), axes, axis_types=(jax.sharding.AxisType.Auto,) * 2)

    def local(params, x):
        if not whole:
            params = jax.tree.map(lambda w: jax.lax.pcast(w, axes, to="varying"), params)
        grads = jax.grad(partial(_loss, dataclasses.replace(model, kernel="interpret")), argnums=(0, 1))(params, x)
        return grads if whole else (jax.lax.psum(grads[0], axes), grads[1])

    split = jax.jit(jax.shard_map(local, mesh=mesh, in_specs=(P(), P(axes)), out_specs=(P(), P(axes)), check_vma=True))
    _assert_near(split(params, x), expected, 1e-5)


def test_auto_is_the_kernel_on_a_tpu_where_there_is_one():
    auto = Model()
    assert [chosen(auto, platform, 15) for platform in ("tpu", "cpu", "gpu")] == ["pallas", "xla", "xla"]
    assert (chosen(auto, "tpu", 17), fits(auto, 17), platform_of(jnp.zeros(1))) == ("xla", False, "cpu")
    assert [chosen(dataclasses.replace(auto, kernel=k), "tpu", 15) for k in ("xla", "pallas")] == ["xla", "pallas"]
    assert chosen(auto, "tpu", 15, split=True) == "xla"


@pytest.mark.multidevice
def test_xla_divides_a_program_under_jit_and_not_under_shard_map():
    mesh = jax.make_mesh((4, 2), ("data", "fsdp"), axis_types=(jax.sharding.AxisType.Auto,) * 2)
    split, seen = P(("data", "fsdp")), []

    def look(x):
        seen.append(split_by_xla(x * 2.0))
        return x

    x = jax.device_put(jnp.zeros((8, 1)), jax.NamedSharding(mesh, split))
    jax.eval_shape(jax.jit(look), x)
    jax.eval_shape(jax.jit(jax.shard_map(look, mesh=mesh, in_specs=split, out_specs=split)), x)
    jax.eval_shape(jax.jit(look), jnp.zeros((8, 1)))
    assert seen == [True, False, False]


@pytest.mark.slow
def test_values_and_gradients_of_the_gpu_kernel_are_those_of_the_plain_form():
    """Widths that are no powers of two, groups without bands, tiles that are filled up, and a loop over layers and heads."""
    model = Model(**TINY | dict(spectral_depth=2, spectral_heads=2, spectral_width=48, width=96, heads=3))
    params, x, weigh = _draw(model, 10, 9)

    def loss(params, x):
        y = read_spectrum(params, x, SOME, model, platform="gpu", interpret=True)
        return jnp.sum(y * weigh), y

    (_, y), grads = jax.jit(jax.value_and_grad(loss, argnums=(0, 1), has_aux=True))(params, x.astype(jnp.float32))
    _assert_near((y, grads), _values_and_gradients(model, SOME, params, x, weigh), 1e-5)


@pytest.mark.slow
def test_gradients_are_lowered_for_a_gpu_by_triton_without_one():
    model = model_size("b", dtype="bfloat16")
    params, x, _ = jax.eval_shape(lambda: _draw(model, 15, 100))
    grad = jax.grad(lambda p, x: jnp.sum(read_spectrum(p, x, None, model, platform="gpu").astype(jnp.float32)))
    text = jax.jit(grad).trace(params, x).lower(lowering_platforms=("cuda",)).as_text()
    assert text.count("@__gpu$xla.gpu.triton") == 1


def test_what_no_kernel_takes_is_refused_in_a_sentence():
    model = Model(**TINY | dict(kernel="pallas"))
    params, x, _ = _draw(dataclasses.replace(model, kernel="xla"), 17, 2)
    with pytest.raises(
        ValueError, match=r"model\.kernel: 'pallas' .* runs on TPU, or GPU, and the devices here are cpu; take 'xla', or"
    ):
        _read(model, None, params, x)
    with pytest.raises(ValueError, match=r"takes 1 to 16 spectral tokens a cell, got 17; take model\.kernel='xla' .*token_edg"):
        _read(dataclasses.replace(model, kernel="interpret"), None, params, x)
    with pytest.raises(ValueError, match=r"model\.kernel: expected one of auto, xla, pallas, interpret, got 'cuda'"):
        Model(kernel="cuda")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("groups", "changes"),
    [(15, dict(dtype="bfloat16")), (10, dict(dtype="bfloat16", spectral_width=96, spectral_heads=2, width=192, heads=2)),
     (3, dict(spectral_depth=0)), (1, {})],
)  # fmt: skip
def test_gradients_compile_for_a_tpu_under_shard_map(groups, changes, monkeypatch):
    pytest.importorskip("libtpu", reason="compiles for a TPU by libtpu: uv run --with libtpu pytest ...")
    monkeypatch.setenv("TPU_SKIP_MDS_QUERY", "1")
    model = Model(**TINY | changes)
    params, x, _ = jax.eval_shape(lambda: _draw(model, groups, 4000))
    mesh = topologies.make_mesh(topologies.get_topology_desc("v5e:2x2", platform="tpu"), (2, 2), ("data", "fsdp"))
    split = P(("data", "fsdp"))

    auto = dataclasses.replace(model, kernel="auto")

    def local(params, x):
        return jax.grad(lambda p, x: jnp.sum(_read(auto, None, p, x)), argnums=(0, 1))(params, x)

    step = jax.jit(jax.shard_map(local, mesh=mesh, in_specs=(P(), split), out_specs=(P(), split), check_vma=True))

    def place(spec, tree):
        sharding = jax.NamedSharding(mesh, spec)
        return jax.tree.map(lambda s: jax.ShapeDtypeStruct(s.shape, s.dtype, sharding=sharding), tree)

    lowered = step.lower(place(P(), params), place(split, x))
    assert lowered.as_text().count("@tpu_custom_call") == 1
    compiled = lowered.compile()
    assert " all-reduce" in compiled.as_text()
    assert " all-gather" not in compiled.as_text()
