"""Seconds and memory to the first batch, and of later schedules, each process of a run by itself."""

import json
import pickle
import subprocess
import sys
import time

import numpy as np

from spectral_jax import configure
from spectral_jax.config import Config
from spectral_jax.data.loader import Loader
from spectral_jax.measure import machine
from spectral_jax.measure.throughput import resident_bytes

LATE = 1_000_000  # a batch far into a run
SCHEDULES = 200


def measure(cfg: Config, path: str, process: int = 0, processes: int = 1) -> dict:
    """What one process of a run needs until it has a batch, measured in a fresh Python process.

    Args:
      cfg: the run; `data.batch_size` is over all processes.
      path: the store, a folder or an address.
      process: which one.
      processes: of how many.

    Returns:
      JSON-ready: seconds to "opened" (which includes flags and schedule), to the "first" batch from the beginning, and of
      "late", batch 1,000,000; bytes of memory above importing once "opened_bytes", with the "first_bytes", and "most_bytes" at
      any time; bytes sent to a worker process once the loader was used, "pickled"; and seconds of the rows of random later
      batches, "schedule_median" and "schedule_most".

    Raises:
      RuntimeError: the process failed; the sentence ends with what it said.
    """
    environment = machine.with_package() | {"JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-m", __name__, path, str(process), str(processes)]
    run = subprocess.run(command, input=configure.to_json(cfg), capture_output=True, text=True, env=environment)
    if run.returncode:
        raise RuntimeError(f"startup: process {process} of {processes} failed: {run.stderr.strip().splitlines()[-1]}")
    return json.loads(run.stdout)


def _measured(cfg: Config, path: str, process: int, processes: int) -> dict:
    before = resident_bytes()
    started = time.perf_counter()
    loader = Loader(cfg, path, process_index=process, process_count=processes)
    out: dict = {"opened": time.perf_counter() - started, "opened_bytes": resident_bytes() - before}
    loader.batch(0)
    out |= {"first": time.perf_counter() - started, "first_bytes": resident_bytes() - before}
    started = time.perf_counter()
    names = loader.names(loader.batch(LATE))
    most = round(machine.memory()["peak_mib"] * 2**20)
    out |= {"late": time.perf_counter() - started, "named": len(names), "most_bytes": most - before}
    out["pickled"] = len(pickle.dumps(loader))
    seconds = []
    for i in np.random.default_rng(0).integers(0, 10 * LATE, SCHEDULES).tolist():
        started = time.perf_counter()
        loader.schedule.rows(i)
        seconds.append(time.perf_counter() - started)
    return out | {"schedule_median": float(np.median(seconds)), "schedule_most": max(seconds)}


if __name__ == "__main__":
    given = configure.from_json(sys.stdin.read(), where="the config given to startup")
    print(json.dumps(_measured(given, sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
