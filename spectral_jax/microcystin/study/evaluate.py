"""Out-of-fold predictions of models on splits and seeds, their metrics, and paired comparisons."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from spectral_jax.microcystin import metrics, splits
from spectral_jax.microcystin.predictor.ensemble import Prediction
from spectral_jax.microcystin.problem import Problem
from spectral_jax.microcystin.study.baselines import Predictor

RESAMPLES = 2000


class OutOfFold(NamedTuple):
    """Predictions [N] of the rows of one problem, each by a fit that has not seen its week; NaN where a row has no label."""

    target: str
    split: str
    model: str
    kind: str
    seed: int
    prediction: Prediction


def out_of_fold(problem: Problem, split: str, model: str, kind: str, predictor: Predictor, seed: int) -> OutOfFold:
    """Runs a predictor over all folds of a split."""
    parts = splits.folds(problem.data, problem.target, split, seed)
    found = [predictor(problem, f.train, f.test, seed) for f in parts]
    return assemble(problem, split, model, kind, seed, parts, found)


def assemble(
    problem: Problem, split: str, model: str, kind: str, seed: int, parts: list[splits.Fold], found: list[Prediction]
) -> OutOfFold:
    """Puts the predictions of the folds' test rows into one."""
    n = len(problem.y)
    blank = [np.full(n, np.nan) for _ in range(3)]
    made = Prediction(*blank, {t: np.full(n, np.nan) for t in metrics.THRESHOLDS_UG_L})
    for fold, prediction in zip(parts, found, strict=True):
        for whole, part in zip(_leaves(made), _leaves(prediction), strict=True):
            whole[fold.test] = part
    return OutOfFold(problem.target, split, model, kind, seed, made)


def _leaves(prediction: Prediction) -> list[np.ndarray]:
    return [prediction.log10, prediction.lower, prediction.upper, *prediction.exceedance.values()]


def score(problem: Problem, found: OutOfFold) -> dict[str, float]:
    """All metrics of one seed."""
    p = found.prediction
    rows = np.flatnonzero(np.isfinite(p.log10))
    return metrics.all_metrics(
        10.0 ** problem.y[rows],
        10.0 ** p.log10[rows],
        censored=problem.below[rows],
        exceedance={t: x[rows] for t, x in p.exceedance.items()},
        lower=10.0 ** p.lower[rows],
        upper=10.0 ** p.upper[rows],
    )


def row(problem: Problem, runs: list[OutOfFold], seeds: int) -> dict:
    """One row of the results: mean and deviation over seeds. A model without randomness has one run, the same for every
    seed.
    """
    scores = [score(problem, run) for run in runs]
    first = runs[0]
    out = {"target": first.target, "split": first.split, "model": first.model, "kind": first.kind}
    for name in scores[0]:
        values = np.array([s[name] for s in scores])
        out[name] = _number(values.mean())
        out[name + "_sd"] = _number(values.std(ddof=1) if len(values) > 1 else 0.0)
    out |= {"n": int(np.isfinite(first.prediction.log10).sum()), "seeds": seeds, "deterministic": len(runs) == 1}
    return out | {"per_seed": {"r2_log10": [_number(s["r2_log10"]) for s in scores]}}


def compare(problem: Problem, ours: list[OutOfFold], theirs: list[OutOfFold], seed: int = 0) -> dict:
    """Difference in log10 R2 on the same rows, with a 95 % interval from resampling whole ISO weeks.

    Seeds are averaged inside a row's squared error before weeks are drawn, so the interval is about weeks, and seeds of the
    two sides need not match in number.
    """
    errors = []
    for runs in (ours, theirs):
        errors.append(np.mean([(r.prediction.log10 - problem.y) ** 2 for r in runs], axis=0))
    rows = np.flatnonzero(np.isfinite(errors[0]) & np.isfinite(errors[1]))
    weeks, at = np.unique(problem.groups[rows], return_inverse=True)
    a, b, y = errors[0][rows], errors[1][rows], problem.y[rows]
    # Sums a week: resampling weeks is then resampling rows of a small table.
    table = np.stack([np.bincount(at, v, len(weeks)) for v in (a, b, y, y**2, np.ones(len(y)))], axis=1)

    def difference(sums):
        total = sums[..., 3] - sums[..., 2] ** 2 / sums[..., 4]
        return (sums[..., 1] - sums[..., 0]) / total

    draws = np.random.default_rng(seed).multinomial(len(weeks), np.full(len(weeks), 1 / len(weeks)), RESAMPLES)
    spread = difference(draws @ table)
    low, high = np.quantile(spread, (0.025, 0.975))
    worse = (np.sum(spread <= 0) + 1) / (RESAMPLES + 1)
    return {
        "target": problem.target, "split": ours[0].split, "model": ours[0].model, "baseline": theirs[0].model,
        "delta_r2_log10": float(difference(table.sum(0))), "low": float(low), "high": float(high),
        "p_value": float(min(1.0, 2 * min(worse, 1 - worse + 1 / (RESAMPLES + 1)))), "n": len(rows), "weeks": len(weeks),
    }  # fmt: skip


def table(problem: Problem, runs: Iterable[OutOfFold]) -> list[dict]:
    """Rows of the out-of-fold file, ug/L."""
    data, out = problem.data, []
    for run in runs:
        p = run.prediction
        for i in np.flatnonzero(np.isfinite(p.log10)):
            out.append({
                "target": run.target, "split": run.split, "model": run.model, "seed": run.seed, "row": int(i),
                "station": str(data.station[i]), "time": str(data.time[i]), "iso_week": str(problem.groups[i]),
                "observed_ug_l": 10.0 ** problem.y[i], "censored": int(problem.below[i]),
                "predicted_ug_l": 10.0 ** p.log10[i], "lower_ug_l": 10.0 ** p.lower[i], "upper_ug_l": 10.0 ** p.upper[i],
                "p_exceed_1_6": p.exceedance[1.6][i], "p_exceed_8": p.exceedance[8.0][i],
            })  # fmt: skip
    return out


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
