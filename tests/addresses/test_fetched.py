"""Copies of what lies at addresses: of a file and of a folder, made once."""

import pytest

from spectral_jax.addresses import bucket, fetched


@pytest.fixture(autouse=True)
def nothing_kept():
    fetched.copy.cache_clear()


def test_a_file_and_a_folder_are_copied_once(bucket_address, monkeypatch):
    bucket.write(f"{bucket_address}/set/a.csv", b"1")
    bucket.write(f"{bucket_address}/set/more/b.csv", b"22")
    file = fetched.copy(f"{bucket_address}/set/a.csv")
    assert (file.name, file.read_bytes()) == ("a.csv", b"1")
    folder = fetched.copy(f"{bucket_address}/set")
    assert folder.name == "set"
    assert (folder / "more" / "b.csv").read_bytes() == b"22"
    monkeypatch.setattr(bucket, "fetch", None)
    assert fetched.copy(f"{bucket_address}/set/a.csv") == file


def test_nothing_is_told(bucket_address):
    with pytest.raises(FileNotFoundError, match="/none does not exist: there is no file there, and none below it"):
        fetched.copy(f"{bucket_address}/none")


def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"gs://b/a: the name '../x' leads out of the folder"):
        fetched.folder("gs://b/a", tmp_path / "here", ["../x"])
