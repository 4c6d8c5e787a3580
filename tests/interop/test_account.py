import time

import jax
import numpy as np
import pytest
from made.oracle_file import part

from spectral_jax.interop import dofa, models, terramind
from spectral_jax.interop.terramind_bands import modality
from spectral_jax.interop.weights_file import Weights
from spectral_jax.model.published.terramind import config as terramind_config
from spectral_jax.model.published.terramind import init as init_terramind


@pytest.fixture
def state(oracles):
    return part(oracles / "terramind_gelu.npz", "state")


def test_a_missing_key_is_an_error_that_names_file_and_key(state):
    del state["encoder.1.attn.proj.bias"]
    with pytest.raises(
        ValueError, match=r"a\.pt does not fit: encoder\.1\.attn\.proj\.bias is missing\. It looks like terramind"
    ):
        terramind.read(Weights("a.pt", state))


def test_a_key_nobody_knows_is_an_error_with_the_closest_name(state):
    state["encoder.1.attn.qkv.wieght"] = np.zeros(1, np.float32)
    with pytest.raises(
        ValueError, match=r"encoder\.1\.attn\.qkv\.wieght is no key of this model \(the closest is encoder\.1\.a.*qkv"
    ):
        terramind.read(Weights("a.pt", state))


def test_another_shape_is_an_error_with_both_shapes(state):
    state["encoder.0.mlp.fc1.weight"] = np.zeros((64, 256), np.float32)
    with pytest.raises(ValueError, match=r"encoder\.0\.mlp\.fc1\.weight has shape \[64, 256\], expected \[256, 64\]"):
        terramind.read(Weights("a.pt", state))


def test_many_faults_are_counted(state):
    for key in [k for k in state if k.startswith("encoder.0.")][:5]:
        del state[key]
    with pytest.raises(ValueError, match="and 2 more"):
        terramind.read(Weights("a.pt", state))


def _published(size):
    """The names and shapes of a published size, of numbers that take no memory."""
    cfg = terramind_config(size, (modality("S2L2A"),))
    shapes = terramind.names.flatten(jax.eval_shape(lambda: init_terramind(jax.random.key(0), cfg)))
    zero = np.zeros((), np.float32)
    return {leaf.name: np.broadcast_to(zero, leaf.published_shape(shapes[leaf.path].shape)) for leaf in terramind.leaves(cfg)}


def test_another_size_is_recognised_by_name():
    expected = r"big\.pt looks like terramind base \(768 wide\), expected tiny \(192 wide\)"
    with pytest.raises(ValueError, match=expected):
        terramind.read(Weights("big.pt", _published("base")), size="tiny")
    with pytest.raises(ValueError, match="size: expected one of tiny, small, base, large, got 'huge'"):
        terramind.read(Weights("big.pt", _published("tiny")), size="huge")


def test_the_size_asked_for_gives_its_published_heads():
    cfg, _, _ = terramind.read(Weights("tiny.pt", _published("tiny")), size="tiny")
    assert cfg == terramind_config("tiny", (modality("S2L2A"),))


def test_blocks_cut_off_a_published_size_are_noticed():
    state = {k: v for k, v in _published("tiny").items() if not k.startswith("encoder.11.")}
    with pytest.raises(ValueError, match="terramind tiny .* with 11 blocks, and the published one has 12: keys of block 11 on"):
        terramind.read(Weights("a.pt", state))


@pytest.mark.parametrize(
    ("oracle", "looks"),
    [
        ("dofa_v1", r"dofa v1 \(48 wide\)"),
        ("spectralearth_vit_150bands", r"spectralearth \(48 wide\)"),
        ("hiera", "a plain vision transformer of timm"),
    ],
)
def test_another_model_is_recognised_by_name(oracles, oracle, looks):
    weights = Weights("a.npz", part(oracles / f"{oracle}.npz", "state"))
    with pytest.raises(ValueError, match=f"a.npz looks like {looks}.*, expected terramind: no key of it"):
        models.read("terramind", weights)


def test_each_source_refuses_the_others(state):
    weights = Weights("a.npz", state)
    with pytest.raises(ValueError, match=r"looks like terramind \(64 wide\), expected spectralearth"):
        models.read("spectralearth", weights)
    with pytest.raises(ValueError, match=r"looks like terramind \(64 wide\), expected dofa"):
        models.read("dofa", weights, layout="new")
    with pytest.raises(ValueError, match="looks like nothing known, expected dofa"):
        models.read("dofa", Weights("a.npz", {"fc.weight": np.zeros(1)}), layout="new")
    with pytest.raises(
        ValueError, match=r"a\.npz: expected dofa: no key of it holds 'patch_embed\.weight_gen.*'; the first is"
    ):
        dofa.read(weights, "new")
    with pytest.raises(ValueError, match="source: no family of weights is called 'dofo'; the names are, closest first: dofa, "):
        models.read("dofo", weights)


def test_half_precision_is_loaded_as_float32_and_said(state):
    _, params, account = terramind.read(Weights("a.pt", {k: v.astype(np.float16) for k, v in state.items()}))
    assert all(leaf.dtype == np.float32 for leaf in jax.tree.leaves(params))
    assert all(r.detail.endswith(", float16 to float32") for r in account.rows)


def test_the_text_has_a_line_for_each_key_and_the_counts(state):
    _, _, account = terramind.read(Weights("a.pt", state, beside=("epoch",)))
    lines = account.text().splitlines()
    assert len(lines) == len(state) + 2
    assert lines[-1] == "a.pt: 18 loaded, 11 reshaped, 1 ignored, 0 absent, none missing."
    assert any(line.split() == ["ignored", "epoch", "beside", "the", "weights", "in", "the", "file"] for line in lines)
    assert account.to_dict()["counts"] == {"loaded": 18, "reshaped": 11, "ignored": 1, "absent": 0}


def test_a_signalling_nan_is_refused_as_any_other(state):
    key = "encoder.0.attn.qkv.weight"
    state[key].view(np.uint32)[0, 0] = 0x7F800001
    with pytest.raises(ValueError, match=rf"a\.pt: {key} has 1 NaN of \d+ numbers"):
        terramind.read(Weights("a.pt", state))


@pytest.mark.parametrize("count", [np.float32(np.inf), np.float32(2.5), np.complex64(1)])
def test_a_count_of_batches_that_is_none_is_refused(oracles, count):
    state = part(oracles / "spectralearth_vit_150bands.npz", "state")
    state["spectral_adapter.1.num_batches_tracked"] = np.asarray(count)
    with pytest.raises(ValueError, match=r"a\.pt: .*num_batches_tracked is .*; expected a count of batches below 16777216"):
        models.read("spectralearth", Weights("a.pt", state))


def test_an_empty_tensor_and_a_block_of_a_huge_number_are_refused(state):
    with pytest.raises(ValueError, match=r"a\.pt: expected encoder_norm\.weight with 1 axes, got shape \[0\]"):
        terramind.read(Weights("a.pt", state | {"encoder_norm.weight": np.zeros(0, np.float32)}))
    with pytest.raises(ValueError, match=r"encoder\.99999999\.norm1\.weight is no key of this model"):
        terramind.read(Weights("a.pt", state | {"encoder.99999999.norm1.weight": np.zeros(64, np.float32)}))
    with pytest.raises(
        ValueError, match=r"encoder\.1\.norm1\.weight is of complex64, not of real numbers; expected floating-point"
    ):
        terramind.read(Weights("a.pt", state | {"encoder.1.norm1.weight": np.ones(64, np.complex64)}))


def test_many_and_long_strange_keys_take_no_time(state):
    strange = {f"tokenizer.{'x' * n}.weight": np.zeros(1, np.float32) for n in (*range(3000), 10**6)}
    began = time.perf_counter()
    with pytest.raises(ValueError, match=r"tokenizer\.\.weight is no key of this model \(the closest is .*; and 2998 more"):
        terramind.read(Weights("a.pt", state | strange))
    assert time.perf_counter() - began < 5
