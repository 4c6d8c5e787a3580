"""The encoders that a microcystin run compares: pretrained on a simulated lake in several ways, and not at all.

They never see a match-up, labelled or not, so no split can leak through them.
"""

import contextlib
import dataclasses
import io
from pathlib import Path

import jax
import numpy as np

from spectral_jax import api
from spectral_jax.addresses.work import Work
from spectral_jax.config import Config, SpecTM
from spectral_jax.data.loader import Loader
from spectral_jax.matchups import Matchups
from spectral_jax.microcystin.settings import Microcystin
from spectral_jax.microcystin.study import embedding
from spectral_jax.microcystin.study.compare import TARGETED
from spectral_jax.pretrain.run import simulate as simulate_store
from spectral_jax.train import loop

UNTRAINED = "untrained"


def ways(cfg: Microcystin) -> dict[str, SpecTM | None]:
    """Way of pretraining -> its objective; None is a fresh encoder."""
    if cfg.pretrain is None:
        return {}
    task = cfg.pretrain.spectm
    objectives: dict[str, SpecTM | None] = {TARGETED: task}
    if cfg.ablations:
        objectives["random"] = dataclasses.replace(task, masks=("random",), shares=(1.0,))
        objectives[UNTRAINED] = None
        objectives["targeted without reconstruction"] = dataclasses.replace(task, reconstruction=0.0)
        objectives["targeted without indices"] = dataclasses.replace(task, index=0.0)
        objectives["targeted without later date"] = dataclasses.replace(task, ahead=0.0)
    return objectives


def train(cfg: Microcystin, workdir: Path, seeds: int) -> dict[str, list[tuple[Config, dict]]]:
    """Trains, or finds already trained, every way with every seed.

    Args:
      cfg: the run; `cfg.pretrain` is the recipe.
      workdir: gets the simulated store and encoders/WAY-SEED.
      seeds: how many.

    Returns:
      Way -> config and parameters, one a seed.

    Raises:
      ValueError, loop.Preempted, loop.NonFiniteLoss, CheckpointError: see `loop.train`.
    """
    if cfg.pretrain is None:
        return {}
    encoders: dict[str, list[tuple[Config, dict]]] = {}
    store = simulate_store(cfg.pretrain, Work(workdir))
    for way, task in ways(cfg).items():
        for seed in range(seeds):
            run = _run(cfg.pretrain, task, seed, store)
            folder = workdir / "encoders" / f"{way.replace(' ', '_')}-{seed}"
            encoders.setdefault(way, []).append((run, _params(run, task, folder)))
        print(f"  encoder {way}: {seeds} seeds of {0 if task is None else cfg.pretrain.train.steps} steps", flush=True)
    return encoders


def load(workdir: Path) -> list[tuple[Config, dict]]:
    """Encoders of the targeted way, in the order of their seeds, as `train` left them; none where the run had none."""
    folders = sorted((workdir / "encoders").glob(f"{TARGETED}-[0-9]*"), key=lambda p: int(p.name.rsplit("-", 1)[1]))
    return [api.load(folder) for folder in folders]


def embeddings(encoders: list[tuple[Config, dict]], data: Matchups) -> list[np.ndarray]:
    """[N D] of each."""
    return [embedding.embed(params, cfg, data) for cfg, params in encoders]


def _run(base: Config, task: SpecTM | None, seed: int, store: Path) -> Config:
    return dataclasses.replace(
        base,
        spectm=base.spectm if task is None else task,
        data=dataclasses.replace(base.data, store=str(store), seed=seed),
        train=dataclasses.replace(base.train, seed=seed),
    )


def _params(cfg: Config, task: SpecTM | None, folder: Path) -> dict:
    if task is None:
        return api.init(jax.random.key(cfg.train.seed), cfg)
    folder.mkdir(parents=True, exist_ok=True)
    # Thirty progress reports would bury the comparison; each run keeps its own metrics.jsonl and curves.
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        return loop.train(cfg, Loader(cfg, cfg.data.store), Work(folder)).state.params
