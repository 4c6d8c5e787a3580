"""A microcystin run from config to report: match-ups, encoders, the comparison, the predictor, and the pages about it."""

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
from spectral_jax.microcystin.report import console, predictions, write
from spectral_jax.microcystin.settings import SIMULATED, Microcystin
from spectral_jax.microcystin.study import attribution, compare, embedding, evaluate, reconstruction
from spectral_jax.microcystin.study.compare import ENSEMBLE, Embeddings
from spectral_jax.sentences import needs

# Models whose every prediction is kept in out_of_fold.csv.
KEPT = (ENSEMBLE, "ridge", "season")


def compare_and_fit(cfg: Microcystin, workdir: Path, command: str = "") -> dict:
    """Runs the comparison and leaves config.json, predictor.npz, out_of_fold.csv, report.json and report.html in `workdir`.

    Args:
      cfg: the run.
      workdir: made if need be; what an earlier run left there is replaced, but encoders that are already trained.
      command: how to run it again, for the report.

    Returns:
      What report.json holds.

    Raises:
      ValueError, FileNotFoundError: the match-ups, the climatology or the config do not do; see `matchups.load`.
      ImportError: scikit-learn is not installed.
    """
    with needs("scikit-learn", "eval", "comparing models"):  # told before the encoders take their minutes
        import sklearn  # noqa: F401
    started = time.monotonic()
    data = _matchups(cfg)
    table = _climatology(cfg)
    workdir.mkdir(parents=True, exist_ok=True)
    (workdir / "config.json").write_text(configure.to_json(cfg))
    about = _about(data)
    print(console.data_card(about, data.simulated), flush=True)
    encoders = train_encoders(cfg, workdir, cfg.evaluation.seeds)
    embeddings: Embeddings = {way: embeddings_of(of_seeds, data) for way, of_seeds in encoders.items()}
    report: dict = {
        "title": "Microcystin from PACE OCI", "simulated": data.simulated, "data": about, "model": ENSEMBLE,
        "command": command, "results": [], "comparisons": [], "masking": [], "label_efficiency": [], "attribution": {},
        "reconstruction": None, "attempts": [],
    }  # fmt: skip
    rows: list[dict] = []
    members = {}
    for target in TARGETS:
        p = problem.make(data, target, table)
        runs = _compare(p, cfg, embeddings, encoders.get(compare.TARGETED, []), report)
        rows += evaluate.table(p, (run for of_seeds in runs if of_seeds[0].model in KEPT for run in of_seeds))
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
    predictions.write(workdir / predictions.FILE, rows)
    report |= {"seconds": time.monotonic() - started, "machine": platform.platform(), "versions": _versions()}
    (workdir / write.NUMBERS).write_text(json.dumps(report, indent=1))
    print(console.closing(report, workdir, write.write(workdir)), flush=True)
    return report


def _matchups(cfg: Microcystin) -> Matchups:
    if cfg.data.matchups != SIMULATED:
        return matchups.load(cfg.data.matchups, region=cfg.data.region)
    from spectral_jax.simulate.lake.season import simulate_matchups

    return simulate_matchups(cfg.data.lake.seed, stations=cfg.data.lake.stations, weeks=cfg.data.lake.weeks)


def _climatology(cfg: Microcystin) -> climatology.Climatology | None:
    if cfg.data.climatology != SIMULATED:
        return climatology.read(cfg.data.climatology) if cfg.data.climatology else None
    from spectral_jax.simulate.lake.season import simulate_earlier_years

    day, toxin = simulate_earlier_years(cfg.data.lake.seed, stations=cfg.data.lake.stations)
    return climatology.build(np.full(len(day), climatology.EVERYWHERE), day, metrics.log10_label(toxin), fewest=len(day) + 1)


def _compare(
    p: Problem, cfg: Microcystin, embeddings: Embeddings, encoders: list, report: dict
) -> list[list[evaluate.OutOfFold]]:
    """Adds results and paired comparisons of one target to the report, and prints them as they come; gives all runs."""
    done = []
    for of_seeds in compare.run(p, cfg.evaluation, embeddings, encoders if cfg.fine_tuning else []):
        done.append(of_seeds)
        row = evaluate.row(p, of_seeds, cfg.evaluation.seeds)
        report["results"].append(row)
        print(console.result(row), flush=True)
    for split in cfg.evaluation.splits:
        mine = [r for r in done if r[0].split == split]
        ours = next(r for r in mine if r[0].model == ENSEMBLE)
        report["comparisons"] += [evaluate.compare(p, ours, r) for r in mine if r[0].kind in ("baseline", "part")]
        ways = {r[0].model.removeprefix("frozen probe, "): r for r in mine if r[0].kind == "ablation"}
        if compare.TARGETED in ways:
            for name, of_seeds in ways.items():
                if name != compare.TARGETED:
                    difference = evaluate.compare(p, ways[compare.TARGETED], of_seeds)
                    report["masking"].append(difference | {"model": compare.TARGETED, "baseline": name})
    return done


def _fit_all(p: Problem, cfg: Microcystin, embeddings: Embeddings) -> list[ensemble.Ensemble]:
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
        return np.mean([ensemble.predict(m, inputs).middle for m in plain], axis=0)

    return attribution.importance(predict, p.rrs[rows], data.wavelength_nm, p.groups[rows], shortest_nm=features.SHORTEST_NM)


def _about(data: Matchups) -> dict:
    return {
        "source": data.source, "rows": {t: len(splits.labelled(data, t)) for t in TARGETS},
        "non_detects": {t: int((data.label(t)[1] & np.isfinite(data.label(t)[0])).sum()) for t in TARGETS},
        "left_out": dict(data.left_out), "weeks": len(np.unique(data.iso_week)), "stations": len(np.unique(data.station)),
        "scenes": len(np.unique(data.time)), "first": str(data.time.min())[:10], "last": str(data.time.max())[:10],
    }  # fmt: skip


def _versions() -> dict:
    from importlib import metadata

    names = ("spectral-jax", "jax", "numpy", "scikit-learn")
    return {"python": platform.python_version()} | {n: metadata.version(n) for n in names}
