"""Out-of-fold predictions of models on splits and seeds, their metrics, and paired comparisons."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from spectral_jax.microcystin import metrics, splits
from spectral_jax.microcystin.predictor.ensemble import Interval
from spectral_jax.microcystin.problem import Problem
from spectral_jax.microcystin.study.baselines import FitPredict
from spectral_jax.sentences import needs

RESAMPLES = 2000


class OutOfFold(NamedTuple):
    """Predictions [N] of the rows of one problem, each by a fit that has not seen its week; NaN where a row has no label."""

    target: str
    split: str
    model: str
    kind: str
    seed: int
    prediction: Interval


def out_of_fold(
    problem: Problem,
    split: str,
    model: str,
    kind: str,
    fit_predict: FitPredict,
    seeds: Sequence[int],
    workers: int = 1,
) -> list[OutOfFold]:
    """Runs a model over all folds of a split, once a seed.

    Args:
      problem: the rows and their labels.
      split: of `splits.SPLITS`.
      model: its name in the report.
      kind: what it is there; see `compare.Compared`.
      fit_predict: what is run.
      seeds: of the model, and of the folds where the split is random.
      workers: processes that share the folds of all seeds.

    Returns:
      One a seed.

    Raises:
      ValueError: an unknown split, or one without two parts.
      ImportError: joblib is not installed, and there is more than one process.
    """
    folds = [splits.folds(problem.data, problem.target, split, seed) for seed in seeds]
    jobs = [(problem, fold.train, fold.test, seed) for seed, parts in zip(seeds, folds, strict=True) for fold in parts]
    predicted = iter(spread(workers, fit_predict, jobs))
    runs = []
    for seed, parts in zip(seeds, folds, strict=True):
        whole = _whole(problem, parts, [next(predicted) for _ in parts])
        runs.append(OutOfFold(problem.target, split, model, kind, seed, whole))
    return runs


def spread(workers: int, function: Callable, jobs: Iterable[tuple]) -> list:
    """Results of `function(*job)` for every job, in order, by that many processes; one is this process itself.

    Raises:
      ImportError: joblib is not installed, and there is more than one process.
    """
    if workers == 1:
        return [function(*job) for job in jobs]
    with needs("joblib", "eval", "sharing folds among processes"):
        from joblib import Parallel, delayed
    return Parallel(workers)(delayed(function)(*job) for job in jobs)


def _whole(problem: Problem, folds: list[splits.Fold], predicted: list[Interval]) -> Interval:
    """Predictions of the folds' test rows as one of all rows."""
    low, middle, high, *exceedance = np.full((3 + len(metrics.THRESHOLDS_UG_L), len(problem.y)), np.nan)
    whole = Interval(low, middle, high, dict(zip(metrics.THRESHOLDS_UG_L, exceedance, strict=True)))
    for fold, part in zip(folds, predicted, strict=True):
        for to, values in zip(_leaves(whole), _leaves(part), strict=True):
            to[fold.test] = values
    return whole


def _leaves(interval: Interval) -> list[np.ndarray]:
    return [interval.low, interval.middle, interval.high, *interval.exceedance.values()]


def score(problem: Problem, run: OutOfFold) -> dict[str, float]:
    """All metrics of one seed; see `metrics.all_metrics`."""
    p = run.prediction
    rows = np.flatnonzero(np.isfinite(p.middle))
    return metrics.all_metrics(
        10.0 ** problem.y[rows],
        10.0 ** p.middle[rows],
        censored=problem.below[rows],
        exceedance={t: x[rows] for t, x in p.exceedance.items()},
        lower=10.0 ** p.low[rows],
        upper=10.0 ** p.high[rows],
    )


def row(problem: Problem, runs: list[OutOfFold], seeds: int) -> dict:
    """One row of the results: mean and deviation over seeds.

    A model without randomness has one run, the same for every seed.
    """
    scores = [score(problem, run) for run in runs]
    first = runs[0]
    out: dict = {"target": first.target, "split": first.split, "model": first.model, "kind": first.kind}
    for name in scores[0]:
        values = np.array([s[name] for s in scores])
        out[name] = _number(values.mean())
        out[name + "_sd"] = _number(values.std(ddof=1) if len(values) > 1 else 0.0)
    out |= {"n": int(np.isfinite(first.prediction.middle).sum()), "seeds": seeds, "deterministic": len(runs) == 1}
    return out | {"per_seed": {"r2_log10": [_number(s["r2_log10"]) for s in scores]}}


def compare(problem: Problem, ours: list[OutOfFold], theirs: list[OutOfFold], seed: int = 0) -> dict:
    """Difference in log10 R2 on the same rows, with a 95 % interval from resampling whole ISO weeks.

    Seeds are averaged inside a row's squared error before weeks are drawn, so the interval is about weeks, and seeds of the
    two sides need not match in number.
    """
    errors = [np.mean([(r.prediction.middle - problem.y) ** 2 for r in runs], axis=0) for runs in (ours, theirs)]
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
    return [_sample(problem, run, int(i)) for run in runs for i in np.flatnonzero(np.isfinite(run.prediction.middle))]


def _sample(problem: Problem, run: OutOfFold, i: int) -> dict:
    data, p = problem.data, run.prediction
    return {
        "target": run.target, "split": run.split, "model": run.model, "seed": run.seed, "row": i,
        "station": str(data.station[i]), "time": str(data.time[i]), "iso_week": str(problem.groups[i]),
        "observed_ug_l": 10.0 ** problem.y[i], "censored": int(problem.below[i]),
        "predicted_ug_l": 10.0 ** p.middle[i], "lower_ug_l": 10.0 ** p.low[i], "upper_ug_l": 10.0 ** p.high[i],
        "p_exceed_1_6": p.exceedance[1.6][i], "p_exceed_8": p.exceedance[8.0][i],
    }  # fmt: skip


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
