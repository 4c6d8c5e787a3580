"""A run of several processes, one of which is gone: what the others say, and that they end."""

import contextlib
from collections.abc import Callable, Iterator

import jax

# How the libraries under JAX word that a process does not answer; what else goes wrong in a program has other words.
SIGNS = (
    "gloo", "nccl", "connection reset", "connection refused", "connection closed", "broken pipe", "unavailable", "heartbeat",
    "deadline_exceeded", "coordination service", "barrier", "aborted", "socket closed",
)  # fmt: skip
# What JAX puts before such an error's text; outside a compiled program it reaches Python as a `ValueError`.
STATUS = ("ABORTED: ", "DEADLINE_EXCEEDED: ", "INTERNAL: ", "UNAVAILABLE: ", "UNKNOWN: ")


class ProcessLost(RuntimeError):
    """Another process of the run died or cannot be reached. End with `os._exit`: an orderly end waits for that process."""


@contextlib.contextmanager
def watched(newest: Callable[[], int | None]) -> Iterator[None]:
    """Words the errors that a process gets when another one of its run is gone.

    Args:
      newest: gives the step of the newest finished checkpoint, for the sentence.

    Raises:
      ProcessLost: such an error arose inside.
    """
    try:
        yield
    except Exception as error:
        if jax.process_count() > 1 and is_lost(error):
            raise ProcessLost(_sentence(newest())) from error
        raise


def is_lost(error: BaseException | None) -> bool:
    """Whether an error, or what caused it, says that another process does not answer."""
    while error is not None:
        if isinstance(error, ProcessLost):
            return True
        text = str(error)
        of_jax = isinstance(error, jax.errors.JaxRuntimeError | TimeoutError) or text.startswith(STATUS)
        if of_jax and any(sign in text.lower() for sign in SIGNS):
            return True
        error = error.__cause__ or error.__context__
    return False


def _sentence(newest: int | None) -> str:
    start = f"it continues from step {newest}" if newest is not None else "no checkpoint is finished, so it begins anew"
    return (
        f"process {jax.process_index()} of {jax.process_count()} ends: another process of this run died or cannot be reached. "
        f"Its own output says why. Start all processes again with the same command; {start}."
    )
