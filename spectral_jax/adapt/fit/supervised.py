"""Supervised training of a head, and of projection and encoder where they train, on the package's one training loop.

The step is pure and its configs are static, so all seeds of a comparison run one compiled program. After each epoch the
validation part decides about the learning rate, the state that is kept, and the end.
"""

import dataclasses
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from spectral_jax.adapt.fit import adapted
from spectral_jax.adapt.fit.adapted import Adapted
from spectral_jax.adapt.parts import batches
from spectral_jax.adapt.parts.part import Part, Samples
from spectral_jax.adapt.protocols import Protocol
from spectral_jax.adapt.score.tally import Tally
from spectral_jax.means import IGNORED, global_mean
from spectral_jax.objective.supervised import binary_cross_entropy, cross_entropy, soft_dice, squared_error
from spectral_jax.tasks.kinds import Kind
from spectral_jax.tasks.spec import TaskSpec
from spectral_jax.train import loop

# What a task file calls the loss of overlaps.
DICE = "Dice"


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class FitState:
    """What training carries: int32 steps made, what a plateau has left of the learning rate, parameters, optax's state."""

    step: jax.Array
    factor: jax.Array
    params: dict
    opt_state: optax.OptState


class Fitted(NamedTuple):
    """The state that was kept, the epoch it is of (from 1), and a row an evaluated epoch."""

    params: dict
    best_epoch: int
    history: list[dict]


def fit(model: Adapted, params: dict, buffers: dict, train: Part, val: Part, protocol: Protocol, seed: int) -> Fitted:
    """Trains by a protocol and keeps the state that the validation part likes best.

    Args:
      model: encoder, adaptation and head.
      params: of `fit.adapted.init`.
      buffers: of `buffers_of`; arrays that do not train.
      train: training part.
      val: validation part; the test part has no business here.
      protocol: how.
      seed: of batches and dropout.

    Raises:
      ValueError: a part is empty, or has no label that counts.
      loop.NonFiniteLoss: training diverged.
    """
    task = train.data.task
    for name, part in (("train", train), ("val", val)):
        part.refuse_without_labels(name)
    epoch_steps = -(-len(train) // protocol.batch)
    moving = _moving(params, protocol)
    state = FitState(jnp.int32(0), jnp.float32(1.0), params, _optimiser(protocol, model, params).init(moving))
    total = jnp.int32(epoch_steps * protocol.epochs)
    step = partial(_step, buffers=buffers, total=total, model=model, protocol=protocol, task=task)
    best, best_epoch, kept, history = 0.0, 0, params, []
    plateau = _schedule(protocol, task.kind) == "plateau"
    stale = 0
    for epoch in range(1, protocol.epochs + 1):
        steps = range((epoch - 1) * epoch_steps, epoch * epoch_steps)
        state, losses = _driven(step, state, batches.draw(train, protocol, seed, steps, model.px), seed, steps.start, task.name)
        if epoch % protocol.evaluate_every and epoch != protocol.epochs:
            continue
        val_loss, tally = evaluate(model, state.params, buffers, val, protocol)
        metric = tally.metrics()[task.kind.headline]
        row = {"epoch": epoch, "loss": float(np.mean(losses)), "val_loss": val_loss, "val_metric": metric}
        history.append(row | {"factor": float(state.factor)})
        better = -val_loss if protocol.monitor == "loss" else metric
        if not best_epoch or better > best + protocol.least_gain:
            best, best_epoch, kept, stale = better, epoch, state.params, 0
            continue
        stale += 1
        if plateau and stale > protocol.plateau_patience:  # as PyTorch's ReduceLROnPlateau counts
            state, stale = dataclasses.replace(state, factor=state.factor * protocol.plateau_factor), 0
        if protocol.patience is not None and epoch - best_epoch >= protocol.patience:
            break
    return Fitted(kept, best_epoch, history)


def _driven(
    step: Callable, state: FitState, drawn: Iterator[Samples], seed: int, start: int, name: str
) -> tuple[FitState, list[float]]:
    """The state after a step on each of the batches, and the losses."""
    losses: list[float] = []

    def told(batch: Any) -> Callable[[], list[str]]:
        counts = batch.counts
        return lambda: [f"{int(counts.sum())} samples of task {name}"]

    def settled(row: dict) -> None:
        losses.append(row["loss"])

    return loop.drive(step, state, drawn, jax.random.key(seed), start=start, names=told, settled=settled), losses


def buffers_of(model: Adapted, params: dict, matrix: np.ndarray | None, train: Part) -> dict:
    """What does not train: the fixed matrix, mean and deviation of each band as the encoder first sees it, those of targets.

    Statistics are those of the valid pixels of the training part; encoders without published statistics get no others.
    """
    buffers = {} if matrix is None else {"matrix": jnp.asarray(matrix, jnp.float32)}
    count, total, squares = 0, 0.0, 0.0
    for at in range(len(train)):
        image, valid, _ = train.sample(at)
        x = adapted.project_bands(params["projection"], buffers.get("matrix"), jnp.asarray(image[valid][None, None]), model)
        x = np.asarray(x, np.float64)[0, 0]
        count, total, squares = count + len(x), total + x.sum(axis=0), squares + (x**2).sum(axis=0)
    mean = total / max(count, 1)
    std = np.sqrt(np.maximum(squares / max(count, 1) - mean**2, 0.0))
    buffers |= {"mean": jnp.asarray(mean, jnp.float32), "std": jnp.asarray(np.where(std > 1e-6, std, 1.0), jnp.float32)}
    return buffers | (label_buffers(train.labels()) if train.data.task.kind.labels == "numbers" else {})


def label_buffers(labels: list[np.ndarray]) -> dict[str, jax.Array]:
    """Mean and deviation [K] of the training labels of a regression [... K]."""
    table = np.concatenate([np.asarray(label, np.float64).reshape(-1, label.shape[-1]) for label in labels])
    std = np.nanstd(table, axis=0)
    mean = np.nanmean(table, axis=0)
    return {"label_mean": jnp.asarray(mean, jnp.float32), "label_std": jnp.asarray(np.where(std > 0, std, 1.0), jnp.float32)}


def task_loss(
    task: TaskSpec, outputs: jax.Array, labels: jax.Array, counts: jax.Array, buffers: dict
) -> tuple[jax.Array, jax.Array]:
    """Sum and count of the loss of a batch; pure.

    Args:
      task: of the labels; static. Tasks with a class for each pixel whose published loss is "Dice" have that.
      outputs: of the head [B H W K] or [B K].
      labels: see `TaskData.labels`; -1 and NaN do not count.
      counts: bool [B], False for samples that fill up a batch.
      buffers: regressions take `label_mean` and `label_std` [K]: they are trained on standardised targets.
    """
    if task.kind.labels == "class":
        return soft_dice(outputs, labels) if task.kind.is_map and task.loss == DICE else cross_entropy(outputs, labels)
    if task.kind.labels == "set":
        if task.kind.of == "images":  # bool has no number for "not labelled", so `counts` tells what fills up the batch
            labels = jnp.where(counts[:, None], labels.astype(jnp.float32), IGNORED)
        return binary_cross_entropy(outputs, labels)
    shape = (1,) * (labels.ndim - 1) + (labels.shape[-1],)
    scaled = (labels - buffers["label_mean"].reshape(shape)) / buffers["label_std"].reshape(shape)
    return squared_error(outputs, scaled)


def evaluate(model: Adapted, params: dict, buffers: dict, part: Part, protocol: Protocol) -> tuple[float, Tally]:
    """Mean loss over everything that counts in a part, and what its metrics are computed from."""
    task, loss, count = part.data.task, 0.0, 0.0
    mean = np.asarray(buffers["label_mean"]) if "label_mean" in buffers else None
    tally = Tally(task, mean)
    for samples in part.chunks(protocol.batch):
        outputs = adapted.outputs_of(model, params, buffers, samples, protocol)
        batch_loss, counted = _loss(outputs, samples.labels, samples.counts, buffers, task=task)
        loss, count = loss + float(batch_loss), count + float(counted)
        shown = np.asarray(outputs)[samples.counts]
        if mean is not None:
            shown = shown * np.asarray(buffers["label_std"]) + mean
        tally.add(shown, samples.labels[samples.counts])
    return loss / max(count, 1.0), tally


@partial(jax.jit, static_argnames=("model", "protocol", "task"))
def _step(state: FitState, batch: Samples, key, *, buffers, total, model: Adapted, protocol: Protocol, task: TaskSpec):
    """One update; metrics `loss`, `grad_norm`, `update_norm` and `learning_rate`."""
    # Merging dates has a dropout of its own.
    key = jax.random.fold_in(key, state.step) if protocol.dropout or model.temporal else None

    def loss(moving):
        outputs = adapted.predict(state.params | moving, buffers, batch.images, batch.valid, model, key)
        return global_mean(*task_loss(task, outputs, batch.labels, batch.counts, buffers), None)

    moving = _moving(state.params, protocol)
    value, grads = jax.value_and_grad(loss)(moving)
    rate = protocol.learning_rate * state.factor * _share(_schedule(protocol, task.kind), state.step, total, protocol)
    with jax.numpy_dtype_promotion("standard"):  # optax raises Python floats to integer powers
        updates, opt_state = _optimiser(protocol, model, state.params).update(grads, state.opt_state, moving)
    updates = jax.tree.map(lambda u: -rate * u, updates)
    metrics = {
        "loss": value,
        "grad_norm": optax.tree.norm(grads),
        "update_norm": optax.tree.norm(updates),
        "learning_rate": rate,
    }
    params = state.params | optax.apply_updates(moving, updates)
    return FitState(state.step + 1, state.factor, params, opt_state), metrics


@partial(jax.jit, static_argnames="task")
def _loss(outputs, labels, counts, buffers, *, task: TaskSpec):
    return task_loss(task, outputs, labels, counts, buffers)


def _optimiser(protocol: Protocol, model: Adapted, params: dict) -> optax.GradientTransformation:
    """AdamW before the learning rate; its decay spares buffers of the published encoders."""
    mask = _moving(adapted.trainable(params, model), protocol)
    b1, b2 = protocol.betas
    return optax.chain(optax.scale_by_adam(b1, b2), optax.add_decayed_weights(protocol.weight_decay, mask))


def _moving(params: dict, protocol: Protocol) -> dict:
    return {name: part for name, part in params.items() if name != "encoder" or not protocol.frozen}


def _schedule(protocol: Protocol, kind: Kind) -> str:
    return protocol.regression_schedule if kind.labels == "numbers" else protocol.schedule


def _share(schedule: str, step: jax.Array, total: jax.Array, protocol: Protocol) -> jax.Array:
    """What the schedule leaves of the learning rate at a step."""
    done = step.astype(jnp.float32) / total.astype(jnp.float32)
    if schedule == "cosine":
        lowest = protocol.lowest_rate / protocol.learning_rate if protocol.learning_rate else 0.0
        return lowest + (1.0 - lowest) * 0.5 * (1.0 + jnp.cos(jnp.pi * done))
    if schedule == "multistep":
        passed = sum((done >= share).astype(jnp.float32) for share in protocol.milestones)
        return jnp.float32(protocol.milestone_factor) ** passed
    return jnp.float32(1.0)
