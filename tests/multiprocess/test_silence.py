"""A process of a run that is stopped or killed: the others end with a sentence. Each makes nothing but sums of both."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

pytestmark = [pytest.mark.multiprocess, pytest.mark.slow]
SILENT = 5
SCRIPT = f"""
import os, sys, time
import numpy as np
from jax.experimental import multihost_utils
from spectral_jax.train import peers, pulse
def end(text):
    words.dismiss()
    print(text, flush=True)
    os._exit(1)
with pulse.LastWords("the last words of this process") as words:
    peers.meet(sys.argv[1], 2, int(sys.argv[2]), 100.0, end)
    try:
        with peers.watched(lambda: 7), pulse.kept({SILENT}, end):
            for number in range(100000):
                multihost_utils.process_allgather(np.ones(3))
                print("summed", number, flush=True)
                time.sleep(0.1)
    except peers.ProcessLost as lost:
        end(str(lost))
"""


@contextlib.contextmanager
def started(tmp_path):
    """Two processes that have met, and the files that hold what each says."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    command, environment = [sys.executable, "-c", SCRIPT, f"localhost:{port}"], os.environ | {"JAX_PLATFORMS": "cpu"}
    files, processes = [tmp_path / f"{i}.txt" for i in range(2)], []
    for i, file in enumerate(files):
        with file.open("w") as said:
            own = subprocess.Popen([*command, str(i)], env=environment, stdout=said, stderr=subprocess.STDOUT)
        processes.append(own)
    try:
        until = time.monotonic() + 200
        while not all("summed 1" in file.read_text() for file in files):
            assert all(p.poll() is None for p in processes), [file.read_text() for file in files]
            assert time.monotonic() < until
            time.sleep(0.05)
        yield processes, files
    finally:
        for process in processes:
            process.kill()  # reaches one that is stopped too
            process.wait()


@pytest.mark.parametrize(
    ("victim", "sentence"),
    [(0, "process 0, which all others meet at, could not be reached"), (1, "process 1 gave no sign of life")],
)
def test_where_a_process_is_stopped_the_other_says_so_and_ends(tmp_path, victim, sentence):
    with started(tmp_path) as (processes, files):
        processes[victim].send_signal(signal.SIGSTOP)
        assert processes[1 - victim].wait(60) == 1
        text = files[1 - victim].read_text()
    assert text.splitlines()[-1].startswith(f"process {1 - victim} of 2 ends: {sentence} for {SILENT} s. It was stopped or")
    assert "last words" not in text
    assert "stack trace" not in text


def test_where_process_0_is_killed_a_sentence_is_last_whoever_ends_the_other(tmp_path):
    """JAX ends it, and then the shell speaks; or an error reaches Python before. Which is first is a matter of milliseconds."""
    with started(tmp_path) as (processes, files):
        processes[0].kill()
        assert processes[1].wait(60) in (1, -signal.SIGABRT)
        processes[0].wait()
        time.sleep(0.5)  # the shell speaks after its process has ended
        last = files[1].read_text().splitlines()[-1]
    assert last.startswith("process 1 of 2 ends: another process of this run died") or last == "the last words of this process"
