"""Building a store: seconds with one worker and with two, and a build whose processes are killed at random moments."""

import contextlib
import dataclasses
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from spectral_jax.ingest.patches import build
from spectral_jax.ingest.patches.products import table
from spectral_jax.sensors import SensorSpec
from spectral_jax.sentences import needs

FOOTPRINT_M = 1920.0
SIDE = 256  # pixels of a tile, which holds 16 patches
SHARD_BYTES = 15 * 2**20  # eight patches
LOG = "log.txt"  # what the last run said
TOOL = Path(__file__).resolve().parents[2] / "tools" / "build_store.py"


def write_tiles(folder: Path, tiles: int) -> None:
    """Writes SIMULATED EnMAP tiles, compressed as products are: a ramp in space and in wavelength, with noise."""
    with needs("rasterio", "geo", "writing tiles"):
        import rasterio
    folder.mkdir(parents=True, exist_ok=True)
    spec, rng = SensorSpec.load("enmap_l2a"), np.random.default_rng(0)
    ramp = np.add.outer(np.arange(SIDE), np.arange(SIDE)) % 500
    for tile in range(tiles):
        place = rasterio.Affine(spec.gsd_m, 0.0, 500_000.0 + tile * SIDE * spec.gsd_m, 0.0, -spec.gsd_m, 5_800_000.0)
        with rasterio.open(
            folder / f"tile{tile:03d}.tif", "w", driver="GTiff", width=SIDE, height=SIDE, count=len(spec.bands), dtype="int16",
            crs="EPSG:32633", transform=place, compress="deflate", tiled=True, blockxsize=64, blockysize=64,
        ) as file:  # fmt: skip
            ground = 1000 + ramp + rng.normal(0.0, 30.0, ramp.shape)
            for i, band in enumerate(spec.bands):
                file.write((ground + 3 * i + rng.normal(0.0, 8.0, ramp.shape)).astype(np.int16), i + 1)
                file.update_tags(i + 1, wavelength=f"{band.centre_nm}", fwhm=f"{band.fwhm_nm}")
            file.update_tags(note="SIMULATED", start_time="2022-07-24T12:00:00")


@dataclasses.dataclass(frozen=True)
class Timed:
    """A build.

    Attributes:
      workers: how many.
      building: seconds from the moment they were there to the last patch.
      whole: seconds from the command to the end, with starting and ending them.
      cpu: seconds that the workers computed while they built.
      own_cpu: seconds that the process computed that gives them shards.
    """

    workers: int
    building: float
    whole: float
    cpu: float
    own_cpu: float


def speed(folder: Path, tiles: int, repeats: int, counts: tuple[int, ...], say: Callable[[str], None]) -> list[Timed]:
    """Builds of the same tiles in turn, with each number of workers."""
    write_tiles(folder / "tiles", tiles)
    inputs, out = build.Inputs(FOOTPRINT_M, (table.parsed(f"enmap:{folder / 'tiles'}"),)), []
    total = tiles * (SIDE // round(FOOTPRINT_M / 30.0)) ** 2
    for repeat in range(repeats):
        for workers in counts:
            at: list[np.ndarray] = []

            def report(line: str, at: list[np.ndarray] = at) -> None:
                if "on this machine" in line or line.startswith(f"{total} of {total} patches"):
                    at.append(np.array([time.monotonic(), *_cpu_seconds()]))

            began = time.monotonic()
            build.build(inputs, folder / f"{repeat}_{workers}.zarr", report, SHARD_BYTES, build.Help(workers=workers))
            took = at[-1] - at[0]
            out.append(Timed(workers, float(took[0]), time.monotonic() - began, float(took[1]), float(took[2])))
            say(
                f"{workers} workers: {took[0]:.1f} s, of CPU {took[1]:.1f} s and {took[2]:.1f} s beside them; with starting "
                f"them {out[-1].whole:.1f} s (load {os.getloadavg()[0]:.1f})"
            )
    return out


def _cpu_seconds() -> tuple[float, float]:
    """Of the workers of this process until now, and of itself."""
    with needs("psutil", "dask", "measuring workers"):
        import psutil
    of_workers = [psutil.Process(pid).cpu_times() for pid in workers_of(os.getpid())]
    own = psutil.Process().cpu_times()
    return sum(t.user + t.system for t in of_workers), own.user + own.system


@dataclasses.dataclass(frozen=True)
class Killed:
    """What killing did: patches that were there at each kill, runs of the command, and files that differ at the end."""

    kills: tuple[int, ...]
    runs: int
    differences: tuple[str, ...]

    def text(self) -> str:
        """A line for a person."""
        verdict = "; ".join(self.differences[:5]) or "the same, byte for byte"
        return (
            f"{len(self.kills)} kills, at {', '.join(map(str, self.kills))} patches; {self.runs} runs; the store is {verdict}."
        )


def killed(folder: Path, tiles: int, kills: int, seed: int, builder: bool, say: Callable[[str], None]) -> Killed:
    """Builds a store with two workers that are killed again and again, or whose builder is, and compares it with another.

    Args:
      folder: for tiles and stores.
      tiles: how many; with too few the build ends before its kills.
      kills: at most.
      seed: of the moments and of the worker.
      builder: whether the process that the user started is killed, and started again, instead of a worker.
      say: gets a line a kill.

    Raises:
      RuntimeError: a build ended by itself with an error; its last lines are in the text.
    """
    write_tiles(folder / "tiles", tiles)
    inputs = build.Inputs(FOOTPRINT_M, (table.parsed(f"enmap:{folder / 'tiles'}"),))
    whole = build.build(inputs, folder / "undisturbed.zarr", lambda line: None, SHARD_BYTES).store
    group, out = whole.groups["enmap"], folder / "killed.zarr"
    rng, moments, runs = np.random.default_rng(seed), list[int](), 1
    process = _start(folder, out)
    while len(moments) < kills:
        victim = _after(process, rng.uniform(0.0, 15.0 if builder else 12.0), folder / LOG, builder, rng)
        if victim is None:
            text = (folder / LOG).read_text()
            if process.returncode:
                raise RuntimeError(f"after {len(moments)} kills the build ended with {process.returncode}:\n{text[-2000:]}")
            break
        os.kill(victim, signal.SIGKILL)
        shards = len(list((out / "enmap" / "ENMAP").glob("c/*/0/0/0/0")))
        moments.append(min(shards * group.shard_locations("ENMAP"), group.locations))
        say(f"kill {len(moments)} of {kills}: {moments[-1]} of {group.locations} patches were there")
        if builder:
            process.wait()
            process, runs = _start(folder, out), runs + 1
    if process.wait():
        text = (folder / LOG).read_text()
        raise RuntimeError(f"after {kills} kills the build ended with {process.returncode}:\n{text[-2000:]}")
    return Killed(tuple(moments), runs, tuple(differences(folder / "undisturbed.zarr", out)))


def differences(one: Path, other: Path) -> list[str]:
    """Files that two stores do not have alike."""
    a, b = ({p.relative_to(s).as_posix(): _digest(p) for p in sorted(s.rglob("*")) if p.is_file()} for s in (one, other))
    return [f"{name} differs" if name in a and name in b else f"{name} is in one only" for name in sorted(a.keys() | b.keys())
            if a.get(name) != b.get(name)]  # fmt: skip


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _start(folder: Path, out: Path) -> subprocess.Popen:
    flags = [
        f"--product=enmap:{folder / 'tiles'}",
        f"--footprint_m={FOOTPRINT_M}",
        f"--shard_mb={SHARD_BYTES / 2**20}",
        f"--out={out}",
    ]
    with (folder / LOG).open("w") as log:
        return subprocess.Popen([sys.executable, str(TOOL), *flags, "--workers=2"], stdout=log, stderr=subprocess.STDOUT)


def _after(process: subprocess.Popen, seconds: float, log: Path, builder: bool, rng: np.random.Generator) -> int | None:
    """Waits, and gives whom to kill: the builder, or one of the workers once they build; None where the process has ended."""
    ends: float | None = time.monotonic() + seconds if builder else None
    while process.poll() is None:
        if ends is None and "dashboard" in log.read_text():
            ends = time.monotonic() + seconds
        if ends is not None and time.monotonic() > ends:
            candidates = [process.pid] if builder else workers_of(process.pid)
            if candidates:
                return int(rng.choice(candidates))
        time.sleep(0.02)
    return None


def workers_of(pid: int) -> list[int]:
    """Processes that Dask started below a process: of Python's `spawn`, without the one that watches over resources."""
    with needs("psutil", "dask", "finding workers"):
        import psutil
    found: list[Any] = []
    with contextlib.suppress(psutil.NoSuchProcess):
        found = psutil.Process(pid).children(recursive=True)
    out = []
    for child in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            out += [child.pid] if "spawn_main" in " ".join(child.cmdline()) else []
    return out
