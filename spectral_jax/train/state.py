"""What training carries from step to step, and the schedules that depend on the step alone."""

import dataclasses

import jax
import jax.numpy as jnp
import optax

from spectral_jax.config import Config
from spectral_jax.model.encoder import encode, level_heads, projector, spectral_heads

EPS = 1e-8  # of AdamW, as in PyTorch and optax


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class State:
    """Everything a checkpoint must hold to continue exactly.

    Attributes:
      step: int32 scalar, updates made so far; also the number of the next batch.
      params: `{"encoder", "projector"}` of the student, float32.
      teacher: the same, moving average of `params`.
      opt_state: of optax.
    """

    step: jax.Array
    params: dict
    teacher: dict
    opt_state: optax.OptState


def init_params(key: jax.Array, cfg: Config) -> dict:
    """Fresh `{"encoder", "projector"}` parameters, float32; with `"spectm"` and `"levels"`, heads of objectives asked for."""
    encoder_key, projector_key = jax.random.split(key)
    params = {"encoder": encode.init_encoder(encoder_key, cfg), "projector": projector.init_projector(projector_key, cfg)}
    if cfg.objective.spectm:
        params["spectm"] = spectral_heads.init_heads(jax.random.fold_in(key, 2), cfg)
    if cfg.objective.levels:
        params["levels"] = level_heads.init_heads(jax.random.fold_in(key, 3), cfg)
    return params


def create(key: jax.Array, cfg: Config) -> State:
    """The state before the first step."""
    return around(init_params(key, cfg), cfg)


def around(params: dict, cfg: Config) -> State:
    """The state before the first step of a student; the teacher starts as a copy (not an alias: the state is donated)."""
    return State(jnp.int32(0), params, jax.tree.map(jnp.copy, params), optimiser(cfg).init(params))


def learning_rate(cfg: Config) -> optax.Schedule:
    """Linear from 1/20 of `optim.lr` over the warm-up, then cosine to 0 at the last step.

    As in the code of SpectralEarth-FM (arXiv 2605.21075), by the step instead of by the epoch.
    """
    warmup = min(cfg.optim.warmup_steps, cfg.train.steps - 1)
    return optax.warmup_cosine_decay_schedule(cfg.optim.lr / 20, cfg.optim.lr, warmup, max(cfg.train.steps, warmup + 1), 0.0)


def optimiser(cfg: Config) -> optax.GradientTransformation:
    """AdamW with weight decay on all parameters, as the code of SpectralEarth-FM has it (arXiv 2605.21075).

    Gradients are clipped before it where `optim.clip_norm` is set. The state is the same with and without, so a run can set it
    on its way.
    """
    b1, b2 = cfg.optim.betas
    adamw = optax.adamw(learning_rate(cfg), b1=b1, b2=b2, eps=EPS, weight_decay=cfg.optim.weight_decay)
    if cfg.optim.clip_norm is None:
        return adamw
    clip = optax.clip_by_global_norm(cfg.optim.clip_norm)  # remembers nothing

    def update(grads, opt_state, params=None):
        return adamw.update(clip.update(grads, clip.init(params), params)[0], opt_state, params)

    return optax.GradientTransformation(adamw.init, update)


def ema_momentum(step: jax.Array, cfg: Config) -> jax.Array:
    """The teacher's momentum after update `step` (from 0): cosine from `ema[0]` to `ema[1]` over all steps.

    So it is in the code of SpectralEarth-FM (arXiv 2605.21075), from 0.996 to 1.
    """
    first, last = cfg.jepa.ema
    progress = jnp.minimum(step.astype(jnp.float32) / cfg.train.steps, 1.0)
    return last - (last - first) * (jnp.cos(jnp.pi * progress) + 1.0) / 2.0
