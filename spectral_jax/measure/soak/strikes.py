"""What is done to a run: its process is killed, or its disk is filled until it ends by itself."""

import contextlib
import dataclasses
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

GRACE_SECONDS = 30.0  # after SIGTERM a process has so long to save and end, as on a machine that is taken away
NOTICE_SECONDS = 300.0  # within which a run notices that its disk is full
SAVED = 143  # exit code of a run that SIGTERM ended, once it has saved
FILLER = "filler of the soak"
STEP_BYTES = 2**20


@dataclasses.dataclass(frozen=True)
class Strike:
    """How a process ended that was struck.

    Attributes:
      kind: what was done: "SIGKILL".
      text: all that the process wrote.
      wrong: a sentence about an end that should not be; empty where it ended as it should.
      late: seconds from SIGTERM to its end; None after another kind.
    """

    kind: str
    text: str
    wrong: str = ""
    late: float | None = None


# Takes a process, its work folder and the generator of the moments; the process has ended when it returns.
Striker = Callable[[subprocess.Popen, str, np.random.Generator], Strike]


def killed(process: subprocess.Popen, workdir: str, rng: np.random.Generator) -> Strike:
    """Sends SIGKILL, or one time of four SIGTERM, after which the process must save and end within `GRACE_SECONDS`."""
    kind = signal.SIGTERM if rng.random() < 0.25 else signal.SIGKILL
    sent = time.monotonic()
    process.send_signal(kind)
    text, _ = process.communicate()
    took = time.monotonic() - sent
    wrong = ""
    if process.returncode not in (0, -kind, SAVED):
        wrong = f"{kind.name} and ended with {process.returncode}: {last_line(text)}"
    elif kind == signal.SIGTERM and took > GRACE_SECONDS:
        wrong = f"SIGTERM, and ended after {took:.0f} s only"
    return Strike(kind.name, text, wrong, took if kind == signal.SIGTERM else None)


def disk_filled(process: subprocess.Popen, workdir: str, rng: np.random.Generator) -> Strike:
    """Fills the disk of the work folder, waits until the process ends with a sentence about it, and makes room again."""
    filler = Path(workdir).parent / FILLER
    kind = "full disk"
    try:
        _fill(filler)
        try:
            text, _ = process.communicate(timeout=NOTICE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            text, _ = process.communicate()
            return Strike(kind, text, f"{kind}, and it had not ended after {NOTICE_SECONDS:.0f} s")
    finally:
        filler.unlink(missing_ok=True)
    last = last_line(text)
    # Whoever reads the sentence must learn where, why and how much room there is.
    told = last.startswith("pretrain: ") and workdir in last and "No space left" in last and " free" in last
    if process.returncode == 0 or (process.returncode == 1 and told and "Traceback" not in text):
        return Strike(kind, text)
    return Strike(kind, text, f"{kind}, and it ended with {process.returncode}: {last}")


def _fill(filler: Path) -> None:
    """Writes until nothing goes in any more; the last bytes one by one thousand, then one by one."""
    filler.parent.mkdir(parents=True, exist_ok=True)  # the run may not have begun to write
    with filler.open("ab", buffering=0) as file:
        for size in (STEP_BYTES, 4096, 1):
            with contextlib.suppress(OSError):
                while file.write(b"\0" * size) == size:
                    pass
        os.fsync(file.fileno())


def last_line(text: str) -> str:
    """The last line that says something."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "nothing was written"
