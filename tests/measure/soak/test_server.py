"""A server that is killed and started again, here a program that waits."""

import subprocess
import threading
import time

import pytest

from spectral_jax.measure.soak import server


def test_a_server_is_killed_and_started_again_and_ends_with_the_block(monkeypatch):
    started, popen = [], subprocess.Popen
    monkeypatch.setattr(server.subprocess, "Popen", lambda *a, **k: started.append(popen(*a, **k)) or started[-1])
    with server.restarted(["sleep", "60"], 0, stays=(0.01, 0.02), away=(0.0, 0.01)) as times:
        while times() < 3:
            time.sleep(0.01)
    assert len(started) >= 3
    assert {process.returncode for process in started} == {-9}


def test_a_server_that_ends_by_itself_is_told():
    command = ["sh", "-c", "echo the port is taken; exit 1"]
    with pytest.raises(RuntimeError, match="the server ended by itself with 1: the port is taken"):
        _until_it_ended(command)


def _until_it_ended(command):
    with server.restarted(command, 0, stays=(0.2, 0.2), away=(0.0, 0.0)):
        while any(thread.name == "spectral_jax server" for thread in threading.enumerate()):
            time.sleep(0.01)


def test_a_command_that_is_not_there_is_told_before_anything_runs():
    with pytest.raises(FileNotFoundError, match="no-such-server"), server.restarted(["no-such-server"], 0):
        pytest.fail("the block ran")
