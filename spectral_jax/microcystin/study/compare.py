"""The whole comparison of one target: our ensemble and its parts, encoders by how they were pretrained, and the baselines."""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

from spectral_jax.microcystin import features, problem, splits
from spectral_jax.microcystin.predictor import calibration, censored_ridge, ensemble
from spectral_jax.microcystin.predictor.ensemble import LIMIT, Prediction
from spectral_jax.microcystin.problem import Problem
from spectral_jax.microcystin.settings import Evaluation
from spectral_jax.microcystin.study import baselines, evaluate, finetune
from spectral_jax.microcystin.study.baselines import Predictor
from spectral_jax.microcystin.study.evaluate import OutOfFold

OURS = "ensemble"
TARGETED = "targeted"
# Way of pretraining -> one embedding [N D] of all rows a seed.
Embeddings = dict[str, list[np.ndarray]]


class Compared(NamedTuple):
    """A model of the comparison.

    Attributes:
      name: in the report.
      kind: `ours`, `part`, `ablation` or `baseline`.
      predictor: as the baselines are.
      random: whether it depends on the seed.
      spread: whether its folds are spread over processes; what compiles programs stays in this one.
    """

    name: str
    kind: str
    predictor: Predictor
    random: bool
    spread: bool = True


def run(p: Problem, cfg: Evaluation, embeddings: Embeddings, encoders: list) -> Iterator[list[OutOfFold]]:
    """Yields the runs of one model on one split, one a seed; a model without randomness gives one."""
    for split in cfg.splits:
        seeded = split == "random"  # its folds depend on the seed, so every model's result does
        for model in models(cfg, embeddings, encoders if split == "week" else [], p):
            seeds = range(cfg.seeds if model.random or seeded else 1)
            yield _out_of_fold(p, split, model, seeds, cfg.workers if model.spread else 1)


def models(cfg: Evaluation, embeddings: Embeddings, encoders: list, p: Problem) -> list[Compared]:
    """All models of a comparison, ours first."""
    made = [Compared(OURS, "ours", mixture, False)]
    if TARGETED in embeddings:
        made.append(Compared(f"{OURS} with encoder", "part", partial(mixture, embeddings=embeddings[TARGETED]), True))
    parts = problem.inputs(p)
    made += [Compared(f"expert: {name}", "part", partial(expert, name=name), False) for name in parts.features]
    made += [Compared(f"frozen probe, {way}", "ablation", partial(probe, embeddings=e), True) for way, e in embeddings.items()]
    for depth in finetune.DEPTHS if encoders else ():
        made.append(Compared(f"{depth} fine-tuning", "part", finetune.predictor(encoders, depth), True, spread=False))
    for name in cfg.baselines:
        if name == "season" and p.season is None:
            continue  # there is no table for this water
        made.append(Compared(name, "baseline", baselines.baseline(name, cfg.trees), name in baselines.RANDOM))
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
    from joblib import Parallel, delayed

    return Parallel(workers)(delayed(_attempt)(p, what, options) for what, options in variants.items())


def _attempt(p: Problem, what: str, options: dict) -> dict:
    found = evaluate.out_of_fold(p, "week", what, "attempt", partial(mixture, **options), 0)
    inputs = problem.inputs(p, None, options.get("experts", ()))
    inputs = inputs if options.get("season", True) else inputs._replace(season=None)
    inner = []
    for fold in splits.folds(p.data, p.target, "week"):
        rows = fold.train
        inner.append(ensemble.left_out_error(inputs.take(rows), p.y[rows], p.below[rows], p.groups[rows]))
    variance = np.nanvar(p.y[splits.labelled(p.data, p.target)])
    return {
        "target": p.target, "what": what, "r2_log10": evaluate.score(p, found)["r2_log10"],
        "note": f"R2 {1 - np.mean(inner) / variance:.3f} on left-out weeks inside the training rows, without context",
    }  # fmt: skip


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
    from joblib import Parallel, delayed

    jobs = [(name, fraction) for name in compared for fraction in cfg.label_fractions]
    found = Parallel(cfg.workers)(
        delayed(_score_of_a_fraction)(p, compared[name], fraction, seed) for name, fraction in jobs for seed in range(cfg.seeds)
    )
    out = []
    for i, (name, fraction) in enumerate(jobs):
        values, rows = zip(*found[i * cfg.seeds : (i + 1) * cfg.seeds], strict=True)
        out.append({
            "target": p.target, "model": name, "fraction": fraction, "r2_log10": float(np.mean(values)),
            "r2_log10_sd": float(np.std(values, ddof=1)) if len(values) > 1 else 0.0,
            "rows": float(np.mean(rows)), "seeds": cfg.seeds,
        })  # fmt: skip
    return out


def _score_of_a_fraction(p: Problem, predictor: Predictor, fraction: float, seed: int) -> tuple[float, float]:
    """R2 in log10, and the mean number of rows that a fold kept."""
    kept: list[int] = []
    fewer = partial(_with_fewer_labels, predictor=predictor, fraction=fraction, kept=kept)
    found = evaluate.out_of_fold(p, "week", "fewer labels", "ablation", fewer, seed)
    return evaluate.score(p, found)["r2_log10"], float(np.mean(kept))


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


def _out_of_fold(p: Problem, split: str, model: Compared, seeds: range, workers: int) -> list[OutOfFold]:
    """One run a seed; the folds of all seeds are spread over worker processes."""
    from joblib import Parallel, delayed

    folds = [splits.folds(p.data, p.target, split, seed) for seed in seeds]
    jobs = [(fold, seed) for seed, parts in zip(seeds, folds, strict=True) for fold in parts]
    found = iter(Parallel(workers)(delayed(model.predictor)(p, fold.train, fold.test, seed) for fold, seed in jobs))
    return [
        evaluate.assemble(p, split, model.name, model.kind, seed, parts, [next(found) for _ in parts])
        for seed, parts in zip(seeds, folds, strict=True)
    ]
