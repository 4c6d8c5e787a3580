"""One run in one work folder: the second is told, a dead one's place is taken."""

import json
import subprocess
import sys

import pytest

from spectral_jax.addresses import bucket, lease

HOLD = (
    "import sys, time; from pathlib import Path; from spectral_jax.addresses import lease\n"
    "with lease.on_folder(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)"
)


def test_a_folder_is_held_until_its_process_ends(tmp_path):
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "held\n"
    sentence = (
        rf"run is the work folder of a run that is going on: process {other.pid} of \S+ on \S+, since 20.* by its own clock"
    )
    with pytest.raises(lease.Held, match=sentence), lease.on_folder(tmp_path / "run"):
        pass
    other.kill()
    other.wait()
    other.stdout.close()
    with lease.on_folder(tmp_path / "run"):
        pass
    assert list((tmp_path / "run").iterdir()) == []


def test_a_work_folder_in_a_bucket_is_held_and_given_back(bucket_address, monkeypatch):
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.05)
    monkeypatch.setattr(lease, "WATCH_SECONDS", 5.0)
    where = f"{bucket_address}/run"
    with lease.on_address(where):
        assert json.loads(bucket.read(f"{where}/{lease.NAME}"))["token"]
        with (
            pytest.raises(lease.Held, match=r"run is the work folder of a run that is going on: process \d+"),
            lease.on_address(where),
        ):
            pass
    assert bucket.sizes(where) == {}


def test_the_mark_of_a_run_that_is_dead_is_taken_over_whatever_its_clock_said(bucket_address, monkeypatch, capsys):
    monkeypatch.setattr(lease, "WATCH_SECONDS", 0.2)
    where = f"{bucket_address}/run"
    future = {"host": "h", "process": 1, "user": "u", "since": "2099-01-01 00:00:00 UTC", "token": "t", "renewed": 9}
    bucket.write(f"{where}/{lease.NAME}", json.dumps(future).encode())
    with lease.on_address(where):
        assert json.loads(bucket.read(f"{where}/{lease.NAME}"))["token"] != "t"
    assert "is marked as held by process 1 of u on h, since 2099-01-01" in capsys.readouterr().out
    assert bucket.sizes(where) == {}


def test_a_full_disk_does_not_keep_a_run_from_holding_its_folder_nor_hide_why_it_ended(tmp_path):
    """The device that is always full stands for the file."""
    (tmp_path / lease.NAME).symlink_to("/dev/full")
    with pytest.raises(ValueError, match="this ended it"), lease.on_folder(tmp_path):
        raise ValueError("this ended it")
