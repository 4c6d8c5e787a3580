"""A comparison of adaptations from config to page: task, splits, every row on the same seeds, statistics, and what they say."""

import dataclasses
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spectral_jax import configure
from spectral_jax.adapt import kept, page, words
from spectral_jax.adapt.fit import baseline, line, prepared, study_statistics
from spectral_jax.adapt.fit.line import Scored
from spectral_jax.adapt.fit.prepared import Prepared
from spectral_jax.adapt.lines import Line
from spectral_jax.adapt.parts import blocks, leakage, splits
from spectral_jax.adapt.parts.blocks import Split
from spectral_jax.adapt.parts.part import Part
from spectral_jax.adapt.parts.source import Source, source_of
from spectral_jax.adapt.protocols import AS_PUBLISHED
from spectral_jax.adapt.score import tables
from spectral_jax.adapt.settings import Comparison
from spectral_jax.spectral.project import Projection
from spectral_jax.tasks.samples import TaskData

# Columns of the terminal, and what lines are compared on, where the task has them.
COLUMNS = ("iou_macro", "iou_micro", "map", "r2_mean", "accuracy_overall", "accuracy_mean", "f1_macro", "f1_micro",
           "hyperview_score")  # fmt: skip
# Folder of a run with the models of its rows.
MODELS = "models"
Pictures = dict[str, list[np.ndarray]]


def adapt(cfg: Comparison, workdir: Path, command: str = "") -> dict:
    """Runs the comparison; leaves config.json, results.json, statistics.json, leakage.json, coverage.json and report.html.

    The models of the first seed are left in the folder models, one folder a row (`adapt.kept`).

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
    data = splits.read(cfg.data)
    source = source_of(data, cfg.data.sensor)
    ready = {row: prepared.prepare(row, cfg, data.task, source) for row in cfg.lines()}
    drawn = [splits.parts(cfg.data, data, seed, cfg.protocol.label_fraction) for seed in range(cfg.seeds)]
    parts = _parts(cfg, data, source, drawn)
    workdir.mkdir(parents=True, exist_ok=True)
    report = _about(cfg, data, source, ready, drawn, command)
    report["notes"] += [
        study_statistics.told(row.name, encoder.start, parts[0][0])
        for row, encoder in ready.items()
        if row.protocol.statistics == AS_PUBLISHED and encoder.start is not None
    ]
    _write(workdir, "config.json", json.loads(configure.to_json(cfg)))  # type: ignore[arg-type]  # takes any config
    _write(workdir, "leakage.json", report["leakage"])
    _write(workdir, "coverage.json", report["coverage"])
    print(words.card(data, source, report), flush=True)

    pictures: Pictures = {}
    for row, encoder in ready.items():
        names = _names(row.name, row.encoder, row.adaptation, row.how, data)
        for seed, (train, val, test) in enumerate(parts):
            scores = line.fit(row, encoder, train, val, test, seed, 0 if seed else cfg.maps)
            report["results"] += tables.rows(names, seed, scores.metrics, encoder.weights)
            report["best_epochs"].setdefault(row.name, []).append(scores.best_epoch)
            if seed == 0:
                pictures[row.name] = scores.maps
                if cfg.keep and scores.params is not None and encoder.model.temporal is None:
                    _keep(workdir, row, encoder, scores, train, val, data.simulated)
        print(words.scored(report["results"], row.name, data.task.kind.headline, time.monotonic() - started), flush=True)
    if cfg.baseline:
        without = baseline.of(data.task)
        names = _names(without.row, *without, data)
        for seed, (train, val, test) in enumerate(parts):
            tally, maps = baseline.fit(train, val, test)
            report["results"] += tables.rows(names, seed, tally.metrics(), "none needed")
            if seed == 0:
                pictures[without.row] = maps
        print(words.scored(report["results"], without.row, data.task.kind.headline, time.monotonic() - started), flush=True)

    measured = {row["metric"] for row in report["results"]}
    report["columns"] = [name for name in COLUMNS if name in measured]
    report["statistics"] = tables.statistics(report["results"], report["columns"])
    report["verdict"] = words.verdicts(cfg.lines(), report)
    report["seconds"] = time.monotonic() - started
    _write(workdir, "results.json", report["results"])
    _write(workdir, "statistics.json", report["statistics"])
    test = parts[0][-1]
    shown = [test.sample(i) for i in range(min(cfg.maps, len(test)))]
    print(words.summary(report, page.write(workdir, report, source.sensor.centre_nm, shown, pictures, data.task)), flush=True)
    return report


def _keep(workdir: Path, row: Line, ready: Prepared, scores: Scored, train: Part, val: Part, simulated: bool) -> None:
    """The model of a row as a folder."""
    assert scores.params is not None
    assert scores.buffers is not None
    about = {
        "row": row.name, "protocol": row.how, "protocol_fields": dataclasses.asdict(row.protocol), "weights": ready.weights,
        "seed": 0, "metrics": scores.metrics, "simulated": simulated,
    }  # fmt: skip
    image_px, task = train.sample(0)[0].shape[1], train.data.task
    if row.protocol.window and ready.model.head.of_maps:
        image_px = min(image_px, ready.model.px)
    width = kept.half_width(ready.model, scores.params, scores.buffers, val, row.protocol)
    folder = workdir / MODELS / row.name.replace("/", "_")
    kept.save(folder, ready.model, scores.params, scores.buffers, task, image_px, width, about)


def _parts(cfg: Comparison, data: TaskData, source: Source, drawn: Sequence[Split]) -> list[tuple[Part, ...]]:
    """Training, validation and test part of each split; samples that they share are read once."""
    samples: dict[int, tuple] = {}
    parts = [
        tuple(Part(data, source, getattr(split, name), cfg.data.resize_px, samples) for name in blocks.PARTS) for split in drawn
    ]
    for of_seed in parts:
        for name, part in zip(blocks.PARTS, of_seed, strict=True):
            part.refuse_without_labels(name)
    return parts


def _names(row: str, encoder: str, adaptation: str, how: str, data: TaskData) -> dict[str, str]:
    return {"row": row, "encoder": encoder, "adaptation": adaptation, "task": data.task.name, "protocol": how}


def _about(
    cfg: Comparison, data: TaskData, source: Source, ready: dict[Line, Prepared], drawn: Sequence[Split], command: str
) -> dict:
    """What a report says before anything is fitted."""
    reports = [leakage.report(data, split, cfg.data.near_m) for split in drawn]
    starts: dict[str, Projection] = {}
    for row, encoder in ready.items():
        if encoder.start is not None:
            starts.setdefault(row.adaptation, encoder.start)
    return {
        "name": cfg.name, "task": data.task.name, "title": data.task.title, "simulated": data.simulated, "command": command,
        "notes": list(data.notes), "protocols": list(dict.fromkeys(map(words.how, ready))),
        "how": list(dict.fromkeys(row.how for row in ready)),
        "source": source.sensor.name, "bands": len(source.sensor.used), "dates": source.dates, "seeds": cfg.seeds,
        "split_varies": cfg.data.vary, "weights": {row.name: encoder.weights for row, encoder in ready.items()},
        "baseline": baseline.of(data.task).row if cfg.baseline else "",
        "coverage": {a: json.loads(p.to_json()) | {"text": p.text()} for a, p in starts.items()},
        "leakage": [{"seed": s, **dataclasses.asdict(r), "text": r.text()} for s, r in enumerate(reports)],
        "results": [], "best_epochs": {},
    }  # fmt: skip


def _write(workdir: Path, name: str, value) -> None:
    (workdir / name).write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
