"""A comparison of adaptations from config to page: task, splits, every row on the same seeds, statistics, and what they say."""

import dataclasses
import json
import time
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np

from spectral_jax import adapt_encoders, configure
from spectral_jax.adapt_encoders import Made
from spectral_jax.downstream import (
    adapt_page,
    adapt_tables,
    adaptations,
    blocks,
    label_fraction,
    leakage,
    pixel_baseline,
    protocols,
    simulated_task,
    supervised_fit,
    task_samples,
    task_scores,
)
from spectral_jax.downstream.adapt_settings import Adapt
from spectral_jax.downstream.blocks import Parts
from spectral_jax.downstream.task_samples import Part, Source
from spectral_jax.ingest.tasks import read as tasks
from spectral_jax.ingest.tasks.data import TaskData
from spectral_jax.pretraining import EXPECTED

__all__ = ["EXPECTED", "adapt"]
# Columns of the terminal, and what lines are compared on, where the task has them.
COLUMNS = ("iou_macro", "iou_micro", "accuracy_overall", "accuracy_mean", "f1_macro", "f1_micro", "map", "r2_mean",
           "hyperview_score")  # fmt: skip


def adapt(cfg: Adapt, workdir: Path, command: str = "") -> dict:
    """Runs the comparison; leaves config.json, results.json, statistics.json, leakage.json, coverage.json and report.html.

    Args:
      cfg: the run.
      workdir: made if need be; what an earlier run left there is replaced.
      command: how to run it again, for the page.

    Returns:
      What the page is made of: `results`, `statistics`, `leakage`, `coverage` and more.

    Raises:
      ValueError, FileNotFoundError: the task, a split, a row or a folder of weights does not do.
      loop.NonFiniteLoss: a training diverged.
    """
    started = time.monotonic()
    data = _task(cfg)
    source = task_samples.source_of(data)
    made = {pair: adapt_encoders.make(*pair, cfg, data.task, source) for pair in cfg.pairs()}
    splits = [_split(cfg, data, seed) for seed in range(cfg.seeds)]
    for parts in splits:
        for part in blocks.PARTS:
            labels = Part(data, source, getattr(parts, part)).labels()
            task_scores.refuse_without_labels(data.task, part, labels)
    workdir.mkdir(parents=True, exist_ok=True)
    report = _about(cfg, data, source, made, splits, command)
    _write(workdir, "config.json", json.loads(configure.to_json(cfg)))
    _write(workdir, "leakage.json", report["leakage"])
    _write(workdir, "coverage.json", report["coverage"])
    print(_card(cfg, data, source, report), flush=True)
    pictures: dict[str, list[np.ndarray]] = {}
    for (encoder, adaptation), one in made.items():
        line = _line(encoder, adaptation, data, protocols.label(cfg.protocol))
        for seed, parts in enumerate(splits):
            metrics, best, maps = _fit(cfg, data, source, one, parts, seed)
            report["results"] += adapt_tables.rows(line, seed, metrics, one.weights)
            report["best_epochs"].setdefault(f"{encoder}/{adaptation}", []).append(best)
            if seed == 0:
                pictures[f"{encoder}/{adaptation}"] = maps
        _told(report, encoder, adaptation, data, started)
    if cfg.baseline and data.task.kind == "segmentation":
        line = _line(pixel_baseline.NAME, pixel_baseline.ADAPTATION, data, pixel_baseline.PROTOCOL)
        for seed, parts in enumerate(splits):
            tally, maps = pixel_baseline.fit(*(Part(data, source, getattr(parts, name)) for name in blocks.PARTS))
            report["results"] += adapt_tables.rows(line, seed, tally.metrics(), "none needed")
            if seed == 0:
                pictures[pixel_baseline.NAME] = maps
        _told(report, pixel_baseline.NAME, pixel_baseline.ADAPTATION, data, started)
    _finish(cfg, data, source, splits[0], report, pictures, workdir, started)
    return report


def _task(cfg: Adapt) -> TaskData:
    if cfg.data.task == simulated_task.NAME:
        return simulated_task.simulate(cfg.data.tiles, cfg.data.footprint_m)
    if not cfg.data.root:
        raise ValueError(
            f"data.root: task {cfg.data.task!r} needs the folder of its files; give --config.data.root=DIR, or take data.task "
            f"{simulated_task.NAME!r}."
        )
    return tasks.read(cfg.data.task, cfg.data.root)


def _split(cfg: Adapt, data: TaskData, seed: int) -> Parts:
    """The split of a seed; its draw of labels, for protocols with a share of them, is made from the training part."""
    drawn = seed if cfg.data.vary else 0
    if cfg.data.split == "published":
        parts = blocks.published(data, blocks.PARTS)
    elif cfg.data.split == "scene":
        parts = blocks.scene_disjoint(data, drawn, cfg.data.fractions)
    else:
        parts = blocks.block_disjoint(data, cfg.data.block_m, drawn, cfg.data.fractions, cfg.data.buffer_m)
    if cfg.protocol.label_fraction < 1:
        train = label_fraction.draw(data, parts.train, cfg.protocol.label_fraction, seed)
        parts = dataclasses.replace(parts, train=train)
    return parts


def _fit(cfg: Adapt, data: TaskData, source: Source, one: Made, parts: Parts, seed: int):
    """Test metrics of one row and seed, the epoch that was kept, and predicted classes of the first test samples."""
    train, val, test = (Part(data, source, getattr(parts, name)) for name in blocks.PARTS)
    image_px = train.sample(0)[0].shape[0]
    if cfg.protocol.window:
        image_px = min(image_px, one.model.px)
    params = adaptations.init(jax.random.key(seed), one.model, one.start, image_px, one.params)
    matrix = one.start.matrix if one.model.adaptation in adaptations.FIXED else None
    buffers = supervised_fit.buffers_of(one.model, params, matrix, train)
    if one.statistics is not None:
        buffers |= {k: np.asarray(v, np.float32) for k, v in zip(("mean", "std"), one.statistics, strict=True)}
    found = supervised_fit.fit(one.model, params, buffers, train, val, cfg.protocol, seed)
    _, tally = supervised_fit.evaluate(one.model, found.params, buffers, test, cfg.protocol)
    maps = []
    if seed == 0 and data.task.kind == "segmentation":
        shown = test.batch(range(min(cfg.maps, len(test))), cfg.protocol.batch)
        outputs = supervised_fit.outputs_of(one.model, found.params, buffers, shown, cfg.protocol)
        maps = list(np.asarray(outputs).argmax(axis=-1)[shown.counts])
    return tally.metrics(), found.best_epoch, maps


def _about(cfg: Adapt, data: TaskData, source: Source, made: dict, splits: Sequence[Parts], command: str) -> dict:
    reports = [leakage.report(data, parts, cfg.data.near_m) for parts in splits]
    starts = {}
    for (_, adaptation), one in made.items():
        if one.start is not None:
            starts.setdefault(adaptation, one.start)
    return {
        "name": cfg.name, "task": data.task.name, "title": data.task.title, "simulated": data.simulated, "command": command,
        "notes": list(data.notes), "protocol": protocols.label(cfg.protocol), "changes": list(protocols.changes(cfg.protocol)),
        "source": source.sensor.name, "bands": len(source.sensor.used), "seeds": cfg.seeds, "split_varies": cfg.data.vary,
        "weights": {f"{e}/{a}": one.weights for (e, a), one in made.items()},
        "coverage": {a: json.loads(p.to_json()) | {"text": p.text()} for a, p in starts.items()},
        "leakage": [{"seed": s, **dataclasses.asdict(r), "text": r.text()} for s, r in enumerate(reports)],
        "results": [], "best_epochs": {},
    }  # fmt: skip


def _card(cfg: Adapt, data: TaskData, source: Source, report: dict) -> str:
    origin = "SIMULATED data, no observation" if data.simulated else data.task.title
    fresh = sorted(name for name, weights in report["weights"].items() if weights == adapt_encoders.RANDOM)
    text = [
        f"{data.task.name}: {origin}; {len(data)} samples, {len(source.sensor.used)} bands of {source.sensor.name}.",
        report["leakage"][0]["text"],
        f"Protocol {report['protocol']}" + (f": {'; '.join(report['changes'])}." if report["changes"] else ", as published."),
    ]
    if fresh:
        text.append(f"{adapt_encoders.RANDOM.capitalize()}, no published weights: {', '.join(fresh)}.")
    return "\n".join(text) + "\n"


def _line(encoder: str, adaptation: str, data: TaskData, protocol: str) -> dict[str, str]:
    return {"encoder": encoder, "adaptation": adaptation, "task": data.task.name, "protocol": protocol}


def _told(report: dict, encoder: str, adaptation: str, data: TaskData, started: float) -> None:
    headline = task_scores.HEADLINE[data.task.kind]
    mine = [r for r in report["results"] if (r["encoder"], r["adaptation"], r["metric"]) == (encoder, adaptation, headline)]
    values = ", ".join("-" if r["value"] is None else f"{r['value']:.3f}" for r in mine)
    print(f"  {encoder + '/' + adaptation:<32s} {headline} {values}  ({time.monotonic() - started:.0f} s)", flush=True)


def _finish(cfg, data, source, parts, report, pictures, workdir: Path, started: float) -> None:
    have = {row["metric"] for row in report["results"]}
    columns = [name for name in COLUMNS if name in have]
    report["columns"] = columns
    report["statistics"] = adapt_tables.statistics(report["results"], columns)
    weights = {(r["encoder"], r["adaptation"]): r["weights"] for r in report["results"]}
    names = [f"{encoder}/{adaptation}" for encoder, adaptation in cfg.pairs()]
    whole = [name for name in names if name.endswith(f"/{adaptations.NONE}")]
    verdicts = [(whole, [n for n in names if n not in whole])]
    # Where one encoder stands in both groups, nothing but the bands differs.
    for name in whole:
        others = [n for n in names if n.split("/")[0] == name.split("/")[0] and n != name]
        verdicts += [([name], others)] if others else []
    baseline = f"{pixel_baseline.NAME}/{pixel_baseline.ADAPTATION}"
    if any(row["encoder"] == pixel_baseline.NAME for row in report["results"]):
        verdicts.append(([baseline], names, ("baseline without an encoder", "best encoder")))
    report["verdict"] = [adapt_tables.verdict(report["statistics"], columns[0], *groups) for groups in verdicts]
    report["seconds"] = time.monotonic() - started
    _write(workdir, "results.json", report["results"])
    _write(workdir, "statistics.json", report["statistics"])
    shown = Part(data, source, parts.test[: cfg.maps])
    page = adapt_page.write(workdir, report, source.sensor.centre_nm, [shown.sample(i) for i in range(len(shown))], pictures,
                            data.task)  # fmt: skip
    print(f"\n{'SIMULATED data. ' if data.simulated else ''}Test part, mean +- standard deviation over {cfg.seeds} seeds:\n")
    print(adapt_tables.text(report["statistics"], columns[: adapt_page.MOST_COLUMNS], weights))
    print("\n" + "\n".join(report["verdict"]) + f"\nLook at {page} ({report['seconds']:.0f} s).", flush=True)


def _write(workdir: Path, name: str, value) -> None:
    (workdir / name).write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
