"""Checkpoints as training programs leave them: the same parameters as the plain file, or a sentence."""

import argparse
import collections
import datetime
import pathlib

import jax
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import toy_encoder
from made.torch_archive import Call, Named, With, plain, write

from spectral_jax.interop import models, safetensors_file, weights_file

WEIGHT, BIAS = "toy.mix.weight", "toy.mix.bias"
DTYPES = {"f16": np.float16, "bf16": ml_dtypes.bfloat16, "f32": np.float32, "f64": np.float64}
STATE = {WEIGHT: np.array([[1, -2, 0.5], [0.25, 3, -4]]), BIAS: np.array([0.125, -8])}


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    toy_encoder.register(monkeypatch)


def converted(path, inside=None, prefix=None):
    _, params, account = models.read("toy", weights_file.read(path, inside), prefix)
    return params["mix"], account


def cast(dtype, plus=0, prefix=""):
    return {prefix + key: (value + plus).astype(dtype) for key, value in STATE.items()}


def assert_is_state(mix, plus=0):
    assert mix["kernel"].dtype == np.float32
    np.testing.assert_array_equal(mix["kernel"], (STATE[WEIGHT] + plus).T)
    np.testing.assert_array_equal(mix["bias"], STATE[BIAS] + plus)


def saved(path, state, monkeypatch, wrapper="", more=None):
    """Writes a state dict in the container that the ending says; `wrapper` and `more` are of PyTorch files."""
    if path.suffix == ".safetensors":
        safetensors_file.write(path, state)
    elif path.suffix == ".npz":
        np.savez(path, **state)
    else:
        tensors = {k: plain(v) for k, v in state.items()}
        write(path, ({wrapper: tensors} if wrapper else tensors) | (more or {}), monkeypatch)
    return path


@pytest.mark.slow
@given(
    ending=st.sampled_from([".pt", ".safetensors", ".npz"]),
    dtype=st.sampled_from(sorted(DTYPES)),
    parts=st.lists(st.sampled_from(["module", "_orig_mod", "model", "encoder", "backbone", "student"]), max_size=3),
    wrapper=st.sampled_from(["", "state_dict", "model", "net"]),
    stray=st.sampled_from(["", "epoch", "args", "optimizer", "average"]),
    poison=st.sampled_from([None, None, None, np.nan, np.inf]),
)
def test_any_wrapping_gives_the_numbers_of_the_plain_file_or_a_sentence(
    tmp_path, monkeypatch, ending, dtype, parts, wrapper, stray, poison
):
    prefix = "".join(f"{part}." for part in parts)
    state, path = cast(DTYPES[dtype], prefix=prefix), tmp_path / f"a{ending}"
    if poison is not None:
        state[prefix + BIAS][1] = poison
    inside, chosen, asks = None, None, None
    if ending == ".pt":
        more = {"epoch": {"epoch": 3}, "args": {"args": argparse.Namespace(lr=0.1)}, "average": {},
                "optimizer": {"optimizer": {"state": {0: {"exp_avg": plain(np.ones((2, 3)))}}}}}.get(stray, {})  # fmt: skip
        if stray == "average":
            more = {"model_ema": {k: plain(v) for k, v in cast(DTYPES[dtype], 1, prefix).items()}}
            inside, asks = wrapper or ".", "choose one by --inside"
        saved(path, state, monkeypatch, wrapper, more)
    else:
        if stray == "average":
            state |= cast(DTYPES[dtype], 1, f"ema.{prefix}")
            chosen, asks = prefix, "choose one by --prefix"
        saved(path, state, monkeypatch)
    if ending == ".npz" and dtype == "bf16":
        with pytest.raises(
            ValueError, match=r"a\.npz: .*toy\.mix\.\w+ is of .V2, raw bytes: NumPy's files do not keep bfloat16"
        ):
            converted(path, prefix=chosen)
        return
    if asks:
        with pytest.raises(ValueError, match=asks):
            converted(path)
    if poison is not None:
        kind = "1 NaN" if np.isnan(poison) else "1 infinite"
        with pytest.raises(ValueError, match=rf"a\{ending}: {prefix}toy\.mix\.bias has {kind} of 2 numbers"):
            converted(path, inside, chosen)
        return
    mix, account = converted(path, inside, chosen)
    assert_is_state(mix)
    told = account.text()
    assert f"begin with {prefix!r}, which was taken off" in told if prefix else "taken off" not in told


@pytest.mark.parametrize(
    ("value", "advice"),
    [(np.float16(np.inf), "float16 ends at 65504 .* save it as float32 or bfloat16"),
     (np.float32(np.nan), "take a checkpoint from before training diverged"),
     (np.float64(1e300), "Every embedding would be NaN")],
)  # fmt: skip
def test_numbers_that_are_none_are_refused_by_key_and_count(tmp_path, value, advice):
    state = cast(value.dtype)
    state[WEIGHT][0, 1] = value
    with pytest.raises(ValueError, match=rf"a\.safetensors: toy\.mix\.weight has 1 .* of 6 numbers.*{advice}"):
        converted(saved(tmp_path / "a.safetensors", state, None))
    state[BIAS][:] = np.nan
    with pytest.raises(ValueError, match="; so have 1 more keys"):
        converted(saved(tmp_path / "a.safetensors", state, None))


def test_large_numbers_whose_sum_is_infinite_are_numbers(tmp_path):
    state = cast(np.float32)
    state[WEIGHT][0] = 3e38
    mix, _ = converted(saved(tmp_path / "a.safetensors", state, None))
    np.testing.assert_array_equal(mix["kernel"][:, 0], np.full(3, 3e38, np.float32))


def test_the_choice_between_a_model_and_its_average_is_asked(tmp_path, monkeypatch):
    path, tensors = tmp_path / "a.pt", lambda plus: {k: plain(v) for k, v in cast(np.float32, plus).items()}
    for content, names in [
        ({"model": tensors(0), "model_ema": tensors(1)}, ("model", "model_ema")),
        ({"state_dict": tensors(0), "state_dict_ema": tensors(1)}, ("state_dict", "state_dict_ema")),
        ({"model": tensors(0), "ema_state_dict": tensors(1)}, ("model", "ema_state_dict")),
        ({"student": tensors(0), "teacher": tensors(1)}, ("student", "teacher")),
        ({"model": tensors(0), "ema": {"decay": 0.9, "module": tensors(1)}}, ("model", "ema.module")),
        ({"net": tensors(0), "averaged": tensors(1)}, ("net", "averaged")),
    ]:
        write(path, content, monkeypatch)
        with pytest.raises(ValueError, match=r"a\.pt holds weights under .*; choose one by --inside") as caught:
            converted(path)
        assert all(name in str(caught.value) for name in names)
        for plus, name in enumerate(names):
            mix, account = converted(path, name)
            assert_is_state(mix, plus)
            assert f"The weights stand under {name!r} in the file." in account.text()
    write(path, {"model": tensors(0), "ema": {"decay": 0.9, "shadow_params": [plain(v) for v in STATE.values()]}}, monkeypatch)
    with pytest.raises(ValueError, match="holds weights under model, ema.shadow_params; choose"):
        converted(path)


def test_data_beside_the_tensors_is_named_and_not_read(tmp_path, monkeypatch):
    beside = {
        "args": (argparse.Namespace(lr=0.1, out=pathlib.PurePosixPath("x")), "argparse.Namespace"),
        "place": (pathlib.PurePosixPath("x/y"), "pathlib.PurePosixPath"),
        "names": ({"a", "b"}, "builtins.set"),
        "day": (datetime.date(2026, 1, 2), "datetime.date"),
        "began": (datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC), "datetime.datetime"),
        "size": (Call(Named("torch", "Size"), (1, 2)), "torch.Size"),
        "dtype": (Named("torch", "float32"), "torch.float32"),
        "device": (Call(Named("torch", "device"), "cuda", 0), "torch.device"),
        "cfg": (With(Named("omegaconf.dictconfig", "DictConfig"), {"a": 1}), "omegaconf.dictconfig.DictConfig"),
        "node": (With(Named("yacs.config", "CfgNode"), {"a": 1}), "yacs.config.CfgNode"),
        "loss": (np.float64(0.5), ""),
        "curve": (np.arange(6.0).reshape(2, 3), ""),
        "counts": (collections.Counter("aab"), ""),
        "lists": (collections.defaultdict(list, {1: [2]}), ""),
        "order": (collections.OrderedDict(a=1), ""),
        "epoch": (3, ""),
    }
    state = {k: plain(v) for k, v in cast(np.float32).items()}
    write(tmp_path / "a.pth", {"model": state} | {k: v for k, (v, _) in beside.items()}, monkeypatch)
    mix, account = converted(tmp_path / "a.pth")
    assert_is_state(mix)
    said = {row.key: row.detail for row in account.rows if row.outcome == "ignored"}
    for key, (_, called) in beside.items():
        assert said.pop(key) == "beside the weights in the file" + (f", not read ({called})" if called else "")
    assert not said


def test_arrays_of_numpy_are_weights_too(tmp_path, monkeypatch):
    state = cast(np.float32)
    state[WEIGHT] = np.asfortranarray(state[WEIGHT])
    write(tmp_path / "a.pt", state, monkeypatch)
    assert_is_state(converted(tmp_path / "a.pt")[0])


def test_of_several_prefixes_one_is_chosen_and_the_rest_is_listed(tmp_path):
    state = cast(np.float32, 0, "student.backbone.") | cast(np.float32, 1, "teacher.backbone.")
    path = saved(tmp_path / "a.safetensors", state | {"student.head.w": np.zeros(2, np.float32)}, None)
    with pytest.raises(
        ValueError, match=r"weights of toy under 'student\.backbone\.' and 'teacher\.backbone\.'; choose one by"
    ):
        converted(path)
    mix, account = converted(path, prefix="teacher.backbone")
    assert_is_state(mix, 1)
    ignored = {row.key for row in account.rows if row.outcome == "ignored"}
    assert ignored == {key for key in state if key.startswith("student.")} | {"student.head.w"}
    with pytest.raises(
        ValueError, match=r"no key that begins with 'ema\.'; its keys begin with student\.backbone\., teacher\."
    ):
        converted(path, prefix="ema.")


def test_keys_without_the_prefix_of_the_others_are_ignored_with_a_reason_or_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(toy_encoder.CONVERTER, "IGNORED", {r"^head\.": "classification head"}, raising=False)
    state = cast(np.float32, 0, "model.encoder.") | {"model.head.weight": np.zeros(2, np.float32)}
    mix, account = converted(saved(tmp_path / "a.safetensors", state, None))
    assert_is_state(mix)
    assert ("model.head.weight", "ignored", "classification head") in account.rows
    state["model.decoder.weight"] = np.zeros(2, np.float32)
    path = saved(tmp_path / "a.safetensors", state, None)
    with pytest.raises(
        ValueError, match=r"model\.decoder\.weight does not begin with 'model\.encoder\.' as model\.encoder\.toy\.mix\.weight"
    ):
        converted(path)
    assert_is_state(converted(path, prefix="model.encoder.")[0])
    one_bare = {f"module.{WEIGHT}": state[f"model.encoder.{WEIGHT}"], "bias": np.zeros(2, np.float32)}
    with pytest.raises(ValueError, match=r"bias does not begin with 'module\.' as module\.toy\.mix\.weight and others do"):
        converted(saved(tmp_path / "b.safetensors", one_bare, None))


def test_wrappers_inside_names_are_taken_out_and_told(tmp_path):
    inside = {k.replace("mix.", "mix._checkpoint_wrapped_module."): v for k, v in cast(np.float32).items()}
    mix, account = converted(saved(tmp_path / "a.safetensors", inside, None))
    assert_is_state(mix)
    assert "were taken out of 2 keys" in account.text()
    with pytest.raises(ValueError, match=r"a\.safetensors: .* are two names of toy\.mix\.weight; remove one"):
        converted(saved(tmp_path / "a.safetensors", inside | cast(np.float32), None))


@pytest.mark.parametrize("family", ["dofa", "terramind", "spectralearth"])
def test_every_family_loses_its_prefix(oracles, family):
    names = {"dofa": "dofa_v1", "terramind": "terramind_gelu", "spectralearth": "spectralearth_vit_150bands"}
    options = {"heads": 4 if family == "terramind" else 3} | ({"layout": "new"} if family == "dofa" else {})
    held = weights_file.read(oracles / f"{names[family]}.npz")
    before, params, _ = models.read(family, held, **options)
    prefixed = {f"module.model.{key}": value for key, value in held.tensors.items()}
    cfg, again, account = models.read(family, held._replace(tensors=prefixed), **options)
    assert cfg == before
    jax.tree.map(np.testing.assert_array_equal, again, params)
    assert {row.key for row in account.rows} == set(prefixed)
