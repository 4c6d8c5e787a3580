"""A microcystin run from config to report: match-ups, encoders, the comparison, the predictor, and the pages about it."""

import csv
import json
import platform
import time
from pathlib import Path

import numpy as np

from spectral_jax import configure, matchups
from spectral_jax.matchups import TARGETS, Matchups
from spectral_jax.microcystin import climatology, features, metrics, predictor_file, problem, splits
from spectral_jax.microcystin.encoders import embeddings as embeddings_of
from spectral_jax.microcystin.encoders import train as train_encoders
from spectral_jax.microcystin.predictor import ensemble
from spectral_jax.microcystin.predictor_file import Predictor
from spectral_jax.microcystin.problem import Problem
from spectral_jax.microcystin.report.write import write as write_report
from spectral_jax.microcystin.settings import SIMULATED, Finetune
from spectral_jax.microcystin.study import attribution, compare, embedding, evaluate, reconstruction
from spectral_jax.microcystin.study.compare import OURS, Embeddings

# Models whose every prediction is kept in out_of_fold.csv.
KEPT = (OURS, "ridge", "season")


def finetune(cfg: Finetune, workdir: Path, command: str = "") -> dict:
    """Runs the comparison and leaves config.json, predictor.npz, out_of_fold.csv, report.json and report.html in `workdir`.

    Args:
      cfg: the run.
      workdir: made if need be; what an earlier run left there is replaced, but encoders that are already trained.
      command: how to run it again, for the report.

    Returns:
      What report.json holds.

    Raises:
      ValueError, FileNotFoundError: the match-ups, the climatology or the config do not do; see `matchups.load`.
    """
    started = time.monotonic()
    data = _matchups(cfg)
    table = _climatology(cfg)
    workdir.mkdir(parents=True, exist_ok=True)
    (workdir / "config.json").write_text(configure.to_json(cfg))
    print(_card(data), flush=True)
    encoders = train_encoders(cfg, workdir, cfg.evaluation.seeds)
    embeddings: Embeddings = {way: embeddings_of(found, data) for way, found in encoders.items()}
    report: dict = {
        "title": "Microcystin from PACE OCI", "simulated": data.simulated, "data": _about(data), "model": OURS,
        "command": command, "results": [], "comparisons": [], "masking": [], "label_efficiency": [], "attribution": {},
        "reconstruction": None, "attempts": [],
    }  # fmt: skip
    kept: list[dict] = []
    members = {}
    for target in TARGETS:
        p = problem.make(data, target, table)
        runs = _compare(p, cfg, embeddings, encoders.get(compare.TARGETED, []), report)
        kept += evaluate.table(p, (one for r in runs if r[0].model in KEPT for one in r))
        report["label_efficiency"] += compare.label_efficiency(p, cfg.evaluation, embeddings)
        report["attempts"] += compare.attempts(p, cfg.evaluation.workers)
        members[target] = _fit_all(p, cfg, embeddings)
        report["attribution"][target] = _attribution(p, members[target])
    if encoders:
        run, params = encoders[compare.TARGETED][0]
        report["reconstruction"] = reconstruction.compare(*embedding.guess_hidden(params, run, data), data)
    rrs = features.filled(data.mean_rrs())
    low, high = predictor_file.training_range(rrs, data.wavelength_nm)
    predictor_file.save(workdir / predictor_file.FILE, Predictor(members, table, data.wavelength_nm, low, high, data.simulated))
    _write_csv(workdir / "out_of_fold.csv", kept)
    report |= {"seconds": time.monotonic() - started, "machine": platform.platform(), "versions": _versions()}
    (workdir / "report.json").write_text(json.dumps(report, indent=1))
    page = write_report(workdir)
    _close(report, workdir, page)
    return report


def _matchups(cfg: Finetune) -> Matchups:
    if cfg.data.matchups != SIMULATED:
        return matchups.load(cfg.data.matchups, region=cfg.data.region)
    from spectral_jax.simulate.lake.season import simulate_matchups

    return simulate_matchups(cfg.data.lake.seed, stations=cfg.data.lake.stations, weeks=cfg.data.lake.weeks)


def _climatology(cfg: Finetune) -> climatology.Climatology | None:
    if cfg.data.climatology != SIMULATED:
        return climatology.read(cfg.data.climatology) if cfg.data.climatology else None
    from spectral_jax.simulate.lake.season import simulate_earlier_years

    day, toxin = simulate_earlier_years(cfg.data.lake.seed, stations=cfg.data.lake.stations)
    return climatology.build(np.full(len(day), climatology.EVERYWHERE), day, metrics.log10_label(toxin), fewest=len(day) + 1)


def _compare(p: Problem, cfg: Finetune, embeddings: Embeddings, encoders: list, report: dict) -> list:
    """Adds results and paired comparisons of one target to the report, and prints them as they come."""
    done = []
    for runs in compare.run(p, cfg.evaluation, embeddings, encoders if cfg.fine_tuning else []):
        done.append(runs)
        row = evaluate.row(p, runs, cfg.evaluation.seeds)
        report["results"].append(row)
        print(
            f"  {row['target']:<6s} {row['split']:<8s} {row['model']:<38s} R2 {_spell(row['r2_log10'])}  "
            f"AUC {_spell(row['auc_1_6'])}  coverage {_spell(row['coverage_90'])}  n {row['n']}",
            flush=True,
        )
    for split in cfg.evaluation.splits:
        mine = [r for r in done if r[0].split == split]
        ours = next(r for r in mine if r[0].model == OURS)
        report["comparisons"] += [evaluate.compare(p, ours, r) for r in mine if r[0].kind in ("baseline", "part")]
        ways = {r[0].model.removeprefix("frozen probe, "): r for r in mine if r[0].kind == "ablation"}
        if compare.TARGETED in ways:
            for name, runs in ways.items():
                if name != compare.TARGETED:
                    found = evaluate.compare(p, ways[compare.TARGETED], runs)
                    report["masking"].append(found | {"model": compare.TARGETED, "baseline": name})
    return done


def _fit_all(p: Problem, cfg: Finetune, embeddings: Embeddings) -> list[ensemble.Ensemble]:
    """The ensembles that predict new water: fitted on every labelled row, one an encoder."""
    rows = splits.labelled(p.data, p.target)
    encoders = embeddings[compare.TARGETED] if cfg.encoder_in_ensemble else [None]
    inputs = [problem.inputs(p, e).take(rows) for e in encoders]
    return [ensemble.fit(x, p.y[rows], p.below[rows], p.groups[rows]) for x in inputs]


def _attribution(p: Problem, members: list[ensemble.Ensemble]) -> dict:
    rows = splits.labelled(p.data, p.target)
    season = None if p.season is None else p.season[rows]
    data = p.data.take(rows)
    # The encoder is left out: its share is in the results, and its input is a patch and no mean spectrum.
    plain = [m._replace(experts={k: v for k, v in m.experts.items() if k != "encoder"}) for m in members[:1]]
    order = list(members[0].experts)
    keep = [i for i, name in enumerate([*order, "season"][: len(members[0].weights)]) if name != "encoder"]
    plain = [m._replace(weights=m.weights[keep] / m.weights[keep].sum(), context_days=0.0) for m in plain]

    def predict(rrs):
        inputs = problem.inputs_of(data, p.target, rrs, season, None)
        return np.mean([ensemble.predict(m, inputs).log10 for m in plain], axis=0)

    return attribution.importance(predict, p.rrs[rows], data.wavelength_nm, p.groups[rows], shortest_nm=features.SHORTEST_NM)


def _about(data: Matchups) -> dict:
    return {
        "source": data.source, "rows": {t: len(splits.labelled(data, t)) for t in TARGETS},
        "non_detects": {t: int((data.label(t)[1] & np.isfinite(data.label(t)[0])).sum()) for t in TARGETS},
        "left_out": dict(data.left_out), "weeks": len(np.unique(data.iso_week)), "stations": len(np.unique(data.station)),
        "scenes": len(np.unique(data.time)), "first": str(data.time.min())[:10], "last": str(data.time.max())[:10],
    }  # fmt: skip


def _card(data: Matchups) -> str:
    about = _about(data)
    left_out = ", ".join(f"{n} {reason}" for reason, n in about["left_out"].items()) or "none"
    return (
        f"{'SIMULATED match-ups, no observations' if data.simulated else 'Match-ups of ' + data.source}: "
        f"{about['rows']['now']} with a sample of now ({about['non_detects']['now']} non-detects), "
        f"{about['rows']['ahead']} with one 8 days "
        f"ahead ({about['non_detects']['ahead']}); {about['weeks']} ISO weeks, {about['stations']} stations, "
        f"{about['scenes']} scenes. "
        f"Rows left out: {left_out}."
    )


def _versions() -> dict:
    from importlib import metadata

    names = ("spectral-jax", "jax", "numpy", "scikit-learn")
    return {"python": platform.python_version()} | {n: metadata.version(n) for n in names}


def _write_csv(path: Path, rows: list[dict]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()} for row in rows)


def _spell(value: float | None) -> str:
    return "  -  " if value is None else f"{value:5.3f}"


def _close(report: dict, workdir: Path, page: Path) -> None:
    print(f"\n{'SIMULATED data. ' if report['simulated'] else ''}Leave one ISO week out, log10 of microcystin:")
    for target in TARGETS:
        rows = [r for r in report["results"] if r["target"] == target and r["split"] == "week"]
        ours = next((r for r in rows if r["kind"] == "ours"), None)
        others = [r for r in rows if r["kind"] == "baseline" and r["r2_log10"] is not None]
        if ours is None or not others:
            continue
        best = max(others, key=lambda r: r["r2_log10"])
        pair = next(
            c
            for c in report["comparisons"]
            if c["target"] == target and c["split"] == "week" and c["baseline"] == best["model"]
        )
        print(
            f"  {target}: R2 {ours['r2_log10']:.3f}, 90 % intervals hold {ours['coverage_90']:.1%}; best baseline "
            f"{best['model']} "
            f"{best['r2_log10']:.3f}, difference {pair['delta_r2_log10']:+.3f} ({pair['low']:+.3f} to {pair['high']:+.3f})"
        )
    print(
        f"\nWhat to do next:\n  look at    {page}\n"
        f"  predict    python experiments/finetune_microcystin.py --predict=FILE.npz --checkpoint={workdir} "
        f"--out=predictions.csv"
    )
