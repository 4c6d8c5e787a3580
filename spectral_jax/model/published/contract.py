"""What every published encoder here can do, so that a converter, an adaptation or a head does not ask which it has."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from spectral_jax.model.published.vit import Features


def unchanged(params: dict, images: jax.Array, cfg: Any) -> dict:
    """The parameters as they are, of an encoder without statistics of batches."""
    del images, cfg
    return params


class Published(NamedTuple):
    """One kind of published encoder; all functions are pure, and configs are static under `jax.jit`.

    Attributes:
      config: class of its configs, frozen dataclasses.
      init: random key and config to fresh parameters, float32.
      encode: parameters, normalised pixels [B H W C], config, the layers whose maps are wanted (None: the last) and the centres
        of the bands in nm [C] (None: not known) to `Features`.
      trainable: parameters and config to whether each trains; not buffers and running statistics of the published code.
      with_statistics: fresh parameters, standardised pixels [B H W C] and config to parameters whose running statistics of
        batch normalisation are those of the pixels.
    """

    config: type
    init: Callable[[jax.Array, Any], dict]
    encode: Callable[[dict, Any, Any, tuple[int, ...] | None, jax.Array | None], Features]
    trainable: Callable[[dict, Any], dict]
    with_statistics: Callable[[dict, jax.Array, Any], dict] = unchanged
