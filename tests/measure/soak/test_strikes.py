"""What is done to a process, and which ends of one are in order."""

import signal
import subprocess
import sys

import numpy as np
import pytest

from spectral_jax.measure.soak import strikes


@pytest.mark.parametrize(
    ("end", "wrong"),
    [
        ("signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))", ""),
        ("", ""),
        (
            "signal.signal(signal.SIGTERM, lambda *_: sys.exit('pretrain: no ink'))",
            "SIGTERM and ended with 1: pretrain: no ink",
        ),
    ],
)
def test_how_a_process_ends_after_sigterm_is_looked_at(tmp_path, end, wrong):
    script = f"import signal, sys, time\n{end}\nprint('ready', flush=True)\ntime.sleep(60)"
    process = started(script)
    done = strikes.killed(process, "", Always(0.0))
    assert (done.kind, done.wrong) == ("SIGTERM", wrong)
    assert 0.0 <= done.late < strikes.GRACE_SECONDS
    process = started(script)
    assert strikes.killed(process, "", Always(1.0)) == strikes.Strike("SIGKILL", "")
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("last", "code", "wrong"),
    [
        ("pretrain: {0}/m could not be written (No space left on device); 0.0 MB are free", 1, ""),
        ("pretrain: {0}/m could not be written (No space left on device)", 1, "full disk, and it ended with 1: pretrain: "),
        ("Killed", 2, "full disk, and it ended with 2: Killed"),
        ("done", 0, ""),
    ],
)
def test_a_full_disk_must_be_told_with_the_file_and_the_room(tmp_path, monkeypatch, last, code, wrong):
    filler = tmp_path / strikes.FILLER
    monkeypatch.setattr(strikes, "_fill", lambda file: file.write_bytes(b"0"))
    workdir = str(tmp_path / "1")
    script = (
        f"import pathlib, sys, time\nprint('ready', flush=True)\nwhile not pathlib.Path({str(filler)!r}).exists():\n"
        f"    time.sleep(0.01)\nprint({last.format(workdir)!r})\nsys.exit({code})"
    )
    done = strikes.disk_filled(started(script), workdir, Always(0.0))
    assert done.kind == "full disk"
    assert done.wrong.startswith(wrong)
    assert bool(done.wrong) == bool(wrong)
    assert not filler.exists()


class Always(np.random.Generator):
    """A generator that draws one number."""

    def __init__(self, number):
        super().__init__(np.random.PCG64(0))
        self._number = number

    def random(self):
        return self._number


def started(script):
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout.readline() == "ready\n"
    return process
