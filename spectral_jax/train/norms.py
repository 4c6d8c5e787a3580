"""How large a state and its last change are: what a run logs, and no step needs, so that it is a program of its own.

In the step these sums took half of the program of a pod (b on v5e) and half of the update's time to compile.
"""

import jax
import jax.numpy as jnp
import optax

from spectral_jax.config import Config
from spectral_jax.model.initialise import frozen
from spectral_jax.train.state import EPS, State, learning_rate


def of(state: State, cfg: Config) -> dict[str, jax.Array]:
    """Euclidean norms over all trained parameters of a state after an update.

    Args:
      state: after at least one update.
      cfg: the run.

    Returns:
      float32 scalars: `param_norm` of the student, `update_norm` of what the last update added to it, `teacher_distance`
      between student and teacher.
    """
    apart = jax.tree.map(jnp.subtract, state.params, state.teacher)
    return {
        "param_norm": optax.tree.norm(_trained(state.params)),
        "update_norm": optax.tree.norm(last_update(state, cfg)),
        "teacher_distance": optax.tree.norm(apart),
    }


def last_update(state: State, cfg: Config) -> list[jax.Array]:
    """What the last update added to the trained parameters, in their order, from the state after it alone.

    AdamW adds -r (a + w p), with rate r, weight decay w, a the ratio of the corrected moments, and p the parameters before. Of
    p' after, p' = p - r (a + w p), that is -r (a + w p') / (1 - r w).
    """
    adam = state.opt_state[0]
    b1, b2 = cfg.optim.betas
    count = adam.count.astype(jnp.float32)
    first, second = 1.0 - b1**count, 1.0 - b2**count
    with jax.numpy_dtype_promotion("standard"):
        rate = learning_rate(cfg)(state.step - 1)
    decay = cfg.optim.weight_decay

    def one(p, mean, square):
        ratio = mean / first / (jnp.sqrt(square / second) + EPS)
        return -rate * (ratio + decay * p) / (1.0 - rate * decay)

    return _trained(jax.tree.map(one, state.params, adam.mu, adam.nu))


def _trained(tree) -> list[jax.Array]:
    """The leaves without what is given and never moves, whose numbers are of another size than weights."""
    return [leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree) if not frozen(path)]
