"""Places as users write them: worked with, or refused before the first second of work."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from spectral_jax import places
from spectral_jax.addresses import bucket

ROOT = Path(__file__).resolve().parents[2]


def test_the_home_folder_and_file_addresses_are_understood(monkeypatch):
    monkeypatch.setenv("HOME", "/somewhere")
    assert places.local("~/run", "--workdir") == Path("/somewhere/run")
    assert places.local("file:///data/a%20b.zarr", "--store") == Path("/data/a b.zarr")
    assert places.local("runs/a", "--workdir") == Path("runs/a")
    assert places.local(Path("C:/run"), "--workdir") == Path("C:/run")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("gss://b/run", "--workdir: expected a path, or an address that begins with one of gs://"),
        ("gs:/b/run", "gs:/b/run has lost a slash"),
        ("", "--workdir: expected a path, got an empty text"),
        ("$HOME/run", "whose variable no shell has replaced"),
        ("~nobody_of_that_name/run", "the home folder of ~nobody_of_that_name/run is not known"),
    ],
)
def test_what_cannot_be_used_is_refused(text, sentence):
    with pytest.raises(ValueError, match=sentence):
        places.local(text, "--workdir")


def test_what_lies_at_an_address_is_read_from_a_copy_and_not_written_by_functions(bucket_address):
    bucket.write(f"{bucket_address}/a.csv", b"1")
    assert places.local(f"{bucket_address}/a.csv", "--insitu").read_bytes() == b"1"
    assert places.either(f"{bucket_address}/a.csv", "--insitu") == f"{bucket_address}/a.csv"
    with pytest.raises(ValueError, match=r"--out: expected a path of this machine to write to, got the address .*/a.csv"):
        places.here(f"{bucket_address}/a.csv", "--out")


def test_outputs_that_cannot_be_written_are_refused(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(NotADirectoryError, match="--workdir: expected a folder, and .*file is a file"):
        places.for_folder(file, "--workdir")
    with pytest.raises(NotADirectoryError, match="run cannot be made, because .*file is a file"):
        places.for_folder(file / "run", "--workdir")
    with pytest.raises(IsADirectoryError, match="--out: expected a file, and .* is a folder"):
        places.for_file(tmp_path, "--out")
    assert places.for_folder(tmp_path / "new" / "run", "--workdir") == tmp_path / "new" / "run"
    assert places.for_file(tmp_path / "new" / "x.npz", "--out") == tmp_path / "new" / "x.npz"
    # Tests may run as root, whom nothing is forbidden.
    monkeypatch.setattr(os, "access", lambda path, how: False)
    with pytest.raises(PermissionError, match="--out: .* cannot be made, because .* is not writable"):
        places.for_file(tmp_path / "x.npz", "--out")
    with pytest.raises(PermissionError, match="--workdir: .* is not writable"):
        places.for_folder(tmp_path / "run", "--workdir")


PRETRAIN = ["experiments/pretrain.py", "--config=x.py"]
STORE = ["tools/build_store.py", "--footprint_m=960"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([*PRETRAIN, "--workdir=hdfs://b/run"], "pretrain: --workdir: expected a path, or an address that begins with one of"),
        ([*PRETRAIN, "--workdir=https://b/run"], "pretrain: --workdir: https://b/run can only be read; to write, give a path"),
        ([*PRETRAIN, "--workdir=pyproject.toml"], "pretrain: --workdir: expected a folder, and"),
        ([*PRETRAIN, "--wrokdir=a"], "pretrain: flags: no flag is called '--wrokdir'; the names are, closest first: --workdir"),
        ([*STORE, "--out=s3:/b/a"], "build_store: --out: s3:/b/a has lost a slash"),
    ],
)
def test_a_command_says_it_in_one_line_before_anything_is_imported(arguments, sentence):
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith(sentence)
    assert len(done.stderr.strip().splitlines()) == 1
