"""Views to pooled embeddings: what follows the local stages, for all views of a step together."""

from typing import Any

import jax
import jax.numpy as jnp

from spectral_jax.config import Config
from spectral_jax.model.encoder import readout
from spectral_jax.model.encoder.encode import Encoder, branch_numbers


def pooled_views(
    params: dict, parts: list[tuple], cfg: Config, levels: tuple[str, ...] = ()
) -> tuple[dict[str, jax.Array], jax.Array]:
    """Fusion, stage 3, LayerNorm and mean of views.

    Args:
      params: the encoder's.
      parts: views that show equally many sensors and have maps of one size together: stage-2 tokens [V M B R Q D], which count
        [V M B R Q], and the sensors int32 [V M], positions in `cfg.sensors`, which may be traced.
      cfg: the config.
      levels: names of `readout.OF_VIEWS` whose vectors are wanted beside the pooled embedding.

    Returns:
      Vectors float32 [V B D] of all views of all parts, in order, by name, "pooled" among them; and which views hold anything,
      bool [V B].
    """
    encoder = Encoder(cfg)

    def fuse(tokens, mask, number):
        return encoder.apply({"params": params}, tokens, mask, number, method="fused")

    def finish(fused, valid):
        encoded: Any = encoder.apply({"params": params}, fused, valid, method="finish")
        maps = readout.levels(encoded)
        vectors = {name: readout.summary(maps[name]) for name in levels if name != readout.POOLED}
        return vectors | {readout.POOLED: encoded.pooled}, encoded.valid.any(axis=-1)

    by_size: dict[tuple, list] = {}
    for tokens, mask, sensors in parts:
        tokens, mask = (jnp.moveaxis(x, 1, 2) for x in (tokens, mask))  # [V B M ...]
        number = jnp.broadcast_to(branch_numbers(cfg)[sensors][:, None], tokens.shape[:3])
        x = _of_views(fuse, (tokens, mask, number), cfg)
        by_size.setdefault(x[0].shape[1:], []).append(x)
    out = [_of_views(finish, tuple(map(jnp.concatenate, zip(*same, strict=True))), cfg) for same in by_size.values()]
    joined: tuple[dict[str, jax.Array], jax.Array] = jax.tree.map(lambda *x: jnp.concatenate(x), *out)
    return joined


def _of_views(function, arrays, cfg: Config):
    """The function, of arrays [B ...], of all views [V B ...] as one batch.

    Most weights are here, and tokens are few: the weights are read once, and their gradients written once, and not once a view.
    """
    views = arrays[0].shape[:2]
    again = jax.checkpoint(function) if cfg.model.remat == "branches" else function
    out = again(*(x.reshape(-1, *x.shape[2:]) for x in arrays))
    return jax.tree.map(lambda x: x.reshape(*views, *x.shape[1:]), out)
