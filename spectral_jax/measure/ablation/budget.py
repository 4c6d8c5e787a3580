"""Steps that fit a budget of CPU seconds, and the CPU seconds that training took, compiling not counted."""

from collections.abc import Sequence
from typing import TypedDict


class Piece(TypedDict):
    """One process of a training that may have been cut."""

    start: int  # steps made before
    stop: int  # steps made after
    counted: int  # steps that `cpu_s` is of: all but the first, in which the step is compiled
    cpu_s: float  # of all threads of the process; what it saves and draws counts too, some 5 to 10 s a run


def steps_within(budget_s: float, a_step_s: float) -> int:
    """Whole steps that a budget pays for.

    Args:
      budget_s: CPU seconds.
      a_step_s: measured CPU seconds a step.

    Raises:
      ValueError: it pays for fewer than ten, with which no schedule makes sense.
    """
    steps = int(budget_s / a_step_s)
    if steps < 10:
        raise ValueError(
            f"budget: {budget_s:g} CPU seconds pay for {steps} steps of {a_step_s:.2f} CPU seconds, and a row needs 10 or "
            "more; give --budget=SECONDS more, or a smaller batch."
        )
    return steps


def spent(pieces: Sequence[Piece], steps: int) -> float:
    """CPU seconds that `steps` steps took, by the pace of those that were counted, what was made twice after a cut included.

    NaN where nothing was counted.
    """
    counted = sum(piece["counted"] for piece in pieces)
    if not counted:
        return float("nan")
    made = sum(piece["stop"] - piece["start"] for piece in pieces)
    return sum(piece["cpu_s"] for piece in pieces) / counted * max(steps, made)
