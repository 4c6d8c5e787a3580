"""What a run must not go on with in silence: batches in which nothing is valid, and a loss that does not move."""

import collections
from collections.abc import Callable

EMPTY_IN_A_ROW = 3  # batches without one valid pixel that end a run at once
EMPTY_OF_LAST = (10, 100)  # and so many of the last so many
CONSTANT_STEPS = 20  # steps of exactly one loss that are told


class NothingValid(ValueError):
    """Batches hold nothing to learn from; the text names the step and the locations."""


class Alarms:
    """Looks at the numbers of every step, in order.

    One batch without a valid pixel is told and passed over: where much is masked it can happen by chance, and a run of weeks
    must not end for it. Several in a row, or a tenth of them, are a store from which nothing can be learned.
    """

    def __init__(self) -> None:
        self._recent: collections.deque[bool] = collections.deque(maxlen=EMPTY_OF_LAST[1])
        self._loss: float | None = None
        self._same = 0

    def look(self, row: dict, names: Callable[[], list[str]]) -> list[str]:
        """Sentences to be told of this step.

        Args:
          row: its metrics, with `step`, `loss` and `valid_share`, the part of the batch's pixels that hold data, if known.
          names: gives the identifiers of what the batch held.

        Raises:
          NothingValid: too many batches hold not one valid pixel.
        """
        told = []
        empty = row.get("valid_share") == 0.0
        self._recent.append(empty)
        if empty:
            locations = names()
            self._stop_where_many(row["step"], locations)
            told.append(
                f"Step {row['step']}: not one pixel of the batch is valid, so nothing was learned from it. Its locations: "
                f"{_few(locations)}."
            )
        self._same = self._same + 1 if row["loss"] == self._loss else 1
        self._loss = row["loss"]
        if self._same == CONSTANT_STEPS:
            told.append(
                f"Step {row['step']}: the loss is {row['loss']:.6g} exactly in {CONSTANT_STEPS} steps in a row; nothing is "
                "being learned. Look at optim.lr and at what the store holds."
            )
        return told

    def _stop_where_many(self, step: int, locations: list[str]) -> None:
        recent = list(self._recent)
        in_a_row = all(recent[-EMPTY_IN_A_ROW:]) and len(recent) >= EMPTY_IN_A_ROW
        if not in_a_row and sum(recent) < EMPTY_OF_LAST[0]:
            return
        many = f"{EMPTY_IN_A_ROW} batches in a row" if in_a_row else f"{sum(recent)} of the last {len(recent)} batches"
        raise NothingValid(
            f"step {step}: {many} hold not one valid pixel (nodata, outside the sensor's valid_range, or no date). The last "
            f"one holds {len(locations)} locations: {_few(locations)}. Nothing is learned from such a store: build it of "
            "patches that hold data, or leave the group out with data.groups."
        )


def _few(locations: list[str]) -> str:
    more = f" and {len(locations) - 12} more" if len(locations) > 12 else ""
    return ", ".join(locations[:12]) + more
