"""Fine-tuning of a pretrained encoder on labelled match-ups, in part or in full, with non-detects censored.

The head is linear in the embedding that probes read. It starts as the frozen probe's, so training begins where probing ends;
then head and encoder follow the likelihood of a normal about what the head gives, of which a non-detect only says that it lies
below the limit.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from spectral_jax.config import Config
from spectral_jax.microcystin import splits
from spectral_jax.microcystin.predictor import calibration, censored_ridge, ensemble
from spectral_jax.microcystin.predictor.ensemble import LIMIT, Interval
from spectral_jax.microcystin.problem import Problem
from spectral_jax.microcystin.study import embedding
from spectral_jax.microcystin.study.baselines import FitPredict
from spectral_jax.model.initialise import frozen
from spectral_jax.sentences import unknown

# Parts of the encoder that move: those behind the sensors' branches, or everything.
DEPTHS = {"partial": ("fuse", "stage3", "norm"), "full": None}
# Share of the training weeks that calibrates the intervals and is not fitted on.
HELD_BACK = 0.2


class Recipe(NamedTuple):
    """Steps of AdamW on batches drawn with replacement. Choices, the same for every fold; nothing is chosen on a test week."""

    steps: int = 40
    batch: int = 48
    learning_rate: float = 3e-4
    weight_decay: float = 0.01


RECIPE = Recipe()


def fine_tuned(encoders: list[tuple[Config, dict]], depth: str, recipe: Recipe = RECIPE) -> FitPredict:
    """Fine-tuning as a model of the comparison, called as the baselines are.

    Args:
      encoders: config and parameters, one a seed.
      depth: of `DEPTHS`.
      recipe: how it is trained.

    Raises:
      ValueError: an unknown depth.
    """
    if depth not in DEPTHS:
        raise unknown("fine-tuning", "depth", depth, DEPTHS)

    def fit_predict(problem: Problem, train: np.ndarray, test: np.ndarray, seed: int) -> Interval:
        cfg, params = encoders[seed]
        key, pixels, valid = embedding.patches(cfg, problem.data)
        fitted, calibrating = _hold_back(problem, train, seed)
        start = embedding.embed(params, cfg, problem.data)
        ridge, _ = censored_ridge.fit(start[fitted], problem.y[fitted], problem.groups[fitted], limit=LIMIT)
        head = {
            "weights": jnp.asarray(ridge.weights / ridge.deviation, jnp.float32),
            "bias": jnp.asarray(ridge.intercept - ridge.mean @ (ridge.weights / ridge.deviation), jnp.float32),
            "log_sigma": jnp.log(jnp.float32(ridge.sigma)),
        }
        share = np.zeros(len(problem.y), np.float32)
        share[fitted] = 1.0
        outputs = _fit(
            params["encoder"], head, pixels, valid, np.nan_to_num(problem.y, nan=LIMIT).astype(np.float32), problem.below,
            share, jax.random.key(seed), cfg=cfg, sensor=key, depth=depth, recipe=recipe,
        )  # fmt: skip
        mean, sigma = np.asarray(outputs[0], np.float64), float(outputs[1])
        highest = problem.y[train].max() + ensemble.BEYOND_HIGHEST
        predicted = np.clip(censored_ridge.expected(mean, sigma, LIMIT), LIMIT, highest)
        y, below = problem.y[calibrating], problem.below[calibrating]
        return ensemble.of_log10(calibration.fit(predicted[calibrating], y, below, LIMIT), predicted[test])

    return fit_predict


def _hold_back(problem: Problem, train: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Training rows to fit on and those of some weeks to calibrate on, which share no sample."""
    weeks = np.random.default_rng(seed).permutation(np.unique(problem.groups[train]))
    calibrating = train[np.isin(problem.groups[train], weeks[: max(1, round(HELD_BACK * len(weeks)))])]
    rest = train[~np.isin(train, calibrating)]
    return splits.without_shared_samples(problem.data, problem.target, rest, calibrating), calibrating


def negative_log_likelihood(mean, sigma, y, below):
    """Of a normal about `mean` [B]; a non-detect says that it lies below `LIMIT`. [B]."""
    a = (LIMIT - mean) / sigma
    z = (y - mean) / sigma
    return jnp.where(below, -jax.scipy.stats.norm.logcdf(a), 0.5 * z**2 + jnp.log(sigma))


@partial(jax.jit, static_argnames=("cfg", "sensor", "depth", "recipe"))
def _fit(encoder, head, pixels, valid, y, below, share, key, *, cfg: Config, sensor: str, depth: str, recipe: Recipe):
    """Trains, and predicts every row: mean [N] and sigma."""
    moving = DEPTHS[depth]

    def label(path, _) -> str:
        return "moves" if (moving is None or path[0].key in moving) and not frozen(path) else "stays"

    labels = {"encoder": jax.tree_util.tree_map_with_path(label, encoder), "head": jax.tree.map(lambda _: "moves", head)}
    optimiser = optax.multi_transform(
        {"moves": optax.adamw(recipe.learning_rate, weight_decay=recipe.weight_decay), "stays": optax.set_to_zero()}, labels
    )

    def mean_of(params, rows):
        part = (pixels, valid) if rows is None else (pixels[rows], valid[rows])
        return embedding.encoded(params["encoder"], *part, cfg, sensor) @ params["head"]["weights"] + params["head"]["bias"]

    def loss(params, rows):
        sigma = jnp.exp(params["head"]["log_sigma"])
        return jnp.mean(negative_log_likelihood(mean_of(params, rows), sigma, y[rows], below[rows]))

    def step(carry, step_key):
        params, state = carry
        rows = jax.random.choice(step_key, pixels.shape[0], (recipe.batch,), p=share / share.sum())
        grads = jax.grad(loss)(params, rows)
        with jax.numpy_dtype_promotion("standard"):  # optax raises Python floats to integer powers
            updates, state = optimiser.update(grads, state, params)
        return (optax.apply_updates(params, updates), state), None

    params = {"encoder": encoder, "head": head}
    (params, _), _ = jax.lax.scan(step, (params, optimiser.init(params)), jax.random.split(key, recipe.steps))
    return mean_of(params, None), jnp.exp(params["head"]["log_sigma"])
