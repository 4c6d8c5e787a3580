"""No oracle exists for the Spec-ResNet: a plain NumPy forward pass on a narrow random state stands in for one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made.oracle_file import TOLERANCE, assert_same_state, difference
from reference.numpy_spectralearth import adapter, normalise

from spectral_jax.interop import models, names, spectralearth
from spectral_jax.interop.weights_file import Weights
from spectral_jax.model.published import spectralearth_resnet

ADAPTER, WIDTH, DEPTHS = (4, 6, 8), 3, (2, 1, 2, 1)


def _state(rng):
    """A narrow Spec-ResNet by its published names, channels first."""
    state = {}

    def conv(name, *shape, bias=False):
        state[f"{name}.weight"] = (rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)
        if bias:
            state[f"{name}.bias"] = rng.normal(size=shape[0]).astype(np.float32)

    def batch_norm(name, width):
        state[f"{name}.weight"], state[f"{name}.bias"] = (rng.normal(1, 0.2, width).astype(np.float32) for _ in range(2))
        state[f"{name}.running_mean"] = rng.normal(0, 0.2, width).astype(np.float32)
        state[f"{name}.running_var"] = rng.uniform(0.5, 2, width).astype(np.float32)
        state[f"{name}.num_batches_tracked"] = np.asarray(rng.integers(1000), np.int64)

    for place, width, before, length in zip((0, 3, 6), ADAPTER, (1, *ADAPTER), (7, 7, 5), strict=False):
        conv(f"spectral_adapter.{place}", width, before, length, 1, 1, bias=True)
        batch_norm(f"spectral_adapter.{place + 1}", width)
    before = ADAPTER[-1]
    for stage, depth in enumerate(DEPTHS):
        outside = 4 * WIDTH * 2**stage
        for i in range(depth):
            name, inside = f"resnet.layer{stage + 1}.{i}", outside if stage == i == 0 else WIDTH * 2**stage
            for n, (o, k, side) in enumerate([(inside, before, 1), (inside, inside, 3), (outside, inside, 1)], 1):
                conv(f"{name}.conv{n}", o, k, side, side)
                batch_norm(f"{name}.bn{n}", o)
            if i == 0:
                conv(f"{name}.downsample.0", outside, before, 1, 1)
                batch_norm(f"{name}.downsample.1", outside)
            before = outside
    return state


def _conv(x, weight, stride):
    """Channels-first convolution of [C H W], padded by half the kernel, one output pixel at a time."""
    side = weight.shape[-1]
    x = np.pad(x, ((0, 0), (side // 2,) * 2, (side // 2,) * 2))
    rows, columns = ((n - side) // stride + 1 for n in x.shape[1:])
    out = np.zeros((len(weight), rows, columns))
    for i in range(rows):
        for j in range(columns):
            window = x[:, i * stride : i * stride + side, j * stride : j * stride + side]
            out[:, i, j] = np.tensordot(weight.astype(float), window, 3)
    return out


def _forward(image, state, normalise=normalise):
    """Maps of the four stages of one image [C H W]."""
    x, maps = adapter(image, state, normalise), []
    for stage, depth in enumerate(DEPTHS):
        for i in range(depth):
            name, stride = f"resnet.layer{stage + 1}.{i}", 1 if i else 2
            h = np.maximum(normalise(_conv(x, state[f"{name}.conv1.weight"], 1), state, f"{name}.bn1"), 0)
            h = np.maximum(normalise(_conv(h, state[f"{name}.conv2.weight"], stride), state, f"{name}.bn2"), 0)
            h = normalise(_conv(h, state[f"{name}.conv3.weight"], 1), state, f"{name}.bn3")
            if i == 0:
                x = normalise(_conv(x, state[f"{name}.downsample.0.weight"], stride), state, f"{name}.downsample.1")
            x = np.maximum(h + x, 0)
        maps.append(x)
    return maps


@pytest.mark.slow
def test_every_stage_agrees_with_plain_numpy(rng):
    state = _state(rng)
    cfg, params, account = spectralearth.read(Weights("resnet.pt", state))
    assert (cfg.width, cfg.depths, cfg.adapter) == (WIDTH, DEPTHS, ADAPTER)
    assert {r.key for r in account.rows} == set(state)
    image = rng.normal(size=(2, 32, 48, 100)).astype(np.float32)
    with jax.default_matmul_precision("highest"):
        found = jax.jit(spectralearth_resnet.apply, static_argnames=("cfg", "layers"))(params, image, cfg=cfg, layers=(0, 3))
    for i in range(2):
        expected = _forward(np.moveaxis(image[i], -1, 0), state)
        for stage, value in zip(found.blocks, expected, strict=True):
            assert difference(stage[i], np.moveaxis(value, 0, -1)) <= TOLERANCE
        assert difference(found.pooled[i], expected[-1].mean((1, 2))) <= TOLERANCE
    assert [m.shape for m in found.maps] == [(2, 16, 24, 12), (2, 2, 3, 96)]


@pytest.mark.slow
def test_statistics_are_those_of_training_mode(rng):
    state, measured = _state(rng), {}

    def training(x, state, name):
        axes, count = tuple(range(1, x.ndim)), x[0].size
        mean, var = x.mean(axes), x.var(axes)
        measured[f"{name}.running_mean"], measured[f"{name}.running_var"] = mean, var * count / (count - 1)
        return normalise(x, state | {f"{name}.running_mean": mean, f"{name}.running_var": var}, name)

    image = rng.normal(size=(1, 32, 48, 100)).astype(np.float32)
    _forward(np.moveaxis(image[0], -1, 0), state, training)
    cfg, params, _ = spectralearth.read(Weights("resnet.pt", state))
    with jax.default_matmul_precision("highest"):
        found = jax.jit(models.with_statistics, static_argnames="cfg")(params, image, cfg=cfg)
    after = spectralearth.publish(found, cfg)
    assert len(measured) == 2 * (3 + 3 * sum(DEPTHS) + len(DEPTHS))
    for name, value in measured.items():
        np.testing.assert_allclose(after[name], value, rtol=2e-4, atol=2e-5, err_msg=name)
    for name, value in state.items():
        if name.endswith("num_batches_tracked"):
            assert after[name] == 1
        elif name not in measured:
            np.testing.assert_array_equal(after[name], value, err_msg=name)
    with pytest.raises(ValueError, match=r"expected at least two values a channel .* got 1 at stage3_block0/conv2/norm; give"):
        models.with_statistics(params, image[:, :16, :16], cfg)


def test_the_way_back_is_bit_identical(rng):
    state = _state(rng)
    cfg, params, _ = spectralearth.read(Weights("resnet.pt", state))
    assert_same_state(spectralearth.publish(params, cfg), state)


def test_heads_of_pretraining_are_left_out_and_missing_blocks_are_noticed(rng):
    state = _state(rng) | {"resnet.fc.weight": np.zeros((2, 96), np.float32)}
    _, _, account = spectralearth.read(Weights("resnet.pt", state))
    assert next(r.detail for r in account.rows if r.key == "resnet.fc.weight") == "classification head of pretraining"
    del state["resnet.layer3.1.bn2.running_var"]
    with pytest.raises(ValueError, match=r"resnet\.pt does not fit: resnet\.layer3\.1\.bn2\.running_var is missing"):
        spectralearth.read(Weights("resnet.pt", state))
    with pytest.raises(ValueError, match="looks like spectralearth resnet50, expected base of the vision transformers"):
        spectralearth.read(Weights("resnet.pt", state), size="base")


@pytest.mark.slow
def test_the_published_one_is_a_resnet50_without_its_stem():
    cfg = spectralearth_resnet.SpectralEarthResNetConfig()
    shapes = names.flatten(jax.eval_shape(lambda: spectralearth_resnet.init(jax.random.key(0), cfg)))
    published = {leaf.name: leaf.published_shape(shapes[leaf.path].shape) for leaf in spectralearth.leaves(cfg)}
    assert published["resnet.layer1.0.downsample.0.weight"] == (256, 128, 1, 1)
    assert published["resnet.layer1.0.conv2.weight"] == (256, 256, 3, 3)
    assert published["resnet.layer1.1.conv1.weight"] == (64, 256, 1, 1)
    assert published["resnet.layer4.2.conv3.weight"] == (2048, 512, 1, 1)
    counts = [max(int(k.split(".")[2]) for k in published if k.startswith(f"resnet.layer{i}.")) + 1 for i in (1, 2, 3, 4)]
    assert counts == [3, 4, 6, 3]


def test_images_that_do_not_fit_are_refused():
    cfg = spectralearth_resnet.SpectralEarthResNetConfig()
    with pytest.raises(ValueError, match=r"H and W multiples of 16 px, got shape \(1, 24, 16, 202\); pad or crop it"):
        spectralearth_resnet.apply({}, jnp.zeros((1, 24, 16, 202)), cfg)
