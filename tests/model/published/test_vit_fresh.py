"""What TerraMind and DOFA start from: the distributions of the published code, group by group."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spectral_jax.model.initialise import torch_bias
from spectral_jax.model.published import dofa, terramind
from spectral_jax.model.published.terramind import Modality

MODALITIES = (Modality("S2", "untok_a", ("a", "b", "c", "d")), Modality("S1", "untok_b", ("e", "f")))


def leaves(params):
    """Numbers by path, such as "trunk/block0/mlp/in/kernel"."""
    found = jax.tree_util.tree_leaves_with_path(params)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): np.asarray(leaf) for path, leaf in found}


def is_uniform(x, bound):
    """All within +-bound, nearly up to it, with mean 0 and deviation bound / sqrt(3), as exactly as so many draws say."""
    assert (1 - 8 / x.size) * bound < np.abs(x).max() <= bound * (1 + 1e-6)
    assert abs(x.mean()) < 4 * bound / (3 * x.size) ** 0.5
    assert x.std() == pytest.approx(bound / 3**0.5, rel=1.8 / x.size**0.5)


def is_normal(x, std):
    """Mean 0 and deviation `std`, with values beyond two of them."""
    assert abs(x.mean()) < 4 * std / x.size**0.5
    assert x.std() == pytest.approx(std, rel=3 / x.size**0.5)
    assert np.abs(x).max() > 2 * std


def check(found, rules):
    """Each leaf by the first rule whose name its path ends with; none is left over and no rule is idle."""
    idle = set(rules)
    for path, x in found.items():
        name = next((n for n in rules if path.endswith(n)), None)
        assert name is not None, f"no rule for {path}"
        idle.discard(name)
        rules[name](x)
    assert not idle


def all_are(value):
    return lambda x: np.testing.assert_array_equal(x, np.float32(value))


@pytest.mark.slow
@pytest.mark.parametrize("mlp", ["gelu", "swiglu"])
def test_every_matrix_of_terramind_is_xavier_uniform(mlp):
    cfg = terramind.TerraMindConfig(96, 2, 3, mlp, MODALITIES, patch=4, grid=2)
    found = leaves(terramind.init(jax.random.key(0), cfg))
    found = {path: x for path, x in found.items() if not path.endswith("positions")}
    hidden = {"gelu": 384, "swiglu": 256}[mlp]
    rules = {
        # A patch is 4 x 4 pixels of 4 or 2 bands.
        "embed_S2/kernel": lambda x: is_uniform(x, (6 / (64 + 96)) ** 0.5),
        "embed_S1/kernel": lambda x: is_uniform(x, (6 / (32 + 96)) ** 0.5),
        "modality": lambda x: is_normal(x, 0.02),
        "attend/qkv/kernel": lambda x: [is_uniform(part, (6 / (96 + 96)) ** 0.5) for part in np.split(x, 3, axis=1)],
        "attend/out/kernel": lambda x: is_uniform(x, (6 / (96 + 96)) ** 0.5),
        "mlp/in/kernel": lambda x: is_uniform(x, (6 / (96 + hidden)) ** 0.5),
        "mlp/out/kernel": lambda x: is_uniform(x, (6 / (hidden + 96)) ** 0.5),
        "/scale": all_are(1),
        "/bias": all_are(0),
    }
    if mlp == "swiglu":
        rules["mlp/gate/kernel"] = lambda x: is_uniform(x, (6 / (96 + 256)) ** 0.5)
    check(found, rules)


# Matrices of the generator are Xavier uniform with biases of 0.01; the packed one is one matrix, and its bias is 0.
GENERATOR = {
    "refine1/kernel": lambda x: is_uniform(x, (6 / (128 + 128)) ** 0.5),
    "refine2/kernel": lambda x: is_uniform(x, (6 / (128 + 128)) ** 0.5),
    "weight_tokens": lambda x: is_normal(x, 0.02),
    "bias_token": lambda x: is_normal(x, 0.02),
    "attend/qkv/kernel": lambda x: is_uniform(x, (6 / (128 + 3 * 128)) ** 0.5),
    "attend/out/kernel": lambda x: is_uniform(x, (6 / (128 + 128)) ** 0.5),
    "mlp/in/kernel": lambda x: is_uniform(x, (6 / (128 + 2048)) ** 0.5),
    "mlp/out/kernel": lambda x: is_uniform(x, (6 / (2048 + 128)) ** 0.5),
    "weight/kernel": lambda x: is_uniform(x, (6 / (128 + 4 * 4 * 64)) ** 0.5),
    "bias/kernel": lambda x: is_uniform(x, (6 / (128 + 64)) ** 0.5),
    "norm1/bias": all_are(0),
    "norm2/bias": all_are(0),
    "qkv/bias": all_are(0),
    "/bias": all_are(0.01),
    "/scale": all_are(1),
}


def make_dofa(version):
    cfg = dofa.DofaConfig(width=64, depth=2, heads=2, layout="new", patch=4, grid=2, version=version)
    return dofa.init(jax.random.key(1), cfg)


@pytest.mark.slow
@pytest.mark.parametrize("version", [1, 2])
def test_the_generator_of_dofa_starts_as_published(version):
    check(leaves(make_dofa(version)["kernel"]), dict(GENERATOR))


@pytest.mark.slow
def test_blocks_of_dofa_1_start_as_pytorch_leaves_them():
    params = make_dofa(1)
    # 1 / sqrt(64), and 1 / sqrt(256) where the inner numbers of the MLP come in; biases as their matrices.
    rules = {f"{layer}/{name}": lambda x: is_uniform(x, 0.125) for layer in ("qkv", "out", "in") for name in ("kernel", "bias")}
    rules = {"mlp/out/kernel": lambda x: is_uniform(x, 0.0625), "mlp/out/bias": lambda x: is_uniform(x, 0.0625)} | rules
    check(leaves(params["trunk"]), rules | {"/scale": all_are(1), "/bias": all_are(0)})
    is_normal(np.asarray(params["class"]["token"]), 0.02)


@pytest.mark.slow
def test_blocks_of_dofa_2_start_as_timms():
    params = make_dofa(2)
    rules = {"/kernel": lambda x: is_normal(x, 0.02), "/bias": all_are(0), "/scale": all_are(1)}
    rules |= {"scale1": all_are(1e-5), "scale2": all_are(1e-5)}
    check(leaves(params["trunk"]), rules)
    is_normal(np.asarray(params["class"]["token"]), 1e-6)


def test_biases_of_pytorch_are_uniform_by_the_number_of_inputs(key):
    for fan_in, bound in ((4, 0.5), (100, 0.1)):
        is_uniform(np.asarray(torch_bias(fan_in)(key, (4000,), jnp.float32)), bound)


@pytest.mark.slow
def test_tokens_of_a_fresh_terramind_tell_images_apart(rng):
    cfg = terramind.TerraMindConfig(64, 4, 4, "gelu", (Modality("S2", "untok_a", ("a", "b")),), patch=2, grid=4)
    params = terramind.init(jax.random.key(0), cfg)
    images = [jnp.asarray(rng.normal(size=(2, 8, 8, 2)), jnp.float32) for _ in range(2)]
    one, other = (np.asarray(terramind.apply(params, {"S2": image}, cfg).blocks[-1]) for image in images)
    # Measured 0.63; 0.16 where every matrix starts normal with deviation 0.02, beside positions of deviation 0.5.
    assert np.linalg.norm(one - other) > 0.4 * np.linalg.norm(one)
