"""The step compiled once for every form of batch, one a group of the store, and how long that took: no speed counts it."""

import time
from collections.abc import Callable

import jax


class Programs:
    """Calls a jitted step, compiling it first for batches of a form that it has not had.

    Attributes:
      seconds: spent compiling so far.
    """

    def __init__(self, step):
        self._step = step
        self._compiled: dict[tuple, Callable] = {}
        self.seconds = 0.0

    def __len__(self):
        return len(self._compiled)

    def __call__(self, state, batch, key):
        """One step; the state is donated where the jitted step says so."""
        leaves, structure = jax.tree.flatten(batch)
        form = structure, tuple((leaf.shape, leaf.dtype) for leaf in leaves)
        if form not in self._compiled:
            began = time.monotonic()
            self._compiled[form] = self._step.lower(state, batch, key).compile()
            self.seconds += time.monotonic() - began
        return self._compiled[form](state, batch, key)
