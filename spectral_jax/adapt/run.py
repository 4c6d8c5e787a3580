"""A comparison of adaptations from config to page: task, splits, every row on the same seeds, statistics, and what they say."""

import dataclasses
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spectral_jax import configure
from spectral_jax.adapt import bands, protocols
from spectral_jax.adapt.fit import encoders
from spectral_jax.adapt.fit.baseline import fit as fit_baseline
from spectral_jax.adapt.fit.baseline import of as baseline_of
from spectral_jax.adapt.fit.line import fit as fit_line
from spectral_jax.adapt.page import MOST_COLUMNS
from spectral_jax.adapt.page import write as write_page
from spectral_jax.adapt.parts import blocks, leakage
from spectral_jax.adapt.parts.blocks import Parts
from spectral_jax.adapt.parts.part import Part
from spectral_jax.adapt.parts.source import Source, source_of
from spectral_jax.adapt.parts.splits import parts as split_parts
from spectral_jax.adapt.parts.splits import read as read_task
from spectral_jax.adapt.score import tables
from spectral_jax.adapt.settings import Adapt
from spectral_jax.tasks.samples import TaskData

# Columns of the terminal, and what lines are compared on, where the task has them.
COLUMNS = ("iou_macro", "iou_micro", "map", "r2_mean", "accuracy_overall", "accuracy_mean", "f1_macro", "f1_micro",
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
    data = read_task(cfg.data)
    source = source_of(data, cfg.data.sensor)
    made = {line: encoders.make(line, cfg, data.task, source) for line in cfg.lines()}
    splits = [split_parts(cfg.data, data, seed, cfg.protocol.label_fraction) for seed in range(cfg.seeds)]
    kept: dict[int, tuple] = {}
    parts = [_parts(cfg, data, source, split, kept) for split in splits]
    for of_seed in parts:
        for name, part in zip(blocks.PARTS, of_seed, strict=True):
            part.refuse_without_labels(name)
    workdir.mkdir(parents=True, exist_ok=True)
    report = _about(cfg, data, source, made, splits, command)
    _write(workdir, "config.json", json.loads(configure.to_json(cfg)))
    _write(workdir, "leakage.json", report["leakage"])
    _write(workdir, "coverage.json", report["coverage"])
    print(_card(data, source, report), flush=True)
    pictures: dict[str, list[np.ndarray]] = {}
    for line, one in made.items():
        names = _names(line.name, line.encoder, line.adaptation, line.how, data)
        for seed, of_seed in enumerate(parts):
            found = fit_line(line, one, *of_seed, seed, 0 if seed else cfg.maps)
            report["results"] += tables.rows(names, seed, found.metrics, one.weights)
            report["best_epochs"].setdefault(line.name, []).append(found.best_epoch)
            if seed == 0:
                pictures[line.name] = found.maps
        _told(report, line.name, data, started)
    if cfg.baseline:
        baseline = baseline_of(data.task)
        names = _names(baseline.row, *baseline, data)
        for seed, of_seed in enumerate(parts):
            tally, maps = fit_baseline(*of_seed)
            report["results"] += tables.rows(names, seed, tally.metrics(), "none needed")
            if seed == 0:
                pictures[baseline.row] = maps
        _told(report, baseline.row, data, started)
    _finish(cfg, data, source, parts[0][-1], report, pictures, workdir, started)
    return report


def _parts(cfg: Adapt, data: TaskData, source: Source, split: Parts, kept: dict[int, tuple]) -> tuple[Part, ...]:
    return tuple(Part(data, source, getattr(split, name), cfg.data.resize_px, kept) for name in blocks.PARTS)


def _names(row: str, encoder: str, adaptation: str, how: str, data: TaskData) -> dict[str, str]:
    return {"row": row, "encoder": encoder, "adaptation": adaptation, "task": data.task.name, "protocol": how}


def _about(cfg: Adapt, data: TaskData, source: Source, made: dict, splits: Sequence[Parts], command: str) -> dict:
    reports = [leakage.report(data, parts, cfg.data.near_m) for parts in splits]
    starts = {}
    for line, one in made.items():
        if one.start is not None:
            starts.setdefault(line.adaptation, one.start)
    return {
        "name": cfg.name, "task": data.task.name, "title": data.task.title, "simulated": data.simulated, "command": command,
        "notes": list(data.notes), "protocols": list(dict.fromkeys(map(_told_how, made))),
        "how": list(dict.fromkeys(line.how for line in made)),
        "source": source.sensor.name, "bands": len(source.sensor.used), "dates": source.dates, "seeds": cfg.seeds,
        "split_varies": cfg.data.vary, "weights": {line.name: one.weights for line, one in made.items()},
        "coverage": {a: json.loads(p.to_json()) | {"text": p.text()} for a, p in starts.items()},
        "leakage": [{"seed": s, **dataclasses.asdict(r), "text": r.text()} for s, r in enumerate(reports)],
        "results": [], "best_epochs": {},
    }  # fmt: skip


def _told_how(line) -> str:
    """A sentence about how a line is fitted."""
    if line.probe:
        return f"{line.probe}: nothing is trained, a model of scikit-learn is fitted to the embeddings of the training part."
    changed = protocols.changes(line.protocol)
    return f"Protocol {line.how}" + (f": {'; '.join(changed)}." if changed else ", as published.")


def _card(data: TaskData, source: Source, report: dict) -> str:
    origin = "SIMULATED data, no observation" if data.simulated else data.task.title
    fresh = sorted(name for name, weights in report["weights"].items() if weights == encoders.RANDOM)
    dates = f" on {source.dates} dates" if source.dates > 1 else ""
    text = [
        f"{data.task.name}: {origin}; {len(data)} samples, {len(source.sensor.used)} bands of {source.sensor.name}{dates}.",
        report["leakage"][0]["text"],
        *report["protocols"],
    ]
    if fresh:
        text.append(f"{encoders.RANDOM.capitalize()}, no published weights: {', '.join(fresh)}.")
    return "\n".join(text) + "\n"


def _told(report: dict, row: str, data: TaskData, started: float) -> None:
    headline = data.task.kind.headline
    mine = [r for r in report["results"] if (r["row"], r["metric"]) == (row, headline)]
    values = ", ".join("-" if r["value"] is None else f"{r['value']:.3f}" for r in mine)
    print(f"  {row:<32s} {headline} {values}  ({time.monotonic() - started:.0f} s)", flush=True)


def _finish(cfg: Adapt, data, source, test: Part, report, pictures, workdir: Path, started: float) -> None:
    have = {row["metric"] for row in report["results"]}
    columns = [name for name in COLUMNS if name in have]
    report["columns"] = columns
    report["statistics"] = tables.statistics(report["results"], columns)
    report["verdict"] = _verdicts(cfg, data, report)
    report["seconds"] = time.monotonic() - started
    _write(workdir, "results.json", report["results"])
    _write(workdir, "statistics.json", report["statistics"])
    shown = [test.sample(i) for i in range(min(cfg.maps, len(test)))]
    page = write_page(workdir, report, source.sensor.centre_nm, shown, pictures, data.task)
    weights = {row["row"]: row["weights"] for row in report["results"]}
    print(f"\n{'SIMULATED data. ' if data.simulated else ''}Test part, mean +- standard deviation over {cfg.seeds} seeds:\n")
    print(tables.text(report["statistics"], columns[:MOST_COLUMNS], weights))
    print("\n" + "\n".join(report["verdict"]) + f"\nLook at {page} ({report['seconds']:.0f} s).", flush=True)


def _verdicts(cfg: Adapt, data: TaskData, report: dict) -> list[str]:
    """Full spectrum against projections, over all encoders and within each; the baseline against encoders."""
    lines = cfg.lines()
    names = [line.name for line in lines]
    whole = [line.name for line in lines if line.adaptation == bands.NONE]
    groups: list[tuple] = [(whole, [n for n in names if n not in whole])]
    for line in lines:
        # Where one encoder is trained alike in both groups, nothing but the bands differs.
        same = [o.name for o in lines if (o.encoder, o.how) == (line.encoder, line.how) and o.adaptation != bands.NONE]
        groups += [([line.name], same)] if line.name in whole and same else []
    if cfg.baseline:
        groups.append(([baseline_of(data.task).row], names, ("baseline without an encoder", "best encoder")))
    metric = report["columns"][0]
    return [tables.verdict(report["statistics"], metric, *group) for group in groups]


def _write(workdir: Path, name: str, value) -> None:
    (workdir / name).write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
