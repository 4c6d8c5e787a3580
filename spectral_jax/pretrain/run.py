"""A pretraining run from config to closing words: store, probe before, training, probe after."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import jax

from spectral_jax import configure, places
from spectral_jax.addresses.address import joined
from spectral_jax.addresses.work import Work, opened
from spectral_jax.config import Config
from spectral_jax.data.loader import Loader
from spectral_jax.data.store import open_store
from spectral_jax.model.encoder.readout import POOLED
from spectral_jax.pretrain import sample
from spectral_jax.pretrain.probe import ProbeResult, probe
from spectral_jax.sensors import differences
from spectral_jax.simulate.lake.store import write_lake_store
from spectral_jax.simulate.scenes.groups import layouts
from spectral_jax.simulate.scenes.store import write_store
from spectral_jax.train import loop, partition, state
from spectral_jax.train.checkpoint_files import place
from spectral_jax.train.peers import watched
from spectral_jax.train.record import read_metrics

Probed = dict[str, ProbeResult]  # by level of the encoder
SIMULATED_STORES = ("synthetic", "lake")  # values of data.store that stand for a simulation in the work folder


def pretrain(cfg: Config, workdir: str | os.PathLike) -> None:
    """Runs, or continues, the run `cfg` in `workdir`.

    Args:
      cfg: the run.
      workdir: path or address (gs://, s3://); it gets config.json, metrics.jsonl, tensorboard/, checkpoints/ and curves.png.

    A run that is refused before its first step leaves no `config.json`, so the folder takes another config afterwards.

    Raises:
      ValueError: the folder holds another run, or the store, the mesh or the batch do not fit the config, or nothing in the
        store is valid.
      loop.Preempted, loop.NonFiniteLoss, NothingValid, CheckpointError: see `loop.train`.
      ProcessLost: another process of the run is gone.
      Held: another run is going on in the folder.
    """
    partition.make_mesh(cfg)  # a mesh that does not fit is told before anything is written
    with opened(workdir, first=jax.process_index() == 0) as work, watched(lambda: place.newest(work.checkpoints)):
        _pretrain(cfg, work)


def _pretrain(cfg: Config, work: Work) -> None:
    _check_same_run(cfg, work)
    path = simulate(cfg, work) if cfg.data.store in SIMULATED_STORES else places.either(cfg.data.store, "data.store")
    loader = Loader(cfg, path, process_index=jax.process_index(), process_count=jax.process_count())
    told = sample.check(loader)
    if jax.process_index() == 0:
        print("\n".join([loader.describe(), *told]), flush=True)
    untrained = _probe(lambda: state.init_params(jax.random.key(cfg.train.seed), cfg), cfg, loader, "untrained")
    summary = loop.train(cfg, loader, work, begun=lambda: _keep_config(cfg, work))
    trained = _probe(lambda: summary.state.params, cfg, loader, "trained")
    _close(cfg, work, summary, untrained, trained)


def _has_run(work: Work) -> bool:
    """Whether a step was ever made in this folder."""
    return bool(read_metrics(work.path)) or place.begun(work.checkpoints)


def _check_same_run(cfg: Config, work: Work) -> None:
    file = work.path / "config.json"
    if not _has_run(work):
        return  # a config that an earlier version wrote before the first step binds nobody
    if not file.is_file():
        raise ValueError(
            f"{work.shown} has checkpoints and no config.json; it is no run of pretrain.py. Take another --workdir."
        )
    before = configure.from_json(file.read_text(), where=f"config.json of {work.shown}")
    differing = configure.another_run(before, cfg)
    if differing:
        raise ValueError(
            f"{work.shown} holds another run: {'; '.join(differing[:5])} (there against here). Give the same config to "
            f"continue it, or another --workdir; a run may change {', '.join(configure.CHANGEABLE)} on its way."
        )


def _keep_config(cfg: Config, work: Work) -> None:
    if jax.process_index() == 0:
        places.write_whole(work.path / "config.json", configure.to_json(cfg))
        work.flush()  # a run in a bucket is known by it, so it is there before the first checkpoint


def simulate(cfg: Config, work: Work) -> Path:
    """Writes the simulated store of a run, once: scenes (`synthetic`) or a lake (`lake`, seen by the first sensor alone).

    It is always on this machine. Where the work folder is in a bucket each process writes one of its own, the same to the bit.
    """
    path = work.path / f"{cfg.data.store}.zarr"
    if (work.address or jax.process_index() == 0) and _to_be_written(cfg, path, work):
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


def _to_be_written(cfg: Config, path: Path, work: Work) -> bool:
    """Whether the store is still to be simulated; one that a refused run left and that another config asked for is removed."""
    if not path.exists():
        return True
    different = _of_another_simulation(cfg, path)
    if not different:
        return False
    if _has_run(work):
        raise ValueError(
            f"{path} was simulated with {different}; remove that folder to have it simulated again, or take another --workdir."
        )
    print(f"{path} was simulated with {different}, and no run has used it yet; it is simulated again.", flush=True)
    shutil.rmtree(path)
    return True


def _of_another_simulation(cfg: Config, path: Path) -> str:
    """In what a simulated store differs from what the config asks for, as part of a sentence; empty where it does not."""
    wanted, found = cfg.data.synthetic, open_store(path)
    groups = list(found.groups.values())
    expected = {s.key: s.spec for s in (cfg.sensors[:1] if cfg.data.store == "lake" else cfg.sensors)}
    sizes = {"lake": wanted.locations}
    if cfg.data.store == "synthetic":
        sizes = {layout.name: layout.locations for layout in layouts(wanted, expected)}
    pairs = [
        ("data.synthetic.seed", found.provenance.get("seed", wanted.seed), wanted.seed),
        ("data.synthetic.locations", {g.name: g.locations for g in groups}, sizes),
        ("data.synthetic.dates", groups[0].dates, wanted.dates),
        ("model.footprint_m", found.footprint_m, cfg.model.footprint_m),
    ]
    said = [f"{name} {a} and not {b}" for name, a, b in pairs if a != b]
    for group in groups:
        said += [
            f"another {key} ({differences(expected[key], spec)[0]})"
            for key, spec in group.sensors.items()
            if key in expected and differences(expected[key], spec)
        ]
    return ", ".join(said[:3])


def _probe(params: Callable[[], dict], cfg: Config, loader: Loader, which: str) -> Probed | None:
    if not cfg.probe.enabled:
        return None  # and nothing is drawn: a run that goes on would draw parameters for nobody
    # The first process probes alone, so it needs whole arrays of its own; gathering them takes part of every process.
    whole = partition.gathered(params())
    if jax.process_index() != 0:
        return None
    result = probe(whole, cfg, loader)
    pooled = result[POOLED]
    print(
        f"Linear probe of the {which} encoder: mean R2 {pooled.mean:.3f} over {len(pooled.names)} ground parameters.",
        flush=True,
    )
    return result


def _close(cfg: Config, work: Work, summary: loop.Summary, untrained: Probed | None, trained: Probed | None) -> None:
    if jax.process_index() != 0:
        return
    first, last = summary.first, summary.last
    if first is None or last is None:
        print(f"Nothing was left to do: step {summary.started_at} of {cfg.train.steps} is the last.")
    else:
        print(f"Loss {first['loss']:.4f} at step {first['step']}, {last['loss']:.4f} at step {last['step']}.")
    if untrained and trained:
        print("\n".join(_compared(untrained, trained)))
    print(
        f"\nWhat to do next:\n"
        f"  look at    {joined(work.shown, 'curves.png')}, or run: tensorboard --logdir {joined(work.shown, 'tensorboard')}\n"
        f"  use it     cfg, params = spectral_jax.load({work.shown!r}); out = spectral_jax.apply(params, batch, cfg)\n"
        f"  go on      the same command with --config.train.steps={2 * cfg.train.steps}: it continues from the last step\n"
        f"  anew       with another schedule from these parameters: a new --workdir and --config.train.start_from={work.shown}"
    )


def _compared(untrained: Probed, trained: Probed) -> list[str]:
    """Lines of a table: every ground parameter by the pooled embedding, and the mean by every level."""
    before, after = untrained[POOLED], trained[POOLED]
    lines = ["", "R2 on held-out locations of the simulated store   untrained  trained"]
    for name, a, b in zip(before.names, before.r2, after.r2, strict=True):
        lines.append(f"  {name:<46s} {a:9.3f} {b:8.3f}")
    lines.append(f"  {'mean':<46s} {before.mean:9.3f} {after.mean:8.3f}   gain {after.mean - before.mean:+.3f}")
    lines.append("Mean R2 by level: mean and deviation of its tokens over the patch; pooled is the embedding above")
    return lines + [f"  {level:<46s} {untrained[level].mean:9.3f} {trained[level].mean:8.3f}" for level in trained]
