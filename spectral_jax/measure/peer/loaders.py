"""Our loader against zarr-python with PyTorch's DataLoader, on the same patches of the same store."""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from spectral_jax.config import Config
from spectral_jax.data.loader import Loader
from spectral_jax.measure import machine, throughput
from spectral_jax.sentences import needs


def compare(cfg: Config, path: str, batches: int = 32, repeats: int = 3) -> dict:
    """Seconds of both for the same batches, in turn.

    Ours has its cache of chunks empty each time, as it is made anew; the DataLoader's files are in memory and its workers run,
    as it reads everything once before it is timed.

    Args:
      cfg: the run; its `data.store` is not looked at.
      path: folder of the store, which holds integers.
      batches: how many are read.
      repeats: turns.

    Returns:
      JSON-ready: the seconds of each turn of "ours", of the DataLoader in this process ("0 workers") and with as many worker
      processes as there are cores; "faster" of the two in the median; "ratios" of its seconds to ours; their median "ratio".

    Raises:
      ImportError: there is no PyTorch or no zarr-python.
      ValueError: the two did not read the same pixels.
      ChildProcessError: the DataLoader's process failed; what it printed stands above.
    """
    with needs("PyTorch and zarr", "compare", "the comparison of loaders"):
        if importlib.util.find_spec("torch") is None or importlib.util.find_spec("zarr") is None:
            raise ImportError
    job = {"store": str(path), "batches": _wanted(cfg, path, batches)}
    workers = (0, len(os.sched_getaffinity(0)))
    total = _sum(cfg, path, batches)
    seconds: dict[str, list[float]] = {"ours": [], **{f"{n} workers": [] for n in workers}}
    for _ in range(repeats):
        seconds["ours"].append(throughput.time_loader(cfg, path, batches))
        for n in workers:
            found = _theirs(job | {"workers": n})
            if found["sum"] != total:
                raise ValueError(
                    f"the loaders read different pixels: their sum is {total} and {found['sum']}; nothing is told."
                )
            seconds[f"{n} workers"].append(found["seconds"])
    best = min((name for name in seconds if name != "ours"), key=lambda name: np.median(seconds[name]))
    ratios = [theirs / mine for theirs, mine in zip(seconds[best], seconds["ours"], strict=True)]
    return {**seconds, "faster": best, "ratio": float(np.median(ratios)), "ratios": ratios}


def _wanted(cfg: Config, path: str, batches: int) -> list[list[dict]]:
    """Of every batch the locations, and of each sensor -> array, row, date, used bands."""
    made, out, used = Loader(cfg, path), [], {s.key: s.spec.used_index for s in cfg.sensors}
    for i in range(batches):
        rows: dict[int, dict] = {}
        for group, key, row, date, _ in throughput.patches(made, i):
            rows.setdefault(row, {})[key] = (f"{group}/{key}", row, date, used[key])
        out.append(list(rows.values()))
    return out


def _sum(cfg: Config, path: str, batches: int) -> int:
    """Of all pixels that are there; the pass that brings the files into memory too."""
    read = (data for batch in Loader(cfg, path).batches(0, batches, workers=0) for data in batch.sensors.values())
    return sum(int(data.pixels[data.present].sum(dtype=np.int64)) for data in read)


def _theirs(job: dict) -> dict:
    with tempfile.TemporaryDirectory(prefix="spectral_jax_loader_") as folder:
        (Path(folder) / "job.json").write_text(json.dumps(job))
        command = [sys.executable, "-m", f"{__package__}.torch_loader", f"{folder}/job.json"]
        child = subprocess.run(command, env=machine.with_package(), stdout=subprocess.PIPE, text=True, check=False)
    if child.returncode:
        raise ChildProcessError(f"the DataLoader's process ended with {child.returncode}; what it printed stands above.")
    return json.loads(child.stdout)
