"""Presto fine-tuned by its published recipe, on the package's one training loop.

Source: presto/eval/eval.py, fuel_moisture_eval.py and presto.py of github.com/nasaharvest/presto: one linear layer on the
embedding, everything but the tables of steps and months trains, AdamW, Huber loss on the numbers as they are, early stopping on
the validation MSE. Its weight decay spares vectors; its learning rates by layer are set up and never read.

That code keeps `model.state_dict()` of the best epoch, which holds references: what it evaluates is the last state, `patience`
epochs past the best one. `Tuned` has both.
"""

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from spectral_jax import ranges
from spectral_jax.adapt.monthly import presto
from spectral_jax.adapt.monthly.frozen import CHUNK
from spectral_jax.model.published.presto import network
from spectral_jax.ranges import COUNT, NOT_NEGATIVE
from spectral_jax.train import loop


@dataclasses.dataclass(frozen=True)
class Recipe:
    """The published numbers.

    Attributes:
      learning_rate, weight_decay: of AdamW.
      huber: where the loss becomes linear, in the unit of the target.
      batch: samples a step.
      epochs: at most.
      patience: epochs without a better validation MSE before training ends.
      val_groups: sites that validate, drawn by the seed, where the task has no validation part.
    """

    learning_rate: float = 3e-4
    weight_decay: float = 0.05
    huber: float = 1.0
    batch: int = 64
    epochs: int = 200
    patience: int = 10
    val_groups: int = 8

    def __post_init__(self):
        counts = dict.fromkeys(("batch", "epochs", "patience", "val_groups"), COUNT)
        ranges.check(
            self,
            "recipe.",
            counts | dict.fromkeys(("learning_rate", "weight_decay"), NOT_NEGATIVE) | {"huber": ranges.POSITIVE},
        )


class Tuned(NamedTuple):
    """Predictions [M] of the best state by the validation part and of the last one, and the best epoch, from 1."""

    best: np.ndarray
    last: np.ndarray
    best_epoch: int


class State(NamedTuple):
    """Updates made, parameters `{"encoder", "head"}`, and optax's state."""

    step: jax.Array
    params: dict
    opt_state: optax.OptState


def validation(groups: np.ndarray, train: np.ndarray, recipe: Recipe, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Training and validation rows: so many groups of the training rows validate, drawn by the seed.

    Raises:
      ValueError: no group is left to train on.
    """
    names = np.unique(groups[train])
    if len(names) <= recipe.val_groups:
        raise ValueError(
            f"recipe.val_groups: expected fewer than the {len(names)} groups of the training part, got {recipe.val_groups}."
        )
    chosen = np.random.default_rng([seed, 0]).choice(names, recipe.val_groups, replace=False)
    held = np.isin(groups[train], chosen)
    return train[~held], train[held]


def fit(
    encoder: dict, config: Any, inputs: Any, values: np.ndarray, rows: tuple[np.ndarray, ...], recipe: Recipe, seed: int
) -> Tuned:
    """Trains Presto on one target.

    Args:
      encoder: parameters to start from.
      config: of the encoder.
      inputs: `PrestoInputs` of all samples.
      values: the target of all samples [N].
      rows: of the training, validation and test part.
      recipe: how.
      seed: of the head's first numbers and of the order of batches.

    Raises:
      loop.NonFiniteLoss: training diverged.
    """
    train, val, test = rows
    key = jax.random.key(seed)
    params = {"encoder": encoder, "head": _head(jax.random.fold_in(key, 1), config.width)}
    values = np.asarray(values, np.float32)
    state = State(jnp.int32(0), params, _optimiser(recipe, params, config).init(params))
    step = partial(_step, config=config, recipe=recipe)
    best, kept, best_epoch = np.inf, params, 0
    for epoch in range(1, recipe.epochs + 1):
        drawn = _batches(inputs, values, train, recipe.batch, seed, epoch)
        state = loop.drive(step, state, drawn, key, start=int(state.step), names=_told, settled=_settled)
        error = float(np.mean((predict(state.params, config, inputs, val) - values[val]) ** 2))
        if error < best:
            best, kept, best_epoch = error, state.params, epoch
        elif epoch - best_epoch >= recipe.patience:
            break
    return Tuned(predict(kept, config, inputs, test), predict(state.params, config, inputs, test), best_epoch)


def predict(params: dict, config: Any, inputs: Any, rows: np.ndarray) -> np.ndarray:
    """What fine-tuned parameters say of rows [M]."""
    found = []
    for start in range(0, len(rows), CHUNK):
        some = rows[np.minimum(np.arange(start, start + CHUNK), len(rows) - 1)]
        out = _predict(params, jax.tree.map(lambda x, some=some: np.asarray(x)[some], inputs), config=config)
        found.append(np.asarray(out)[: len(rows) - start])
    return np.concatenate(found)


def _head(key: jax.Array, width: int) -> dict:
    """A linear layer to one number, as PyTorch starts it."""
    bound = width**-0.5
    draw = lambda k, shape: jax.random.uniform(k, shape, jnp.float32, -bound, bound)  # noqa: E731
    kernel, bias = jax.random.split(key)
    return {"kernel": draw(kernel, (width, 1)), "bias": draw(bias, (1,))}


def _batches(inputs, values, train, size, seed, epoch):
    """Every training sample once, in random order; what fills up the last batch has weight 0."""
    order = np.random.default_rng([seed, 1, epoch]).permutation(train)
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        counts = np.arange(size) < len(rows)
        rows = np.concatenate([rows, np.full(size - len(rows), rows[0])])
        yield jax.tree.map(lambda x, rows=rows: np.asarray(x)[rows], inputs), values[rows], counts.astype(np.float32)


def _told(batch) -> Callable[[], list[str]]:
    """Tells what a batch holds, for the sentence about a loss that is not finite."""
    used = batch[2]
    return lambda: [f"{int(used.sum())} samples"]


def _settled(metrics: dict) -> None:
    """Losses of steps are not kept: the validation part decides."""


def _optimiser(recipe: Recipe, params: dict, config: Any) -> optax.GradientTransformation:
    trains = {"encoder": network.trainable(params["encoder"], config), "head": jax.tree.map(lambda _: True, params["head"])}
    decays = jax.tree.map(lambda x, moves: moves and x.ndim > 1, params, trains)
    return optax.adamw(recipe.learning_rate, weight_decay=recipe.weight_decay, mask=decays)


def _outputs(params, inputs, config):
    head = params["head"]
    return jnp.squeeze(presto.embed(params["encoder"], inputs, config) @ head["kernel"], axis=1) + head["bias"]


@partial(jax.jit, static_argnames="config")
def _predict(params, inputs, *, config):
    return _outputs(params, inputs, config)


@partial(jax.jit, static_argnames=("config", "recipe"))
def _step(state: State, batch, key, *, config, recipe: Recipe):
    del key  # the recipe has no dropout
    inputs, values, counts = batch

    def loss(params):
        losses = optax.huber_loss(_outputs(params, inputs, config), values, delta=recipe.huber)
        return jnp.sum(losses * counts) / jnp.sum(counts)

    value, grads = jax.value_and_grad(loss)(state.params)
    with jax.numpy_dtype_promotion("standard"):  # optax raises Python floats to integer powers
        updates, opt_state = _optimiser(recipe, state.params, config).update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    metrics = {"loss": value, "grad_norm": optax.tree.norm(grads), "update_norm": optax.tree.norm(updates)}
    return State(state.step + 1, params, opt_state), metrics
