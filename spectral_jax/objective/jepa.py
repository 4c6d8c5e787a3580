"""The joint-embedding objective: every view's embedding agrees with the teacher's global centre, and SIGReg keeps them apart.

z_v = projector(encoder(view v)); c = mean over global views of the teacher's z; L_inv = mean over views, samples and dimensions
of (c - z_v)^2; L = lambda * SIGReg(z) + (1 - lambda) * L_inv (SpectralEarth-FM, arXiv 2605.21075).
"""

from functools import partial

import jax
import jax.numpy as jnp

from spectral_jax.batch import Batch, decode
from spectral_jax.config import Config
from spectral_jax.means import Axis, global_mean, rows, total, varying
from spectral_jax.model.encoder import encode, projector
from spectral_jax.objective import collapse, views
from spectral_jax.objective.sigreg import directions, sigreg


def loss(params: dict, teacher: dict, batch: Batch, key: jax.Array, cfg: Config, axis: Axis = None):
    """The objective on one batch.

    Args:
      params: `{"encoder", "projector"}` of the student.
      teacher: the same of the teacher; no gradient flows to it.
      batch: of B locations on this device (all of them under `jit`).
      key: random key of the step, the same on every device.
      cfg: the run.
      axis: mesh axes of `shard_map`, or None.

    Returns:
      The loss over the global batch, and a dict of float32 scalars.
    """
    plan_key, direction_key = jax.random.split(key)
    plan = views.draw_plan(plan_key, tuple(batch.sensors), rows(batch.size, axis), cfg)
    decoded = {k: decode(d, cfg.sensor(k).spec) for k, d in batch.sensors.items()}
    dtype = jnp.dtype(cfg.model.dtype)

    pooled, weight = _global_views(params["encoder"], decoded, plan, cfg, axis)
    if cfg.views.local_views:
        local = _local_views(params["encoder"], decoded, plan, cfg)
        pooled, weight = (jnp.concatenate(pair) for pair in zip((pooled, weight), local, strict=True))
    z = projector.project(params["projector"], pooled, axis, dtype, weight)

    frozen = jax.lax.stop_gradient(teacher)
    target_pooled, target_weight = _global_views(frozen["encoder"], decoded, plan, cfg, axis)
    target = projector.project(frozen["projector"], target_pooled, axis, dtype, target_weight)
    centre = jax.lax.stop_gradient(jnp.einsum("vbd,vb->bd", target, target_weight))
    centre = centre / jnp.maximum(target_weight.sum(axis=0), 1.0)[:, None]

    counts = weight * (target_weight.sum(axis=0) > 0).astype(jnp.float32)[None]
    error = jnp.einsum("vbd,vb->", (z - centre[None]) ** 2, counts)
    invariance = global_mean(error, counts.sum() * z.shape[-1], axis)
    unit = directions(direction_key, z.shape[-1], cfg.jepa.directions)
    regular = sigreg(z, weight, unit, count=cfg.jepa.knots, t_max=cfg.jepa.knot_max, axis=axis)
    mix = regularisation_weight(total(jnp.float32(batch.size), axis), cfg)
    value = mix * regular + (1.0 - mix) * invariance
    metrics = {"loss": value, "invariance": invariance, "sigreg": regular, "lambda": mix}
    metrics |= collapse.alarms(pooled[0], weight[0], axis)
    metrics["target_std"] = collapse.alarms(target[0], target_weight[0], axis)["embedding_std"]
    return value, jax.lax.stop_gradient(metrics)


def regularisation_weight(samples: jax.Array, cfg: Config) -> jax.Array:
    """Lambda = o / (N + o): SIGReg grows with the global batch N, so its weight falls with it."""
    o = cfg.jepa.lambda_numerator
    return o / (samples + o)


def _global_views(params, decoded, plan, cfg: Config, axis: Axis):
    """Pooled embeddings [V B D] of the global views and which of them saw something, float32 [V B]."""
    everything = len(decoded) <= cfg.views.global_sensors

    def one(view):
        shown, cut = view
        tokens, masks = [], []
        for i, (key, (pixels, valid)) in enumerate(decoded.items()):
            show = partial(_branch, params, key, i, pixels, valid, cut, cfg)
            if everything:
                token, mask = show()
            else:
                # Only the sensors that a view shows are computed.
                token, mask = jax.lax.cond(shown[i], show, partial(_nothing, jax.eval_shape(show), axis))
            tokens.append(token)
            masks.append(mask)
        return _pool(params, jnp.stack(tokens, axis=1), jnp.stack(masks, axis=1), _numbers(decoded, cfg), cfg)

    return _each_view(one, (plan.shown, plan.global_cuts), chooses=not everything)


def _local_views(params, decoded, plan, cfg: Config):
    """Pooled embeddings [L B D] of the local views, one sensor each, and which of them saw something, float32 [L B]."""
    allowed = [(i, k) for i, k in enumerate(decoded) if cfg.sensor(k).local_views]
    position = jnp.asarray([next((n for n, (i, _) in enumerate(allowed) if i == j), 0) for j in range(len(decoded))], jnp.int32)
    native = cfg.views.local_mode == "native"

    def one(view):
        sensor, cut = view
        choices = [partial(_branch, params, k, i, *decoded[k], cut, cfg, native) for i, k in allowed]
        token, mask = choices[0]() if len(choices) == 1 else jax.lax.switch(position[sensor], choices)
        return _pool(params, token[:, None], mask[:, None], _numbers(decoded, cfg)[sensor][None], cfg)

    return _each_view(one, (plan.sensor, plan.local_cuts), chooses=len(allowed) > 1)


def _each_view(one, views_and_cuts, *, chooses: bool):
    # A choice inside vmap would compute every side of it; views without one are best computed together.
    return jax.lax.map(one, views_and_cuts) if chooses else jax.vmap(one)(views_and_cuts)


def _numbers(decoded, cfg: Config):
    return jnp.asarray([cfg.sensors.index(cfg.sensor(k)) for k in decoded], jnp.int32)


def _branch(params, key, i, pixels, valid, cut, cfg: Config, native: bool = False):
    offset = None
    if native:
        pixels, valid, offset = views.native(pixels, valid, cut, i, cfg, cfg.token_px(key))
    else:
        pixels, valid = views.resized(pixels, valid, cut, i)
    out = encode.encode_branch(params, key, pixels, valid, cfg, position_offset=offset)
    return out.stage2, out.valid2


def _nothing(shape, axis: Axis):
    return jax.tree.map(lambda s: varying(jnp.zeros(s.shape, s.dtype), axis), shape)


def _pool(params, tokens, mask, sensors, cfg: Config):
    encoded = encode.encode_shared(params, tokens, mask, sensors, cfg)
    return encoded.pooled.astype(jnp.float32), encoded.valid.any(axis=-1).astype(jnp.float32)
