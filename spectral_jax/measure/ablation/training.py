"""Rows and seeds trained one after another, each in a process of its own; what is finished is not done again."""

import dataclasses
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import jax

from spectral_jax import configure
from spectral_jax.addresses.work import Work
from spectral_jax.config import Config
from spectral_jax.measure import machine
from spectral_jax.measure.ablation import budget, work
from spectral_jax.measure.ablation.rows import STEPS, Ablation, folder_of
from spectral_jax.pretrain.run import SIMULATED_STORES, simulate
from spectral_jax.train import checkpoint
from spectral_jax.train.checkpoint_files import place


@dataclasses.dataclass(frozen=True)
class Trained:
    """A finished run.

    Attributes:
      folder: of the run.
      steps: made.
      cpu_s: CPU seconds of training, compiling not counted.
    """

    folder: Path
    steps: int
    cpu_s: float


def train_all(
    ablation: Ablation, workdir: Path, seeds: Sequence[int], say: Callable[[str], None] = print
) -> dict[str, list[Trained]]:
    """Trains every row with every seed, as far as that is still to be done.

    Args:
      ablation: rows and budget.
      workdir: gets a folder a row with one a seed, and `stores`.
      seeds: of training; the store is the same.
      say: gets a line a run.

    Returns:
      Row -> a finished run a seed.

    Raises:
      ValueError: a budget pays for too few steps, or a folder holds another row.
      RuntimeError: a process ended badly; the sentence says where its output is.
    """
    out: dict[str, list[Trained]] = {}
    for name, cfg in ablation.rows.items():
        cfg, home = _with_store(cfg, workdir), workdir / folder_of(name)
        steps = _steps(cfg, ablation.budget, home / f"pace_{_digest(cfg)}", say)
        cfg = dataclasses.replace(
            cfg, train=dataclasses.replace(cfg.train, steps=steps), probe=dataclasses.replace(cfg.probe, enabled=False)
        )
        out[name] = []
        for seed in seeds:
            one = dataclasses.replace(cfg, train=dataclasses.replace(cfg.train, seed=seed))
            out[name].append(_train(one, home / f"seed{seed}"))
            say(f"{name}, seed {seed}: {steps} steps, {out[name][-1].cpu_s:.1f} CPU s of training.")
    return out


def _with_store(cfg: Config, workdir: Path) -> Config:
    """The config with its simulated store written, once for all rows that see the same one."""
    if cfg.data.store not in SIMULATED_STORES:
        return cfg
    about = f"{cfg.data.store} {cfg.data.synthetic} {cfg.model.footprint_m} " + " ".join(
        f"{s.key} {dataclasses.replace(s.spec, mean=(), std=()).digest}" for s in cfg.sensors
    )
    folder = workdir / "stores" / hashlib.sha256(about.encode()).hexdigest()[:8]
    folder.mkdir(parents=True, exist_ok=True)
    path = simulate(cfg, Work(folder))
    return dataclasses.replace(cfg, data=dataclasses.replace(cfg.data, store=str(path.resolve())))


def _steps(cfg: Config, allowed: float | str, folder: Path, say: Callable[[str], None]) -> int:
    """Steps of a row: the config's, or as many as the budget pays for at the pace that is measured once."""
    if allowed == STEPS:
        return cfg.train.steps
    assert isinstance(allowed, float)
    if not (folder / work.PACE).exists():
        _child("pace", cfg, folder)
        pace = json.loads((folder / work.PACE).read_text())
        say(f"{cfg.name}: {pace['a_step_s']:.3f} CPU s a step, by {pace['steps']} steps after compiling.")
    return budget.steps_within(allowed, json.loads((folder / work.PACE).read_text())["a_step_s"])


def _train(cfg: Config, folder: Path) -> Trained:
    if (folder / work.WANTED).exists():
        before = configure.from_json((folder / work.WANTED).read_text(), where=str(folder / work.WANTED))
        differing = configure.changed(before, cfg)
        if differing:
            raise ValueError(
                f"{folder} holds another row: {'; '.join(differing[:3])} (there against here). Take another --workdir, or "
                "remove that folder."
            )
    if not _finished(folder, cfg.train.steps):
        _child("train", cfg, folder)
    pieces = [json.loads(line) for line in (folder / work.PIECES).read_text().splitlines()]
    return Trained(folder, cfg.train.steps, budget.spent(pieces, cfg.train.steps))


def _finished(folder: Path, steps: int) -> bool:
    try:
        return int(place.find(folder).name) >= steps
    except checkpoint.CheckpointError:
        return False


def _child(job: str, cfg: Config, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / work.WANTED).write_text(configure.to_json(cfg))
    environment = machine.with_package()
    kept = jax.config.values["jax_compilation_cache_dir"]
    if kept:  # programs that one row compiled serve its other seeds
        environment["JAX_COMPILATION_CACHE_DIR"] = kept
        environment["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.5"
    output = folder / f"{job}.txt"
    with output.open("a") as file:
        command = [sys.executable, "-m", work.__name__, job, str(folder)]
        code = subprocess.run(command, env=environment, stdout=file, stderr=subprocess.STDOUT, check=False).returncode
    if code:
        last = output.read_text().strip().rpartition("\n")[2]
        raise RuntimeError(
            f"{cfg.name}, seed {cfg.train.seed}: {job} ended with code {code} ({last}); {output} has all it said. What is "
            "finished is kept: mend it and run the same command, or leave the row out with --only."
        )


def _digest(cfg: Config) -> str:
    """Of what a step costs: the config without its seed and length."""
    plain = dataclasses.replace(cfg, train=dataclasses.replace(cfg.train, seed=0, steps=1))
    return hashlib.sha256(configure.to_json(plain).encode()).hexdigest()[:8]
