"""The whole comparison of one target: our ensemble and its parts, encoders by how they were pretrained, and the baselines."""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

from spectral_jax.microcystin import features, problem, splits
from spectral_jax.microcystin.predictor import calibration, censored_ridge, ensemble
from spectral_jax.microcystin.predictor.ensemble import LIMIT, Interval
from spectral_jax.microcystin.problem import Problem
from spectral_jax.microcystin.settings import Evaluation
from spectral_jax.microcystin.study import baselines, evaluate, finetune
from spectral_jax.microcystin.study.baselines import FitPredict
from spectral_jax.microcystin.study.evaluate import OutOfFold

ENSEMBLE = "ensemble"
TARGETED = "targeted"
# Way of pretraining -> one embedding [N D] of all rows a seed.
Embeddings = dict[str, list[np.ndarray]]


class Compared(NamedTuple):
    """A model of the comparison.

    Attributes:
      name: in the report.
      kind: `ours`, `part`, `ablation` or `baseline`.
      fit_predict: called as the baselines are.
      random: whether it depends on the seed.
      spread: whether its folds are spread over processes; what compiles programs stays in this one.
    """

    name: str
    kind: str
    fit_predict: FitPredict
    random: bool
    spread: bool = True


def run(p: Problem, cfg: Evaluation, embeddings: Embeddings, encoders: list) -> Iterator[list[OutOfFold]]:
    """Yields the runs of one model on one split, one a seed; a model without randomness gives one."""
    for split in cfg.splits:
        seeded = split == "random"  # its folds depend on the seed, so every model's result does
        for model in models(cfg, embeddings, encoders if split == "week" else [], p):
            seeds = range(cfg.seeds if model.random or seeded else 1)
            workers = cfg.workers if model.spread else 1
            yield evaluate.out_of_fold(p, split, model.name, model.kind, model.fit_predict, seeds, workers)


def models(cfg: Evaluation, embeddings: Embeddings, encoders: list, p: Problem) -> list[Compared]:
    """All models of a comparison, ours first."""
    compared = [Compared(ENSEMBLE, "ours", mixture, False)]
    if TARGETED in embeddings:
        with_encoder = partial(mixture, embeddings=embeddings[TARGETED])
        compared.append(Compared(f"{ENSEMBLE} with encoder", "part", with_encoder, True))
    experts = problem.inputs(p).features
    compared += [Compared(f"expert: {name}", "part", partial(expert, name=name), False) for name in experts]
    for way, of_seeds in embeddings.items():
        compared.append(Compared(f"frozen probe, {way}", "ablation", partial(probe, embeddings=of_seeds), True))
    for depth in finetune.DEPTHS if encoders else ():
        compared.append(Compared(f"{depth} fine-tuning", "part", finetune.fine_tuned(encoders, depth), True, spread=False))
    for name in cfg.baselines:
        if name == "season" and p.season is None:
            continue  # there is no table for this water
        compared.append(Compared(name, "baseline", baselines.baseline(name, cfg.trees), name in baselines.RANDOM))
    return compared


def mixture(
    p: Problem,
    train: np.ndarray,
    test: np.ndarray,
    seed: int,
    *,
    embeddings: list[np.ndarray] | None = None,
    experts: tuple[str, ...] = (),
    season: bool = True,
    context_days: float = ensemble.CONTEXT_DAYS,
) -> Interval:
    """The ensemble, or a variant of it: with an encoder a seed, of other experts, without season or context."""
    inputs = problem.inputs(p, None if embeddings is None else embeddings[seed], experts)
    if not season:
        inputs = inputs._replace(season=None)
    fitted = ensemble.fit(inputs.take(train), p.y[train], p.below[train], p.groups[train], context_days)
    return ensemble.predict(fitted, inputs.take(test))


def attempts(p: Problem, workers: int) -> list[dict]:
    """Variants of the ensemble under the week split: out of fold, and on left-out weeks inside the training rows.

    The second number may guide a choice; the first may not.
    """
    variants: dict[str, dict] = {
        "the ensemble as it is": {},
        "spectrum, shape, slope and eight indices": {"experts": ("spectrum", "shape", "slope", "indices")},
        "spectrum, shape and eight indices": {"experts": ("spectrum", "shape", "indices")},
        "spectrum, shape and all indices": {"experts": ("spectrum", "shape", "all indices")},
        "eight indices": {"experts": ("indices",)},
        "all indices": {"experts": ("all indices",)},
        "every image by itself": {"context_days": 0.0},
    }
    if p.season is not None and p.target == "now":
        variants["without season"] = {"season": False}
    return evaluate.spread(workers, _attempt, [(p, what, options) for what, options in variants.items()])


def _attempt(p: Problem, what: str, options: dict) -> dict:
    (run,) = evaluate.out_of_fold(p, "week", what, "attempt", partial(mixture, **options), [0])
    inputs = problem.inputs(p, None, options.get("experts", ()))
    inputs = inputs if options.get("season", True) else inputs._replace(season=None)
    inner = []
    for fold in splits.folds(p.data, p.target, "week"):
        rows = fold.train
        inner.append(ensemble.left_out_error(inputs.take(rows), p.y[rows], p.below[rows], p.groups[rows]))
    variance = np.nanvar(p.y[splits.labelled(p.data, p.target)])
    return {
        "target": p.target, "what": what, "r2_log10": evaluate.score(p, run)["r2_log10"],
        "note": f"R2 {1 - np.mean(inner) / variance:.3f} on left-out weeks inside the training rows, without context",
    }  # fmt: skip


def expert(p: Problem, train: np.ndarray, test: np.ndarray, seed: int, *, name: str) -> Interval:
    """One of the ensemble's experts by itself."""
    inputs = problem.inputs(p)
    return _linear(p, inputs.features[name], inputs.censored[name], train, test)


def probe(p: Problem, train: np.ndarray, test: np.ndarray, seed: int, *, embeddings: list[np.ndarray]) -> Interval:
    """A linear expert on the embedding of a frozen encoder, and on nothing else."""
    return _linear(p, embeddings[seed], False, train, test)


def label_efficiency(p: Problem, cfg: Evaluation, embeddings: Embeddings) -> list[dict]:
    """R2 in log10 when only a part of the training rows of each fold keeps its label; the same rows for every model."""
    compared: dict[str, FitPredict] = {ENSEMBLE: mixture}
    compared |= {f"frozen probe, {way}": partial(probe, embeddings=e) for way, e in embeddings.items() if way in WAYS}
    by_indices = next(name for name in features.EXPERTS_OF[p.target] if "indices" in name)
    compared[f"expert: {by_indices}"] = partial(expert, name=by_indices)
    if p.target == "now":
        compared["ridge"] = partial(expert, name="spectrum")
    points = [(name, fraction) for name in compared for fraction in cfg.label_fractions]
    jobs = [(p, compared[name], fraction, seed) for name, fraction in points for seed in range(cfg.seeds)]
    scores = evaluate.spread(cfg.workers, _score_of_a_fraction, jobs)
    out = []
    for i, (name, fraction) in enumerate(points):
        values, rows = zip(*scores[i * cfg.seeds : (i + 1) * cfg.seeds], strict=True)
        out.append({
            "target": p.target, "model": name, "fraction": fraction, "r2_log10": float(np.mean(values)),
            "r2_log10_sd": float(np.std(values, ddof=1)) if len(values) > 1 else 0.0,
            "rows": float(np.mean(rows)), "seeds": cfg.seeds,
        })  # fmt: skip
    return out


def _score_of_a_fraction(p: Problem, fit_predict: FitPredict, fraction: float, seed: int) -> tuple[float, float]:
    """R2 in log10, and the mean number of rows whose labels a fold uses."""
    counts: list[int] = []
    fewer = partial(_with_fewer_labels, fit_predict=fit_predict, fraction=fraction, counts=counts)
    (run,) = evaluate.out_of_fold(p, "week", "fewer labels", "ablation", fewer, [seed])
    return evaluate.score(p, run)["r2_log10"], float(np.mean(counts))


# Ways of pretraining that the label-efficiency curve shows.
WAYS = ("targeted", "random", "untrained")
# A fit needs two weeks to choose its strength by, and a few rows to have a spread.
FEWEST = 8


def _with_fewer_labels(
    p: Problem, train, test, seed: int, *, fit_predict: FitPredict, fraction: float, counts: list[int]
) -> Interval:
    rng = np.random.default_rng([seed, len(train), int(test[0])])
    order = rng.permutation(train)
    count = min(max(FEWEST, round(fraction * len(train))), len(train))
    # The few must lie in two weeks at least.
    while len(np.unique(p.groups[order[:count]])) < 2 and count < len(train):
        count += 1
    counts.append(count)
    return fit_predict(p, np.sort(order[:count]), test, seed)


def _linear(p: Problem, features: np.ndarray, censored: bool, train: np.ndarray, test: np.ndarray) -> Interval:
    below = p.below[train] if censored else None
    ridge, left_out = censored_ridge.fit(features[train], p.y[train], p.groups[train], below=below, limit=LIMIT)
    highest = p.y[train].max() + ensemble.BEYOND_HIGHEST
    spread = calibration.fit(left_out, p.y[train], p.below[train], LIMIT)
    return ensemble.of_log10(spread, np.minimum(censored_ridge.predict(ridge, features[test], LIMIT), highest))
