"""A comparison of encoders of monthly series from config to page."""

import dataclasses
import json
import time
from pathlib import Path

import numpy as np

from spectral_jax import configure
from spectral_jax.adapt import page
from spectral_jax.adapt.fit.prepared import RANDOM
from spectral_jax.adapt.monthly.comparison import RANDOM_PREFIX, RAW, MonthlyComparison, Row
from spectral_jax.adapt.monthly.points import Points
from spectral_jax.adapt.parts import blocks, leakage
from spectral_jax.adapt.score import tables
from spectral_jax.adapt.score.tally import Tally
from spectral_jax.tasks.read import read as read_task

# What the leakage report calls near, metres.
NEAR_M = 1000.0
R2, RMSE = "r2_mean", "rmse_per_target"


def compare(cfg: MonthlyComparison, workdir: Path, command: str = "") -> dict:
    """Runs the comparison; leaves config.json, results.json, statistics.json and report.html.

    Args:
      cfg: the run.
      workdir: made if need be; what an earlier run left there is replaced.
      command: how to run it again, for the page.

    Returns:
      What the page is made of.

    Raises:
      ValueError, FileNotFoundError: the task, a row or a folder of weights does not do.
      loop.NonFiniteLoss: a fine-tuning diverged.
    """
    started = time.monotonic()
    if not cfg.data.root:
        raise ValueError(f"data.root: task {cfg.data.task!r} needs the folder of its files; give --config.data.root=DIR.")
    points = Points(read_task(cfg.data.task, cfg.data.root), cfg)
    for row in cfg.lines():  # a folder without weights is told before anything is fitted
        if row.encoder and points.weights(row) != RANDOM:
            points.start(row, cfg.seeds[0])
    workdir.mkdir(parents=True, exist_ok=True)
    report = _about(cfg, points, command)
    _write(workdir, "config.json", json.loads(configure.to_json(cfg)))
    print(_card(report), flush=True)
    for row in cfg.lines():
        report["results"] += _scored(row, points)
        _write(workdir, "results.json", report["results"])  # fine-tuning takes long, and what is done is done
        values = [r["value"] for r in report["results"] if (r["row"], r["metric"]) == (row.name, report["columns"][1])]
        said = ", ".join(f"{value:.3f}" for value in values)
        print(f"  {row.name:<40s} RMSE {said}  ({time.monotonic() - started:.0f} s)", flush=True)
    report["statistics"] = tables.statistics(report["results"], report["columns"])
    report["verdict"] = _verdicts(cfg, report)
    report["seconds"] = time.monotonic() - started
    _write(workdir, "statistics.json", report["statistics"])
    out = page.write(workdir, report, np.array([]), [], {}, points.data.task)
    print(_summary(report, out), flush=True)
    return report


def _scored(row: Row, points: Points) -> list[dict]:
    """Rows of results.json; what no seed changes is fitted once, and stands at every seed."""
    out, mean, data = [], points.values[points.train].mean(), points.data
    names = {"row": row.name, "encoder": row.name.split("/")[0], "adaptation": "monthly", "task": data.task.name,
             "protocol": row.model}  # fmt: skip
    metrics: dict[str, float] = {}
    for seed in points.cfg.seeds:
        if not metrics or points.seeded(row):
            tally = Tally(data.task, np.array([mean]))
            tally.add(points.predict(row, seed)[:, None], points.values[points.test][:, None])
            metrics = tally.metrics()
        out += tables.rows(names, seed, metrics, points.weights(row))
    return out


def _about(cfg: MonthlyComparison, points: Points, command: str) -> dict:
    data = points.data
    split = blocks.published(data)
    found = leakage.report(data, dataclasses.replace(split, train=points.train), NEAR_M)
    recipe = dataclasses.asdict(cfg.recipe)
    return {
        "name": cfg.name, "task": data.task.name, "title": data.task.title, "simulated": data.simulated, "command": command,
        "notes": [
            *data.notes,
            "What no seed changes is fitted once, and its deviation is 0: the constant, and linear models on raw numbers or on "
            "released weights.",
            "finetuned_last_state is the state that training ended with, which is what the published code evaluates: it keeps "
            "references to the numbers of its best epoch. finetuned is the best epoch by the validation part.",
        ],
        "protocols": [
            "Linear regression and random forest of scikit-learn with default settings, on embeddings or raw numbers as they "
            "are; ridge on standardised ones, its penalty by leave-one-out on the training part.",
            "Fine-tuning as Presto's code has it: " + ", ".join(f"{k} {v:g}" for k, v in recipe.items()) + ".",
        ],
        "how": list(dict.fromkeys(row.model for row in cfg.lines())),
        "source": ", ".join(dict.fromkeys(c.sensor for c in data.channels)), "bands": len(points.series.channels),
        "dates": points.series.months.shape[1], "seeds": len(cfg.seeds), "split_varies": False,
        "weights": {row.name: points.weights(row) for row in cfg.lines()},
        "columns": [R2, f"{RMSE}/{data.task.targets[0]}"], "coverage": {}, "results": [], "best_epochs": {},
        "leakage": [{"seed": 0, **dataclasses.asdict(found), "text": found.text()}],
    }  # fmt: skip


def _card(report: dict) -> str:
    fresh = [name for name, weights in report["weights"].items() if weights == RANDOM]
    lines = [f"{report['task']}: {report['title']}; {report['bands']} channels on {report['dates']} dates."]
    lines += [report["leakage"][0]["text"], *report["protocols"]]
    return "\n".join([*lines, f"Random weights: {', '.join(fresh)}."] if fresh else lines) + "\n"


def _verdicts(cfg: MonthlyComparison, report: dict) -> list[str]:
    """Encoders against raw numbers, and weights that somebody released against random ones, by R2 and paired by seed."""
    names = [row.name for row in cfg.lines()]
    raw = [name for name in names if name.startswith(f"{RAW}/")]
    encoders = [name for name in names if name not in raw]
    groups = [(encoders, raw, ("best encoder", "best model of raw numbers"))] if encoders and raw else []
    released = [name for name in encoders if report["weights"][name] != RANDOM and RANDOM_PREFIX + name in names]
    groups += [([name], [RANDOM_PREFIX + name], ("encoder with weights", "same with random weights")) for name in released]
    return [tables.verdict(report["statistics"], R2, *group) for group in groups]


def _summary(report: dict, out: Path) -> str:
    text = tables.text(report["statistics"], report["columns"], report["weights"])
    about = f"\nTest part, mean +- standard deviation over {report['seeds']} seeds:\n"
    return "\n".join([about, text, "", *report["verdict"], f"Look at {out} ({report['seconds']:.0f} s)."])


def _write(workdir: Path, name: str, value) -> None:
    (workdir / name).write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
