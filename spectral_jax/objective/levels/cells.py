"""What the views of a step show of the same cells of the patch: their tokens at drawn positions, whatever crop a view took."""

import jax
import jax.numpy as jnp

from spectral_jax.config import Config
from spectral_jax.objective.encode_views import Maps
from spectral_jax.objective.views import Cut, native_offset


def at_positions(maps: Maps, position: jax.Array, cfg: Config) -> tuple[jax.Array, jax.Array]:
    """Tokens of views at places of the patch, between tokens by bilinear weights.

    Args:
      maps: tokens [T B R Q D] and validity [T B R Q] of T slots, and how each was cut.
      position: float32 [P 2], row and column as fractions of the patch's side.
      cfg: the run.

    Returns:
      float32 [T B P D], and which of them a view shows, float32 [T B P]: the position lies in its crop, and valid tokens have
      more than half of the weight.
    """
    start, side = _frame(maps.cut, maps.native, cfg)
    inside_crop = (position[None] - start[:, None]) / side[:, None, None]  # [T P 2], 0 to 1 in the crop
    shown = jnp.all((inside_crop >= 0.0) & (inside_crop <= 1.0), axis=-1)
    inside_view = jnp.where(maps.cut.flip[:, None], 1.0 - inside_crop, inside_crop)
    rows, columns = (_bilinear(inside_view[..., i], maps.tokens.shape[2 + i]) for i in range(2))
    valid = maps.valid.astype(jnp.float32)
    weight = jnp.einsum("tpr,tpq,tbrq->tbp", rows, columns, valid)
    tokens = maps.tokens.astype(jnp.float32) * valid[..., None]
    mixed = jnp.einsum("tpr,tpq,tbrqd->tbpd", rows, columns, tokens) / jnp.maximum(weight, 1e-6)[..., None]
    return mixed, ((weight > 0.5) & shown[:, None]).astype(jnp.float32)


def _frame(cut: Cut, native: bool, cfg: Config) -> tuple[jax.Array, jax.Array]:
    """Upper left corner [T 2] and side [T] of the crops, as fractions of the patch's side."""
    if not native:
        return cut.top_left, cut.side
    tokens = cfg.views.native_tokens
    return native_offset(cut, cfg).astype(jnp.float32) / cfg.model.grid, jnp.full(len(cut.side), tokens / cfg.model.grid)


def _bilinear(place: jax.Array, size: int) -> jax.Array:
    """Weights [T P size] of the tokens along a side at places [T P] from 0 to 1; edges are repeated."""
    token = jnp.clip(place * size - 0.5, 0.0, size - 1.0)
    return jnp.maximum(0.0, 1.0 - jnp.abs(token[..., None] - jnp.arange(size, dtype=jnp.float32)[None, None]))
