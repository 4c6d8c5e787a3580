"""The record of an encoder of monthly series, and its frozen embeddings."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from spectral_jax.adapt.monthly.series import Series

# Series that are embedded at once.
CHUNK = 256


class Monthly(NamedTuple):
    """An encoder of series; hashable, a static argument of `jax.jit`.

    Attributes:
      name: as rows of a config have it.
      fresh: the config of the released size.
      read: config and parameters of a folder of converted weights.
      init: random key and config to fresh parameters, float32.
      inputs: series to a pytree of arrays, each with the N samples first.
      embed: parameters, such arrays and config to embeddings [N D]; pure.
    """

    name: str
    fresh: Callable[[], Any]
    read: Callable[[str], tuple[Any, dict]]
    init: Callable[[jax.Array, Any], dict]
    inputs: Callable[[Series], Any]
    embed: Callable[[dict, Any, Any], jax.Array]


def features(encoder: Monthly, params: dict, config: Any, inputs: Any) -> np.ndarray:
    """Embeddings [N D], float32; products at the highest precision, as a linear model on them is ill-conditioned."""
    count = len(jax.tree.leaves(inputs)[0])
    found = []
    with jax.default_matmul_precision("highest"):
        for start in range(0, count, CHUNK):
            # The last chunk is filled up by its last row, so that one program serves all.
            rows = np.minimum(np.arange(start, start + CHUNK), count - 1)
            some = jax.tree.map(lambda x, rows=rows: np.asarray(x)[rows], inputs)
            found.append(np.asarray(_embed(params, some, embed=encoder.embed, config=config))[: count - start])
    return np.concatenate(found)


@partial(jax.jit, static_argnames=("embed", "config"))
def _embed(params, inputs, *, embed, config):
    return embed(params, inputs, config)
