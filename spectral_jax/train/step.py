"""One update, written once for the global view; `train.partition` runs it on one device or on many."""

import dataclasses
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import optax

from spectral_jax.batch import Batch, decode
from spectral_jax.config import Config
from spectral_jax.means import Axis
from spectral_jax.model.initialise import frozen
from spectral_jax.objective import joint
from spectral_jax.train.state import State, ema_momentum, learning_rate, optimiser


def gradient(params: dict, teacher: dict, batch: Batch, key: jax.Array, cfg: Config, axis: Axis = None) -> tuple[dict, dict]:
    """What one update needs of the objective: its metrics, and the gradient.

    Args:
      params: of the student.
      teacher: of the teacher.
      batch: B locations: all of them, or this device's share inside `shard_map`.
      key: of the step.
      cfg: the run.
      axis: mesh axes of `shard_map`, or None.

    Returns:
      float32 scalars over the global batch, and the gradient by parameter. Inside `shard_map`, of parameters that are marked as
      varying over `axis`, it is this device's part of it: the loss adds over devices before it divides, so the parts are to be
      added up, and not averaged.
    """
    (_, metrics), grads = jax.value_and_grad(joint.loss, has_aux=True)(params, teacher, batch, key, cfg, axis)
    return metrics, grads


def update(
    state: State, batch: Batch, key: jax.Array, cfg: Config, gradient: Callable = gradient
) -> tuple[State, dict[str, jax.Array]]:
    """Takes one gradient step and moves the teacher, in the global view.

    Args:
      state: before the step.
      batch: B locations.
      key: of the run; the step's own key is folded in here, so nothing random is carried in the state.
      cfg: the run.
      gradient: what `gradient` is, for who spreads it over devices.

    Returns:
      The state after the step and float32 scalars.
    """
    step_key = jax.random.fold_in(key, state.step)
    metrics, grads = gradient(state.params, state.teacher, batch, step_key, cfg)
    with jax.numpy_dtype_promotion("standard"):  # optax raises Python floats to integer powers
        updates, opt_state = optimiser(cfg).update(grads, state.opt_state, state.params)
        rate = learning_rate(cfg)(state.step)
    # Weight decay moves what has no gradient, and a rounded average of equal numbers may be another one: what is given stays.
    fixed = partial(jax.tree_util.tree_map_with_path, lambda path, new, old: old if frozen(path) else new)
    params = fixed(optax.apply_updates(state.params, updates), state.params)
    momentum = ema_momentum(state.step, cfg)
    teacher = fixed(jax.tree.map(lambda t, p: momentum * t + (1.0 - momentum) * p, state.teacher, params), state.teacher)
    valid, pixels = _valid_pixels(batch, cfg)
    metrics |= {
        "grad_norm": optax.tree.norm(grads),
        "learning_rate": jnp.asarray(rate, jnp.float32),
        "ema_momentum": momentum,
        "valid_share": valid / pixels,
    }
    return dataclasses.replace(state, step=state.step + 1, params=params, teacher=teacher, opt_state=opt_state), metrics


def _valid_pixels(batch: Batch, cfg: Config) -> tuple[jax.Array, jax.Array]:
    """How many pixels of a batch's sensors hold data in every band, and how many there are, float32."""
    pictures = [*batch.sensors.items(), *(batch.other or {}).items()]
    masks = [decode(data, cfg.sensor(key).spec)[1] for key, data in pictures]
    valid = jnp.stack([mask.sum(dtype=jnp.float32) for mask in masks]).sum()
    return valid, jnp.float32(sum(mask.size for mask in masks))
