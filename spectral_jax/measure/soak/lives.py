"""A run struck again and again at random moments, and whether it ends as one that was left alone.

The moments are drawn from the start of a process to some saves later, so they fall into imports, the simulation of the store,
compiling, steps, saves and uploads. Each time the same command is started again, as a person or a scheduler would. A run that
reaches its end is compared, and the next one begins in a folder of its own, until there were strikes enough.
"""

import contextlib
import dataclasses
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from spectral_jax.addresses import address, bucket, lease
from spectral_jax.measure.soak import strikes
from spectral_jax.measure.soak.ends import differences
from spectral_jax.train.checkpoint_files import place

CONTINUING = re.compile(r"Continuing from the checkpoint of step (\d+)")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a soak found.

    Attributes:
      strikes: how many there were, by kind and moment: "SIGKILL while it ran".
      wrong: sentences about ends that should not be.
      lost: sentences about a save that was finished and not continued from.
      late: seconds from each SIGTERM to the process's end.
      ends: how many runs came to their end and were compared.
      differences: in what an end differs from a run that was left alone; empty where none does.
      gave_up: how often a run ended by itself with a sentence that was allowed.
    """

    strikes: Counter
    wrong: tuple[str, ...]
    lost: tuple[str, ...]
    late: tuple[float, ...]
    ends: int
    differences: tuple[str, ...]
    gave_up: int = 0

    @property
    def survived(self) -> bool:
        """Whether nothing was wrong, lost or different."""
        return not (self.wrong or self.lost or self.differences)

    def text(self) -> str:
        """Lines for a person."""
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.strikes.items()))
        late = f"{np.median(self.late):.1f} s (median), {max(self.late):.1f} s at most" if self.late else "none was sent"
        return "\n".join([
            f"{sum(self.strikes.values())} strikes: {kinds or 'none'}.",
            f"Ends that should not be: {'; '.join(self.wrong) or 'none'}.",
            f"From SIGTERM to the end: {late}.",
            *([f"Ended by themselves with a sentence, and continued: {self.gave_up}."] if self.gave_up else []),
            f"Finished saves that were lost: {'; '.join(self.lost) or 'none'}.",
            f"{self.ends} ends against a run that was left alone: {'; '.join(self.differences) or 'the same to the bit'}.",
        ])  # fmt: skip


def soak(
    command: Sequence[str], undisturbed: Path, workdir: str, count: int, seed: int, say: Callable[[str], None],
    longest: float | None = None, strike: strikes.Striker = strikes.killed, allowed: re.Pattern | None = None,
) -> Outcome:  # fmt: skip
    """Runs a command to its end, then again with strikes, and compares; a new run follows each that ended before its next one.

    Args:
      command: without its --workdir; it continues what it finds there.
      undisturbed: folder for the run that is left alone; one that is there is taken.
      workdir: path or address above the runs that are struck, which are numbered from 1.
      count: how many strikes.
      seed: of the moments and the signals.
      say: gets a line a strike and a line an end.
      longest: seconds of processor time within which a process is struck, which are the same on a busy machine; measured where
        it is not given, as twice what a process takes that continues from the last save but one: half of the strikes then fall
        into starting, and half into steps and saves.
      strike: what is done to a process.
      allowed: what a process may say that ends by itself with status 1; it is started again. None: none may.

    Raises:
      RuntimeError: a process that was not struck ended with another error; its last lines are in the text.
    """
    finish(command, str(undisturbed))
    life = longest or 2.0 * _to_the_end(command, undisturbed)
    rng, kinds, wrong, lost, late, found = np.random.default_rng(seed), Counter[str](), [], [], [], []
    run, number, saved, gave_up = 1, 0, None, 0
    while number < count:
        here = address.joined(workdir, str(run))
        saved = _newer(saved, place.newest(address.joined(here, "checkpoints")))
        process = start(command, here)
        try:
            _live(process, rng.uniform(0.0, life))
            if process.returncode:
                text, _ = process.communicate()
                if process.returncode == 1 and allowed and allowed.search(text):
                    gave_up += 1
                    lost += _lost(f"run {run}, after {number} strikes", saved, text)
                    say(f"run {run} ended by itself: {strikes.last_line(text)}")
                    continue
                raise RuntimeError(f"after {number} strikes a run ended by itself with {process.returncode}:\n{text[-2000:]}")
            done = strike(process, here, rng)
        finally:
            process.kill()  # nothing where it has ended; a soak that is ended itself leaves no process behind
        _release(here)
        lost += _lost(f"run {run}, after {number} strikes", saved, done.text)
        if process.returncode == 0:
            found += [f"run {run}: {difference}" for difference in differences(undisturbed, here)]
            say(f"run {run} came to its end after {number} of {count} strikes")
            run, saved = run + 1, None
            continue
        number += 1
        wrong += [f"strike {number}: {done.wrong}"] if done.wrong else []
        late += [done.late] if done.late is not None else []
        moment = _moment(done.text)
        kinds[f"{done.kind} {moment}"] += 1
        say(f"{number}/{count}: {done.wrong or done.kind} {moment}; the newest save before it: {saved}")
    here = address.joined(workdir, str(run))
    while True:
        try:
            finish(command, here)
        except RuntimeError as error:
            if not (allowed and allowed.search(str(error))):
                raise
            gave_up += 1
            say(f"run {run} ended by itself: {strikes.last_line(str(error))}")
        else:
            break
    found += [f"run {run}: {difference}" for difference in differences(undisturbed, here)]
    return Outcome(kinds, tuple(wrong), tuple(lost), tuple(late), run, tuple(found), gave_up)


def start(command: Sequence[str], workdir: str) -> subprocess.Popen:
    """A process of the command in a work folder, whose output is kept."""
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, *command, f"--workdir={workdir}"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip


def finish(command: Sequence[str], workdir: str) -> float:
    """Lets a run come to its end; the seconds of processor time that took.

    Raises:
      RuntimeError: it ended with an error, whose last lines are in the text.
    """
    before = os.times()
    process = start(command, workdir)
    try:
        text, _ = process.communicate()
    finally:
        process.kill()
    if process.returncode:
        raise RuntimeError(f"a run that was left alone ended with {process.returncode}:\n{text[-2000:]}")
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def _to_the_end(command: Sequence[str], finished: Path) -> float:
    """Seconds of processor time of a process that finds a copy of a finished run without its last save."""
    with tempfile.TemporaryDirectory(prefix="spectral_jax_soak_") as folder:
        again = shutil.copytree(finished, Path(folder) / "again")
        shutil.rmtree(again / "checkpoints" / str(place.newest(str(again / "checkpoints"))))
        return finish(command, str(again))


def _live(process: subprocess.Popen, seconds: float) -> None:
    """Returns once a process has used so much processor time, or has ended."""
    each = os.sysconf("SC_CLK_TCK")
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=0.05)  # reads what it writes, so that it never waits for us
            return
        # Fields 14 and 15 of proc(5): after its name, which may hold spaces, the twelfth and thirteenth.
        used = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        if sum(map(int, used)) / each >= seconds:
            return


def _release(workdir: str) -> None:
    """Takes the mark of a process away that is known to be dead, which the next one would watch for half a minute."""
    if address.is_address(workdir):
        with contextlib.suppress(OSError):
            bucket.remove(address.joined(workdir, lease.NAME))


def _newer(saved: int | None, found: int | None) -> int | None:
    """The newest step ever seen: a finished save that vanished since is lost too."""
    return max((step for step in (saved, found) if step is not None), default=None)


def _lost(when: str, saved: int | None, text: str) -> list[str]:
    found = CONTINUING.search(text)
    if found and int(found[1]) < (saved or 0):
        return [f"{when}: step {saved} was saved, and the run continued from {found[1]}"]
    if saved is not None and "Starting at step 0" in text:
        return [f"{when}: step {saved} was saved, and the run began anew"]
    return []


def _moment(text: str) -> str:
    if "samples/s" in text:
        return "while it ran"
    if CONTINUING.search(text) or "Starting at step 0" in text:
        return "before its first logged step"
    return "while it started"
