"""A run killed again and again at random moments, and whether it ends as one that was never killed.

The moments are drawn from the start of a process to some saves later, so they fall into imports, the simulation of the store,
compiling, steps, saves and uploads. Each time the same command is started again, as a person or a scheduler would.
"""

import contextlib
import dataclasses
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import jax
import numpy as np

from spectral_jax import api
from spectral_jax.addresses import address, bucket, lease
from spectral_jax.train import record
from spectral_jax.train.checkpoint_files import place

GRACE_SECONDS = 30.0  # after SIGTERM a process has so long to save and end, as on a machine that is taken away
SAVED = 143  # exit code of a run that SIGTERM ended, once it has saved
CONTINUING = re.compile(r"Continuing from the checkpoint of step (\d+)")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a soak found.

    Attributes:
      kills: how many there were, by signal and moment: "SIGKILL while it ran".
      lost: sentences about a save that was finished and not continued from.
      late: seconds from each SIGTERM to the process's end.
      differences: in what the end differs from a run never killed; empty where it does not.
    """

    kills: Counter
    lost: tuple[str, ...]
    late: tuple[float, ...]
    differences: tuple[str, ...]

    @property
    def survived(self) -> bool:
        """Whether nothing was lost, late or different."""
        return not self.lost and not self.differences and all(s <= GRACE_SECONDS for s in self.late)

    def text(self) -> str:
        """Lines for a person."""
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.kills.items()))
        ends = f"{max(self.late):.1f} s at most" if self.late else "none was sent"
        return "\n".join([
            f"{sum(self.kills.values())} kills: {kinds or 'none'}.",
            f"From SIGTERM to the end: {ends}.",
            f"Finished saves that were lost: {'; '.join(self.lost) or 'none'}.",
            f"Against a run never killed: {'; '.join(self.differences) or 'the same to the bit'}.",
        ])  # fmt: skip


def soak(
    command: Sequence[str], undisturbed: Path, workdir: str, kills: int, seed: int, say: Callable[[str], None],
    between: Callable[[np.random.Generator], None] = lambda rng: None,
) -> Outcome:  # fmt: skip
    """Runs a command to its end, then again with kills, and compares.

    Args:
      command: without its --workdir; it continues what it finds there.
      undisturbed: folder for the run that is left alone; one that is there is taken.
      workdir: path or address of the run that is killed.
      kills: how many.
      seed: of the moments and the signals.
      say: gets a line a kill.
      between: called while a process runs, for what else may go wrong: a server that is restarted.

    Raises:
      ValueError: the run ended before it was killed so often; give it more steps.
      RuntimeError: a process ended by itself with an error; its last lines are in the text.
    """
    life = _undisturbed(command, undisturbed)
    rng, counts, lost, late = np.random.default_rng(seed), Counter[str](), [], []
    for number in range(1, kills + 1):
        before = place.newest(address.joined(workdir, "checkpoints"))
        process = _start(command, workdir)
        ends_at = time.monotonic() + rng.uniform(0.0, life)
        between(rng)
        while process.poll() is None and time.monotonic() < ends_at:
            time.sleep(0.02)
        kind = signal.SIGTERM if rng.random() < 0.25 else signal.SIGKILL
        sent = time.monotonic()
        if process.poll() is None:
            process.send_signal(kind)
        text, _ = process.communicate()
        if process.returncode == 0:
            raise ValueError(f"the run ended after {number - 1} kills; give it more steps.")
        if process.returncode not in (-kind, SAVED):
            raise RuntimeError(f"kill {number}: the run ended by itself with {process.returncode}:\n{text[-2000:]}")
        if kind == signal.SIGTERM:
            late.append(time.monotonic() - sent)
        _release(workdir)
        lost += _lost(number, before, text)
        moment = _moment(text)
        counts[f"{kind.name} {moment}"] += 1
        say(f"{number}/{kills}: {kind.name} {moment}; the newest save before it: {before}")
    code, text = _end(command, workdir)
    if code:
        raise RuntimeError(f"the last life ended with {code}:\n{text[-2000:]}")
    return Outcome(counts, tuple(lost), tuple(late), tuple(differences(undisturbed, workdir)))


def differences(undisturbed: Path, workdir: str) -> list[str]:
    """In what two finished runs differ: parameters to the bit, and the logged losses."""
    out = []
    a, b = (jax.tree.leaves(api.load(run)[1]) for run in (undisturbed, workdir))
    unequal = sum(not np.array_equal(np.asarray(x), np.asarray(y)) for x, y in zip(a, b, strict=True))
    if unequal:
        out.append(f"{unequal} of {len(a)} parameters differ")
    rows = [{r["step"]: r["loss"] for r in found} for found in (record.read_metrics(undisturbed), _metrics(workdir))]
    shared = sorted(rows[0].keys() & rows[1].keys())
    if set(rows[0]) - set(rows[1]):
        out.append(f"{len(set(rows[0]) - set(rows[1]))} logged steps are missing")
    if wrong := [step for step in shared if rows[0][step] != rows[1][step]]:
        out.append(f"the loss differs at {len(wrong)} logged steps, first at {wrong[0]}")
    return out


def _undisturbed(command: Sequence[str], folder: Path) -> float:
    """Makes the run that is left alone where it is not there; how long a life of the other may be, seconds."""
    code, text = _end(command, str(folder))
    if code:
        raise RuntimeError(f"the run that is left alone ended with {code}:\n{text[-2000:]}")
    began = time.monotonic()
    process = _start(command, str(folder))  # it has nothing left to do: what this takes is starting and ending
    process.communicate()
    return 2.5 * (time.monotonic() - began)


def _start(command: Sequence[str], workdir: str) -> subprocess.Popen:
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, *command, f"--workdir={workdir}"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip


def _end(command: Sequence[str], workdir: str) -> tuple[int, str]:
    process = _start(command, workdir)
    text, _ = process.communicate()
    return process.returncode, text


def _release(workdir: str) -> None:
    """Takes the mark of a process away that is known to be dead, which the next one would watch for half a minute."""
    if address.is_address(workdir):
        with contextlib.suppress(OSError):
            bucket.remove(address.joined(workdir, lease.NAME))


def _lost(number: int, before: int | None, text: str) -> list[str]:
    found = CONTINUING.search(text)
    if found and int(found[1]) < (before or 0):
        return [f"kill {number}: step {before} was saved, and the run continued from {found[1]}"]
    if before is not None and "Starting at step 0" in text:
        return [f"kill {number}: step {before} was saved, and the run began anew"]
    return []


def _moment(text: str) -> str:
    if "samples/s" in text:
        return "while it ran"
    if CONTINUING.search(text) or "Starting at step 0" in text:
        return "before its first logged step"
    return "while it started"


def _metrics(workdir: str) -> list[dict]:
    if not address.is_address(workdir):
        return record.read_metrics(Path(workdir))
    return record.rows_of(bucket.read(address.joined(workdir, "metrics.jsonl")).decode())
