"""The comparison: contestants on the same cores are refused where they are not equal, and timed step by step in turn."""

import contextlib
import importlib.util
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from spectral_jax.config import Config
from spectral_jax.measure import flops, machine
from spectral_jax.measure.peer import figures, inputs
from spectral_jax.measure.peer.contestant import Started
from spectral_jax.sentences import needs

PACKAGES = ("jax", "jaxlib", "torch", "numpy")  # whose versions a comparison names
WARM_UP = 4  # steps that are compared and not timed: all programs are compiled in them
# Relative differences of float32 that rounding explains; a step with another view, sensor or rate is off by far more.
TOLERANCE = {"embeddings": 1e-4, "losses": 1e-4, "grad_norms": 1e-3}
# Adam's first updates have the size of the rate however small a gradient is, so what is 0 but for rounding moves too. At size
# small torch.compile's norm of the first gradient is 1e-5 from ours and from eager torch's, of the second 4e-3, of the fourth
# 1e-1, and its loss 4e-4 at the third step. So norms are compared at the first step, and losses loosely from the third.
ROUNDED = 5e-3


class Asked(Protocol):
    """A contestant as it is seen here; `contestant.Started`, or one made for a test."""

    @property
    def ready(self) -> Mapping[str, Any]:
        """Its first answer, with its memory before anything was asked."""

    def ask(self, word: str) -> dict[str, Any]:
        """The answer to a line of `contestant.serve`."""


def compare(
    size: str, repeats: int = 5, threads: int = 1, same_flops: bool = False, told: Callable[[str], None] = print
) -> dict[str, Any]:
    """Times our step, PyTorch's eager one and its compiled one at one size.

    Args:
      size: of `inputs.BATCH`.
      repeats: turns; in each every contestant takes one step.
      threads: cores, the same for all.
      same_flops: whether PyTorch too folds keys and values into the learned query, which saves products that people who take
        `nn.MultiheadAttention` do not save.
      told: takes a line of progress.

    Returns:
      JSON-ready: of each contestant the figures of `figures.of_contestant`, `ratio` as of `figures.ratios`, `equal` the largest
      relative differences, and what was run on what.

    Raises:
      ImportError: there is no PyTorch.
      ValueError: no such size, too many threads, no turn, or contestants that are not equal.
      ChildProcessError: a contestant failed.
    """
    with needs("PyTorch", "compare", "the comparison of training steps"):
        if importlib.util.find_spec("torch") is None:
            raise ImportError
    if repeats < 1:
        raise ValueError(f"--repeats: expected 1 turn or more, got {repeats}.")
    cfg, cores = inputs.config(size), machine.cores(threads)
    with tempfile.TemporaryDirectory(prefix="spectral_jax_compare_") as scratch, contextlib.ExitStack() as stack:
        folder = Path(scratch)
        told(f"{size}: writing parameters and views, then compiling; this takes minutes.")
        inputs.write(folder, cfg, inputs.random_batch(cfg), WARM_UP + repeats, same_flops)
        commands = {figures.OURS: ("ours", [scratch])}
        commands |= {mode: ("torch_step", [scratch, mode, str(threads)]) for mode in ("eager", "compile")}
        contestants = {
            name: stack.enter_context(Started(name, f"{__package__}.{module}", arguments, cores))
            for name, (module, arguments) in commands.items()
        }
        equal = check_equal(contestants, folder)
        told(f"{size}: embeddings, losses and gradients are equal; timing {repeats} turns.")
        measured = time_in_turn(contestants, cfg, repeats)
    about = {"size": size, "batch": cfg.data.batch_size, "threads": threads, "cores": cores, "repeats": repeats}
    return about | {"same_flops": same_flops, "equal": equal} | measured


def time_in_turn(contestants: Mapping[str, Asked], cfg: Config, repeats: int) -> dict[str, Any]:
    """Times contestants that are equal.

    Args:
      contestants: by name, ours among them; their programs are compiled.
      cfg: the run.
      repeats: turns.

    Returns:
      JSON-ready: `contestants`, `ratio`, `peak` in FLOP/s, `flops_per_sample`, `timed_losses` (the largest relative
      difference to ours) and `peak_of_steps_alone` (whether the peaks of memory are those of the timed steps).
    """
    peak = max(asked.ask("product")["flops_per_s"] for asked in contestants.values())
    alone = [asked.ask("reset_peak")["reset"] for asked in contestants.values()]
    steps: dict[str, list[dict[str, Any]]] = {name: [] for name in contestants}
    for _ in range(repeats):
        for name, asked in contestants.items():
            steps[name].append(asked.ask("step"))
    sample = flops.training_sample(cfg, [sensor.key for sensor in cfg.sensors]).total
    size = cfg.data.batch_size
    rows = {
        name: figures.of_contestant(timed, contestants[name].ready["resident_mib"], size, size * sample, peak)
        for name, timed in steps.items()
    }
    timed = [abs(b / a - 1) for row in rows.values() for a, b in zip(rows[figures.OURS]["losses"], row["losses"], strict=True)]
    return {
        "contestants": rows, "ratio": figures.ratios(steps), "peak": peak, "flops_per_sample": sample,
        "timed_losses": max(timed), "peak_of_steps_alone": all(alone),
    }  # fmt: skip


def check_equal(contestants: Mapping[str, Asked], folder: Path) -> dict[str, float]:
    """Takes the steps that warm up, and compares embeddings before them, losses in them, and the norm of the first gradient.

    Returns:
      The largest relative difference of each to ours, and `steps`, how many were compared.

    Raises:
      ValueError: one is larger than `TOLERANCE`, or `ROUNDED` from the third step.
    """
    # The eager one writes the views that ours reads.
    for name in sorted(contestants, key=lambda name: name != "eager"):
        contestants[name].ask("embed")
    pooled = {name: np.load(folder / f"pooled_{name}.npy") for name in contestants}
    reference = pooled[figures.OURS]
    largest = {"embeddings": 0.0, "losses": 0.0, "grad_norms": 0.0}
    for name, value in pooled.items():
        _compare(largest, "embeddings", name, 0, float(np.abs(value - reference).max() / np.abs(reference).max()))
    for number in range(WARM_UP):
        answers = {name: asked.ask("check") for name, asked in contestants.items()}
        compared = {"losses": "loss"} | ({"grad_norms": "grad_norm"} if number == 0 else {})
        for name, answer in answers.items():
            for kind, field in compared.items():
                expected = answers[figures.OURS][field]
                _compare(largest, kind, name, number, abs(answer[field] - expected) / abs(expected))
    return largest | {"steps": WARM_UP}


def _compare(largest: dict[str, float], kind: str, name: str, step: int, difference: float) -> None:
    allowed = TOLERANCE[kind] if step < 2 else ROUNDED
    # Not "more than": a difference that is no number is refused too.
    if not difference <= allowed:
        raise ValueError(
            f"compare: the {kind} of step {step} of {figures.LABELS[name]} differ from ours by {difference:.1e} of their size, "
            f"and rounding explains {allowed:.0e}; the two do not do the same work, so nothing was timed. Mend "
            "measure/peer/torch_*.py, or what measure/peer/inputs.py says that the step draws."
        )
    largest[kind] = max(largest[kind], difference)
