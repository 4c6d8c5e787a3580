"""A child process: how many CPU seconds a step of a config takes, or its training.

    python -m spectral_jax.measure.ablation.work pace|train FOLDER

reads FOLDER/wanted.json, a config. A process of its own, so that what one row compiled, allocated or cached is no other's.
"""

import json
import sys
import time
from pathlib import Path

import jax

from spectral_jax import configure
from spectral_jax.addresses.work import Work
from spectral_jax.config import Config
from spectral_jax.data.feed import Feed
from spectral_jax.data.loader import Loader
from spectral_jax.measure.ablation.budget import Piece
from spectral_jax.train import checkpoint, loop, partition
from spectral_jax.train.checkpoint_files import place
from spectral_jax.train.programs import Programs

WANTED, PACE, PIECES = "wanted.json", "pace.json", "cpu.jsonl"
LEAST_STEPS, MOST_STEPS, LEAST_S = 8, 60, 6.0  # of a measurement of pace: choices, some 3 % between repeats


def measure_pace(cfg: Config) -> dict:
    """CPU seconds a step, of all threads, reading included; the first two steps and those that compile are not counted."""
    mesh = partition.make_mesh(cfg)
    run, now, key = Programs(partition.place_step(cfg, mesh)), partition.create_state(cfg, mesh), jax.random.key(0)
    seconds: list[float] = []
    with Feed(Loader(cfg, cfg.data.store).batches(0, MOST_STEPS, cfg.data.workers), mesh, ahead=cfg.data.prefetch) as feed:
        before, forms = time.process_time(), 0
        for number, batch in enumerate(feed):
            now, metrics = run(now, batch, key)
            jax.block_until_ready(metrics)
            if number >= 2 and len(run) == forms:
                seconds.append(time.process_time() - before)
            before, forms = time.process_time(), len(run)
            if len(seconds) >= LEAST_STEPS and sum(seconds) > LEAST_S:
                break
    return {"a_step_s": sum(seconds) / len(seconds), "steps": len(seconds)}


def train(cfg: Config, folder: Path) -> None:
    """Trains, or goes on training, in `folder`; adds a line about the CPU time to its cpu.jsonl."""
    began: list[float] = []

    def begun() -> None:
        (folder / "config.json").write_text(configure.to_json(cfg))
        began.append(time.process_time())

    start = _step(folder)
    try:
        loop.train(cfg, Loader(cfg, cfg.data.store), Work(folder), begun)
    finally:
        stop = _step(folder)
        if began and stop > start:
            piece = Piece(start=start, stop=stop, counted=stop - start - 1, cpu_s=time.process_time() - began[0])
            with (folder / PIECES).open("a") as file:
                file.write(json.dumps(piece) + "\n")


def _step(folder: Path) -> int:
    """Steps that the newest checkpoint of a folder has made; 0 without one."""
    try:
        return int(place.find(folder).name)
    except checkpoint.CheckpointError:
        return 0


def main(argv: list[str]) -> int:
    """Does what the command line names."""
    _, job, place = argv
    folder = Path(place)
    cfg = configure.from_json((folder / WANTED).read_text(), where=str(folder / WANTED))
    if job == "pace":
        (folder / PACE).write_text(json.dumps(measure_pace(cfg)))
    else:
        train(cfg, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
