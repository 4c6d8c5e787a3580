"""Candidates: runs of one recipe that differ in their seeds, the features of their levels, and their untrained twins."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np

from spectral_jax import api, configure, places
from spectral_jax.config import Config
from spectral_jax.measure.worth.unseen import Places
from spectral_jax.pretrain.probe import embed_locations
from spectral_jax.pretrain.run import SIMULATED_STORES
from spectral_jax.train import checkpoint
from spectral_jax.train.checkpoint_files import place


@dataclasses.dataclass(frozen=True)
class Run:
    """A run folder, its config, and the store that it learned from."""

    folder: Path
    cfg: Config
    store: Path


@dataclasses.dataclass(frozen=True)
class Candidate:
    """Runs of one recipe, one a training seed."""

    name: str
    runs: tuple[Run, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        """Of training."""
        return tuple(run.cfg.train.seed for run in self.runs)


def read(folder: Path) -> Run:
    """A run folder of `experiments/pretrain.py`.

    Raises:
      CheckpointError: it has no finished checkpoint.
      FileNotFoundError: the store that it learned from is gone, which the rivals are fitted to.
    """
    cfg = checkpoint.read_config(place.find(folder))
    store = (
        folder / f"{cfg.data.store}.zarr" if cfg.data.store in SIMULATED_STORES else places.local(cfg.data.store, "data.store")
    )
    if not store.exists():
        raise FileNotFoundError(
            f"{folder}: its training store {store} is not there, and rivals are fitted to it; bring it back, or give the run "
            "folder with its store."
        )
    return Run(folder, cfg, store)


def by_recipe(runs: Sequence[Run]) -> list[Candidate]:
    """Runs whose configs differ in their seeds alone make one candidate, called by its config's name.

    Raises:
      ValueError: two runs of a candidate have the same training seed.
    """
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(_recipe(run.cfg), []).append(run)
    names = [group[0].cfg.name for group in found.values()]
    out = []
    for group in found.values():
        name = group[0].cfg.name
        seeds = [run.cfg.train.seed for run in group]
        if len(set(seeds)) < len(seeds):
            raise ValueError(
                f"--runs: {', '.join(str(run.folder) for run in group)} are runs of one recipe with the training seeds "
                f"{', '.join(map(str, seeds))}; expected each seed once."
            )
        out.append(Candidate(f"{name} ({group[0].folder.name})" if names.count(name) > 1 else name, tuple(group)))
    return out


def trained(run: Run, unseen: Places, key: str, date: int = 0) -> dict[str, np.ndarray]:
    """Features [N D] of the places by level at valid date `date`, with the parameters of a run's newest checkpoint."""
    return levels(api.load(run.folder)[1], run.cfg, unseen, key, date)


def untrained(run: Run, unseen: Places, key: str, date: int = 0) -> dict[str, np.ndarray]:
    """The same with the parameters that the run began with: fresh ones of its seed."""
    return levels(api.init(jax.random.key(run.cfg.train.seed), run.cfg), run.cfg, unseen, key, date)


def levels(params: dict, cfg: Config, unseen: Places, key: str, date: int) -> dict[str, np.ndarray]:
    """Features [N D] of the places by level of the readout."""
    # Without its seed, so that all seeds of a recipe run one compiled program.
    train = dataclasses.replace(cfg.train, seed=0)
    shown = dataclasses.replace(cfg, probe=dataclasses.replace(cfg.probe, sensors=(key,)), train=train)
    return embed_locations(params, shown, unseen.loader(shown), date)[0]


def _recipe(cfg: Config) -> str:
    synthetic = dataclasses.replace(cfg.data.synthetic, seed=0)
    data = dataclasses.replace(cfg.data, seed=0, synthetic=synthetic, store="any", workers=0, prefetch=1)
    return configure.to_json(dataclasses.replace(cfg, data=data, train=dataclasses.replace(cfg.train, seed=0)))
