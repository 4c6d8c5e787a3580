"""The points of a task with what each encoder makes of them, and what each row of a comparison says of the test part."""

from functools import cached_property
from typing import Any

import jax
import numpy as np

from spectral_jax.adapt.fit.prepared import RANDOM
from spectral_jax.adapt.monthly import finetune, frozen, regressors, series
from spectral_jax.adapt.monthly.comparison import ENCODERS, TUNED, TUNED_LAST, MonthlyComparison, Row
from spectral_jax.adapt.monthly.finetune import Tuned
from spectral_jax.tasks.samples import TaskData

NONE_NEEDED = "none needed"


class Points:
    """Samples of a task with what each encoder makes of them; nothing is computed twice."""

    def __init__(self, data: TaskData, cfg: MonthlyComparison):
        self.data, self.cfg, self.series = data, cfg, series.of_task(data)
        split = np.array(data.split)
        self.test = np.flatnonzero(split == "test")
        # Models that are fitted without a validation part have its samples too, as published.
        self.train = np.flatnonzero(split != "test")
        if not (len(self.train) and len(self.test)):
            raise ValueError(
                f"task {data.task.name}: expected training and test samples, got {len(self.train)} and {len(self.test)}."
            )
        self.values = np.asarray(data.labels, np.float64)[:, 0]
        self._inputs: dict[str, Any] = {}
        self._started: dict[tuple, tuple[Any, dict]] = {}
        self._features: dict[tuple, np.ndarray] = {}
        self._tuned: dict[tuple, Tuned] = {}

    @cached_property
    def raw(self) -> np.ndarray:
        """The published table of raw numbers."""
        return series.raw_table(self.series)

    def weights(self, row: Row) -> str:
        """Where a row's weights are from."""
        folder = getattr(self.cfg.weights, row.encoder) if row.encoder and not row.random else ""
        return folder or (RANDOM if row.encoder else NONE_NEEDED)

    def predict(self, row: Row, seed: int) -> np.ndarray:
        """What a row says of the test samples [M]."""
        if row.model in (TUNED, TUNED_LAST):
            found = self._tune(row, seed)
            return found.best if row.model == TUNED else found.last
        table = self.embeddings(row, seed) if row.encoder else self.raw
        return regressors.predict(row.model, table[self.train], self.values[self.train], table[self.test], seed)

    def seeded(self, row: Row) -> bool:
        """Whether a seed changes what a row says."""
        return self.weights(row) == RANDOM or regressors.SEEDED.get(row.model, True)

    def start(self, row: Row, seed: int) -> tuple[Any, dict]:
        """Config and parameters that a row starts from."""
        folder = self.weights(row)
        key = (row.encoder, seed if folder == RANDOM else folder)
        if key not in self._started:
            encoder = ENCODERS[row.encoder]
            if folder == RANDOM:
                config = encoder.fresh()
                self._started[key] = config, encoder.init(jax.random.key(seed), config)
            else:
                self._started[key] = encoder.read(folder)
        return self._started[key]

    def _inputs_of(self, name: str) -> Any:
        if name not in self._inputs:
            self._inputs[name] = ENCODERS[name].inputs(self.series)
        return self._inputs[name]

    def embeddings(self, row: Row, seed: int) -> np.ndarray:
        """The features of a row's encoder [N D]."""
        key = (row.encoder, seed if self.weights(row) == RANDOM else self.weights(row))
        if key not in self._features:
            config, params = self.start(row, seed)
            self._features[key] = frozen.features(ENCODERS[row.encoder], params, config, self._inputs_of(row.encoder))
        return self._features[key]

    def _tune(self, row: Row, seed: int) -> Tuned:
        key = (self.weights(row), seed)
        if key not in self._tuned:
            config, params = self.start(row, seed)
            val = np.flatnonzero(np.array(self.data.split) == "val")
            parts = (np.setdiff1d(self.train, val), val)
            if not len(val):
                parts = finetune.validation(np.array(self.data.block), self.train, self.cfg.recipe, seed)
            rows = (*parts, self.test)
            inputs = self._inputs_of(row.encoder)
            self._tuned[key] = finetune.fit(params, config, inputs, self.values, rows, self.cfg.recipe, seed)
        return self._tuned[key]
