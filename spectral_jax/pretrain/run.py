"""A pretraining run from config to closing words: store, probe before, training, probe after."""

import os
from pathlib import Path

import jax

from spectral_jax import configure
from spectral_jax.config import Config
from spectral_jax.data.loader import Loader
from spectral_jax.pretrain.probe import ProbeResult, probe
from spectral_jax.simulate.lake.store import write_lake_store
from spectral_jax.simulate.scenes.store import write_store
from spectral_jax.train import loop, partition, state

SIMULATED_STORES = ("synthetic", "lake")  # values of data.store that stand for a simulation in the work folder


def pretrain(cfg: Config, workdir: Path) -> None:
    """Runs, or continues, the run `cfg` in `workdir`.

    Args:
      cfg: the run.
      workdir: gets config.json, metrics.jsonl, tensorboard/, checkpoints/ and curves.png.

    Raises:
      ValueError: the folder holds another run, or the store, the mesh or the batch do not fit the config.
      loop.Preempted, loop.NonFiniteLoss, CheckpointError: see `loop.train`.
    """
    partition.make_mesh(cfg)  # a mesh that does not fit is told before anything is written
    _check_same_run(cfg, workdir)
    path = simulate(cfg, workdir) if cfg.data.store in SIMULATED_STORES else Path(cfg.data.store)
    loader = Loader(cfg, path, process_index=jax.process_index(), process_count=jax.process_count())
    if jax.process_index() == 0:
        workdir.mkdir(parents=True, exist_ok=True)
        (workdir / "config.json").write_text(configure.to_json(cfg))
        print(loader.describe(), flush=True)
    untrained = _probe(state.init_params(jax.random.key(cfg.train.seed), cfg), cfg, loader, "untrained")
    summary = loop.train(cfg, loader, workdir)
    trained = _probe(summary.state.params, cfg, loader, "trained")
    _close(cfg, workdir, summary, untrained, trained)


def _check_same_run(cfg: Config, workdir: Path) -> None:
    file = workdir / "config.json"
    if not file.is_file():
        if (workdir / "checkpoints").is_dir() and any((workdir / "checkpoints").iterdir()):
            raise ValueError(
                f"{workdir} has checkpoints and no config.json; it is no run of pretrain.py. Take another --workdir."
            )
        return
    before = configure.from_json(file.read_text(), where=str(file))
    differing = configure.another_run(before, cfg)
    if differing:
        raise ValueError(
            f"{workdir} holds another run: {'; '.join(differing[:5])} (there against here). Give the same config to continue "
            "it, or another --workdir."
        )


def simulate(cfg: Config, workdir: Path) -> Path:
    """Writes the simulated store of a run, once: scenes (`synthetic`) or a lake (`lake`, seen by the first sensor alone)."""
    path = workdir / f"{cfg.data.store}.zarr"
    if jax.process_index() == 0 and not path.exists():
        wanted = cfg.data.synthetic
        print(
            f"Simulating {wanted.locations} locations of {cfg.model.footprint_m:g} m into {path} (simulated data, no "
            "observations).",
            flush=True,
        )
        if cfg.data.store == "lake":
            sensor = cfg.sensors[0]
            write_lake_store(
                path, sensor.spec, key=sensor.key, footprint_m=cfg.model.footprint_m, locations=wanted.locations,
                dates=wanted.dates, seed=wanted.seed,
            )  # fmt: skip
        else:
            write_store(path, wanted, {s.key: s.spec for s in cfg.sensors}, cfg.model.footprint_m)
    if jax.process_count() > 1:
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices("simulated store written")
    return path


def _probe(params: dict, cfg: Config, loader: Loader, which: str) -> ProbeResult | None:
    if not cfg.probe.enabled:
        return None
    # The first process probes alone, so it needs whole arrays of its own; gathering them takes part of every process.
    whole = partition.gathered(params)
    if jax.process_index() != 0:
        return None
    result = probe(whole, cfg, loader)
    print(
        f"Linear probe of the {which} encoder: mean R2 {result.mean:.3f} over {len(result.names)} ground parameters.",
        flush=True,
    )
    return result


def _close(
    cfg: Config, workdir: Path, summary: loop.Summary, untrained: ProbeResult | None, trained: ProbeResult | None
) -> None:
    if jax.process_index() != 0:
        return
    first, last = summary.first, summary.last
    if first is None or last is None:
        print(f"Nothing was left to do: step {summary.started_at} of {cfg.train.steps} is the last.")
    else:
        print(f"Loss {first['loss']:.4f} at step {first['step']}, {last['loss']:.4f} at step {last['step']}.")
    if untrained and trained:
        print("\nR2 on held-out locations of the simulated store   untrained  trained")
        for name, before, after in zip(untrained.names, untrained.r2, trained.r2, strict=True):
            print(f"  {name:<46s} {before:9.3f} {after:8.3f}")
        print(f"  {'mean':<46s} {untrained.mean:9.3f} {trained.mean:8.3f}   gain {trained.mean - untrained.mean:+.3f}")
    print(
        f"\nWhat to do next:\n"
        f"  look at    {workdir / 'curves.png'}, or run: tensorboard --logdir {workdir / 'tensorboard'}\n"
        f"  use it     cfg, params = spectral_jax.load({os.fspath(workdir)!r}); out = spectral_jax.apply(params, batch, cfg)\n"
        f"  go on      the same command with a new --workdir and --config.train.steps={2 * cfg.train.steps}"
    )
