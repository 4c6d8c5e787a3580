"""The whole comparison of one target: our ensemble and its parts, encoders by how they were pretrained, and the baselines."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from spectral_jax.downstream import (
    baselines,
    calibration,
    censored_ridge,
    ensemble,
    evaluate,
    features,
    finetune,
    problem,
    splits,
)
from spectral_jax.downstream.baselines import Predictor
from spectral_jax.downstream.ensemble import LIMIT, Prediction
from spectral_jax.downstream.evaluate import OutOfFold
from spectral_jax.downstream.problem import Problem
from spectral_jax.downstream.settings import Evaluation

OURS = "ensemble"
TARGETED = "targeted"
# Way of pretraining -> one embedding [N D] of all rows a seed.
Embeddings = dict[str, list[np.ndarray]]


def run(p: Problem, cfg: Evaluation, embeddings: Embeddings, encoders: list) -> Iterator[list[OutOfFold]]:
    """Yields the runs of one model on one split, one a seed; a model without randomness gives one."""
    for split in cfg.splits:
        seeded = split == "random"  # its folds depend on the seed, so every model's result does
        for name, kind, predictor, random in models(cfg, embeddings, encoders if split == "week" else [], p):
            seeds = range(cfg.seeds if random or seeded else 1)
            if kind == "baseline":
                yield _parallel(p, split, name, kind, predictor, seeds, cfg.workers)
            else:
                yield [evaluate.out_of_fold(p, split, name, kind, predictor, s) for s in seeds]


def models(cfg: Evaluation, embeddings: Embeddings, encoders: list, p: Problem) -> list[tuple[str, str, Predictor, bool]]:
    """Name, kind, predictor, and whether it depends on the seed, of every model."""
    made: list[tuple[str, str, Predictor, bool]] = [(OURS, "ours", mixture, False)]
    if TARGETED in embeddings:
        made.append((f"{OURS} with encoder", "part", partial(mixture, embeddings=embeddings[TARGETED]), True))
    parts = problem.inputs(p)
    made += [(f"expert: {name}", "part", partial(expert, name=name), False) for name in parts.features]
    made += [(f"frozen probe, {way}", "ablation", partial(probe, embeddings=e), True) for way, e in embeddings.items()]
    for depth in finetune.DEPTHS if encoders else ():
        made.append((f"{depth} fine-tuning", "part", finetune.predictor(encoders, depth), True))
    for name in cfg.baselines:
        if name == "season" and p.season is None:
            continue  # there is no table for this water
        made.append((name, "baseline", baselines.baseline(name, cfg.trees), name in baselines.RANDOM))
    return made


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
) -> Prediction:
    """The ensemble, or a variant of it: with an encoder a seed, of other experts, without season or context."""
    inputs = problem.inputs(p, None if embeddings is None else embeddings[seed], experts)
    if not season:
        inputs = inputs._replace(season=None)
    fitted = ensemble.fit(inputs.take(train), p.y[train], p.below[train], p.groups[train], context_days)
    return ensemble.predict(fitted, inputs.take(test))


def attempts(p: Problem) -> list[dict]:
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
    out = []
    for what, options in variants.items():
        found = evaluate.out_of_fold(p, "week", what, "attempt", partial(mixture, **options), 0)
        inner = []
        for fold in splits.folds(p.data, p.target, "week"):
            inputs = problem.inputs(p, None, options.get("experts", ()))
            inputs = inputs if options.get("season", True) else inputs._replace(season=None)
            rows = fold.train
            inner.append(ensemble.left_out_error(inputs.take(rows), p.y[rows], p.below[rows], p.groups[rows]))
        variance = np.nanvar(p.y[splits.labelled(p.data, p.target)])
        out.append({
            "target": p.target, "what": what, "r2_log10": evaluate.score(p, found)["r2_log10"],
            "note": f"R2 {1 - np.mean(inner) / variance:.3f} on left-out weeks inside the training rows, without context",
        })  # fmt: skip
    return out


def expert(p: Problem, train: np.ndarray, test: np.ndarray, seed: int, *, name: str) -> Prediction:
    """One of the ensemble's lines by itself."""
    inputs = problem.inputs(p)
    return _line(p, inputs.features[name], inputs.censored[name], train, test)


def probe(p: Problem, train: np.ndarray, test: np.ndarray, seed: int, *, embeddings: list[np.ndarray]) -> Prediction:
    """A line on the embedding of a frozen encoder, and on nothing else."""
    return _line(p, embeddings[seed], False, train, test)


def label_efficiency(p: Problem, cfg: Evaluation, embeddings: Embeddings) -> list[dict]:
    """R2 in log10 when only a part of the training rows of each fold keeps its label; the same rows for every model."""
    compared: dict[str, Predictor] = {OURS: mixture}
    compared |= {f"frozen probe, {way}": partial(probe, embeddings=e) for way, e in embeddings.items() if way in WAYS}
    by_indices = next(name for name in features.EXPERTS_OF[p.target] if "indices" in name)
    compared[f"expert: {by_indices}"] = partial(expert, name=by_indices)
    if p.target == "now":
        compared["ridge"] = partial(expert, name="spectrum")
    out = []
    for name, predictor in compared.items():
        for fraction in cfg.label_fractions:
            values, kept = [], []
            for seed in range(cfg.seeds):
                fewer = partial(_with_fewer_labels, predictor=predictor, fraction=fraction, kept=kept)
                values.append(evaluate.score(p, evaluate.out_of_fold(p, "week", name, "ablation", fewer, seed))["r2_log10"])
            out.append({
                "target": p.target, "model": name, "fraction": fraction, "r2_log10": float(np.mean(values)),
                "r2_log10_sd": float(np.std(values, ddof=1)) if len(values) > 1 else 0.0,
                "rows": float(np.mean(kept)), "seeds": cfg.seeds,
            })  # fmt: skip
    return out


# Ways of pretraining that the label-efficiency curve shows.
WAYS = ("targeted", "random", "untrained")
# A fit needs two weeks to choose its strength by, and a few rows to have a spread.
FEWEST = 8


def _with_fewer_labels(p: Problem, train, test, seed: int, *, predictor: Predictor, fraction: float, kept: list) -> Prediction:
    rng = np.random.default_rng([seed, len(train), int(test[0])])
    order = rng.permutation(train)
    count = min(max(FEWEST, round(fraction * len(train))), len(train))
    # The few must lie in two weeks at least.
    while len(np.unique(p.groups[order[:count]])) < 2 and count < len(train):
        count += 1
    kept.append(count)
    return predictor(p, np.sort(order[:count]), test, seed)


def _line(p: Problem, features: np.ndarray, censored: bool, train: np.ndarray, test: np.ndarray) -> Prediction:
    below = p.below[train] if censored else None
    line, left_out = censored_ridge.fit(features[train], p.y[train], p.groups[train], below=below, limit=LIMIT)
    highest = p.y[train].max() + ensemble.BEYOND_HIGHEST
    spread = calibration.fit(left_out, p.y[train], p.below[train], LIMIT)
    return ensemble.of_log10(spread, np.minimum(censored_ridge.predict(line, features[test], LIMIT), highest))


def _parallel(p: Problem, split: str, name: str, kind: str, predictor: Predictor, seeds, workers: int) -> list[OutOfFold]:
    """Seeds, or the folds of a single one, over worker processes."""
    from joblib import Parallel, delayed

    if len(seeds) > 1:
        return Parallel(workers)(delayed(evaluate.out_of_fold)(p, split, name, kind, predictor, s) for s in seeds)
    parts = splits.folds(p.data, p.target, split, seeds[0])
    found = Parallel(workers)(delayed(predictor)(p, f.train, f.test, seeds[0]) for f in parts)
    return [evaluate.assemble(p, split, name, kind, seeds[0], parts, found)]
