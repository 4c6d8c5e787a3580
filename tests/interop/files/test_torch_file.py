import collections
import os
import pickle
import pickletools
import zipfile

import jax.numpy as jnp
import numpy as np
import pytest
from made.torch_archive import Call, Named, View, With, plain, write

from spectral_jax.interop import weights_file
from spectral_jax.interop.files import torch_file

# {"a": PERSID ("storage", <class>, "0", "cpu", <count>)}
PERSISTENT = b"\x80\x02}X\x01\x00\x00\x00a(X\x07\x00\x00\x00storagectorch\n%s\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu%stQs."


@pytest.fixture
def state(rng):
    return {
        "weight": rng.normal(size=(3, 4)).astype(np.float32),
        "half": rng.normal(size=(5,)).astype(np.float16),
        "brain": rng.normal(size=(2, 2)).astype(jnp.bfloat16),
        "count": np.asarray(7, np.int64),
    }


def test_a_state_dict_is_read_bit_by_bit(state, tmp_path, monkeypatch):
    written = collections.OrderedDict((k, plain(v, parameter=k == "weight")) for k, v in state.items())
    stream = write(tmp_path / "a.pt", written, monkeypatch)
    # The stream is what PyTorch writes: if it were not, nothing here would be tested.
    said = [str(argument) for _, argument, _ in pickletools.genops(stream)]
    assert "torch._utils _rebuild_tensor_v2" in said
    assert "torch BFloat16Storage" in said
    found = torch_file.read(tmp_path / "a.pt")
    assert list(found) == list(state)
    for key, value in state.items():
        assert found[key].dtype == value.dtype
        assert found[key].shape == value.shape
        assert found[key].tobytes() == value.tobytes()


def test_views_with_strides_and_offsets_are_copied_out_of_their_storage(tmp_path, monkeypatch):
    storage = np.arange(12, dtype=np.float32)
    views = {"transposed": View(storage, (4, 3), (1, 4)), "part": View(storage, (2, 2), (4, 1), offset=5)}
    views["part"].storage = views["transposed"].storage
    write(tmp_path / "a.pt", views, monkeypatch)
    found = torch_file.read(tmp_path / "a.pt")
    np.testing.assert_array_equal(found["transposed"], storage.reshape(3, 4).T)
    np.testing.assert_array_equal(found["part"], [[5, 6], [9, 10]])
    assert found["transposed"].flags.c_contiguous


def test_an_empty_tensor_is_read(tmp_path, monkeypatch):
    write(tmp_path / "a.pt", {"none": View(np.zeros(0, np.float32), (0, 3), (3, 1))}, monkeypatch)
    assert torch_file.read(tmp_path / "a.pt")["none"].shape == (0, 3)


def test_code_in_a_pickle_is_refused_by_name_and_not_run(tmp_path, monkeypatch):
    mark = tmp_path / "executed"
    write(tmp_path / "evil.pt", {"weight": Call(os.system, f"touch {mark}")}, monkeypatch)
    # Ordinary pickle would run it: the file is as hostile as it looks.
    with zipfile.ZipFile(tmp_path / "evil.pt") as archive:
        pickle.loads(archive.read("archive/data.pkl"))
    assert mark.exists()
    mark.unlink()
    with pytest.raises(ValueError, match=r"evil\.pt is a pickle with code in it: it calls posix\.system"):
        torch_file.read(tmp_path / "evil.pt")
    assert not mark.exists()


@pytest.mark.parametrize("function", [eval, getattr, __import__, np.load, type])
def test_no_other_function_is_called_either(tmp_path, monkeypatch, function):
    write(tmp_path / "evil.pt", {"a": Call(function, "1")}, monkeypatch)
    with pytest.raises(ValueError, match=f"it calls .*{function.__name__}, which tensors do not need"):
        torch_file.read(tmp_path / "evil.pt")


def test_the_reader_of_tensors_cannot_be_changed_by_a_pickle(tmp_path):
    # GLOBAL torch._utils._rebuild_tensor_v2, an empty dict with an attribute, BUILD: sets attributes of what is on the stack.
    stream = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}X\x05\x00\x00\x00stateK\x01sb."
    with zipfile.ZipFile(tmp_path / "evil.pt", "w") as archive:
        archive.writestr("archive/data.pkl", stream)
    with pytest.raises(ValueError, match="does not describe tensors"):
        torch_file.read(tmp_path / "evil.pt")
    assert not hasattr(torch_file.ALLOWED["torch._utils", "_rebuild_tensor_v2"], "state")


@pytest.mark.parametrize("view", [View(np.zeros(4, np.float32), (2, 3), (3, 1)), View(np.zeros(4, np.float32), (2,), (1,), 3),
                                  View(np.zeros(4, np.float32), (99,), (0,))])  # fmt: skip
def test_a_view_beyond_its_storage_is_refused(tmp_path, monkeypatch, view):
    write(tmp_path / "a.pt", {"weight": view}, monkeypatch)
    with pytest.raises(ValueError, match=r"a\.pt: 'weight' of shape .* does not fit its storage of 4 numbers"):
        torch_file.read(tmp_path / "a.pt")


@pytest.mark.parametrize("numbers", [dict(shape=(-1,), strides=(1,)), dict(shape=(2,), strides=(1, 1)),
                                     dict(shape=(2,), strides=(-1,))])  # fmt: skip
def test_a_view_of_strange_numbers_is_refused(tmp_path, monkeypatch, numbers):
    write(tmp_path / "a.pt", {"weight": View(np.zeros(4, np.float32), **numbers)}, monkeypatch)
    with pytest.raises(ValueError, match="'weight' has shape .*; expected whole numbers, as many of each"):
        torch_file.read(tmp_path / "a.pt")


def test_damaged_and_foreign_files_are_refused_in_sentences(tmp_path, monkeypatch):
    file, weight = tmp_path / "a.pt", {"weight": plain(np.zeros(4, np.float32))}
    file.write_bytes(b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.")
    with pytest.raises(ValueError, match=r"a\.pt is not a zip archive: .* PyTorch before 1\.6"):
        torch_file.read(file)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme", b"")
    with pytest.raises(ValueError, match="not one of PyTorch: expected one folder with data.pkl, got 0"):
        torch_file.read(file)
    write(file, weight, monkeypatch, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match="archive/data.pkl is compressed"):
        torch_file.read(file)
    write(file, weight, monkeypatch, drop=(0,))
    with pytest.raises(ValueError, match="does not describe tensors .*archive/data/0"):
        torch_file.read(file)
    write(file, weight, monkeypatch, byteorder=b"big")
    with pytest.raises(ValueError, match="big-endian"):
        torch_file.read(file)


def test_a_short_storage_is_refused(tmp_path):
    # PERSID ("storage", FloatStorage, "0", "cpu", 5)
    stream = b"\x80\x02(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x05tQ."
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("archive/data.pkl", stream)
        archive.writestr("archive/data/0", bytes(16))
    with pytest.raises(ValueError, match="storage archive/data/0 has 16 bytes, expected 5 numbers of float32"):
        torch_file.read(tmp_path / "a.pt")


def test_weights_inside_a_larger_file_are_found_and_the_rest_is_named(tmp_path, monkeypatch):
    weight = plain(np.ones(2, np.float32))
    write(tmp_path / "a.pth", {"model": {"weight": weight}, "epoch": 3, "optimizer": {"lr": 0.1}}, monkeypatch)
    found = weights_file.read(tmp_path / "a.pth")
    assert (list(found.tensors), found.beside, found.file) == (["weight"], ("epoch", "optimizer"), "a.pth")
    write(tmp_path / "b.pt", {"student": {"a": weight}, "teacher": {"b": weight}}, monkeypatch)
    with pytest.raises(ValueError, match=r"holds weights under teacher, student; choose one by --inside"):
        weights_file.read(tmp_path / "b.pt")
    assert list(weights_file.read(tmp_path / "b.pt", inside="teacher").tensors) == ["b"]
    with pytest.raises(ValueError, match="has no weights under 'ema'; it holds student, teacher"):
        weights_file.read(tmp_path / "b.pt", inside="ema")


def test_files_without_tensors_and_of_another_kind_are_refused(tmp_path, monkeypatch):
    write(tmp_path / "a.pt", {"epoch": 3}, monkeypatch)
    with pytest.raises(ValueError, match="holds no tensors; its entries are epoch"):
        weights_file.read(tmp_path / "a.pt")
    write(tmp_path / "a.pt", [1], monkeypatch)
    with pytest.raises(ValueError, match="holds a list; expected a dict of tensors"):
        weights_file.read(tmp_path / "a.pt")
    np.savez(tmp_path / "objects.npz", a=np.array([{}], dtype=object))
    (tmp_path / "short.npz").write_bytes(b"PK\x03\x04")
    with (tmp_path / "single.npz").open("wb") as file:
        np.save(file, np.zeros(2))
    for name in ("objects", "short", "single"):
        with pytest.raises(ValueError, match=rf"{name}\.npz is not a readable \.npz of plain arrays"):
            weights_file.read(tmp_path / f"{name}.npz")
    (tmp_path / "a.onnx").touch()
    with pytest.raises(ValueError, match=r"expected a file ending in \.safetensors"):
        weights_file.read(tmp_path / "a.onnx")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        weights_file.read(tmp_path / "b.pt")


@pytest.mark.parametrize(
    ("named", "arguments", "sentence"),
    [
        (Named("torch._utils", "_rebuild_qtensor"), (), "is quantised; call dequantize"),
        (Named("torch._utils", "_rebuild_sparse_tensor"), (Named("torch", "sparse_coo"), ()), "is sparse; call to_dense"),
        (Named("torch._utils", "_rebuild_meta_tensor_no_storage"), (), "is on PyTorch's device 'meta', without numbers"),
        (
            Named("torch._utils", "_rebuild_tensor_v3"),
            (1, 0, (2,), (1,), False, None, Named("torch", "float8_e4m3fn")),
            r"is of torch\.float8_e4m3fn; weights of 8 bits need their scales",
        ),
        (
            Named("torch._utils", "_rebuild_tensor_v2"),
            (1, 0, (2,), (1,), False, None, {"neg": True}),
            "is a view of its numbers negated; call resolve_neg",
        ),
    ],
)
def test_tensors_of_other_kinds_are_refused_among_the_weights_alone(tmp_path, monkeypatch, named, arguments, sentence):
    other, weight = Call(named, *arguments), plain(np.ones(2, np.float32))
    write(tmp_path / "a.pt", {"model": {"weight": weight, "other": other}}, monkeypatch)
    with pytest.raises(ValueError, match=rf"a\.pt: 'other' {sentence}"):
        weights_file.read(tmp_path / "a.pt")
    write(tmp_path / "a.pt", {"model": {"weight": weight}, "epoch": other}, monkeypatch)
    assert weights_file.read(tmp_path / "a.pt").beside == ("epoch",)


def test_complex_numbers_are_refused_before_they_are_read(tmp_path):
    # There is no such storage in the file.
    stream = PERSISTENT % (b"ComplexFloatStorage", b"K\x05")
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("archive/data.pkl", stream)
    with pytest.raises(ValueError, match=r"'a' is of complex numbers; expected real numbers"):
        weights_file.read(tmp_path / "a.pt")


@pytest.mark.parametrize(
    "named",
    [Named("os", "system"), Named("posix", "system"), Named("builtins", "exec"), Named("__builtin__", "eval"),
     Named("subprocess", "Popen"), Named("numpy", "load"), Named("pathlib", "os"), Named("datetime", "sys"),
     Named("torch", "load"), Named("torch.hub", "load"), Named("__main__", "Config"), Named("argparse", "FileType"),
     Named("builtins", "getattr"), Named("collections", "namedtuple"), Named("omegaconf", "OmegaConf.to_object")],
)  # fmt: skip
def test_what_is_no_data_class_is_refused_by_name(tmp_path, monkeypatch, named):
    write(tmp_path / "a.pt", {"a": plain(np.ones(2, np.float32)), "args": Call(named, "1")}, monkeypatch)
    with pytest.raises(ValueError, match=rf"it calls {named.module}\.{named.name}, which tensors do not need"):
        torch_file.read(tmp_path / "a.pt")


def test_data_classes_stay_what_they_are_whatever_a_pickle_gives_them(tmp_path, monkeypatch):
    inert = With(Named("argparse", "Namespace"), {"__class__": 1, "append": 2, "called": "another"})
    write(
        tmp_path / "a.pt", {"args": inert, "again": With(Named("argparse", "Namespace"), (None, {"called": "x"}))}, monkeypatch
    )
    found = torch_file.read(tmp_path / "a.pt")
    assert [value.called for value in found.values()] == ["argparse.Namespace"] * 2
    assert not hasattr(found["args"], "__dict__")


def test_a_whole_model_is_told_from_a_state_dict(tmp_path, monkeypatch):
    write(tmp_path / "a.pt", With(Named("torch.nn.modules.linear", "Linear"), {}), monkeypatch)
    with pytest.raises(
        ValueError, match=r"it calls torch\.nn\.modules\.linear\.Linear.* holds a whole model, not its state dict"
    ):
        torch_file.read(tmp_path / "a.pt")


def test_keys_that_are_no_text_are_refused(tmp_path, monkeypatch):
    write(tmp_path / "a.pt", {"a": plain(np.ones(2, np.float32)), 7: plain(np.ones(2, np.float32))}, monkeypatch)
    with pytest.raises(ValueError, match=r"a\.pt: a tensor has the key 7, of type int; expected a text"):
        weights_file.read(tmp_path / "a.pt")


def test_what_would_take_all_memory_or_time_is_refused(tmp_path):
    # Each: a storage said to be of 10 TB, a note numbered 2**31 - 2, one dict 2**40 times in another.
    storage = PERSISTENT % (b"FloatStorage", b"\x8a\x06\x00\x00\x00\x00\x40\x02")
    note = b"\x80\x02}r\xfe\xff\xff\x7f."
    for stream, sentence in ((storage, "has 16 bytes, expected 2473901162496 numbers"), (note, "note 2147483646 of 2")):
        with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
            archive.writestr("archive/data.pkl", stream)
            archive.writestr("archive/data/0", bytes(16))
        with pytest.raises(ValueError, match=sentence):
            torch_file.read(tmp_path / "a.pt")
    again = b"}q%c(X\x01\x00\x00\x00ah%cX\x01\x00\x00\x00bh%cu"
    stream = b"\x80\x02}q\x00" + b"".join(again % (i + 1, i, i) for i in range(40)) + b"."
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("archive/data.pkl", stream)
    assert list(torch_file.read(tmp_path / "a.pt")) == ["a", "b"]
    with pytest.raises(ValueError, match="holds no tensors; its entries are a, b"):
        weights_file.read(tmp_path / "a.pt")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_entries_that_cannot_be_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        for _ in range(2):
            archive.writestr("archive/data.pkl", b"\x80\x02}.")
    with pytest.raises(ValueError, match="expected one folder with data.pkl, got 2"):
        torch_file.read(tmp_path / "a.pt")
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}.")
        archive.writestr("archive/code/model.py", b"")
    with pytest.raises(ValueError, match=r"is a TorchScript program, not weights; .* state_dict\(\)"):
        torch_file.read(tmp_path / "a.pt")
    content = (tmp_path / "a.pt").read_bytes()
    (tmp_path / "a.pt").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="begins as one and its end is missing; it is cut short, fetch it again"):
        torch_file.read(tmp_path / "a.pt")


@pytest.mark.parametrize(
    ("stream", "sentence"),
    [
        (b"\x80\x02" + b"]" * 50_000 + b"a" * 49_999 + b".", "nested too deeply for tensors"),
        (b"\x80\x02cargparse\nNamespace\n}X\x01\x00\x00\x00aK\x01sb.", "does not describe tensors"),
        (b"\x80\x02cnumpy\ndtype\nN}X\x04\x00\x00\x00textK\x01s\x86b.", "does not describe tensors"),
        (b"\x80\x02ccollections\nOrderedDict\n}X\x01\x00\x00\x00aK\x01sb.", "does not describe tensors"),
        (b"\x80\x02(S'ls'\nios\nsystem\n.", r"it calls os\.system, which tensors do not need"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", r"it calls os\.system, which tensors do not need"),
        (b"\x80\x04\x8c\x09argparse\n\x8c\x09Namespace\x93.", r"it calls argparse\\n\.Namespace, which tensors do not need"),
        (b"\x80\x02}", "does not describe tensors"),
    ],
)
def test_pickles_that_no_library_writes_are_sentences(tmp_path, stream, sentence):
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("archive/data.pkl", stream)
    with pytest.raises(ValueError, match=rf"a\.pt.*{sentence}"):
        torch_file.read(tmp_path / "a.pt")


def test_what_refers_to_itself_is_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s.")
    found = torch_file.read(tmp_path / "a.pt")
    assert found["a"] is found
