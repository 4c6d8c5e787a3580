import gzip

import numpy as np
import pytest
from made.torch_archive import plain, write

from spectral_jax.addresses import bucket
from spectral_jax.interop import folder, safetensors_file, weights_file


@pytest.fixture
def files(tmp_path, monkeypatch):
    """One array in each container, named by what it is."""
    state = {"a.b": np.arange(3, dtype=np.float32)}
    write(tmp_path / "torch", {k: plain(v) for k, v in state.items()}, monkeypatch)
    safetensors_file.write(tmp_path / "safetensors", state)
    with (tmp_path / "npz").open("wb") as file:
        np.savez(file, **state)
    return tmp_path


@pytest.mark.parametrize(("kind", "ending"), [("torch", ".pt"), ("safetensors", ".safetensors"), ("npz", ".npz")])
def test_a_wrong_ending_is_told_with_the_right_one(files, kind, ending):
    for wrong in {".pt", ".safetensors", ".npz"} - {ending}:
        path = (files / kind).rename(files / f"a{wrong}")
        with pytest.raises(
            ValueError, match=rf"by its first bytes, and its name ends in \{wrong}; give it the ending \{ending}"
        ):
            weights_file.read(path)
        path.rename(files / kind)
    path = (files / kind).rename(files / "a.weights")
    with pytest.raises(
        ValueError, match=rf"expected a file ending in .* By its first bytes it is .*: give it the ending \{ending}"
    ):
        weights_file.read(path)


def test_endings_that_pytorch_files_have_elsewhere_are_read(files):
    path = files / "torch"
    for name in ("pytorch_model.bin", "a.pth.tar", "A.PT"):
        path = path.rename(files / name)
        assert list(weights_file.read(path).tensors) == ["a.b"]


@pytest.mark.parametrize("ending", [".pt", ".safetensors", ".npz"])
@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty: fetch it again"),
        (bytes(9999), "begins with 4096 bytes of zero, as an interrupted download does"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "is a text that begins with 'version https://git-lfs'"),
        (b"\n<!DOCTYPE html>\n<html>", "is a text that begins with '<', a page of HTML or XML saved in place of the weights"),
        (b'{"error": "not found"}', "is a text that begins with '{', JSON"),
        (gzip.compress(b"weights", mtime=0), "is compressed by gzip: unpack it first"),
        (b"\x89HDF\r\n\x1a\n" + bytes(9), "is an HDF5 file"),
        (b"a" * 257 + b"ustar" + bytes(99), "is a tar archive: unpack it first"),
    ],
)  # fmt: skip
def test_what_is_no_weights_is_told(tmp_path, ending, content, sentence):
    (tmp_path / f"a{ending}").write_bytes(content)
    with pytest.raises(ValueError, match=rf"a\{ending} {sentence}"):
        weights_file.read(tmp_path / f"a{ending}")


def test_a_folder_is_told_with_the_files_in_it(files):
    with pytest.raises(ValueError, match="is a folder, expected a file of weights; there are no weights in it"):
        weights_file.read(files)
    (files / "torch").rename(files / "a.pt")
    with pytest.raises(ValueError, match=r"is a folder, expected a file of weights; name one of its files: a\.pt"):
        weights_file.read(files)
    (files / "config.json").touch()
    (files / "weights.safetensors").touch()
    with pytest.raises(ValueError, match="is a folder of converted weights; take it with interop.load"):
        weights_file.read(files)


def test_the_home_folder_is_expanded(files, monkeypatch):
    monkeypatch.setenv("HOME", str(files))
    (files / "torch").rename(files / "a.pt")
    assert weights_file.read("~/a.pt").file == "a.pt"


@pytest.mark.slow
def test_weights_at_an_address_are_read_and_none_are_saved_there(files, bucket_address):
    bucket.send(files / "torch", f"{bucket_address}/a.pt")
    assert weights_file.read(f"{bucket_address}/a.pt").file == "a.pt"
    sentence = f"folder of weights: expected a path of this machine to write to, got the address {bucket_address}/w"
    with pytest.raises(ValueError, match=sentence):
        folder.save(f"{bucket_address}/w", None, {}, None)
    for take in (weights_file.read, folder.load):
        with pytest.raises(ValueError, match="of weights: s3:/bucket/a.npz has lost a slash"):
            take("s3:/bucket/a.npz")


def test_names_that_do_not_print_are_refused_in_one_line(tmp_path):
    safetensors_file.write(tmp_path / "a.safetensors", {"w\n": np.zeros(2, np.float32)})
    with pytest.raises(ValueError, match=r"a\.safetensors: a tensor is called 'w\\n', with signs that do not print; fetch"):
        weights_file.read(tmp_path / "a.safetensors")


def test_safetensors_have_no_parts_to_ask_for(files):
    path = (files / "safetensors").rename(files / "a.safetensors")
    with pytest.raises(ValueError, match=r"a\.safetensors: --inside=model is not for safetensors; .* --prefix"):
        weights_file.read(path, inside="model")
