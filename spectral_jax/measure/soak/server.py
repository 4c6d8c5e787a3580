"""A server of an object store that is killed and started again at random moments while a run uses it."""

import contextlib
import re
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence

import numpy as np

STAYS = (10.0, 40.0)  # seconds that it runs, drawn anew each time
AWAY = (0.5, 4.0)  # and that it is gone
# What a run says when the server was gone in the middle of an upload, of which some servers of tests remember nothing
# afterwards. Cloud Storage does: there such an upload goes on.
CUT = re.compile(r"^pretrain: saving step \d+ to .* failed: .* The checkpoint of step \d+ is intact", re.M)


@contextlib.contextmanager
def restarted(
    command: Sequence[str], seed: int, stays: tuple[float, float] = STAYS, away: tuple[float, float] = AWAY
) -> Iterator[Callable[[], int]]:
    """Runs a server while the block runs, which ends with it. It must find on its disk what it held before it was killed.

    Args:
      command: of the server, in the foreground.
      seed: of the moments.
      stays: shortest and longest time that it runs, seconds.
      away: shortest and longest time that it is gone, seconds.

    Yields:
      A function that tells how often it was killed and started again.

    Raises:
      OSError: there is no such command.
      RuntimeError: it ended by itself; its last lines are in the text.
    """
    rng, over, times, failed = np.random.default_rng(seed), threading.Event(), [0], [""]

    def begin() -> subprocess.Popen:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def live(process: subprocess.Popen) -> None:
        while True:
            last: list[str] = []
            reader = threading.Thread(target=_kept, args=(process, last), daemon=True)
            reader.start()
            over.wait(rng.uniform(*stays))
            if process.poll() is not None:
                reader.join()
                failed[0] = f"the server ended by itself with {process.returncode}: {''.join(last)}"
                return
            process.kill()
            process.wait()
            reader.join()
            if over.wait(rng.uniform(*away)):
                return
            process = begin()
            times[0] += 1

    thread = threading.Thread(target=live, args=(begin(),), name="spectral_jax server")
    thread.start()
    try:
        yield lambda: times[0]
    finally:
        over.set()
        thread.join()
    if failed[0]:
        raise RuntimeError(failed[0])


def _kept(process: subprocess.Popen, last: list[str]) -> None:
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            last[:] = [*last[-9:], line]
