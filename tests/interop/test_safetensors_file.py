import json
import struct

import jax.numpy as jnp
import numpy as np
import pytest

from spectral_jax.interop import safetensors_file, weights_file


def _file(path, header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def test_bytes_are_those_of_the_format(tmp_path):
    path = tmp_path / "a.safetensors"
    safetensors_file.write(path, {"a": np.asarray([1.0, 2.0], np.float32), "b": np.asarray(3, np.int64)}, {"k": "v"})
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    assert length % 8 == 0
    assert json.loads(content[8 : 8 + length]) == {
        "__metadata__": {"k": "v"},
        "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
        "b": {"dtype": "I64", "shape": [], "data_offsets": [8, 16]},
    }
    assert content[8 + length :] == struct.pack("<ffq", 1.0, 2.0, 3)


def test_bfloat16_is_read_as_the_upper_half_of_float32(tmp_path):
    bits = struct.pack("<HH", 0x3FC0, 0xC000)  # 1.5 and -2
    header = {"a": {"dtype": "BF16", "shape": [1, 2], "data_offsets": [0, 4]}}
    found = safetensors_file.read(_file(tmp_path / "a.safetensors", header, bits))["a"]
    assert found.dtype == jnp.bfloat16
    np.testing.assert_array_equal(found.astype(np.float32), [[1.5, -2.0]])


def test_a_round_trip_is_exact_for_every_dtype_and_for_nothing(tmp_path, rng):
    tensors = {str(d): (100 * rng.normal(size=(2, 3))).astype(d) for d in safetensors_file.DTYPES.values()}
    tensors |= {"empty": np.zeros((0, 4), np.float32), "transposed": np.arange(6, dtype=np.float32).reshape(2, 3).T}
    safetensors_file.write(tmp_path / "a", tensors)
    found = safetensors_file.read(tmp_path / "a")
    assert list(found) == list(tensors)
    for key, value in tensors.items():
        assert (found[key].dtype, found[key].shape, found[key].tobytes()) == (value.dtype, value.shape, value.tobytes())


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        (
            {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]},
            r"'x' of shape \[3\] and float32 needs 12 bytes.*0 to 12 of 8",
        ),
        ({"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}, "needs 8 bytes, and its offsets are 0 to 4"),
        ({"dtype": "F32", "shape": [-1], "data_offsets": [4, 0]}, "entry 'x' is not a shape"),
        ({"dtype": "F8", "shape": [2], "data_offsets": [0, 2]}, "entry 'x' is not a shape, two offsets and a dtype of F64"),
        ({"dtype": "F32", "shape": [2]}, "entry 'x' is not a shape"),
    ],
)
def test_entries_that_do_not_fit_are_refused(tmp_path, entry, sentence):
    with pytest.raises(ValueError, match=sentence):
        safetensors_file.read(_file(tmp_path / "a", {"x": entry}, bytes(8)))


@pytest.mark.parametrize("content", [b"", b"\x00" * 20, struct.pack("<Q", 10**9) + b"{}", struct.pack("<Q", 4) + b"abcd",
                                     struct.pack("<Q", 2) + b"[]"])  # fmt: skip
def test_a_file_of_another_kind_is_refused(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(ValueError, match="is not a safetensors file"):
        safetensors_file.read(tmp_path / "a")


def test_a_dtype_that_the_format_lacks_is_refused(tmp_path):
    with pytest.raises(ValueError, match="'a' is of complex64; expected one of"):
        safetensors_file.write(tmp_path / "a", {"a": np.zeros(1, np.complex64)})


@pytest.mark.parametrize("dtype", ["F8_E4M3", "C64", "F4"])
def test_numbers_of_8_bits_and_complex_ones_are_refused_by_key(tmp_path, dtype):
    path = _file(tmp_path / "a", {"x.y": {"dtype": dtype, "shape": [8], "data_offsets": [0, 8]}}, bytes(8))
    with pytest.raises(ValueError, match=f"'x.y' is of {dtype}; expected one of F64, .* Convert it to float32 or bfloat16"):
        safetensors_file.read(path)


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        (b'{"x": 1, "x": 2}', "'x' is there twice"),
        (b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "its header is not a JSON object"),
        ({"x": {"dtype": "F32", "shape": [2**60, 0], "data_offsets": [0, 0]}}, "too many axes or too long ones"),
        ({"x": {"dtype": "F32", "shape": [1] * 40, "data_offsets": [0, 4]}}, "too many axes or too long ones"),
        (
            {k: {"dtype": "F32", "shape": [1], "data_offsets": [n, n + 4]} for k, n in (("x", 0), ("y", 0))},
            "'y' begins at byte 0 and the tensor before it ends at 4; the header is damaged",
        ),
        ({"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, "its tensors end at byte 4 of 8"),
    ],
)
def test_headers_that_do_not_describe_each_number_once_are_refused(tmp_path, header, sentence):
    with pytest.raises(ValueError, match=sentence):
        safetensors_file.read(_file(tmp_path / "a", header, bytes(8)))


def test_the_files_of_an_index_are_read_together(tmp_path):
    files = {"b": "m-00001-of-00002.safetensors", "a": "m-00002-of-00002.safetensors"}
    for key, file in files.items():
        safetensors_file.write(tmp_path / file, {key: np.full(2, ord(key), np.float32)})
    index = tmp_path / "m.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": files}))
    found = weights_file.read(index).tensors
    assert {key: value.tolist() for key, value in found.items()} == {"b": [98, 98], "a": [97, 97]}
    with pytest.raises(
        ValueError, match=r"00001-of-00002.safetensors is part 1 of 2 of a model; name m\.safetensors\.index\.json"
    ):
        weights_file.read(tmp_path / files["b"])
    index.write_text(json.dumps({"weight_map": files | {"c": files["a"]}}))
    with pytest.raises(ValueError, match="'c' is not in the file that the index says, or not in the index"):
        weights_file.read(index)
    (tmp_path / files["a"]).unlink()
    with pytest.raises(FileNotFoundError, match="names m-00002-of-00002.safetensors beside it, and there is none"):
        weights_file.read(index)
    for wrong in ("[]", "{", '{"weight_map": {"a": "../a.safetensors"}}', "{}"):
        index.write_text(wrong)
        with pytest.raises(
            ValueError, match=r"m\.safetensors\.index\.json is not an index of safetensors|is not a safetensors file"
        ):
            weights_file.read(index)


def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    safetensors_file.write(tmp_path / "a", {"x": np.zeros(2, np.float32)})
    before = (tmp_path / "a").read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "ascontiguousarray", full)
    with pytest.raises(OSError, match=r"a could not be written, and what stood there is as it was: .*No space left"):
        safetensors_file.write(tmp_path / "a", {"x": np.ones(9, np.float32)})
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == before
