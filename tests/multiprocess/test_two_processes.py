"""The pretraining command started once on each of two hosts, here two processes of one CPU machine."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import chex
import numpy as np
import pytest

import spectral_jax
from spectral_jax.train import record

pytestmark = [pytest.mark.multiprocess, pytest.mark.slow]
ROOT = Path(__file__).resolve().parents[2]
STEPS = 30  # enough for a signal to arrive before the last
# One sensor, which compiles fast; simulated scenes and the probe, so that everything which only one process may do is done.
CONFIG = f"""
import dataclasses, sys
sys.path.insert(0, {str(ROOT / "tests")!r})
from made import tiny_run
from spectral_jax.config import Data, Probe, Synthetic, Train
def config():
    cfg = tiny_run.lean(
        data=Data(store="synthetic", synthetic=Synthetic(locations=24, dates=2, groups=("enmap_only",)), batch_size=8),
        train=Train(steps={STEPS}, log_every=1, save_every={STEPS}),
        probe=Probe(enabled=True, train_locations=12, test_locations=8),
    )
    return dataclasses.replace(cfg, sensors=(dataclasses.replace(cfg.sensors[0], key="S2", branch="S2"),))
"""


def start(folder, workdir, *more, hosts=1):
    """Starts the command on `hosts` processes."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    (folder / "config.py").write_text(CONFIG)
    command = [
        sys.executable, str(ROOT / "experiments" / "pretrain.py"), f"--config={folder / 'config.py'}",
        f"--workdir={workdir}", *more,
    ]  # fmt: skip
    each = [
        [f"--coordinator=localhost:{port}", f"--processes={hosts}", f"--process={i}"] if hosts > 1 else [] for i in range(hosts)
    ]
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONUNBUFFERED": "1"}
    return [
        subprocess.Popen([*command, *own], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for own in each
    ]  # fmt: skip


def finish(processes):
    texts = [p.communicate(timeout=300)[0] for p in processes]
    return [p.returncode for p in processes], texts


def until(there, processes):
    """Waits until `there()`, while all processes run."""
    deadline = time.monotonic() + 300
    while not there():
        assert all(p.poll() is None for p in processes), finish(processes)
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_two_processes_stop_together_continue_and_make_the_steps_of_one(tmp_path):
    codes, texts = finish(start(tmp_path, tmp_path / "alone", "--config.probe.enabled=false"))
    assert codes == [0], texts
    expected = record.read_metrics(tmp_path / "alone")

    workdir = tmp_path / "two"
    first = ("--config.train.fsdp=2", "--config.probe.enabled=false")  # it is probed where it goes on
    processes = start(tmp_path, workdir, *first, hosts=2)
    until(lambda: len(record.read_metrics(workdir)) >= 3, processes)
    processes[1].send_signal(signal.SIGTERM)  # one host is told, all must stop
    codes, texts = finish(processes)
    assert codes == [143, 143], texts
    saved = [int(p.name) for p in (workdir / "checkpoints").glob("[0-9]*")]
    assert len(saved) == 1
    assert f"Ended by SIGTERM after step {saved[0]}" in texts[0]

    codes, texts = finish(start(tmp_path, workdir, "--config.train.fsdp=2", hosts=2))
    assert codes == [0, 0], texts
    assert f"Continuing from the checkpoint of step {saved[0]}" in texts[0]
    assert "gain" in texts[0]
    assert "What to do next" in texts[0]
    assert "What to do next" not in texts[1]  # one process speaks, not both
    assert "ends:" not in texts[0] + texts[1]  # nor does any accuse another that ended in order
    assert "was ended by JAX" not in texts[0] + texts[1]
    rows = record.read_metrics(workdir)
    assert [r["step"] for r in rows] == [r["step"] for r in expected] == list(range(1, STEPS + 1))
    for name in ("loss", "invariance", "sigreg", "grad_norm", "embedding_rank"):
        np.testing.assert_allclose(rows[0][name], expected[0][name], rtol=1e-5, err_msg=name)
        # Where the true gradient is 0 Adam turns rounding into steps, and the runs drift apart from there.
        np.testing.assert_allclose([r[name] for r in rows[:5]], [r[name] for r in expected[:5]], rtol=1e-2, err_msg=name)
    _, params = spectral_jax.load(workdir)
    chex.assert_tree_all_finite(params)


def test_where_one_process_is_killed_the_other_says_so_and_ends(tmp_path):
    workdir = tmp_path / "killed"
    more = ("--config.train.steps=100000", "--config.train.save_every=5", "--config.probe.enabled=false")
    processes = start(tmp_path, workdir, *more, hosts=2)
    until((workdir / "checkpoints" / "5").is_dir, processes)
    processes[1].kill()
    killed = time.monotonic()
    text, _ = processes[0].communicate(timeout=150)
    processes[1].communicate()
    assert processes[0].returncode == 1, text
    assert time.monotonic() - killed < 90
    saved = max(int(p.name) for p in (workdir / "checkpoints").glob("[0-9]*") if p.name.isdigit())
    assert "process 0 of 2 ends: another process of this run died or cannot be reached" in text
    assert f"Start all processes again with the same command; it continues from step {saved}." in text
    assert "Traceback" not in text


def test_processes_that_do_not_meet_say_what_to_check(tmp_path):
    """Process 0 alone, and process 1 where nobody listens; the limit includes no import."""
    limit = "--coordinator_timeout_s=2"
    here, other = start(tmp_path, tmp_path / "none", limit, hosts=2), start(tmp_path, tmp_path / "none", limit, hosts=2)
    for unwanted in (here[1], other[0]):
        unwanted.kill()
        unwanted.communicate()
    codes, (waited, refused) = finish([here[0], other[1]])
    assert codes == [1, 1]
    assert "after 2 s (--coordinator_timeout_s) not all others had come. Check that they run" in waited
    assert "process 1 of 2 did not find its run" in refused
    assert "Connection refused" in refused
    assert "Check address and port, that process 0 runs on that host" in refused
    assert "Traceback" not in waited + refused
    assert "stack trace" not in waited + refused
    assert not (tmp_path / "none").exists()
