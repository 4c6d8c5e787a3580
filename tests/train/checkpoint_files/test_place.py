"""Where checkpoints are: folders, work folders and buckets, and which are finished."""

from pathlib import Path

import jax
import pytest

from spectral_jax.addresses import bucket, fetched
from spectral_jax.train.checkpoint_files import place
from spectral_jax.train.checkpoint_files.place import CheckpointError

LAST = {"s3": "CHECKSUMS", "gs": "commit_success.txt"}


def test_the_newest_of_a_work_folder_a_folder_or_one_step_is_found(tmp_path):
    for step in (2, 10):
        (tmp_path / "run" / "checkpoints" / str(step)).mkdir(parents=True)
    newest = tmp_path / "run" / "checkpoints" / "10"
    assert place.find(tmp_path / "run") == place.find(newest.parent) == place.find(newest) == newest
    assert place.find(newest.with_name("2")).name == "2"
    assert (place.newest(newest.parent), place.begun(newest.parent)) == (10, True)
    assert (place.newest(tmp_path / "none"), place.begun(tmp_path / "none")) == (None, False)
    with pytest.raises(CheckpointError, match="none holds no finished checkpoint; expected a run's work folder"):
        place.find(tmp_path / "none")


def test_in_a_bucket_only_what_has_its_last_file_counts(bucket_address):
    fetched.copy.cache_clear()
    run, last = f"{bucket_address}/run", LAST[bucket_address[:2]]
    with pytest.raises(CheckpointError, match="/run holds no finished checkpoint"):
        place.find(run)
    for step in (3, 12):
        bucket.write(f"{run}/checkpoints/{step}/a", b"1")
        bucket.write(f"{run}/checkpoints/{step}/{last}", b"1")
    bucket.write(f"{run}/checkpoints/20/a", b"half")
    assert place.newest(f"{run}/checkpoints") == 12
    assert place.begun(f"{run}/checkpoints")
    for given in (run, f"{run}/checkpoints", f"{run}/checkpoints/12/"):
        found = place.find(given)
        assert (found.name, (found / "a").read_text()) == ("12", "1")
        assert place.is_here(found) is (bucket_address[:2] == "s3")
    assert place.find(f"{run}/checkpoints/3").name == "3"


def test_several_processes_do_not_save_to_a_bucket_that_orbax_does_not_know(monkeypatch):
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    with pytest.raises(CheckpointError, match=r"s3://b/run: runs of several processes save to a folder that all of them see"):
        place.opened("s3://b/run")
    assert place.opened(Path("run")).shown == str(Path("run").resolve())
