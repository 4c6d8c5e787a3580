"""Signs of life between the processes of a run, and the last words of one that JAX ends.

JAX notices a silent process too, and aborts the others with its own trace and without an error that could be caught. So every
process leaves a number with the coordination service of process 0, another one every few seconds, and reads those of the
others. Who finds one that stays the same says whose, and ends before JAX does.
"""

import contextlib
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping

import jax

BEAT_SECONDS = 5.0
ENDED = "ended"  # in place of the number: this process left its run in order, and is not waited for
_KEYS = "spectral_jax/pulse/"
# Says its argument if its input ends without a line, as it does when the process at the other end is killed or aborts. What
# ends a group of processes in order must not end it first.
_WITNESS = "trap '' INT TERM; read -r line || printf '%s\\n' \"$1\" >&2"


class Heard:
    """What was heard of the others, and when. Time is counted in seconds that this process lived through.

    So one that was stopped and goes on, or a machine that slept, accuses nobody.
    """

    def __init__(self, own: int, count: int, limit: int):
        """Takes the number of this process, how many there are, and after how many seconds one counts as silent."""
        self._others = [number for number in range(count) if number != own]
        self._own, self._limit, self._now, self._reached = own, limit, 0, 0
        self._last: dict[int, tuple[str, int]] = dict.fromkeys(self._others, ("", 0))
        self._lock = threading.Lock()

    def note(self, found: Mapping[int, str]) -> None:
        """Process 0 was reached, and has these numbers."""
        with self._lock:
            self._reached = self._now
            for number in self._others:
                said, when = self._last[number]
                now = found.get(number, "")
                self._last[number] = (now, when if now == said else self._now)

    def second(self) -> str:
        """One second more has passed; who is silent, as part of a sentence, or an empty text."""
        with self._lock:
            self._now += 1
            if self._own and self._now - self._reached >= self._limit:
                return f"process 0, which all others meet at, could not be reached for {self._limit} s"
            gone = [n for n, (said, when) in self._last.items() if said != ENDED and self._reached - when >= self._limit]
            if gone:
                names = ", ".join(map(str, gone))
                return f"process{'es' if len(gone) > 1 else ''} {names} gave no sign of life for {self._limit} s"
            return ""


@contextlib.contextmanager
def kept(limit_s: int, give_up: Callable[[str], None]) -> Iterator[None]:
    """Gives signs of life while the block runs, and watches those of the other processes.

    A block that ends with an error stops giving signs, and so takes the others with it.

    Args:
      limit_s: seconds after which a process that gives none counts as gone.
      give_up: gets the sentence, in a thread of its own; it must end the process.
    """
    own, count = jax.process_index(), jax.process_count()
    if count == 1:
        yield
        return
    # JAX has no public name for the client; Orbax takes it from here too.
    from jax._src.distributed import global_state

    client, heard, over = global_state.client, Heard(own, count, limit_s), threading.Event()
    assert client is not None  # there are several processes, so they have met

    def exchange() -> None:
        number = 0
        while not over.wait(min(BEAT_SECONDS, limit_s / 8)):
            number += 1
            with contextlib.suppress(Exception):  # process 0 does not answer: the other thread counts for how long
                client.key_value_set(f"{_KEYS}{own}", str(number), allow_overwrite=True)
                found = client.key_value_dir_get(_KEYS)
                heard.note({int(key.rpartition("/")[2]): said for key, said in found})

    def watch() -> None:
        while not over.wait(1.0):
            if silent := heard.second():
                give_up(
                    f"process {own} of {count} ends: {silent}. It was stopped or killed, or its machine or the network is "
                    "gone; its own output may say why. Start all processes again with the same command; they continue from "
                    "the newest finished checkpoint."
                )

    threads = [threading.Thread(target=each, name=f"spectral_jax {each.__name__}", daemon=True) for each in (exchange, watch)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
    threads[0].join(BEAT_SECONDS)  # so that its last number does not follow the mark
    with contextlib.suppress(Exception):
        client.key_value_set(f"{_KEYS}{own}", ENDED, allow_overwrite=True)


class LastWords:
    """A shell beside this process, which says a text on standard error if this process ends without having dismissed it.

    Where process 0 is killed, the library under JAX ends the others at once, and no code of theirs runs any more.
    """

    def __init__(self, text: str):
        """Starts the shell."""
        self._shell = subprocess.Popen(["/bin/sh", "-c", _WITNESS, "sh", text], stdin=subprocess.PIPE, text=True)

    def dismiss(self) -> None:
        """From here on this process speaks for itself."""
        with contextlib.suppress(OSError, ValueError):  # it was killed before, or was dismissed
            self._shell.communicate("dismissed\n", timeout=5.0)

    def __enter__(self) -> "LastWords":
        return self

    def __exit__(self, *_):
        self.dismiss()
